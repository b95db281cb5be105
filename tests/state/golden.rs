//! Golden roots and proofs, `tests/golden/state_proofs.txt`, which the verifier in JavaScript reads, too.

use std::path::PathBuf;
use std::{env, fs};

use hashloom::{AuthenticatedMap, MapProof};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::kit::{bytes, closest, map_of};

pub(crate) fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/state_proofs.txt")
}

/// Lines of a root, the canonical bytes of a key, the proof, and what it shows: canonical bytes or `absent`.
fn lines<K: Serialize, V: Serialize + DeserializeOwned + Clone>(
    map: &AuthenticatedMap<K, V>,
    keys: &[K],
) -> Vec<String> {
    let root = map.root();
    let line = |key: &K| {
        let shown = map
            .get(key)
            .map_or_else(|| "absent".to_owned(), |value| format!("present {}", hex::encode(bytes(value))));
        let proof = hex::encode(map.prove(key).unwrap().to_bytes());
        format!("{root} {} {proof} {shown}", hex::encode(bytes(key)))
    };
    keys.iter().map(line).collect()
}

#[test]
fn roots_and_proofs_are_frozen() {
    let mut all = vec!["# root, canonical bytes of the key, proof, and what it shows".to_owned()];
    all.extend(lines(&AuthenticatedMap::<u64, u64>::new(), &[7]));
    all.extend(lines(&map_of([(1_u64, 300_u64)]), &[1, 2]));
    all.extend(lines(&map_of((0..1_000_u64).map(|key| (key, key * key))), &[0, 13, 999, 1_000, u64::MAX]));
    let texts = ["", "alice", "bob", "\u{2713}"].map(str::to_owned);
    let of_texts = map_of(texts.iter().skip(1).map(|name| (name.clone(), (name.len() as u64, name.clone()))));
    all.extend(lines(&of_texts, &texts));
    // Neighbours with a long common prefix.
    let (present, absent) = closest(1 << 14, 1)[0];
    all.extend(lines(&map_of([(present, Vec::<u8>::new())]), &[present, absent]));
    all.extend(lines(&map_of([(present, vec![1_u8]), (absent, vec![0; 100])]), &[present, absent]));
    let today = all.join("\n") + "\n";
    if env::var_os("HASHLOOM_BLESS").is_some_and(|value| value == "1") {
        fs::write(path(), &today).unwrap();
    }
    let frozen = fs::read_to_string(path()).unwrap_or_default();
    assert_eq!(today, frozen, "if that is meant: HASHLOOM_BLESS=1 cargo test --test state golden");
}

#[test]
fn golden_proofs_hold() {
    let frozen = fs::read_to_string(path()).unwrap();
    let mut proven = 0;
    for line in frozen.lines().filter(|line| !line.starts_with('#')) {
        let [root, key, proof, shown] = line.splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap();
        let proof = MapProof::from_bytes(&hex::decode(proof).unwrap()).unwrap();
        let key = hex::decode(key).unwrap();
        let value = proof.verify_bytes(&key, &root.parse().unwrap()).unwrap();
        assert_eq!(
            value.map_or_else(|| "absent".to_owned(), |value| format!("present {}", hex::encode(value))),
            shown
        );
        proven += 1;
    }
    assert_eq!(proven, 16);
}
