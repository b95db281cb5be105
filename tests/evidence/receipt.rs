//! Receipts: issued by a chain, written and parsed, and verified against honest and forged claims.

mod forged;
mod form;
mod go;
mod golden;
mod issue;
mod javascript;
mod policy;
mod property;

use hashloom::evidence::{Checkpoint, DecodeReceiptError, Proven, Receipt, SignedNote};
use hashloom::primitives::transaction_id;
use hashloom::{Blockchain, Context, Rejected, Transaction};
use rstest::rstest;
use serde::{Deserialize, Serialize};

use crate::log::{Log, NOW};

/// Verifies every receipt of a chain, at each place in trees of many shapes.
#[test]
fn every_transaction_of_a_chain_has_a_receipt_for_every_checkpoint() {
    let log = Log::of(9);
    let policy = log.policy();
    for size in 2..=9 {
        for height in 1..size {
            for index in 0..3 {
                let receipt = log.receipt(height, index, size);
                let parsed: Receipt = receipt.to_string().parse().unwrap();
                assert_eq!(parsed, receipt);
                let proven = parsed.verify(&policy).unwrap();
                let text = format!("order {height}.{index}");
                assert_eq!(proven.decode::<String>().unwrap(), text);
                assert_eq!(proven.id, transaction_id(&text).unwrap());
                assert_eq!(proven.block_hash, log.hash(height));
                assert_eq!(*proven.header, log.chain.header_at(height).unwrap().unwrap());
                let accepted = &proven.accepted;
                assert_eq!(
                    (accepted.checkpoint.size(), accepted.checkpoint.origin()),
                    (size, log.key.name())
                );
                assert_eq!(accepted.signed_by, [log.key.verifier()]);
                assert_eq!(accepted.witnesses, []);
            }
        }
    }
}

/// A transaction whose canonical bytes are not its serde form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Framed(String);

impl Transaction for Framed {
    type State = ();

    fn apply(&self, (): &mut (), _: &Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), hashloom::primitives::EncodeError> {
        bytes.extend(b"framed ");
        bytes.extend(self.0.as_bytes());
        Ok(())
    }
}

/// The auditor of such a chain compares ids, or reads the canonical bytes without the type.
#[test]
fn canonical_bytes_of_the_application_s_own_are_proven_as_they_are() {
    let log = Log::of(0);
    let mut chain = Blockchain::<Framed>::new(log.chain.spec().clone());
    let records = ["one", "two"].map(|text| Framed(text.to_owned()));
    for data in [records.to_vec(), Vec::new()] {
        let block = chain.template(data, NOW).unwrap().mine().unwrap();
        assert!(chain.import(block.into(), NOW).unwrap().is_extension());
    }
    let checkpoint = Checkpoint::of_chain(&chain, 2, log.key.name()).unwrap();
    let note = SignedNote::sign(checkpoint.to_string(), &log.key).unwrap();
    let hash = chain.header_at(1).unwrap().unwrap().hash();
    let receipt = Receipt::issue(&chain, &hash, 1, note).unwrap();
    let proven = receipt.verify(&log.policy()).unwrap();
    assert_eq!(proven.transaction, b"framed two");
    assert_eq!(proven.id, transaction_id(&records[1]).unwrap());
    let error = proven.decode::<Framed>().unwrap_err();
    assert!(matches!(error, DecodeReceiptError::Malformed { .. }), "{error:?}");
}

/// A transaction whose deserialization panics on every value.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Panics;

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("no value")
    }
}

impl Transaction for Panics {
    type State = ();

    fn apply(&self, (): &mut (), _: &Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }
}

fn decode_error<T: Transaction>(proven: &Proven<'_>) -> DecodeReceiptError {
    proven.decode::<T>().unwrap_err()
}

#[rstest]
#[case::no_number(decode_error::<Number>, "not a transaction of this type: ")]
#[case::another_encoding(decode_error::<Framed>, "the value that is read has the id ")]
#[case::panic(decode_error::<Panics>, "the application's `Deserialize::deserialize` panicked: no value")]
fn a_type_that_is_not_that_of_the_chain_is_not_decoded(
    #[case] decode: fn(&Proven<'_>) -> DecodeReceiptError,
    #[case] expected: &str,
) {
    let log = Log::of(2);
    let receipt = log.receipt(1, 0, 2);
    let error = decode(&receipt.verify(&log.policy()).unwrap()).to_string();
    assert!(error.starts_with(expected), "{error}");
}

/// Postcard reads a number from the first bytes of a text, and ignores the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Number(Vec<bool>);

impl Transaction for Number {
    type State = ();

    fn apply(&self, (): &mut (), _: &Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }
}
