//! A witness: which checkpoints it cosigns, in the order of the rules, and that it never goes back.

use hashloom::chain::ChainConfig;
use hashloom::evidence::{
    AddCheckpoint, Auditor, Checkpoint, Cosigner, LineError, NoteError, NoteSigner, ParseAddCheckpointError,
    Policy, SignedNote, Verdict, VerifyError, Witness, WitnessError,
};
use hashloom::primitives::merkle::{self, ProofError};
use hashloom::store::Memory;
use hashloom::{Blockchain, ChainSpec, Hash, StoreError, Timestamp};
use rstest::rstest;

use crate::disk::{self, Disk};
use crate::log::Log;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_900_999);

/// The chain of the witness, which is not the log.
fn open(disk: &Disk) -> Blockchain {
    let spec = ChainSpec::builder("witness").build().unwrap();
    Blockchain::open(spec, ChainConfig::default(), Box::new(disk.clone())).unwrap()
}

fn cosigner() -> Cosigner {
    Cosigner::from_seed("witness.example", &[9; 32]).unwrap()
}

fn witness(log: &Log) -> Witness {
    Witness::new(cosigner()).with_log(log.key.verifier())
}

/// A request for a cosignature of the log's checkpoint of `size`, after one of `old_size`.
fn request(log: &Log, old_size: u64, size: u64) -> AddCheckpoint {
    let path =
        if old_size == 0 { Vec::new() } else { log.chain.consistency_proof(old_size, size).unwrap().path };
    AddCheckpoint::new(old_size, path, log.checkpoint(size)).unwrap()
}

#[test]
fn a_log_that_grows_is_cosigned_step_by_step() {
    let log = Log::of(40);
    let disk = Disk::default();
    for (old_size, size) in [(0, 1), (1, 2), (2, 7), (7, 8), (8, 40), (40, 40)] {
        // Each time in another process.
        let mut chain = open(&disk);
        let request = request(&log, old_size, size);
        let signature = witness(&log).add_checkpoint(&mut chain, &request, NOW).unwrap();
        let mut note = request.note().clone();
        note.add(signature).unwrap();
        let (key, policy) = (cosigner().verifier(), Policy::new(log.key.verifier()));
        let accepted = policy.with_witnesses([key], 1).unwrap().check(&note).unwrap();
        assert_eq!(accepted.witnesses[0].time, Timestamp::from_millis(1_767_225_900_000));
        let last = Witness::last(&chain, "log.example/orders").unwrap().unwrap();
        assert_eq!(last, (request.note().text().parse().unwrap(), request.note().clone()));
    }
}

#[test]
fn what_breaks_a_rule_is_refused_by_name_and_changes_nothing() {
    let log = Log::of(40);
    let mut other = Log::of(10);
    other.extend(30, "another");
    let disk = Disk::default();
    let mut chain = open(&disk);
    let witness = witness(&log);
    let _ = witness.add_checkpoint(&mut chain, &request(&log, 0, 20), NOW).unwrap();
    let before = disk.copy();
    let root = |log: &Log, size| Checkpoint::of_chain(&log.chain, size, "log.example/orders").unwrap().root();
    let signed = |text: String, key: &NoteSigner| SignedNote::sign(text, key).unwrap();
    let no_path = |old_size, note| AddCheckpoint::new(old_size, Vec::new(), note).unwrap();

    let foreign = NoteSigner::from_seed("log.example/foreign", &[7; 32]).unwrap();
    let stranger = NoteSigner::from_seed("log.example/orders", &[6; 32]).unwrap();
    let text = |origin, size| Checkpoint::of_chain(&log.chain, size, origin).unwrap().to_string();
    let mut flipped = request(&log, 20, 30).path().to_vec();
    flipped[0] = Hash::ZERO;
    let cases = [
        (
            no_path(20, signed(text("log.example/foreign", 30), &foreign)),
            WitnessError::UnknownLog { origin: "log.example/foreign".to_owned() },
        ),
        (
            no_path(20, signed(text("log.example/orders", 30), &stranger)),
            WitnessError::Signature(VerifyError::NoKnownKey),
        ),
        (no_path(31, log.checkpoint(30)), WitnessError::OldSize { old_size: 31, size: 30 }),
        (request(&log, 0, 30), WitnessError::Outdated { got: 0, expected: 20 }),
        (request(&log, 10, 15), WitnessError::Outdated { got: 10, expected: 20 }),
        (request(&log, 21, 30), WitnessError::Outdated { got: 21, expected: 20 }),
        (
            no_path(20, other.checkpoint(20)),
            WitnessError::OtherRoot { size: 20, got: root(&other, 20), expected: root(&log, 20) },
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(witness.add_checkpoint(&mut chain, &request, NOW), Err(expected));
    }
    for request in [
        AddCheckpoint::new(20, flipped, log.checkpoint(30)).unwrap(),
        no_path(20, log.checkpoint(30)),
        request(&other, 20, 30),
    ] {
        let error = witness.add_checkpoint(&mut chain, &request, NOW).unwrap_err();
        let expected = matches!(
            error,
            WitnessError::Inconsistent(ProofError::OldRoot { .. } | ProofError::PathLength { .. })
        );
        assert!(expected, "{error}");
    }
    let note = signed("no checkpoint\n".to_owned(), &log.key);
    let error = witness.add_checkpoint(&mut chain, &no_path(20, note), NOW).unwrap_err();
    assert!(matches!(error, WitnessError::Checkpoint(_)), "{error}");
    assert_eq!(disk.copy(), before);
    assert!(witness.add_checkpoint(&mut chain, &request(&log, 20, 30), NOW).is_ok());
}

/// A proof from the empty log is empty, and every log extends it.
#[test]
fn a_path_from_the_empty_log_is_refused() {
    let log = Log::of(40);
    let mut chain = open(&Disk::default());
    let request = AddCheckpoint::new(0, vec![Hash::ZERO], log.checkpoint(30)).unwrap();
    let error = witness(&log).add_checkpoint(&mut chain, &request, NOW).unwrap_err();
    assert_eq!(error, WitnessError::Inconsistent(ProofError::PathLength { got: 1, expected: 0 }));
}

/// Two witnesses that are shown two histories cosign one each, and an auditor who sees both has the proof.
#[test]
fn a_witness_does_not_see_what_another_is_shown() {
    let (log, mut other) = (Log::of(10), Log::of(5));
    other.extend(5, "another");
    let policy = Policy::new(log.key.verifier()).with_witnesses([cosigner().verifier()], 1).unwrap();
    let mut auditor = Auditor::new();
    let verdicts = [&log, &other].map(|log| {
        let request = request(log, 0, 9);
        let mut note = request.note().clone();
        note.add(witness(log).add_checkpoint(&mut open(&Disk::default()), &request, NOW).unwrap()).unwrap();
        auditor.audit(&policy, &note, &[]).unwrap()
    });
    assert!(matches!(verdicts, [Verdict::First, Verdict::SplitView(_)]), "{verdicts:?}");
}

#[test]
fn a_cosignature_is_durable_before_it_is_given_out() {
    let log = Log::of(40);
    let disk = Disk::default();
    let mut chain = open(&disk);
    disk.fail(true);
    let request = request(&log, 0, 20);
    let refused = witness(&log).add_checkpoint(&mut chain, &request, NOW);
    assert_eq!(refused, Err(WitnessError::Store(disk::full())));
    disk.fail(false);
    assert_eq!(Witness::last(&chain, "log.example/orders"), Ok(None));
    assert!(witness(&log).add_checkpoint(&mut chain, &request, NOW).is_ok());
    let in_memory = Blockchain::<String>::open(
        ChainSpec::builder("witness").build().unwrap(),
        ChainConfig::default(),
        Box::new(Memory::new()),
    );
    let refused = witness(&log).add_checkpoint(&mut in_memory.unwrap(), &request, NOW);
    assert_eq!(refused, Err(WitnessError::InMemory));
}

#[test]
fn a_damaged_record_stops_the_witness() {
    let log = Log::of(40);
    let disk = Disk::default();
    let mut chain = open(&disk);
    let _ = witness(&log).add_checkpoint(&mut chain, &request(&log, 0, 20), NOW).unwrap();
    disk.flip_meta(b"witnessed log.example/orders");
    let error = witness(&log).add_checkpoint(&mut chain, &request(&log, 20, 30), NOW).unwrap_err();
    assert!(matches!(error, WitnessError::Store(StoreError::DamagedValue { .. })), "{error}");
}

/// Any one of the keys of a log is enough, and logs do not mix.
#[test]
fn logs_and_keys_are_told_apart() {
    let log = Log::of(40);
    let second = NoteSigner::from_seed("log.example/orders", &[8; 32]).unwrap();
    let another = NoteSigner::from_seed("log.example/another", &[7; 32]).unwrap();
    let witness = witness(&log).with_log(second.verifier()).with_log(another.verifier());
    let mut chain = open(&Disk::default());
    for (key, size) in [(&second, 20), (&another, 30)] {
        let checkpoint = Checkpoint::of_chain(&log.chain, size, key.name()).unwrap();
        let note = SignedNote::sign(checkpoint.to_string(), key).unwrap();
        let request = AddCheckpoint::new(0, Vec::new(), note).unwrap();
        assert!(witness.add_checkpoint(&mut chain, &request, NOW).is_ok());
    }
    let sizes = ["log.example/orders", "log.example/another", "log.example/none"]
        .map(|origin| Witness::last(&chain, origin).unwrap().map(|(checkpoint, _)| checkpoint.size()));
    assert_eq!(sizes, [Some(20), Some(30), None]);
}

/// The request of the specification.
const EXAMPLE: &str = "\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u{2014} example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
";

#[test]
fn the_request_of_the_specification_is_read_and_written() {
    let request: AddCheckpoint = EXAMPLE.parse().unwrap();
    assert_eq!((request.old_size(), request.path().len()), (20_852_014, 4));
    let checkpoint: Checkpoint = request.note().text().parse().unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(request.to_string(), EXAMPLE);
}

#[rstest]
#[case::no_old_size("20852014\n", 1, "`old ` and a number", Some("20852014"))]
#[case::a_leading_zero("old 01\n", 1, "`old ` and a number", Some("old 01"))]
#[case::two_blanks("old  1\n", 1, "`old ` and a number", Some("old  1"))]
#[case::no_hash("old 1\nAAAA\n", 2, "the base64 of a hash, or an empty line", Some("AAAA"))]
#[case::no_empty_line("old 1\n", 2, "the base64 of a hash, or an empty line", None)]
#[case::nothing("", 1, "`old ` and a number", None)]
fn a_malformed_line_is_named(
    #[case] text: &str,
    #[case] line: usize,
    #[case] expected: &str,
    #[case] got: Option<&str>,
) {
    let Err(ParseAddCheckpointError::Line(LineError { line: at, expected: wanted, got: found, .. })) =
        text.parse::<AddCheckpoint>()
    else {
        panic!("{text:?}");
    };
    assert_eq!((at, wanted, found.as_deref()), (line, expected, got));
}

#[test]
fn a_request_has_limits() {
    let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    let (_, note) = EXAMPLE.split_once("\n\n").unwrap();
    let of = |hashes: usize| format!("old 1\n{}\n{note}", hash.repeat(hashes)).parse::<AddCheckpoint>();
    assert_eq!(of(63).unwrap().path().len(), 63);
    let Err(ParseAddCheckpointError::Line(error)) = of(64) else { panic!("a path of 64 hashes") };
    assert_eq!((error.line, error.expected), (65, "an empty line, behind as many hashes as a path may have"));
    let note: SignedNote = note.parse().unwrap();
    let error = AddCheckpoint::new(1, vec![Hash::ZERO; 64], note).unwrap_err();
    assert_eq!(error.to_string(), "a path of 64 hashes, expected at most 63");
    let longest = AddCheckpoint::MAX_BYTES;
    let text = "a".repeat(longest + 1);
    let refused = ParseAddCheckpointError::TooLong { got: longest + 1, limit: longest };
    assert_eq!(text.parse::<AddCheckpoint>(), Err(refused));
    let Err(ParseAddCheckpointError::Note { line, error }) = "old 0\n\nno note\n".parse::<AddCheckpoint>()
    else {
        panic!("a note");
    };
    assert_eq!((line, error), (3, NoteError::NoBlankLine));
    assert_eq!(merkle::root(&[]), Checkpoint::new("a", 0, merkle::root(&[])).unwrap().root());
}
