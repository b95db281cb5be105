//! Freezes the text forms of keys, notes and checkpoints in `tests/golden`, which others have on file. A wanted change is
//! recorded with `HASHLOOM_BLESS=1 cargo test --features evidence --test evidence golden`.

use hashloom::evidence::{Checkpoint, Cosigner, NoteSigner, NoteVerifier, SignedNote};
use hashloom::{Hash, Timestamp};

use crate::{go, golden};

fn log() -> NoteSigner {
    NoteSigner::from_seed("log.example/orders", &[1; 32]).unwrap()
}

fn witness() -> Cosigner {
    Cosigner::from_seed("witness.example", &[2; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint::new("log.example/orders", 70_000, Hash::digest(b"root")).unwrap()
}

/// A secret and a public key of each type.
#[test]
fn keys() {
    let keys = [
        log().secret_key().to_string(),
        log().verifier().to_string(),
        witness().secret_key().to_string(),
        witness().verifier().to_string(),
    ];
    let frozen = golden::check("note_keys.txt", &(keys.join("\n") + "\n"));
    let lines: Vec<&str> = frozen.lines().collect();
    let [log_secret, log_public, witness_secret, witness_public] = lines[..] else { panic!("four keys") };
    assert_eq!(log_secret.parse::<NoteSigner>().unwrap().verifier(), log_public.parse().unwrap());
    assert_eq!(witness_secret.parse::<Cosigner>().unwrap().verifier(), witness_public.parse().unwrap());
}

#[test]
fn note() {
    let note = SignedNote::sign("\u{dc}bersee\n\n\u{2014} \u{1d11e}\n", &log()).unwrap();
    let frozen = golden::check("note.txt", &note.to_string());
    let key = log().verifier();
    assert_eq!(frozen.parse::<SignedNote>().unwrap().verify([&key]), note.verify([&key]));
    opens_in_go(&frozen, &[&key], &format!("verified {}", id(&key)), note.text());
}

#[test]
fn signed_checkpoint() {
    let note = SignedNote::sign(checkpoint().to_string(), &log()).unwrap();
    let frozen = golden::check("checkpoint.txt", &note.to_string());
    let (key, read) = (log().verifier(), frozen.parse::<SignedNote>().unwrap());
    assert_eq!(read.verify([&key]).unwrap().text.parse(), Ok(checkpoint()));
    opens_in_go(&frozen, &[&key], &format!("verified {}", id(&key)), &checkpoint().to_string());
}

#[test]
fn cosigned_checkpoint() {
    let mut note = SignedNote::sign(checkpoint().to_string(), &log()).unwrap();
    let now = Timestamp::from_millis(1_767_225_600_000);
    note.add(witness().cosign(&checkpoint(), now)).unwrap();
    let frozen = golden::check("cosigned_checkpoint.txt", &note.to_string());
    let keys = [log().verifier(), witness().verifier()];
    let read: SignedNote = frozen.parse().unwrap();
    let verified = read.verify(&keys).unwrap();
    assert_eq!(verified.text.parse(), Ok(checkpoint()));
    let found: Vec<_> = verified.signatures.iter().map(|found| (found.verifier, found.time)).collect();
    assert_eq!(found, [(&keys[0], None), (&keys[1], Some(now))]);
    let signers = format!("verified {}\nverified {} at 1767225600", id(&keys[0]), id(&keys[1]));
    opens_in_go(&frozen, &keys.each_ref(), &signers, &checkpoint().to_string());
}

fn id(key: &NoteVerifier) -> String {
    format!("{}+{:08x}", key.name(), key.key_id())
}

fn opens_in_go(note: &str, keys: &[&NoteVerifier], signers: &str, text: &str) {
    let args: Vec<_> = ["note".to_owned()].into_iter().chain(keys.iter().map(ToString::to_string)).collect();
    let Some(opened) = go::check(&args, note.as_bytes()) else { return };
    assert_eq!(opened, format!("{signers}\n\n{text}"));
}
