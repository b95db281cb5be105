//! The forms of a signed transaction: canonical bytes, serde, and memory.

use hashloom::primitives::{BodyDigest, EncodeError, PublicKey, transaction_id};
use hashloom::signed::{SecretKey, Signature, Signed};
use hashloom::{Blockchain, Hash, Header, Transaction};
use proptest::prelude::*;

use crate::kit::{key, spec, text};

fn canonical(transaction: &Signed<String>) -> Vec<u8> {
    let mut bytes = vec![0xaa];
    transaction.encode(&mut bytes).unwrap();
    bytes.split_off(1)
}

#[test]
fn every_format_keeps_it() {
    let chain = Blockchain::new(spec("signed"));
    for signed in [text(&chain, 1, 0, ""), text(&chain, 1, u64::MAX, "\u{2713}")] {
        #[cfg(feature = "test-utils")]
        hashloom::testing::transaction(&signed);
        let json = serde_json::to_string(&signed).unwrap();
        let expected = format!(
            r#"{{"author":"{}","sequence":{},"signature":"{}","transaction":"{}"}}"#,
            signed.author(),
            signed.sequence(),
            signed.signature(),
            signed.transaction()
        );
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Signed<String>>(&json).unwrap(), signed);
        assert_eq!(signed.signature().to_string().parse(), Ok(*signed.signature()));
        assert_eq!(signed.heap_size(canonical(&signed).len()), signed.transaction().len() + 1);
        assert!(!format!("{signed:?}{:?}", key(1)).contains("verdict"));
    }
}

#[test]
fn unknown_fields_and_other_lengths_are_refused() {
    let chain = Blockchain::new(spec("signed"));
    let json = serde_json::to_value(text(&chain, 1, 0, "a")).unwrap();
    let read = |json: &serde_json::Value| serde_json::from_value::<Signed<String>>(json.clone()).map(drop);
    assert!(read(&json).is_ok());
    let with = |field: &str, value: serde_json::Value| {
        let mut json = json.clone();
        json[field] = value;
        read(&json).unwrap_err().to_string()
    };
    assert!(with("fee", 1.into()).starts_with("unknown field `fee`"));
    assert_eq!(with("signature", "00".into()), "expected 128 hex digits, got 2");
    assert_eq!(with("author", "zz".repeat(32).into()), "expected a hex digit, got 'z' at byte 0");
    let upper = json["signature"].as_str().unwrap().to_uppercase();
    assert!(with("signature", upper.into()).starts_with("expected a lower-case hex digit"));
    assert!(with("sequence", (-1).into()).contains("-1"));
}

/// The secret is not in the text for debugging.
#[test]
fn a_secret_key_is_not_printed() {
    let secret = SecretKey::from_seed(&[0x5a; 32]);
    assert_eq!(format!("{secret:?}"), format!("SecretKey(of {})", secret.public_key()));
    assert!(!format!("{secret:?}").contains("5a5a"));
}

proptest! {
    /// Canonical bytes and signed bytes are each other's with the parts at their places, so no two values share them.
    #[test]
    fn bytes_are_the_parts_in_order(
        author: [u8; 32],
        sequence: u64,
        signature in proptest::array::uniform2(any::<[u8; 32]>()),
        text: String,
        genesis: [u8; 32],
    ) {
        let signature: [u8; 64] = signature.as_flattened().try_into().unwrap();
        let signed = Signed::from_parts(
            PublicKey::from_bytes(author), sequence, Signature::from_bytes(signature), text.clone(),
        );
        let inner = postcard::to_stdvec(&text).unwrap();
        let bytes = canonical(&signed);
        let expected = [&author, &sequence.to_be_bytes()[..], &signature, &inner].concat();
        prop_assert_eq!(&bytes, &expected);
        prop_assert_eq!(bytes.len(), Signed::<String>::OVERHEAD + inner.len());
        let message = signed.signed_bytes(&Hash::from_bytes(genesis)).unwrap();
        let expected = [b"hashloom signed v1\0", &genesis[..], &sequence.to_be_bytes(), &inner].concat();
        prop_assert_eq!(message, expected);
    }
}

/// A text whose canonical bytes are its own and that refuses to have any if it is empty.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Plain(String);

impl Transaction for Plain {
    type State = ();

    fn apply(&self, (): &mut (), _: &hashloom::Context<'_>) -> Result<(), hashloom::Rejected> {
        Ok(())
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.0.is_empty() {
            return Err(EncodeError::new("empty"));
        }
        bytes.extend_from_slice(self.0.as_bytes());
        Ok(())
    }
}

#[test]
fn canonical_bytes_are_those_of_the_inner_type() {
    let signed = Signed::sign(Plain("abc".to_owned()), 0, &key(1), &Hash::ZERO).unwrap();
    assert!(signed.signed_bytes(&Hash::ZERO).unwrap().ends_with(b"\0abc"));
    let digest = BodyDigest::of(std::slice::from_ref(&signed)).unwrap();
    assert_eq!(digest.size, Header::LEN + Signed::<Plain>::OVERHEAD + 3);
    assert_eq!(digest.ids, [transaction_id(&signed).unwrap()]);
    let error = Signed::sign(Plain(String::new()), 0, &key(1), &Hash::ZERO).unwrap_err();
    assert_eq!(error.reason(), "empty");
    let unsigned = Signed::from_parts(*signed.author(), 0, *signed.signature(), Plain(String::new()));
    assert_eq!(unsigned.check(&Hash::ZERO).unwrap_err().rule(), "canonical_encoding");
}
