//! Logs on stderr.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

use crate::options::LogFormat;

/// Starts logging. A filter that cannot be read falls back to `info`, and says so.
pub fn start(format: LogFormat, filter: &str) {
    let (parsed, refused) = match EnvFilter::try_new(filter) {
        Ok(parsed) => (parsed, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let builder = fmt().with_env_filter(parsed).with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).with_target(true);
    // A second start (tests) keeps the first.
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).try_init(),
        LogFormat::Text => builder.try_init(),
    };
    if let Some(error) = refused {
        tracing::warn!(%error, filter, "log filter not understood, using info");
    }
}
