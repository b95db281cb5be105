//! How a test says that it cannot run on a machine.

use std::env;
use std::io::Write;

/// Reports what cannot run on this machine. Fails if `HASHLOOM_NO_SKIP=1`. Writes to stderr directly, because the test
/// harness captures the output of macros.
///
/// # Panics
///
/// If `HASHLOOM_NO_SKIP=1`.
pub(crate) fn skip(what: &str, reason: &str) {
    assert!(env::var_os("HASHLOOM_NO_SKIP").is_none_or(|value| value != "1"), "cannot run here: {reason}");
    let warning = format!("\nWARNING: SKIPPED {what}: {reason}\n");
    std::io::stderr().write_all(warning.as_bytes()).unwrap();
}
