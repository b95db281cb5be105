//! Audits: what a log does, and the verdict of an auditor who follows it.

mod contradiction;
mod memory;
mod property;

use hashloom::Hash;
use hashloom::evidence::{
    AuditError, Auditor, Checkpoint, Contradiction, NoteSigner, Policy, PolicyError, SignedNote, Verdict,
    VerifyError,
};
use hashloom::primitives::merkle::ProofError;
use rstest::rstest;

use crate::log::Log;

/// An auditor who has accepted the checkpoint of the first `size` blocks.
fn auditor_of(log: &Log, size: u64) -> Auditor {
    let mut auditor = Auditor::new();
    let verdict = auditor.audit(&log.policy(), &log.checkpoint(size), &[]).unwrap();
    assert_eq!((verdict.is_alarm(), verdict), (false, Verdict::First));
    assert_eq!(auditor.held(), Some(&log.checkpoint(size)));
    auditor
}

/// A log that has rewritten everything from height 3 on, and has more work.
fn rewritten(log: &Log) -> Log {
    let mut branch = log.fork_at(2);
    branch.extend(log.chain.height(), "rewritten");
    branch
}

/// The contradiction of an alarm, as a third party reads it.
#[track_caller]
fn shown(contradiction: &Contradiction, smaller: &SignedNote, larger: &SignedNote, key: &NoteSigner) {
    assert_eq!((contradiction.smaller(), contradiction.larger()), (smaller, larger));
    let text = contradiction.to_string();
    let read: Contradiction = text.parse().unwrap();
    assert_eq!((read.to_string(), &read), (text, contradiction));
    assert_eq!(read.verify(&key.verifier()), Ok(()));
}

#[test]
fn an_auditor_follows_a_log_that_grows() {
    let log = Log::of(20);
    let (policy, mut auditor) = (log.policy(), auditor_of(&log, 1));
    let mut held = 1;
    for size in [1, 2, 3, 3, 7, 8, 15, 16, 20] {
        let verdict = auditor.audit(&policy, &log.checkpoint(size), &log.path(held, size)).unwrap();
        let expected = if size == held { Verdict::Unchanged } else { Verdict::Consistent };
        assert_eq!((verdict.is_alarm(), &verdict), (false, &expected), "from {held} to {size}");
        assert_eq!(auditor.held(), Some(&log.checkpoint(size)));
        held = size;
    }
}

#[test]
fn an_empty_log_grows() {
    let log = Log::of(5);
    let mut auditor = auditor_of(&log, 0);
    assert_eq!(auditor.audit(&log.policy(), &log.checkpoint(5), &[]), Ok(Verdict::Consistent));
}

/// The attack and the path from the smaller to the larger tree that the attacker delivers with it, held size 7.
#[test]
fn a_past_that_was_rewritten_with_more_work_is_proven() {
    let log = Log::of(7);
    let mut auditor = auditor_of(&log, 7);
    let branch = rewritten(&log);
    let next = branch.checkpoint(9);
    let Verdict::Rewritten(found) = auditor.audit(&log.policy(), &next, &branch.path(7, 9)).unwrap() else {
        panic!("not rewritten");
    };
    shown(&found, &log.checkpoint(7), &next, &log.key);
    assert_eq!(auditor.held(), Some(&log.checkpoint(7)));
}

/// A tail that was cut and replaced: the log is smaller than what the auditor holds, and it differs.
#[test]
fn a_smaller_log_with_another_past_is_proven() {
    let log = Log::of(9);
    let mut auditor = auditor_of(&log, 9);
    let branch = rewritten(&log);
    let next = branch.checkpoint(7);
    let Verdict::Rewritten(found) = auditor.audit(&log.policy(), &next, &log.path(7, 9)).unwrap() else {
        panic!("not rewritten");
    };
    shown(&found, &next, &log.checkpoint(9), &log.key);
    assert_eq!(auditor.held(), Some(&log.checkpoint(9)));
}

/// From a size that is a power of two, the path does not have the old root. A caller that has that root can prove the contradiction.
#[test]
fn a_rewritten_past_below_a_power_of_two_needs_the_other_root() {
    let log = Log::of(8);
    let mut auditor = auditor_of(&log, 8);
    let branch = rewritten(&log);
    let (next, path) = (branch.checkpoint(10), branch.path(8, 10));
    let verdict = auditor.audit(&log.policy(), &next, &path).unwrap();
    assert!(matches!(verdict, Verdict::Unproven(ProofError::NewRoot { .. })), "{verdict:?}");
    assert_eq!(auditor.held(), Some(&log.checkpoint(8)));

    let root = branch.chain.header_at(8).unwrap().unwrap().history_root;
    let found = Contradiction::new(log.checkpoint(8), next.clone(), root, path);
    shown(&found, &log.checkpoint(8), &next, &log.key);
}

/// Two auditors compare what they hold.
#[test]
fn a_split_view_is_proven_when_two_auditors_meet() {
    let log = Log::of(6);
    let branch = rewritten(&log);
    let (mut alice, mut bob) = (auditor_of(&log, 6), auditor_of(&branch, 6));
    for (auditor, own, other) in [(&mut alice, &log, &branch), (&mut bob, &branch, &log)] {
        let next = other.checkpoint(6);
        let Verdict::SplitView(found) = auditor.audit(&log.policy(), &next, &[]).unwrap() else {
            panic!("no split view");
        };
        shown(&found, &own.checkpoint(6), &next, &log.key);
        assert_eq!(auditor.held(), Some(&own.checkpoint(6)));
    }
}

/// A log that has lost its tail and a messenger that delivers an old checkpoint look the same.
#[rstest]
#[case::cut_tail_or_replayed(7, true)]
#[case::no_path(0, false)]
fn a_smaller_checkpoint_is_an_alarm_and_no_proof(#[case] path_from: u64, #[case] is_prefix: bool) {
    let log = Log::of(12);
    let mut auditor = auditor_of(&log, 12);
    let path = log.path(path_from, 12);
    let verdict = auditor.audit(&log.policy(), &log.checkpoint(7), &path).unwrap();
    assert_eq!(verdict, Verdict::CutOff { is_prefix });
    assert_eq!(auditor.held(), Some(&log.checkpoint(12)));
    // The log is not blamed once it delivers the tail again.
    assert_eq!(auditor.audit(&log.policy(), &log.checkpoint(12), &[]), Ok(Verdict::Unchanged));
}

#[rstest]
#[case::none(|_: &Log| Vec::new(), ProofError::PathLength { got: 0, expected: 5 })]
#[case::of_other_sizes(|log: &Log| log.path(8, 11), ProofError::PathLength { got: 1, expected: 5 })]
#[case::too_long(|log: &Log| [log.path(7, 11), vec![Hash::ZERO]].concat(), ProofError::PathLength { got: 6, expected: 5 })]
fn a_path_of_another_length_is_no_proof(#[case] path: fn(&Log) -> Vec<Hash>, #[case] error: ProofError) {
    let log = Log::of(11);
    let mut auditor = auditor_of(&log, 7);
    let verdict = auditor.audit(&log.policy(), &log.checkpoint(11), &path(&log)).unwrap();
    assert_eq!(verdict, Verdict::Unproven(error));
    assert_eq!(auditor.held(), Some(&log.checkpoint(7)));
}

/// An honest log cannot be accused with a path that was made up: each hash of the path counts for the signed root.
#[test]
fn a_changed_path_accuses_no_honest_log() {
    let log = Log::of(11);
    let honest = log.path(7, 11);
    for at in 0..honest.len() {
        let mut path = honest.clone();
        path[at] = Hash::digest(b"made up");
        let mut auditor = auditor_of(&log, 7);
        let verdict = auditor.audit(&log.policy(), &log.checkpoint(11), &path).unwrap();
        assert!(matches!(verdict, Verdict::Unproven(_)), "hash {at}: {verdict:?}");
        let mut auditor = auditor_of(&log, 11);
        let verdict = auditor.audit(&log.policy(), &log.checkpoint(7), &path).unwrap();
        assert_eq!(verdict, Verdict::CutOff { is_prefix: false }, "hash {at}");
    }
}

fn resigned(text: &str, key: &NoteSigner) -> SignedNote {
    SignedNote::sign(text, key).unwrap()
}

#[rstest]
#[case::another_key(
    |log: &Log| resigned(log.checkpoint(9).text(), &NoteSigner::from_seed(log.key.name(), &[66; 32]).unwrap()),
    |_: &Log| VerifyError::NoKnownKey.into()
)]
#[case::signature_of_another_text(
    |log: &Log| log.checkpoint(7).to_string().replacen("\n7\n", "\n9\n", 1).parse().unwrap(),
    |log: &Log| {
        let (name, key_id) = (log.key.name().to_owned(), log.key.verifier().key_id());
        VerifyError::InvalidSignature { line: 5, name, key_id }.into()
    }
)]
#[case::another_origin(
    |log: &Log| {
        let root = log.chain.header_at(9).unwrap().unwrap().history_root;
        resigned(&Checkpoint::new("log.example/other", 9, root).unwrap().to_string(), &log.key)
    },
    |log: &Log| PolicyError::Origin { got: "log.example/other".to_owned(), expected: log.key.name().to_owned() }
)]
#[case::malformed(
    |log: &Log| resigned("log.example/orders\n9\n", &log.key),
    |_: &Log| hashloom::evidence::CheckpointError::MissingLine { line: 3 }.into()
)]
fn a_checkpoint_that_the_policy_refuses_has_no_verdict(
    #[case] next: fn(&Log) -> SignedNote,
    #[case] error: fn(&Log) -> PolicyError,
) {
    let log = Log::of(9);
    let next = next(&log);
    for mut auditor in [Auditor::new(), auditor_of(&log, 7)] {
        let before = auditor.clone();
        assert_eq!(auditor.audit(&log.policy(), &next, &log.path(7, 9)), Err(AuditError::Next(error(&log))));
        assert_eq!(auditor, before);
    }
}

#[test]
fn a_new_key_of_the_log_takes_over_with_one_checkpoint_that_both_keys_sign() {
    let log = Log::of(9);
    let new_key = NoteSigner::from_seed("log.example/orders", &[8; 32]).unwrap();
    let new_policy = Policy::new(new_key.verifier());
    let by_new_key = |size| resigned(log.checkpoint(size).text(), &new_key);
    let mut both = log.checkpoint(7);
    both.add(new_key.sign(both.text())).unwrap();

    let mut auditor = auditor_of(&log, 5);
    let error = auditor.audit(&new_policy, &by_new_key(9), &log.path(5, 9)).unwrap_err();
    assert_eq!(error, AuditError::Held(VerifyError::NoKnownKey.into()));
    assert_eq!(auditor.audit(&log.policy(), &both, &log.path(5, 7)), Ok(Verdict::Consistent));
    assert_eq!(auditor.audit(&new_policy, &by_new_key(9), &log.path(7, 9)), Ok(Verdict::Consistent));
}
