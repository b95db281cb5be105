//! Secret keys under a passphrase: what this crate writes, OpenSSL reads, and the other way round.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use hashloom::signed::{KeyFileError, SecretKey};
use rstest::rstest;

use crate::kit::key;

const PASSPHRASE: &[u8] = "correct horse bättery".as_bytes();

fn written() -> String {
    key(1).to_encrypted_pem(PASSPHRASE, &[7; 32]).unwrap()
}

fn refused(text: &str, passphrase: &[u8]) -> KeyFileError {
    SecretKey::from_encrypted_pem(text, passphrase).map(|_| ()).unwrap_err()
}

#[test]
fn the_text_is_frozen() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/key_file.pem");
    if env::var_os("HASHLOOM_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, written()).unwrap();
    }
    let frozen = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written(), frozen, "if that is meant: HASHLOOM_BLESS=1 cargo test --test signed key_file");
    let read = SecretKey::from_encrypted_pem(&frozen, PASSPHRASE).unwrap();
    assert_eq!(read.public_key(), key(1).public_key());
    // Another program may add text before a key, and end lines in another way.
    let read = SecretKey::from_encrypted_pem(&format!("of Ann\n{frozen}").replace('\n', "\r\n"), PASSPHRASE);
    assert_eq!(read.unwrap().public_key(), key(1).public_key());
}

#[test]
fn what_is_random_changes_the_whole_text() {
    let other = key(1).to_encrypted_pem(PASSPHRASE, &[8; 32]).unwrap();
    let (salt, vector) = ([[7; 16], [8; 16]].concat(), [[8; 16], [7; 16]].concat());
    let texts = [salt, vector]
        .map(|random| key(1).to_encrypted_pem(PASSPHRASE, &random.try_into().unwrap()).unwrap());
    for text in [&other, &texts[0], &texts[1]] {
        assert_ne!(*text, written());
        assert_eq!(
            SecretKey::from_encrypted_pem(text, PASSPHRASE).unwrap().public_key(),
            key(1).public_key()
        );
    }
}

#[test]
fn another_passphrase_is_refused_and_so_is_each_changed_byte_of_the_start() {
    for wrong in ["", "correct horse battery", "correct horse bättery "] {
        assert_eq!(refused(&written(), wrong.as_bytes()), KeyFileError::Passphrase);
    }
    let lines = written();
    // A changed digit in the first line: the structure, the salt or the cost is another one.
    let start = lines.find("MI").unwrap();
    for at in (start..start + 64).step_by(3) {
        let digit = if &lines[at..=at] == "A" { "B" } else { "A" };
        let text = format!("{}{digit}{}", &lines[..at], &lines[at + 1..]);
        assert!(SecretKey::from_encrypted_pem(&text, PASSPHRASE).is_err(), "digit {at}");
    }
}

#[rstest]
#[case("")]
#[case("-----BEGIN ENCRYPTED PRIVATE KEY-----\n-----END ENCRYPTED PRIVATE KEY-----\n")]
#[case("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n")]
#[case("-----BEGIN ENCRYPTED PRIVATE KEY-----\n!!!!\n-----END ENCRYPTED PRIVATE KEY-----\n")]
fn what_is_no_key_is_refused(#[case] text: &str) {
    assert!(matches!(refused(text, PASSPHRASE), KeyFileError::Encoding { .. }), "{:?}", refused(text, b""));
}

/// Runs OpenSSL in a directory; `None` if there is none on this machine.
fn openssl(directory: &Path, arguments: &[&str]) -> Option<Output> {
    let Ok(output) = Command::new("openssl").args(arguments).current_dir(directory).output() else {
        crate::skip::skip("keys of OpenSSL", "openssl is not installed");
        return None;
    };
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {error}");
    Some(output)
}

#[test]
fn openssl_reads_what_is_written() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("key.pem"), format!("of Ann\n{}", written())).unwrap();
    fs::write(directory.path().join("pass"), PASSPHRASE).unwrap();
    let arguments = ["pkey", "-in", "key.pem", "-passin", "file:pass", "-pubout", "-outform", "DER"];
    let Some(output) = openssl(directory.path(), &arguments) else { return };
    let mut public_key = String::new();
    // The key is the end of a SubjectPublicKeyInfo (RFC 8410, section 4).
    for byte in &output.stdout[output.stdout.len() - 32..] {
        write!(public_key, "{byte:02x}").unwrap();
    }
    assert_eq!(public_key, key(1).public_key().to_string());
}

#[rstest]
#[case::pbkdf2(&["-v2", "aes-256-cbc"])]
#[case::scrypt(&["-scrypt", "-v2", "aes-128-cbc"])]
fn what_openssl_writes_is_read(#[case] how: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("pass"), PASSPHRASE).unwrap();
    if openssl(directory.path(), &["genpkey", "-algorithm", "ed25519", "-out", "plain.pem"]).is_none() {
        return;
    }
    let plain = fs::read_to_string(directory.path().join("plain.pem")).unwrap();
    assert_eq!(refused(&plain, PASSPHRASE), KeyFileError::Label { got: "PRIVATE KEY".to_owned() });
    let to = ["pkcs8", "-topk8", "-in", "plain.pem", "-out", "key.pem", "-passout", "file:pass"];
    openssl(directory.path(), &[&to, how].concat()).unwrap();
    let text = fs::read_to_string(directory.path().join("key.pem")).unwrap();
    let key = SecretKey::from_encrypted_pem(&text, PASSPHRASE).unwrap();
    let shown =
        openssl(directory.path(), &["pkey", "-in", "plain.pem", "-pubout", "-outform", "DER"]).unwrap();
    assert_eq!(shown.stdout[shown.stdout.len() - 32..], *key.public_key().as_bytes());
    assert_eq!(refused(&text, b"wrong"), KeyFileError::Passphrase);
}

#[rstest]
#[case::other_curve(&["genpkey", "-algorithm", "x25519"], &["-scrypt"], "algorithm 1.3.101.110")]
#[case::too_long(&["genpkey", "-algorithm", "ed25519"], &["-v2", "aes-256-cbc", "-iter", "16777217"], "16777217 rounds")]
#[case::other_scheme(&["genpkey", "-algorithm", "ed25519"], &["-v1", "PBE-SHA1-3DES"], "not an encrypted key")]
fn what_is_not_supported_is_named(#[case] make: &[&str], #[case] how: &[&str], #[case] expected: &str) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("pass"), PASSPHRASE).unwrap();
    if openssl(directory.path(), &[make, &["-out", "plain.pem"]].concat()).is_none() {
        return;
    }
    let to = ["pkcs8", "-topk8", "-in", "plain.pem", "-out", "key.pem", "-passout", "file:pass"];
    openssl(directory.path(), &[&to, how].concat()).unwrap();
    let text = fs::read_to_string(directory.path().join("key.pem")).unwrap();
    let error = refused(&text, PASSPHRASE).to_string();
    assert!(error.contains(expected), "{error}");
}

/// Only the numbers are changed, so that they are refused before anything is computed with them.
#[rstest]
#[case::memory([0x02, 0x02, 0x7f, 0xff, 0x02, 0x01, 0x7f, 0x02, 0x01, 0x05], KeyFileError::Memory { got: 532_660_352 })]
#[case::rounds([0x02, 0x02, 0x40, 0x00, 0x02, 0x01, 0x08, 0x02, 0x01, 0x21], KeyFileError::Rounds { got: 17_301_504 })]
fn a_cost_above_the_limit_is_refused(#[case] numbers: [u8; 10], #[case] expected: KeyFileError) {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let text = written();
    let digits: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let mut bytes = BASE64_STANDARD.decode(digits).unwrap();
    let ours = [0x02, 0x02, 0x40, 0x00, 0x02, 0x01, 0x08, 0x02, 0x01, 0x05];
    let at = bytes.windows(ours.len()).position(|window| window == ours).unwrap();
    bytes[at..at + ours.len()].copy_from_slice(&numbers);
    let label = "ENCRYPTED PRIVATE KEY";
    let digits = BASE64_STANDARD.encode(bytes);
    let lines: Vec<_> = digits.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    let text = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"));
    assert_eq!(refused(&text, PASSPHRASE), expected);
}
