//! A verifier in JavaScript, `assets/receipt.mjs`, which shares no code with this crate, finds the same.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hashloom::evidence::{NoteVerifier, Policy, Receipt};
use rstest::rstest;

use crate::log::TARGET;
use crate::skip::skip;

/// Runs the verifier. `None` if the machine has no Node.js, which is reported on stderr.
fn node(args: &[String]) -> Option<Output> {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("node/check_receipt.mjs");
    match Command::new("node").arg(program).args(args).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skip("a check of receipts in JavaScript", "there is no program `node`");
            None
        }
        output => Some(output.unwrap()),
    }
}

fn golden(file: &str) -> String {
    fs::read_to_string(golden_path(file)).unwrap()
}

fn golden_path(file: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(file).to_str().unwrap().to_owned()
}

/// The keys of the golden receipts: two of the log and two of witnesses.
fn keys() -> Vec<NoteVerifier> {
    golden("receipt.keys.txt").lines().map(|line| line.parse().unwrap()).collect()
}

/// The policy of the golden receipts with all that it can demand, and the arguments for it.
fn strict() -> (Policy, Vec<String>) {
    let keys = keys();
    let policy = Policy::new(keys[0].clone())
        .with_key(keys[1].clone())
        .and_then(|policy| policy.with_witnesses(keys[2..].iter().cloned(), 2))
        .unwrap();
    let policy = policy.with_easiest_target(TARGET).unwrap().with_min_blocks_on_top(25);
    let args = format!(
        "--key {} --key {} --witness {} --witness {} --min-witnesses 2 --easiest-target {TARGET} --min-blocks-on-top 25",
        keys[0], keys[1], keys[2], keys[3]
    );
    (policy, words(&args))
}

fn words(args: &str) -> Vec<String> {
    args.split(' ').map(str::to_owned).collect()
}

/// What the verifier has to print.
fn shown(file: &str, policy: &Policy) -> String {
    let receipt: Receipt = fs::read_to_string(file).unwrap().parse().unwrap();
    let proven = receipt.verify(policy).unwrap();
    let checkpoint = &proven.accepted.checkpoint;
    let mut lines = vec![
        format!("{file}: proven"),
        format!("  transaction {}", hex::encode(proven.transaction)),
        format!("  id {}", proven.id),
        format!("  block {}", proven.block_hash),
        format!("  height {}", proven.header.height),
        format!("  timestamp {}", proven.header.timestamp.as_millis()),
        format!("  checkpoint {} of {}", checkpoint.size(), checkpoint.origin()),
    ];
    lines.extend(proven.accepted.signed_by.iter().map(|key| format!("  signed by {key}")));
    lines.extend(
        proven
            .accepted
            .witnesses
            .iter()
            .map(|seen| format!("  witnessed by {} at {}", seen.witness, seen.time.as_millis() / 1_000)),
    );
    lines.join("\n") + "\n"
}

/// The verifier itself, which a browser can import, has no other input than Web standards.
#[test]
fn the_verifier_needs_no_node_and_no_packages() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../assets/receipt.mjs");
    let source = fs::read_to_string(path).unwrap();
    for word in ["import ", "import(", "require(", "Buffer", "process.", "console."] {
        let line = source.lines().find(|line| !line.starts_with("//") && line.contains(word));
        assert_eq!(line, None, "{word}");
    }
}

#[test]
fn golden_receipts_prove_the_same() {
    let lenient = (Policy::new(keys()[0].clone()), words(&format!("--key {}", keys()[0])));
    let all = [
        ("receipt.tlog-proof", lenient.clone()),
        ("receipt.witnessed.tlog-proof", lenient),
        ("receipt.witnessed.tlog-proof", strict()),
    ];
    for (file, (policy, mut args)) in all {
        let file = golden_path(file);
        args.push(file.clone());
        let Some(output) = node(&args) else { return };
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), shown(&file, &policy));
    }
}

/// The text with other extra data.
fn with_extra(text: &str, change: fn(&mut Vec<u8>)) -> String {
    let line = text.split('\n').nth(1).unwrap();
    let mut extra = BASE64_STANDARD.decode(&line["extra ".len()..]).unwrap();
    change(&mut extra);
    text.replacen(line, &format!("extra {}", BASE64_STANDARD.encode(extra)), 1)
}

#[rstest]
#[case::version(|text: &str| text.replacen("@v1", "@v2", 1), "format")]
#[case::extra_of_another_application(|text: &str| with_extra(text, |extra| extra[0] = 0), "extra")]
#[case::record_forged(|text: &str| with_extra(text, |extra| *extra.last_mut().unwrap() ^= 1), "block")]
#[case::record_at_another_index(|text: &str| with_extra(text, |extra| extra[203] = 1), "block")]
#[case::header_changed(|text: &str| with_extra(text, |extra| extra[199] ^= 1), "log")]
#[case::another_index(|text: &str| text.replacen("\nindex 11\n", "\nindex 12\n", 1), "index")]
#[case::leading_zero(|text: &str| text.replacen("\nindex 11\n", "\nindex 011\n", 1), "format")]
#[case::path_cut(|text: &str| {
    let (at, _) = text.match_indices('\n').nth(3).unwrap();
    let (head, tail) = text.split_at(at);
    format!("{head}{}", &tail[45..])
}, "log")]
#[case::size_changed(|text: &str| text.replacen("\n37\n", "\n38\n", 1), "signature")]
#[case::a_key_has_not_signed(|text: &str| text.replacen("log.example/orders nHfR", "log.example/others nHfR", 1), "signature")]
#[case::a_witness_is_missing(|text: &str| text.replacen("witness.example/2", "witness.example/3", 1), "witnesses")]
#[case::no_signature_line(|text: &str| text.replacen("\u{2014} unknown", "- unknown", 1), "note")]
#[case::no_end(|text: &str| text.trim_end().to_owned(), "note")]
fn broken_receipts_are_refused_at_their_step(#[case] breaks: fn(&str) -> String, #[case] step: &str) {
    let text = golden("receipt.witnessed.tlog-proof");
    let broken = breaks(&text);
    assert_ne!(broken, text);
    let (policy, args) = strict();
    assert_refused(&broken, &policy, args, step);
}

/// Policies that the golden receipt does not meet.
#[rstest]
#[case::origin("--origin log.example/other", |policy: Policy| policy.with_origin("log.example/other"), "origin")]
#[case::target("--easiest-target 207ffffe", |policy: Policy| {
    policy.with_easiest_target("207ffffe".parse().unwrap()).unwrap()
}, "target")]
#[case::top("--min-blocks-on-top 26", |policy: Policy| policy.with_min_blocks_on_top(26), "top")]
fn policies_that_a_receipt_does_not_meet(
    #[case] args: &str,
    #[case] demand: fn(Policy) -> Policy,
    #[case] step: &str,
) {
    let key = keys().remove(0);
    let args = words(&format!("--key {key} {args}"));
    let policy = demand(Policy::new(key));
    assert_refused(&golden("receipt.witnessed.tlog-proof"), &policy, args, step);
}

#[test]
fn a_key_with_the_id_of_another_is_refused() {
    let [first, second, _, _] = keys().try_into().unwrap();
    let [first, second] = [first, second].map(|key: NoteVerifier| key.to_string());
    let (key_id, public_key) = (first.split('+').nth(1).unwrap(), second.splitn(3, '+').nth(2).unwrap());
    let key = format!("log.example/orders+{key_id}+{public_key}");
    assert!(key.parse::<NoteVerifier>().is_err());
    let args = ["--key".to_owned(), key, golden_path("receipt.tlog-proof")];
    let Some(output) = node(&args) else { return };
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("has another ID"), "{error}");
}

/// Both verifiers refuse the text, and the one in JavaScript at this step.
#[track_caller]
fn assert_refused(text: &str, policy: &Policy, mut args: Vec<String>, step: &str) {
    let is_proven = |receipt: Receipt| receipt.verify(policy).is_ok();
    assert!(!text.parse().is_ok_and(is_proven), "this crate accepts {text}");
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    fs::write(&file, text).unwrap();
    args.push(file.to_str().unwrap().to_owned());
    let Some(output) = node(&args) else { return };
    let stdout = String::from_utf8(output.stdout).unwrap();
    let expected = format!("{}: refused at {step}: ", file.display());
    assert!(stdout.starts_with(&expected), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1));
}

/// Two bits of each byte of a golden receipt flipped, and each end of it cut off.
#[test]
fn damaged_receipts_have_one_verdict() {
    let text = golden("receipt.witnessed.tlog-proof");
    let flips = (0..text.len()).flat_map(|at| [(at, at % 8), (at, (at + 3) % 8)]);
    let flipped = flips.map(|(at, bit)| {
        let mut damaged = text.clone().into_bytes();
        damaged[at] ^= 1 << bit;
        damaged
    });
    let cut = (0..text.len()).map(|end| text.as_bytes()[..end].to_vec());
    let all: Vec<_> = flipped.chain(cut).chain([text.clone().into_bytes()]).collect();

    let (policy, mut args) = strict();
    let verdict = |bytes: &Vec<u8>| {
        let receipt: Receipt = str::from_utf8(bytes).ok()?.parse().ok()?;
        receipt.verify(&policy).ok().map(|proven| proven.id)
    };
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    fs::write(&file, all.iter().map(|bytes| hex::encode(bytes) + "\n").collect::<String>()).unwrap();
    args.extend(["--hex".to_owned(), file.to_str().unwrap().to_owned()]);
    let Some(output) = node(&args) else { return };
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout.lines().count(), all.len(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut proven = 0;
    for (bytes, line) in all.iter().zip(stdout.lines()) {
        let is_proven = verdict(bytes).is_some();
        assert_eq!(is_proven, line == "proven", "{line}: {}", String::from_utf8_lossy(bytes));
        proven += usize::from(is_proven);
    }
    // The whole text, and damage within the signature of the unknown key.
    assert!((2..50).contains(&proven), "{proven} damaged receipts are proven");
}
