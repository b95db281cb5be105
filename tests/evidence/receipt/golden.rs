//! The receipts of the golden files.

use hashloom::Timestamp;
use hashloom::evidence::{Cosigner, NoteSigner, Receipt};

use crate::log::Log;

/// Receipts by name: one of the only transaction of its block in a log of two blocks, and one with long paths, a second
/// key, two witnesses and an unknown signature.
pub(crate) fn receipts() -> [(&'static str, Receipt); 2] {
    let mut small = Log::of(0);
    let block =
        small.chain.template(vec!["\u{2713} pay 1".to_owned()], crate::log::NOW).unwrap().mine().unwrap();
    assert!(small.chain.import(block.into(), crate::log::NOW).unwrap().is_extension());
    small.extend(1, "order");

    let large = Log::of(40);
    let mut note = large.checkpoint(37);
    let checkpoint = note.text().parse().unwrap();
    note.add(second_key().sign(note.text())).unwrap();
    for (witness, millis) in witnesses().iter().zip([1_767_225_800_000, 1_767_225_900_000]) {
        note.add(witness.cosign(&checkpoint, Timestamp::from_millis(millis))).unwrap();
    }
    note.add("\u{2014} unknown.example/key AAAAAP8=".parse().unwrap()).unwrap();
    let receipt = Receipt::issue(&large.chain, &large.hash(11), 2, note).unwrap();
    [("receipt", small.receipt(1, 0, 2)), ("receipt.witnessed", receipt)]
}

fn second_key() -> NoteSigner {
    NoteSigner::from_seed("log.example/orders", &[8; 32]).unwrap()
}

fn witnesses() -> [Cosigner; 2] {
    [1, 2].map(|byte| Cosigner::from_seed(&format!("witness.example/{byte}"), &[byte; 32]).unwrap())
}

/// The public keys that have signed, one a line.
pub(crate) fn keys() -> String {
    let [first, second] = witnesses().map(|witness| witness.verifier());
    format!("{}\n{}\n{first}\n{second}\n", Log::of(0).key.verifier(), second_key().verifier())
}
