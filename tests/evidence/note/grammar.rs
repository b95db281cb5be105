//! Each rule of the grammar of notes, accepted and refused, and the errors with their lines.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hashloom::evidence::{
    NameError, NoteError, NoteSignature, NoteSigner, SignatureLineError, SignedNote, VerifyError,
};
use rstest::rstest;

use super::vectors::{ENOCH_LINE, PETER, PETER_LINE, TEXT};
use super::{keys, signers};

/// A signature line whose signature is one byte.
const SHORTEST: &str = "\u{2014} a AAAAAQA=\n";

/// What is kept: the text, and each line as it was.
#[rstest]
#[case::one_line("text\n")]
#[case::empty_line("\n")]
#[case::empty_lines("\n\n\n")]
#[case::blank_lines_inside("one\n\ntwo\n\n\nthree\n")]
#[case::blank_line_at_the_end("one\n\n")]
#[case::blank_line_at_the_start("\none\n")]
#[case::not_ascii("\u{fc}\u{20ac}\u{1d11e}\n")]
#[case::delete_and_c1_controls("\u{7f}\u{80}\u{9f}\n")]
#[case::unicode_line_separators("\u{85}\u{2028}\u{2029}\n")]
#[case::signature_line_in_the_text("\u{2014} a AAAAAQA=\n\ntext\n")]
fn text_that_is_accepted(#[case] text: &str) {
    let message = format!("{text}\n{SHORTEST}{PETER_LINE}");
    let note: SignedNote = message.parse().unwrap();
    assert_eq!((note.text(), note.signatures().len()), (text, 2));
    assert_eq!(note.to_string(), message);

    let signer = NoteSigner::from_seed("log.example", &[1; 32]).unwrap();
    let signed = SignedNote::sign(text, &signer).unwrap();
    let parsed = SignedNote::parse(signed.to_string().as_bytes()).unwrap();
    assert_eq!(parsed, signed);
    assert_eq!(parsed.verify([&signer.verifier()]).unwrap().text, text);
}

#[rstest]
#[case::empty("", NoteError::NoBlankLine)]
#[case::no_blank_line("text\n\u{2014} a AAAAAQA=\n", NoteError::NoBlankLine)]
#[case::no_text("\n\u{2014} a AAAAAQA=\n", NoteError::NoBlankLine)]
#[case::text_without_signatures("text\n", NoteError::NoBlankLine)]
#[case::ends_with_the_blank_line("text\n\n", NoteError::NoSignature { line: 3 })]
#[case::blank_line_after_the_signatures(
    "text\n\n\u{2014} a AAAAAQA=\n\n",
    NoteError::NoSignature { line: 5 }
)]
#[case::no_newline_at_the_end("text\n\n\u{2014} a AAAAAQA=", NoteError::NoFinalNewline { line: 3 })]
#[case::tab("te\txt\n\n\u{2014} a AAAAAQA=\n", NoteError::ControlCharacter { line: 1, got: '\t' })]
#[case::null("text\n\0\n\n\u{2014} a AAAAAQA=\n", NoteError::ControlCharacter { line: 2, got: '\0' })]
#[case::carriage_return("text\r\n\r\n", NoteError::ControlCharacter { line: 1, got: '\r' })]
#[case::last_control_character("\u{1f}\n", NoteError::ControlCharacter { line: 1, got: '\u{1f}' })]
#[case::control_character_in_a_signature_line(
    "text\n\n\u{2014} a AAAAAQA=\r\n",
    NoteError::ControlCharacter { line: 3, got: '\r' }
)]
fn note_that_is_refused(#[case] message: &str, #[case] expected: NoteError) {
    assert_eq!(message.parse::<SignedNote>(), Err(expected));
}

/// The first line of bytes that are not UTF-8.
#[rstest]
#[case(b"\xff\n\n", 1)]
#[case(b"text\n\xc3\n", 2)]
#[case::surrogate(b"text\n\n\xed\xa0\x80\n", 3)]
#[case::longer_than_necessary(b"\xc0\x80\n", 1)]
fn bytes_that_are_not_utf_8(#[case] bytes: &[u8], #[case] line: usize) {
    assert_eq!(SignedNote::parse(bytes), Err(NoteError::NotUtf8 { line }));
}

/// The name, the key ID and the signature of a line.
#[rstest]
#[case::shortest("\u{2014} a AAAAAQA=", "a", 1, &[0])]
#[case::url("\u{2014} log.example/42 /////wECAw==", "log.example/42", u32::MAX, &[1, 2, 3])]
#[case::not_ascii("\u{2014} \u{fc}\u{2014}\u{1d11e} AAAAAQA=", "\u{fc}\u{2014}\u{1d11e}", 1, &[0])]
#[case::zero_width_space_is_no_space("\u{2014} a\u{200b}b AAAAAQA=", "a\u{200b}b", 1, &[0])]
#[case::delete("\u{2014} \u{7f} AAAAAQA=", "\u{7f}", 1, &[0])]
fn signature_line_that_is_accepted(
    #[case] line: &str,
    #[case] name: &str,
    #[case] key_id: u32,
    #[case] bytes: &[u8],
) {
    let signature: NoteSignature = line.parse().unwrap();
    assert_eq!((signature.name(), signature.key_id(), signature.signature()), (name, key_id, bytes));
    assert_eq!(signature.to_string(), line);
    let note: SignedNote = format!("text\n\n{line}\n").parse().unwrap();
    assert_eq!(note.signatures(), [signature]);
}

#[rstest]
#[case::empty("", SignatureLineError::Prefix)]
#[case::hyphen("- a AAAAAQA=", SignatureLineError::Prefix)]
#[case::en_dash("\u{2013} a AAAAAQA=", SignatureLineError::Prefix)]
#[case::no_space_after_the_dash("\u{2014}a AAAAAQA=", SignatureLineError::Prefix)]
#[case::no_break_space_after_the_dash("\u{2014}\u{a0}a AAAAAQA=", SignatureLineError::Prefix)]
#[case::space_before_the_dash(" \u{2014} a AAAAAQA=", SignatureLineError::Prefix)]
#[case::other_line("Unexpected line.", SignatureLineError::Prefix)]
#[case::no_name("\u{2014}  AAAAAQA=", SignatureLineError::Name(NameError::Empty))]
#[case::nothing_after_the_dash("\u{2014} ", SignatureLineError::Name(NameError::Empty))]
#[case::plus_in_the_name("\u{2014} a+b AAAAAQA=", SignatureLineError::Name(NameError::Plus))]
#[case::no_break_space("\u{2014} a\u{a0}b AAAAAQA=", SignatureLineError::Name(NameError::Space { got: '\u{a0}' }))]
#[case::next_line("\u{2014} a\u{85} AAAAAQA=", SignatureLineError::Name(NameError::Space { got: '\u{85}' }))]
#[case::wide_space("\u{2014} \u{3000} AAAAAQA=", SignatureLineError::Name(NameError::Space { got: '\u{3000}' }))]
#[case::space_in_the_name("\u{2014} Bad Name AAAAAQA=", SignatureLineError::Base64)]
#[case::no_signature("\u{2014} a", SignatureLineError::NoSignature)]
#[case::empty_signature("\u{2014} a ", SignatureLineError::TooShort { got: 0 })]
#[case::key_id_alone("\u{2014} a AAAAAQ==", SignatureLineError::TooShort { got: 4 })]
#[case::space_at_the_end("\u{2014} a AAAAAQA= ", SignatureLineError::Base64)]
#[case::no_padding("\u{2014} a AAAAAQA", SignatureLineError::Base64)]
#[case::too_much_padding("\u{2014} a AAAAAQA==", SignatureLineError::Base64)]
#[case::bits_behind_the_last_byte("\u{2014} a AAAAAQB=", SignatureLineError::Base64)]
#[case::base64_for_urls("\u{2014} a AAAAAQ-_", SignatureLineError::Base64)]
#[case::not_base64("\u{2014} a AAAAAQ!A", SignatureLineError::Base64)]
fn signature_line_that_is_refused(#[case] line: &str, #[case] expected: SignatureLineError) {
    assert_eq!(line.parse::<NoteSignature>(), Err(expected.clone()));
    let refused = format!("one\ntwo\n\n{SHORTEST}{line}\n").parse::<SignedNote>();
    // A blank line is where the signatures begin.
    let expected = match line {
        "" => NoteError::NoSignature { line: 6 },
        _ => NoteError::SignatureLine { line: 5, error: expected },
    };
    assert_eq!(refused, Err(expected));
}

/// No line break can be in a line that is parsed alone.
#[test]
fn line_break_in_a_signature_line() {
    let inside = "\u{2014} a\nb AAAAAQA=".parse::<NoteSignature>();
    assert_eq!(inside, Err(SignatureLineError::Name(NameError::Space { got: '\n' })));
    assert_eq!("\u{2014} a AAAAAQA=\n".parse::<NoteSignature>(), Err(SignatureLineError::Base64));
    let control = "\u{2014} a\u{1}b AAAAAQA=".parse::<NoteSignature>();
    assert_eq!(control, Err(SignatureLineError::Name(NameError::ControlCharacter { got: '\u{1}' })));
}

#[rstest]
#[case::empty("", NoteError::NoFinalNewline { line: 1 })]
#[case::no_newline("one\ntwo", NoteError::NoFinalNewline { line: 2 })]
#[case::control_character("one\n\u{1b}\n", NoteError::ControlCharacter { line: 2, got: '\u{1b}' })]
#[case::too_long(&"a".repeat(SignedNote::MAX_BYTES), NoteError::NoFinalNewline { line: 1 })]
fn text_that_no_note_has(#[case] text: &str, #[case] expected: NoteError) {
    let signer = NoteSigner::from_seed("log.example", &[1; 32]).unwrap();
    assert_eq!(SignedNote::sign(text, &signer), Err(expected.clone()));
    assert_eq!(SignedNote::new(text, SHORTEST.trim_end().parse().unwrap()), Err(expected));
}

/// The limit of the length, parsed and signed.
#[test]
fn longest_note() {
    let rest = 1 + 1 + SHORTEST.len();
    for (bytes, expected) in [(0, None), (1, Some(SignedNote::MAX_BYTES + 1))] {
        let text = "a".repeat(SignedNote::MAX_BYTES + bytes - rest) + "\n";
        let message = format!("{text}\n{SHORTEST}");
        let expected = expected.map(|got| NoteError::TooLong { got });
        assert_eq!(message.parse::<SignedNote>().err(), expected);
        let signed = SignedNote::new(text, SHORTEST.trim_end().parse().unwrap());
        assert_eq!(signed.err(), expected);
    }
}

/// Sixteen signatures of five kilobytes each, as the specification demands.
#[test]
fn note_with_large_signatures() {
    let signature = BASE64_STANDARD.encode(vec![7; 5_004]);
    let line = |number| format!("\u{2014} {}/{number} {signature}\n", "n".repeat(255));
    let lines: Vec<_> = (0..16).map(line).collect();
    let message = format!("{TEXT}\n{PETER_LINE}{}", lines.concat());
    let note: SignedNote = message.parse().unwrap();
    assert_eq!((note.signatures().len(), note.to_string()), (17, message));
    assert_eq!(signers(&note.verify(&keys(&[PETER])).unwrap()), ["PeterNeumann"]);
}

/// A new signature goes to the end, and replaces those of its key: the same name and the same key ID.
#[test]
fn adding_signatures() {
    let line = |name: &str, base64: &str| format!("\u{2014} {name} {base64}");
    let add = |note: &mut SignedNote, line: String| note.add(line.parse().unwrap()).unwrap();
    let first = [line("a", "AAAAAQA="), line("a", "AAAAAQE="), line("b", "AAAAAQA="), line("a", "AAAAAgA=")];
    let mut note: SignedNote = format!("text\n\n{}\n", first.join("\n")).parse().unwrap();
    add(&mut note, line("c", "AAAAAQA="));
    add(&mut note, line("a", "AAAAAQI="));
    let expected = [&first[2], &first[3], &line("c", "AAAAAQA="), &line("a", "AAAAAQI=")];
    let lines: Vec<_> = note.signatures().iter().map(ToString::to_string).collect();
    assert_eq!(lines, expected.map(String::as_str));
}

/// At the limits, only the signature of a key that has signed can be added, and nothing else changes.
#[test]
fn adding_signatures_at_the_limits() {
    let lines: Vec<_> = (0..100).map(|number| format!("\u{2014} {number} AAAAAQA=\n")).collect();
    let mut note: SignedNote = format!("text\n\n{}", lines.concat()).parse().unwrap();
    let before = note.clone();
    let error = NoteError::TooManySignatures { line: 103 };
    assert_eq!(note.add("\u{2014} 100 AAAAAQA=".parse().unwrap()), Err(error));
    assert_eq!(note, before);
    note.add("\u{2014} 7 AAAAAQE=".parse().unwrap()).unwrap();
    assert_eq!(note.signatures().len(), 100);
    assert_eq!(note.signatures()[99].signature(), [1]);

    let text = "a".repeat(SignedNote::MAX_BYTES - 2 - SHORTEST.len()) + "\n";
    let mut note: SignedNote = format!("{text}\n{SHORTEST}").parse().unwrap();
    let before = note.clone();
    let error = NoteError::TooLong { got: SignedNote::MAX_BYTES + SHORTEST.len() };
    assert_eq!(note.add("\u{2014} b AAAAAQA=".parse().unwrap()), Err(error));
    assert_eq!(note, before);
    assert_eq!(note.add("\u{2014} a AAAAAQE=".parse().unwrap()), Ok(()));
    assert_eq!(note.to_string().len(), SignedNote::MAX_BYTES);
}

/// The name and the key ID decide together whether a key is known.
#[rstest]
#[case::other_name(&PETER_LINE.replace("PeterNeumann", "CarmenSandiego"))]
#[case::name_in_another_case(&PETER_LINE.replace("PeterNeumann", "peterneumann"))]
#[case::other_key_id(&PETER_LINE.replace("x08g", "xxxx"))]
fn unknown_key(#[case] line: &str) {
    let alone: SignedNote = format!("{TEXT}\n{line}").parse().unwrap();
    assert_eq!(alone.verify(&keys(&[PETER])), Err(VerifyError::NoKnownKey));
    let with_known: SignedNote = format!("{TEXT}\n{line}{PETER_LINE}{ENOCH_LINE}").parse().unwrap();
    assert_eq!(signers(&with_known.verify(&keys(&[PETER])).unwrap()), ["PeterNeumann"]);
}

/// A wrong signature of a known key is an error, whatever else has signed, and wherever its line is.
#[rstest]
#[case::alone("", "", 4)]
#[case::after_a_valid_one(PETER_LINE, "", 5)]
#[case::before_a_valid_one("", PETER_LINE, 4)]
#[case::after_another_key(ENOCH_LINE, "", 5)]
#[case::before_another_key("", ENOCH_LINE, 4)]
fn wrong_signature_of_a_known_key(#[case] before: &str, #[case] after: &str, #[case] line: usize) {
    let wrong = PETER_LINE.replace("ZJku", "ZJkv");
    let note: SignedNote = format!("{TEXT}\n{before}{wrong}{after}").parse().unwrap();
    let known = keys(&[PETER, super::vectors::ENOCH]);
    let error = VerifyError::InvalidSignature { line, name: "PeterNeumann".to_owned(), key_id: 0xc74f_20a3 };
    assert_eq!(note.verify(&known), Err(error.clone()));
    assert_eq!(error.to_string(), format!("line {line}: invalid signature of the key PeterNeumann+c74f20a3"));
}

/// A signature of another text, and one that is too short or too long.
#[rstest]
#[case::other_text("Other text.\n", PETER_LINE)]
#[case::blank_line_in_addition(&format!("{TEXT}\n"), PETER_LINE)]
#[case::too_short(TEXT, "\u{2014} PeterNeumann x08gowA=\n")]
#[case::last_byte_missing(TEXT, &PETER_LINE.replace("nAM=", "nA=="))]
fn signature_of_something_else(#[case] text: &str, #[case] line: &str) {
    let note: SignedNote = format!("{text}\n{line}").parse().unwrap();
    let line = text.lines().count() + 2;
    let error = VerifyError::InvalidSignature { line, name: "PeterNeumann".to_owned(), key_id: 0xc74f_20a3 };
    assert_eq!(note.verify(&keys(&[PETER])), Err(error));
}
