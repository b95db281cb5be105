//! The vectors of the specifications, and those of Go's package `golang.org/x/mod/sumdb/note`.

use hashloom::Hash;
use hashloom::evidence::{
    Checkpoint, NoteError, NoteSignature, NoteSigner, NoteVerifier, SignedNote, VerifyError,
};
use rstest::rstest;

use super::{keys, signers};

/// The text of Go's tests.
pub(crate) const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                               then you don't know what your problem is.\n";
/// Go's keys, and their signatures of the text.
pub(crate) const PETER_SECRET: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
pub(crate) const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
pub(crate) const PETER_LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN\
                                     1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
pub(crate) const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
pub(crate) const ENOCH_LINE: &str = "\u{2014} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vA\
                                     F1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

/// What Go's `TestOpen` opens, with which keys, and who has signed.
#[rstest]
#[case::one_of_two(&[PETER], &["PeterNeumann"])]
#[case::both(&[PETER, ENOCH], &["PeterNeumann", "EnochRoot"])]
#[case::in_the_order_of_the_lines(&[ENOCH, PETER], &["PeterNeumann", "EnochRoot"])]
fn go_test_open(#[case] known: &[&str], #[case] expected: &[&str]) {
    let message = format!("{TEXT}\n{PETER_LINE}{ENOCH_LINE}");
    let note: SignedNote = message.parse().unwrap();
    assert_eq!((note.text(), note.to_string()), (TEXT, message));
    let known = keys(known);
    let verified = note.verify(&known).unwrap();
    assert_eq!(
        (verified.text, signers(&verified)),
        (TEXT, expected.iter().map(ToString::to_string).collect())
    );
}

/// Go's `TestOpen`: "Check both unverified".
#[test]
fn go_test_open_without_keys() {
    let note: SignedNote = format!("{TEXT}\n{PETER_LINE}{ENOCH_LINE}").parse().unwrap();
    assert_eq!(note.verify(&[]), Err(VerifyError::NoKnownKey));
}

#[test]
fn go_test_sign() {
    let signer: NoteSigner = PETER_SECRET.parse().unwrap();
    assert_eq!(signer.verifier().to_string(), PETER);
    let mut note = SignedNote::sign(TEXT, &signer).unwrap();
    assert_eq!(note.to_string(), format!("{TEXT}\n{PETER_LINE}"));
    // A new signature replaces the one of the same key.
    let bad: NoteSignature = PETER_LINE.trim_end().replace("ZJku", "AAAA").parse().unwrap();
    note.add(bad).unwrap();
    assert_ne!(note.to_string(), format!("{TEXT}\n{PETER_LINE}"));
    note.add(signer.sign(TEXT)).unwrap();
    assert_eq!(note.to_string(), format!("{TEXT}\n{PETER_LINE}"));
}

/// Go's `TestOpen`: "Invalid signature", three base64 groups too long.
#[test]
fn go_test_open_with_an_invalid_signature() {
    let longer = [&PETER_LINE[..60], "ABCD", &PETER_LINE[60..]].concat();
    let note: SignedNote = format!("{TEXT}\n{longer}").parse().unwrap();
    let error =
        VerifyError::InvalidSignature { line: 4, name: "PeterNeumann".to_owned(), key_id: 0xc74f_20a3 };
    assert_eq!(note.verify(&keys(&[PETER])), Err(error));
}

/// Go's `TestOpen`: repeated lines count once.
#[test]
fn go_test_open_with_repeated_signatures() {
    let longer = [&ENOCH_LINE[..60], "ABCD", &ENOCH_LINE[60..]].concat();
    let message = format!("{TEXT}\n{PETER_LINE}{PETER_LINE}{ENOCH_LINE}{ENOCH_LINE}{longer}");
    let note: SignedNote = message.parse().unwrap();
    assert_eq!(note.verify(&keys(&[PETER])).as_ref().map(signers), Ok(vec!["PeterNeumann".to_owned()]));
    assert_eq!(note.signatures().len(), 5);
    assert_eq!(note.to_string(), message);
}

#[rstest]
#[case::known(&[PETER])]
#[case::unknown(&[])]
fn go_test_open_with_too_many_signatures(#[case] known: &[&str]) {
    let note: SignedNote = format!("{TEXT}\n{}", PETER_LINE.repeat(100)).parse().unwrap();
    assert_eq!(note.verify(&keys(known)).is_ok(), !known.is_empty());
    let one_more = format!("{TEXT}\n{}", PETER_LINE.repeat(101)).parse::<SignedNote>();
    assert_eq!(one_more, Err(NoteError::TooManySignatures { line: 104 }));
}

/// The examples of `signed-note`, `tlog-checkpoint` and `tlog-cosignature`. Their keys are not public.
#[rstest]
#[case::signed_note(
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n",
    "\u{2014} quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n",
    &[("quasimodo.example/salvatore", 0x367b_a04b, 64)]
)]
#[case::tlog_cosignature(
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
    "\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n",
    &[("example.com/behind-the-sofa", 0x033d_e0ae, 64), ("witness.example.com/w1", 0x8d66_cf3f, 72)]
)]
fn examples_of_the_specifications(
    #[case] text: &str,
    #[case] lines: &str,
    #[case] signatures: &[(&str, u32, usize)],
) {
    let message = format!("{text}\n{lines}");
    let note: SignedNote = message.parse().unwrap();
    assert_eq!(note.text(), text);
    let found: Vec<_> = note
        .signatures()
        .iter()
        .map(|signature| (signature.name(), signature.key_id(), signature.signature().len()))
        .collect();
    assert_eq!(found, signatures);
    assert_eq!(note.to_string(), message);
    assert_eq!(note.verify(&keys(&[PETER])), Err(VerifyError::NoKnownKey));
}

/// Keys of the tests of `github.com/transparency-dev/formats`: one that signs notes, and one of a public witness.
#[rstest]
#[case("TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6", false)]
#[case("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2", true)]
fn keys_of_other_programs(#[case] text: &str, #[case] is_cosigner: bool) {
    let key: NoteVerifier = text.parse().unwrap();
    assert_eq!((key.to_string(), key.is_cosigner()), (text.to_owned(), is_cosigner));
}

/// The checkpoint of a Sigsum log from the tests of `filippo.io/torchwood`.
#[test]
fn signed_checkpoint_of_another_program() {
    let origin = "sigsum.org/v1/tree/985ea163f5af026723561354f51f2ebcdcf2af809ce254ccfb64aa9aadd80f90";
    let key = format!("{origin}+ec1293d2+AVLAXtrRv1/v+oE1T6rlmmVdmpoaeT7S9iw5wmwL4q7N");
    let message = format!(
        "{origin}\n1\nKgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\u{2014} {origin} \
         7BKT0gOfNZ1J0So9unY3BZtm2YkPIoNYM/dce0Z2avJDs8dxN6ts9bOSwwrVrbjm6P9K3ZxpK6jJngOG6YvGGzV/lwo=\n"
    );
    let (note, keys): (SignedNote, _) = (message.parse().unwrap(), keys(&[&key]));
    let checkpoint: Checkpoint = note.verify(&keys).unwrap().text.parse().unwrap();
    let mut root = [0; 32];
    root[0] = 42;
    assert_eq!(checkpoint, Checkpoint::new(origin, 1, Hash::from_bytes(root)).unwrap());
    let other: SignedNote = message.replace("\n1\n", "\n2\n").parse().unwrap();
    let error = VerifyError::InvalidSignature { line: 5, name: origin.to_owned(), key_id: 0xec12_93d2 };
    assert_eq!(other.verify(&keys), Err(error));
}
