//! Signed notes and their keys.

mod cosignature;
mod ed25519;
mod go;
mod golden;
mod grammar;
mod keys;
mod round_trip;
mod vectors;

use hashloom::evidence::{NoteVerifier, VerifiedNote};

fn keys(texts: &[&str]) -> Vec<NoteVerifier> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The names of the keys that signed.
fn signers(verified: &VerifiedNote<'_>) -> Vec<String> {
    verified.signatures.iter().map(|signature| signature.verifier.name().to_owned()).collect()
}
