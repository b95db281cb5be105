//! A verifier in JavaScript, `tests/node/state_proof.mjs`, which shares no code with this crate, finds the same.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use hashloom::primitives::MapProofError;
use hashloom::{Hash, Header, MapProof};

use crate::golden;
use crate::kit::{bytes, map_of};
use crate::skip::skip;

fn program(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("node").join(name)
}

/// The verdict on each line `ROOT KEY PROOF`. `None` if the machine has no Node.js, which is reported on stderr.
fn verdicts(lines: &str) -> Option<Vec<String>> {
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    fs::write(&file, lines).unwrap();
    match Command::new("node").arg(program("check_state_proof.mjs")).arg(&file).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skip("a check of state proofs in JavaScript", "there is no program `node`");
            None
        }
        output => {
            let output = output.unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
        }
    }
}

/// What the verifier prints for a proof: the step at which it fails, or what it shows.
fn expected(root: &Hash, key: &[u8], proof: &[u8]) -> String {
    let step = |error: &MapProofError| match error {
        MapProofError::Length { .. } => "length",
        MapProofError::Kind { .. } => "kind",
        MapProofError::PathLength { .. } => "path",
        MapProofError::Order { .. } => "order",
        MapProofError::OtherWay { .. } => "way",
        MapProofError::Present => "present",
        MapProofError::Root { .. } => "root",
        other => panic!("{other}"),
    };
    let shown = MapProof::from_bytes(proof).and_then(|proof| {
        let value = proof.verify_bytes(key, root)?;
        Ok(value.map_or_else(|| "absent".to_owned(), |value| format!("present {}", hex::encode(value))))
    });
    shown.map_or_else(|error| format!("refused {}", step(&error)), |shown| shown.trim_end().to_owned())
}

/// The verifier itself, which a browser can import, has no other input than Web standards.
#[test]
fn the_verifier_needs_no_node_and_no_packages() {
    let source = fs::read_to_string(program("state_proof.mjs")).unwrap();
    for word in ["import ", "import(", "require(", "Buffer", "process.", "console."] {
        let line = source.lines().find(|line| !line.starts_with("//") && line.contains(word));
        assert_eq!(line, None, "{word}");
    }
}

#[test]
fn golden_proofs_show_the_same() {
    let frozen = fs::read_to_string(golden::path()).unwrap();
    let Some(verdicts) = verdicts(&frozen) else { return };
    let shown: Vec<_> = frozen.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(verdicts.len(), shown.len());
    for (line, verdict) in shown.iter().zip(verdicts) {
        assert!(line.ends_with(&format!(" {verdict}")), "{line}: {verdict}");
    }
}

/// Proofs that hold and proofs that do not, with one bit of each byte flipped and each end cut off.
#[test]
fn damaged_proofs_have_one_verdict() {
    let map = map_of((0..40_u64).map(|key| (key, vec![1_u8; 3])));
    let root = map.root();
    let mut cases: Vec<(Hash, Vec<u8>, Vec<u8>)> = Vec::new();
    for key in [0_u64, 7, 40, 41] {
        let (proof, key) = (map.prove(&key).unwrap().to_bytes(), bytes(&key));
        for at in 0..proof.len() {
            let mut flipped = proof.clone();
            flipped[at] ^= 1 << (at % 8);
            cases.push((root, key.clone(), flipped));
            cases.push((root, key.clone(), proof[..at].to_vec()));
        }
        for other in 0..60_u64 {
            cases.push((root, bytes(&other), proof.clone()));
        }
        cases.push((Hash::digest(&key), key.clone(), proof.clone()));
        let mut absent = proof.clone();
        absent[0] = 2;
        absent.truncate(absent.len() - 4);
        absent.extend(Hash::digest(&key).as_bytes());
        absent.extend([0; 32]);
        cases.push((root, key, absent));
    }
    let lines: Vec<_> = cases
        .iter()
        .map(|(root, key, proof)| format!("{root} {} {}", hex::encode(key), hex::encode(proof)))
        .collect();
    let Some(verdicts) = verdicts(&lines.join("\n")) else { return };
    assert_eq!(verdicts.len(), cases.len());
    for ((root, key, proof), verdict) in cases.iter().zip(&verdicts) {
        assert_eq!(*verdict, expected(root, key, proof), "{}", hex::encode(proof));
    }
    for step in ["length", "kind", "path", "order", "way", "present", "root"] {
        assert!(verdicts.contains(&format!("refused {step}")), "no proof is refused at {step}");
    }
}

/// In place of the root, the 180 bytes of a header.
#[test]
fn a_header_is_enough() {
    let map = map_of([(1_u64, 5_u64), (2, 6)]);
    let header = Header { state_root: map.root(), height: 9, ..Header::from_bytes(&[0xa5; Header::LEN]) };
    let proof = map.prove(&2).unwrap().to_bytes();
    let line = format!("{} 02 {}\n", hex::encode(header.to_bytes()), hex::encode(proof));
    let Some(verdicts) = verdicts(&line) else { return };
    assert_eq!(verdicts, ["present 06"]);
}
