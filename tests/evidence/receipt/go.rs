//! Go's packages `note` and `tlog`, as a verifier of `.tlog-proof` files that knows nothing of receipts, accept the outer
//! proof of a receipt: the block is in the log.

use rstest::rstest;

use crate::go;
use crate::log::Log;

/// What Go prints, or its error; `None` if it is not installed.
fn verdict(key: &str, entry: &str, text: &str) -> Option<Result<String, String>> {
    let output = go::run(&["proof", key, entry], text.as_bytes())?;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Some(if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) })
}

#[rstest]
#[case(2)]
#[case(7)]
#[case(8)]
#[case(9)]
fn go_finds_every_block_in_the_log(#[case] size: u64) {
    let log = Log::of(9);
    let key = log.key.verifier().to_string();
    for height in 1..size {
        let text = log.receipt(height, 0, size).to_string();
        let Some(verdict) = verdict(&key, &log.hash(height).to_string(), &text) else { return };
        assert_eq!(verdict, Ok(format!("entry {height} of {size}\n")));
    }
}

#[rstest]
#[case::another_entry(|log: &Log, text: String| (log.hash(3).to_string(), text))]
#[case::another_index(|log: &Log, text: String| (log.hash(2).to_string(), text.replacen("index 2", "index 3", 1)))]
#[case::another_size(|log: &Log, text: String| (log.hash(2).to_string(), text.replacen("\n7\n", "\n8\n", 1)))]
fn go_refuses_a_proof_of_something_else(#[case] forge: fn(&Log, String) -> (String, String)) {
    let log = Log::of(9);
    let (entry, text) = forge(&log, log.receipt(2, 0, 7).to_string());
    let Some(verdict) = verdict(&log.key.verifier().to_string(), &entry, &text) else { return };
    let error = verdict.unwrap_err();
    assert!(error.contains("invalid transparency proof") || error.contains("invalid signature"), "{error}");
}
