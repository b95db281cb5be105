//! Golden files: the frozen text forms of evidence in `tests/golden`.

use std::path::PathBuf;
use std::{env, fs};

/// Compares a text with a golden file, and returns the file. `HASHLOOM_BLESS=1` writes it before.
pub(crate) fn check(file: &str, today: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(file);
    if env::var_os("HASHLOOM_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, today).unwrap();
    }
    let frozen = fs::read_to_string(&path).unwrap_or_default();
    let bless = "HASHLOOM_BLESS=1 cargo test --features evidence --test evidence golden";
    assert_eq!(today, frozen, "{file} differs; if that is meant: {bless}");
    frozen
}
