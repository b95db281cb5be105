//! Times a call.

use std::time::Instant;

/// How many seconds a call takes.
pub(crate) fn timed<E: Into<anyhow::Error>>(call: impl FnOnce() -> Result<(), E>) -> anyhow::Result<f64> {
    let started = Instant::now();
    call().map_err(Into::into)?;
    Ok(started.elapsed().as_secs_f64())
}
