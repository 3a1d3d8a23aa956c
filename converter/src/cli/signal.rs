//! SIGTERM and Ctrl-C.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::error::StageError;

/// Runs the work until a signal comes. What the work held is dropped where it stood: nothing it
/// wrote counts before a manifest or a head names it.
pub(super) async fn until_told<T>(work: impl Future<Output = Result<T, StageError>>) -> Result<T, StageError> {
    let told = async {
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            }
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        result = work => result,
        () = told => Err(StageError::Terminated),
    }
}
