//! Each demand of a policy, met and not met.

use hashloom::CompactTarget;
use hashloom::Timestamp;
use hashloom::evidence::{
    Cosigner, NoteSigner, NoteVerifier, Policy, PolicyError, PolicyKeyError, SignedNote, VerifyError,
    VerifyReceiptError,
};
use hashloom::primitives::CompactTargetError;
use rstest::rstest;

use crate::log::{Log, TARGET};

const TIME: Timestamp = Timestamp::from_millis(1_767_225_800_000);

fn witness(byte: u8) -> Cosigner {
    Cosigner::from_seed(&format!("witness.example/{byte}"), &[byte; 32]).unwrap()
}

fn witnesses(count: u8) -> Vec<NoteVerifier> {
    (1..=count).map(|byte| witness(byte).verifier()).collect()
}

fn second_key() -> NoteSigner {
    NoteSigner::from_seed("log.example/orders", &[8; 32]).unwrap()
}

/// A checkpoint of the log, with the signatures of a second key of the log and of two witnesses.
fn checkpoint(log: &Log) -> SignedNote {
    let mut note = log.checkpoint(4);
    note.add(second_key().sign(note.text())).unwrap();
    let checkpoint = note.text().parse().unwrap();
    for byte in [2, 1] {
        note.add(witness(byte).cosign(&checkpoint, TIME)).unwrap();
    }
    note
}

#[rstest]
#[case::one_key(|policy| policy, 0)]
#[case::both_keys(|policy: Policy| policy.with_key(second_key().verifier()).unwrap(), 0)]
#[case::no_witness_asked(|policy: Policy| policy.with_witnesses(witnesses(3), 0).unwrap(), 2)]
#[case::both_witnesses(|policy: Policy| policy.with_witnesses(witnesses(2), 2).unwrap(), 2)]
#[case::two_of_three(|policy: Policy| policy.with_witnesses(witnesses(3), 2).unwrap(), 2)]
#[case::the_last_list(
    |policy: Policy| policy.with_witnesses(witnesses(3), 3).unwrap().with_witnesses(witnesses(1), 1).unwrap(),
    1
)]
fn a_checkpoint_is_accepted(#[case] demand: fn(Policy) -> Policy, #[case] cosigned: usize) {
    let log = Log::of(4);
    let accepted = demand(log.policy()).check(&checkpoint(&log)).unwrap();
    assert_eq!(accepted.checkpoint, checkpoint(&log).text().parse().unwrap());
    assert_eq!(accepted.signed_by[0], log.key.verifier());
    let got: Vec<_> = accepted.witnesses.iter().map(|seen| (seen.witness.clone(), seen.time)).collect();
    let expected: Vec<_> = witnesses(2).into_iter().map(|witness| (witness, TIME)).take(cosigned).collect();
    assert_eq!(got, expected);
}

fn not_signed(key: &NoteVerifier) -> PolicyError {
    PolicyError::NotSigned { name: key.name().to_owned(), key_id: key.key_id() }
}

#[rstest]
#[case::three_of_three(
    |policy: Policy| policy.with_witnesses(witnesses(3), 3).unwrap(),
    PolicyError::Witnesses { got: 2, expected: 3 }
)]
#[case::another_key_of_this_name(
    |policy: Policy| policy.with_key(third_key()).unwrap(),
    not_signed(&third_key())
)]
#[case::only_witnesses_have_signed(
    |_| Policy::new(third_key()).with_witnesses(witnesses(2), 2).unwrap(),
    not_signed(&third_key())
)]
#[case::no_known_key(|_| Policy::new(third_key()), VerifyError::NoKnownKey.into())]
#[case::another_origin(
    |policy: Policy| policy.with_origin("log.example/other"),
    PolicyError::Origin { got: "log.example/orders".to_owned(), expected: "log.example/other".to_owned() }
)]
fn a_checkpoint_is_refused(#[case] demand: fn(Policy) -> Policy, #[case] expected: PolicyError) {
    let log = Log::of(4);
    assert_eq!(demand(log.policy()).check(&checkpoint(&log)), Err(expected));
}

fn third_key() -> NoteVerifier {
    NoteSigner::from_seed("log.example/orders", &[9; 32]).unwrap().verifier()
}

#[test]
fn a_note_that_the_log_signed_and_that_is_no_checkpoint_is_refused() {
    let log = Log::of(1);
    let note = SignedNote::sign("all is well\n", &log.key).unwrap();
    let error = log.policy().check(&note).unwrap_err();
    assert_eq!(error.to_string(), "line 2 is missing");
    assert!(matches!(error, PolicyError::Checkpoint(_)), "{error:?}");
}

#[test]
fn an_invalid_signature_of_a_known_key_refuses_the_note() {
    let log = Log::of(4);
    let note = checkpoint(&log);
    let other = log.checkpoint(3).to_string();
    let forged: SignedNote = note.to_string().replace(note.text(), log.checkpoint(3).text()).parse().unwrap();
    let error = log.policy().check(&forged).unwrap_err();
    let key = log.key.verifier();
    let (name, key_id) = (key.name().to_owned(), key.key_id());
    assert_eq!(error, VerifyError::InvalidSignature { line: 5, name, key_id }.into());
    assert!(log.policy().check(&other.parse().unwrap()).is_ok());
}

#[rstest]
#[case::too_few(witnesses(2), 3, "2 witnesses, of which 3 must have cosigned")]
#[case::no_cosigner(vec![third_key()], 1, "log.example/orders+")]
#[case::twice(vec![witness(1).verifier(), witness(1).verifier()], 1, "the public key of witness.example/1+")]
#[case::two_names_of_one_key(
    vec![witness(1).verifier(), Cosigner::from_seed("witness.example/2", &[1; 32]).unwrap().verifier()],
    2,
    "the public key of witness.example/2+"
)]
#[case::the_key_of_the_log(
    vec![Cosigner::from_seed("witness.example/2", &[7; 32]).unwrap().verifier()],
    1,
    "the public key of witness.example/2+"
)]
fn keys_that_cannot_be_the_witnesses(
    #[case] keys: Vec<NoteVerifier>,
    #[case] min: usize,
    #[case] expected: &str,
) {
    let error: PolicyKeyError = Log::of(0).policy().with_witnesses(keys, min).unwrap_err();
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn a_key_of_the_log_is_not_that_of_a_witness_or_given_twice() {
    let policy = Log::of(0).policy().with_witnesses(witnesses(1), 1).unwrap();
    for seed in [1, 7] {
        let key = NoteSigner::from_seed("log.example/second", &[seed; 32]).unwrap().verifier();
        let (name, key_id) = (key.name().to_owned(), key.key_id());
        assert_eq!(policy.clone().with_key(key), Err(PolicyKeyError::SharedKey { name, key_id }));
    }
}

#[rstest]
#[case(2, true)]
#[case(3, false)]
fn blocks_on_top_are_counted_in_the_tree(#[case] expected: u64, #[case] is_accepted: bool) {
    let log = Log::of(6);
    let receipt = log.receipt(2, 0, 5);
    let verified = receipt.verify(&log.policy().with_min_blocks_on_top(expected));
    let error = VerifyReceiptError::BlocksOnTop { got: 2, expected };
    assert_eq!(verified.map(|proven| proven.header.height), if is_accepted { Ok(2) } else { Err(error) });
}

#[test]
fn a_target_that_is_easier_than_that_of_the_policy_is_refused() {
    let log = Log::of(2);
    let receipt = log.receipt(1, 0, 2);
    let harder = CompactTarget::from_bits(0x207f_fffe);
    let policy = |target: CompactTarget| log.policy().with_easiest_target(target).unwrap();
    let error = VerifyReceiptError::EasyTarget { got: TARGET, easiest: harder.try_into().unwrap() };
    assert_eq!(receipt.verify(&policy(harder)), Err(error));
    assert!(receipt.verify(&policy(TARGET)).is_ok());
    let zero = CompactTarget::from_bits(0);
    assert_eq!(log.policy().with_easiest_target(zero), Err(CompactTargetError::Zero(zero)));
}
