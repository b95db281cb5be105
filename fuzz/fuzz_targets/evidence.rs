//! Parses bytes as every text of evidence: never panics, uses bounded memory, what is read is written as it was read, and no
//! receipt that is made up is accepted.
#![no_main]

use std::fmt::Display;
use std::str::{self, FromStr};
use std::sync::LazyLock;

use hashloom::evidence::{
    Auditor, Checkpoint, Contradiction, Cosigner, NoteSignature, NoteSigner, NoteVerifier, Policy, Receipt,
    SignedNote, Tile,
};
use hashloom::{Hash, MapProof};
use hashloom_fuzz::allocations::measure;
use libfuzzer_sys::fuzz_target;

/// Receipts of the golden files, which begin the corpus, too.
const GENUINE: [&str; 2] = [
    include_str!("../../tests/golden/receipt.tlog-proof"),
    include_str!("../../tests/golden/receipt.witnessed.tlog-proof"),
];

/// The key that has signed them, and the ids of their transactions.
static KNOWN: LazyLock<(Policy, Vec<Hash>)> = LazyLock::new(|| {
    let keys = include_str!("../../tests/golden/receipt.keys.txt");
    let key = keys.lines().next().and_then(|key| key.parse().ok()).expect("a golden key");
    let policy = Policy::new(key);
    let id = |text: &str| {
        text.parse::<Receipt>().expect("a golden receipt").verify(&policy).expect("it is genuine").id
    };
    let ids = GENUINE.map(id).to_vec();
    (policy, ids)
});

/// A parser may take this many times the length of a text, and some bytes for an error or a short text.
const TIMES: usize = 16;
const BYTES: usize = 1 << 10;

fuzz_target!(|bytes: &[u8]| {
    let _ = SignedNote::parse(bytes);
    if let Ok(proof) = MapProof::from_bytes(bytes) {
        assert_eq!(proof.to_bytes(), bytes);
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    check::<SignedNote>(text);
    check::<Checkpoint>(text);
    check::<NoteSignature>(text);
    check::<NoteVerifier>(text);
    check::<Tile>(text);
    check::<Contradiction>(text);
    if let Some(auditor) = parse::<Auditor>(text) {
        assert_eq!(auditor.to_text().as_deref(), Some(text));
    }
    if let Some(key) = parse::<NoteSigner>(text) {
        assert_eq!(*key.secret_key(), *text);
    }
    if let Some(key) = parse::<Cosigner>(text) {
        assert_eq!(*key.secret_key(), *text);
    }
    if let Some(receipt) = check::<Receipt>(text) {
        judge(&receipt);
    }
    if let Ok(receipt) = serde_json::from_str::<Receipt>(text) {
        judge(&receipt);
        check::<Receipt>(&receipt.to_string()).expect("what was read is written");
    }
});

/// A receipt that verifies is for a transaction that was signed.
fn judge(receipt: &Receipt) {
    let (policy, ids) = &*KNOWN;
    if let Ok(proven) = receipt.verify(policy) {
        assert!(ids.contains(&proven.id), "accepted: {proven:?}");
    }
}

/// Parses a text, which must be written as the same text.
fn check<T: FromStr + Display>(text: &str) -> Option<T> {
    let value = parse::<T>(text)?;
    assert_eq!(value.to_string(), text);
    Some(value)
}

/// Parses a text in bounded memory.
fn parse<T: FromStr>(text: &str) -> Option<T> {
    let (parsed, allocated) = measure(|| text.parse::<T>().ok());
    let limit = TIMES * text.len() + BYTES;
    assert!(allocated.total <= limit, "{allocated:?} for {} bytes", text.len());
    parsed
}
