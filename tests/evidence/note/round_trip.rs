//! Properties of notes and keys.

use hashloom::Timestamp;
use hashloom::evidence::{Cosigner, NoteSignature, NoteSigner, NoteVerifier, SignedNote};
use proptest::prelude::*;

/// Text that a note can have: characters that matter to the grammar more often than others.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => Just('\n'),
        1 => Just('\u{2014}'),
        1 => Just(' '),
        1 => Just('+'),
        4 => proptest::char::range(' ', char::MAX),
    ];
    proptest::collection::vec(character, 0..40).prop_map(|characters| {
        let mut text: String = characters.into_iter().collect();
        text.push('\n');
        text
    })
}

fn name() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 1..20).prop_filter_map("not the name of a key", |characters| {
        let is_allowed =
            |character: &char| !character.is_whitespace() && *character != '+' && *character >= ' ';
        let name: String = characters.into_iter().filter(is_allowed).collect();
        (!name.is_empty()).then_some(name)
    })
}

/// Pieces of notes, in any order, with some that are none.
fn almost_a_note() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\n".to_vec()),
        Just("\u{2014} ".as_bytes().to_vec()),
        Just("\u{2014} a AAAAAQA=\n".as_bytes().to_vec()),
        Just("\n\u{2014} log.example AAAAAQAB\n".as_bytes().to_vec()),
        Just(b"text\n".to_vec()),
        Just(b"AAAAAQA=".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..3),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// What is signed reads back as it was, its signatures are valid, and no other text has them.
    #[test]
    fn signed_note(
        (text, other) in (text(), text()),
        names in (name(), name()),
        seeds in any::<([u8; 32], [u8; 32])>(),
    ) {
        let first = NoteSigner::from_seed(&names.0, &seeds.0).unwrap();
        let second = NoteSigner::from_seed(&names.1, &seeds.1).unwrap();
        let mut note = SignedNote::sign(text.as_str(), &first).unwrap();
        note.add(second.sign(&text)).unwrap();
        let message = note.to_string();
        prop_assert_eq!(&SignedNote::parse(message.as_bytes()).unwrap(), &note);
        let known = [second.verifier(), first.verifier()];
        let verified = note.verify(&known).unwrap();
        prop_assert_eq!(verified.text, &text);
        let signers: Vec<_> = verified.signatures.iter().map(|signature| signature.verifier).collect();
        prop_assert_eq!(signers, [&known[1], &known[0]]);
        if text != other {
            let forged = SignedNote::new(other, note.signatures()[0].clone()).unwrap();
            prop_assert!(forged.verify(&known).is_err());
        }
    }

    #[test]
    fn keys(name in name(), seed: [u8; 32]) {
        let signer = NoteSigner::from_seed(&name, &seed).unwrap();
        let read: NoteSigner = signer.secret_key().parse().unwrap();
        prop_assert_eq!(read.secret_key(), signer.secret_key());
        prop_assert_eq!(read.verifier().to_string().parse::<NoteVerifier>(), Ok(signer.verifier()));
        let cosigner = Cosigner::from_seed(&name, &seed).unwrap();
        let read: Cosigner = cosigner.secret_key().parse().unwrap();
        prop_assert_eq!(read.secret_key(), cosigner.secret_key());
        prop_assert_eq!(read.verifier().to_string().parse::<NoteVerifier>(), Ok(cosigner.verifier()));
        prop_assert_ne!(cosigner.verifier(), signer.verifier());
    }

    #[test]
    fn cosigned_checkpoint(
        checkpoint in crate::checkpoint::any_checkpoint(),
        seed: [u8; 32],
        millis: u64,
    ) {
        let cosigner = Cosigner::from_seed("witness.example", &seed).unwrap();
        let signature = cosigner.cosign(&checkpoint, Timestamp::from_millis(millis));
        let note = SignedNote::new(checkpoint.to_string(), signature).unwrap();
        let read: SignedNote = note.to_string().parse().unwrap();
        let key = cosigner.verifier();
        let verified = read.verify([&key]).unwrap();
        prop_assert_eq!(verified.text.parse(), Ok(checkpoint));
        let time = verified.signatures[0].time.unwrap();
        prop_assert_eq!(time.as_millis(), millis - millis % 1000);
    }

    /// Whatever parses is written as it was read.
    #[test]
    fn any_bytes(bytes in almost_a_note()) {
        if let Ok(note) = SignedNote::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes);
            prop_assert!(!note.signatures().is_empty());
        }
    }

    #[test]
    fn any_signature_line(line in "\u{2014}? ?[a+ ]{0,2} ?[A-D/=]{0,12}") {
        if let Ok(signature) = line.parse::<NoteSignature>() {
            prop_assert_eq!(signature.to_string(), line);
        }
    }
}
