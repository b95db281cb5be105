//! Go's package `note` opens the notes of this crate, and this crate those of Go.

use hashloom::evidence::{Checkpoint, Cosigner, NoteSigner, NoteVerifier, SignedNote};
use hashloom::{Hash, Timestamp};

use super::vectors::{PETER, PETER_SECRET};
use crate::go;

/// Text with letters of two, three and four bytes, and with a blank line.
const TEXT: &str = "Übersee\n\n\u{2014} \u{1d11e}\n";

#[test]
fn go_opens_a_note_of_this_crate() {
    let log = NoteSigner::from_seed("log.example/Übersee", &[1; 32]).unwrap();
    let other = NoteSigner::from_seed("other.example", &[2; 32]).unwrap();
    let mut note = SignedNote::sign(TEXT, &log).unwrap();
    note.add(other.sign(TEXT)).unwrap();
    let ids = [&log, &other].map(|key| format!("{}+{:08x}", key.name(), key.verifier().key_id()));
    let args = ["note".to_owned(), log.verifier().to_string()];
    let Some(opened) = go::check(&args, note.to_string().as_bytes()) else { return };
    assert_eq!(opened, format!("verified {}\nunknown {}\n\n{TEXT}", ids[0], ids[1]));

    let forged = note.to_string().replace("Übersee\n\n", "Overseas\n\n");
    let output = go::run(&args, forged.as_bytes()).unwrap();
    assert!(!output.status.success());
    let expected = format!("note: invalid signature for key {}\n", ids[0]);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}

#[test]
fn go_verifies_a_cosignature_of_this_crate() {
    let log = NoteSigner::from_seed("log.example", &[1; 32]).unwrap();
    let witness = Cosigner::from_seed("witness.example", &[3; 32]).unwrap();
    let checkpoint = Checkpoint::new("log.example", 7, Hash::digest(b"root")).unwrap();
    let mut note = SignedNote::sign(checkpoint.to_string(), &log).unwrap();
    note.add(witness.cosign(&checkpoint, Timestamp::from_millis(1_679_315_147_999))).unwrap();
    let args = ["note".to_owned(), witness.verifier().to_string()];
    let Some(opened) = go::check(&args, note.to_string().as_bytes()) else { return };
    let [log, witness] =
        [log.verifier(), witness.verifier()].map(|key| format!("{}+{:08x}", key.name(), key.key_id()));
    assert_eq!(opened, format!("verified {witness} at 1679315147\nunknown {log}\n\n{checkpoint}"));
}

#[test]
fn this_crate_opens_a_note_of_go() {
    let signer: NoteSigner = PETER_SECRET.parse().unwrap();
    let args = ["sign", PETER_SECRET];
    let Some(message) = go::check(&args, TEXT.as_bytes()) else { return };
    assert_eq!(message, SignedNote::sign(TEXT, &signer).unwrap().to_string());
    let note: SignedNote = message.parse().unwrap();
    let peter: NoteVerifier = PETER.parse().unwrap();
    let verified = note.verify([&peter]).unwrap();
    assert_eq!(verified.text, TEXT);
    assert_eq!(verified.signatures.len(), 1);
    assert_eq!((verified.signatures[0].verifier, verified.signatures[0].time), (&peter, None));
}
