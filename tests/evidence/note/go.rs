//! Go's package `note` opens the notes of this crate, and this crate those of Go.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hashloom::evidence::{
    Checkpoint, Cosigner, NoteError, NoteSigner, NoteVerifier, SignatureLineError, SignedNote,
};
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

/// Pieces of notes, valid ones more often.
const PIECES: [&[u8]; 16] = [
    b"\n",
    b"text",
    b"text\n",
    b"\n\n",
    b" ",
    b"+",
    b"\t",
    b"\xff",
    b"\xc2\x85",
    "\u{2014}".as_bytes(),
    "\u{2014} ".as_bytes(),
    "\u{2014} a AAAAAQA=\n".as_bytes(),
    "\u{2014} b AAAAAQB=\n".as_bytes(),
    "\u{2014} c AAAAAQAA\n".as_bytes(),
    "\u{2014} d AAAAAQ==\n".as_bytes(),
    "\u{2014} \u{fc}/\u{1d11e} /////wECAw==\n".as_bytes(),
];

/// A text, a blank line and signature lines, of which some are replaced with pieces.
fn almost_a_note(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut pieces = vec![&b"text\n"[..], b"\n"];
    pieces.extend((0..random.usize(1..4)).map(|_| PIECES[random.usize(11..PIECES.len())]));
    for _ in 0..random.usize(..3) {
        let (at, piece) = (random.usize(..pieces.len()), PIECES[random.usize(..PIECES.len())]);
        if random.bool() {
            pieces[at] = piece;
        } else {
            pieces.insert(at, piece);
        }
    }
    let mut note = pieces.concat();
    if random.u8(..4) == 0 {
        note.truncate(random.usize(..=note.len()));
    }
    note
}

/// Go and this crate accept the same notes, but for base64 that is not canonical.
#[test]
fn go_parses_what_this_crate_parses() {
    const NOTES: usize = 5_000;
    let seed = 1;
    let mut random = fastrand::Rng::with_seed(seed);
    let notes: Vec<_> = (0..NOTES).map(|_| almost_a_note(&mut random)).collect();
    let lines: Vec<_> = notes.iter().map(|note| BASE64_STANDARD.encode(note) + "\n").collect();
    let Some(parsed) = go::check(&["parse"], lines.concat().as_bytes()) else { return };
    assert_eq!(parsed.lines().count(), NOTES);
    let (mut accepted, mut not_canonical) = (0, 0);
    for (bytes, by_go) in notes.iter().zip(parsed.lines()) {
        let shown = String::from_utf8_lossy(bytes);
        match SignedNote::parse(bytes) {
            Ok(note) => {
                let lines: BTreeSet<_> = note.signatures().iter().map(ToString::to_string).collect();
                let expected = format!("{} {}", lines.len(), BASE64_STANDARD.encode(note.text()));
                assert_eq!(by_go, expected, "seed {seed}: {shown:?}");
                accepted += 1;
            }
            Err(NoteError::SignatureLine { error: SignatureLineError::Base64, .. })
                if by_go.starts_with("lax ") =>
            {
                not_canonical += 1;
            }
            Err(error) => assert_eq!(by_go, "malformed", "seed {seed}: {error}: {shown:?}"),
        }
    }
    assert!(
        accepted > NOTES / 10 && not_canonical > NOTES / 50,
        "{accepted} accepted, {not_canonical} not canonical"
    );
}
