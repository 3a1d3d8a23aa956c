//! Waiting for something to come true, never longer than is reasonable.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const STEP: Duration = Duration::from_millis(200);

/// Asks until there is an answer. An error of the probe is a reason to ask again, and stands in the
/// complaint when the time is over.
pub async fn until<T>(what: &str, seconds: u64, mut probe: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        let last = match probe().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if Instant::now() >= deadline {
            match last {
                Some(error) => bail!("waited {seconds} s in vain for {what}: {error:#}"),
                None => bail!("waited {seconds} s in vain for {what}"),
            }
        }
        tokio::time::sleep(STEP).await;
    }
}
