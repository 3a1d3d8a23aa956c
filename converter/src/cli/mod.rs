//! The command line: one binary, for people (`run`) and for pods (`plan`, `convert`, `commit`).

mod args;
mod document;
mod progress;
mod run;
mod signal;
mod stage;
mod summary;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;

use crate::error::StageError;
use args::{Cli, Command};

/// Parses the arguments, runs the command, and says how it went by the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging();
    // The one TLS provider of the process; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => {
            eprintln!("error: cannot start: {source}");
            return ExitCode::from(crds::wire::ExitCode::Crash.code());
        }
    };
    let code = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => run::run(args).await,
            Command::Plan(args) => stage::stage(stage::Stage::Plan, args).await,
            Command::Convert(args) => stage::stage(stage::Stage::Convert, args).await,
            Command::Commit(args) => stage::stage(stage::Stage::Commit, args).await,
        }
    });
    // A blocked read must not keep a process alive that was told to stop.
    runtime.shutdown_background();
    ExitCode::from(code.code())
}

fn start_logging() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,converter=info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    if std::env::var_os("JOB_COMPLETION_INDEX").is_some() { builder.json().init() } else { builder.init() }
}

/// Says on stderr what went wrong.
fn complain(error: &StageError) -> crds::wire::ExitCode {
    eprintln!("error: {}: {error}", error.reason());
    error.exit()
}
