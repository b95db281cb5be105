//! Contradictions: what proves that a log misbehaved, and their text.

use hashloom::Hash;
use hashloom::evidence::{
    Checkpoint, CheckpointError, Contradiction, ContradictionError, NoteSigner, SignedNote, VerifyError,
};
use hashloom::primitives::merkle::ProofError;
use rstest::rstest;

use super::{resigned, rewritten};
use crate::log::Log;

/// A log that has rewritten its past between the checkpoints of the sizes 7 and 9.
fn proven() -> (Log, Log, Contradiction) {
    let log = Log::of(9);
    let branch = rewritten(&log);
    let root = branch.chain.header_at(7).unwrap().unwrap().history_root;
    let found = Contradiction::new(log.checkpoint(7), branch.checkpoint(9), root, branch.path(7, 9));
    (log, branch, found)
}

#[test]
fn a_contradiction_needs_the_public_key_and_nothing_else() {
    let (log, _, found) = proven();
    assert_eq!(found.verify(&log.key.verifier()), Ok(()));
    let other = NoteSigner::from_seed(log.key.name(), &[66; 32]).unwrap();
    assert_eq!(found.verify(&other.verifier()), Err(VerifyError::NoKnownKey.into()));
}

type Parts = (SignedNote, SignedNote, Hash, Vec<Hash>);

#[rstest]
#[case::consistent(
    |log: &Log, _: &Log| (log.checkpoint(7), log.checkpoint(9), root(log, 7), log.path(7, 9)),
    |log: &Log| ContradictionError::SameRoot { root: root(log, 7) }
)]
#[case::made_up_root(
    |log: &Log, _: &Log| (log.checkpoint(7), log.checkpoint(9), Hash::ZERO, log.path(7, 9)),
    |log: &Log| ProofError::OldRoot { got: root(log, 7), expected: Hash::ZERO }.into()
)]
#[case::made_up_root_of_a_power_of_two(
    |log: &Log, _: &Log| (log.checkpoint(8), log.checkpoint(9), Hash::ZERO, log.path(8, 9)),
    |log: &Log| {
        let got = hashloom::primitives::merkle::node_hash(&Hash::ZERO, &log.path(8, 9)[0]);
        ProofError::NewRoot { got, expected: root(log, 9) }.into()
    }
)]
#[case::path_of_other_sizes(
    |log: &Log, branch: &Log| (log.checkpoint(7), branch.checkpoint(9), root(branch, 7), branch.path(8, 9)),
    |_: &Log| ProofError::PathLength { got: 1, expected: 5 }.into()
)]
#[case::larger_one_first(
    |log: &Log, branch: &Log| (branch.checkpoint(9), log.checkpoint(7), root(branch, 7), branch.path(7, 9)),
    |_: &Log| ProofError::Shrinks { old_size: 9, new_size: 7 }.into()
)]
#[case::two_logs(
    |log: &Log, branch: &Log| {
        let other = Checkpoint::new("log.example/other", 9, root(branch, 9)).unwrap();
        (log.checkpoint(7), resigned(&other.to_string(), &log.key), root(branch, 7), branch.path(7, 9))
    },
    |_: &Log| ContradictionError::Origins {
        smaller: "log.example/orders".to_owned(),
        larger: "log.example/other".to_owned(),
    }
)]
#[case::no_checkpoint(
    |log: &Log, branch: &Log| {
        (resigned("all is well\n", &log.key), branch.checkpoint(9), root(branch, 7), branch.path(7, 9))
    },
    |_: &Log| CheckpointError::MissingLine { line: 2 }.into()
)]
fn what_proves_nothing_against_a_log(
    #[case] parts: fn(&Log, &Log) -> Parts,
    #[case] error: fn(&Log) -> ContradictionError,
) {
    let (log, branch, _) = proven();
    let (smaller, larger, root, path) = parts(&log, &branch);
    let verified = Contradiction::new(smaller, larger, root, path).verify(&log.key.verifier());
    assert_eq!(verified, Err(error(&log)));
}

fn root(log: &Log, size: u64) -> Hash {
    log.chain.header_at(size).unwrap().unwrap().history_root
}

#[rstest]
#[case::version(1, "hashloom/contradiction@v2", "line 1: expected hashloom/contradiction@v1, got ")]
#[case::no_root(2, "AAAA", "line 2: expected `root ` and the base64 of a hash, got \"AAAA\"")]
#[case::short_root(2, "root AAAA", "line 2: expected `root ` and the base64 of a hash, got \"root AAAA\"")]
#[case::path(4, "AAAA", "line 4: expected the base64 of a hash, or an empty line, got \"AAAA\"")]
#[case::path_ends_early(4, "", "the note from line 5 on: ")]
#[case::smaller_note(13, "log.example/orders", "the note from line 9 on: line 5: ")]
#[case::no_line_between(14, "log.example/orders", "the note from line 9 on: line 6: ")]
#[case::larger_note(19, "log.example/orders", "the note from line 15 on: line 5: ")]
fn a_line_that_is_not_of_the_format(#[case] number: usize, #[case] line: &str, #[case] expected: &str) {
    let text = proven().2.to_string();
    let mut lines: Vec<_> = text.split('\n').collect();
    lines[number - 1] = line;
    let error = lines.join("\n").parse::<Contradiction>().unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_text_and_a_path_have_limits() {
    let error = |text: String| text.parse::<Contradiction>().unwrap_err().to_string();
    let long = Contradiction::MAX_BYTES + 1;
    let expected = format!("a text of {long} bytes, expected at most {}", Contradiction::MAX_BYTES);
    assert_eq!(error("x".repeat(long)), expected);
    let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    let text = proven().2.to_string();
    let with_hashes = |count| text.replacen("\n\n", &format!("\n{}\n", hash.repeat(count)), 1);
    assert!(with_hashes(60).parse::<Contradiction>().is_ok());
    assert_eq!(
        error(with_hashes(61)),
        "line 68: expected an empty line, behind as many hashes as a path may have, got \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""
    );
}

#[test]
fn a_damaged_contradiction_is_refused() {
    let (log, _, found) = proven();
    let text = found.to_string();
    let key = log.key.verifier();
    for (end, _) in text.char_indices() {
        assert!(text[..end].parse::<Contradiction>().is_err(), "{end}");
    }
    for (at, bit) in (0..text.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut damaged = text.clone().into_bytes();
        damaged[at] ^= 1 << bit;
        let Ok(damaged) = String::from_utf8(damaged) else { continue };
        let read = damaged.parse::<Contradiction>();
        assert!(!read.is_ok_and(|read| read.verify(&key).is_ok()), "byte {at}: {damaged}");
    }
}

#[test]
fn golden_contradiction() {
    let (log, _, found) = proven();
    let file = crate::golden::check("contradiction.txt", &found.to_string());
    let read: Contradiction = file.parse().unwrap();
    assert_eq!((&read, read.verify(&log.key.verifier())), (&found, Ok(())));
}

/// Go's packages `note` and `tlog` come to the same conclusion.
#[test]
fn go_sees_the_contradiction() {
    let (log, branch, found) = proven();
    let args = ["contradiction".to_owned(), log.key.verifier().to_string()];
    let Some(output) = crate::go::check(&args, found.to_string().as_bytes()) else { return };
    assert_eq!(output, "7 contradicts 9\n");

    let honest = Contradiction::new(log.checkpoint(7), log.checkpoint(9), root(&log, 7), log.path(7, 9));
    let made_up =
        Contradiction::new(log.checkpoint(7), log.checkpoint(9), root(&branch, 7), branch.path(7, 9));
    for (contradiction, error) in [(honest, "consistent"), (made_up, "invalid transparency proof")] {
        let output = crate::go::run(&args, contradiction.to_string().as_bytes()).unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains(error), "{stderr}");
    }
}
