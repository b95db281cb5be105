//! The file of a secret key, and its passphrase.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use console::Term;
use hashloom::Address;
use hashloom::signed::{KeyFileError, SecretKey};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// More than any key file has, so that a wrong file is not read to its end.
const MAX_FILE_BYTES: u64 = 16 << 10;

/// Makes a key, and writes it into a new file, whose first line is its address. Returns what to print.
pub(crate) fn create(path: &Path, passphrase_file: Option<&Path>) -> Result<String> {
    let shown = path.display();
    // Before a passphrase is asked for; whether the file exists when it is written is what counts.
    ensure!(
        !path.exists(),
        "{shown} exists already, and a key is never replaced: name another file with --key"
    );
    let passphrase = if let Some(given) = given_passphrase(passphrase_file)? {
        given
    } else {
        let first = asked_passphrase("New passphrase: ")?;
        let second = asked_passphrase("The same again: ")?;
        ensure!(*first == *second, "the two passphrases differ");
        first
    };
    ensure!(!passphrase.is_empty(), "the passphrase is empty: who copies the file would have the key");
    let mut seed = Zeroizing::new([0; 32]);
    let mut random = [0; SecretKey::PEM_RANDOM_BYTES];
    let filled = getrandom::fill(&mut *seed).and_then(|()| getrandom::fill(&mut random));
    filled.map_err(|error| anyhow!("the system has no random bytes: {error}"))?;
    let key = SecretKey::from_seed(&seed);
    let address = crate::shown(&key.public_key().address())?;
    let pem = key.to_encrypted_pem(passphrase.as_bytes(), &random)?;
    write_new(path, &format!("{address}\n{pem}")).with_context(|| format!("cannot write {shown}"))?;
    Ok(format!("{address}\n"))
}

/// Writes a file that only its owner may read, completely or not at all. Fails if it exists.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file has the mode 0600.
    let mut part = NamedTempFile::new_in(directory)?;
    part.write_all(text.as_bytes())?;
    part.as_file().sync_all()?;
    part.persist_noclobber(path)?;
    // The name is durable when its directory is; not every system opens one.
    if let Ok(directory) = fs::File::open(directory) {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// The address in the first line of the file, which needs no passphrase.
pub(crate) fn address(path: &Path) -> Result<Address> {
    address_in(&read(path)?).with_context(|| path.display().to_string())
}

/// Opens the file with the passphrase.
pub(crate) fn open(path: &Path, passphrase_file: Option<&Path>) -> Result<SecretKey> {
    let text = read(path)?;
    let expected = address_in(&text).with_context(|| path.display().to_string())?;
    let passphrase = match given_passphrase(passphrase_file)? {
        Some(given) => given,
        None => asked_passphrase(&format!("Passphrase of {}: ", path.display()))?,
    };
    let key = SecretKey::from_encrypted_pem(&text, passphrase.as_bytes()).map_err(|error| match error {
        KeyFileError::Passphrase => anyhow!("{}: {error}", path.display()),
        error => anyhow!("{} is not a key file: {error}", path.display()),
    })?;
    let got = key.public_key().address();
    ensure!(
        got == expected,
        "{}: the key is that of {}, but the first line says {}",
        path.display(),
        crate::shown(&got)?,
        crate::shown(&expected)?
    );
    Ok(key)
}

fn read(path: &Path) -> Result<String> {
    let shown = path.display();
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!(
                "there is no key in {shown}: make one with `coin key new`, or name it with --key (or KEY_FILE)"
            )
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
    };
    let mut text = String::new();
    let read = file.take(MAX_FILE_BYTES).read_to_string(&mut text);
    read.with_context(|| format!("cannot read {shown}"))?;
    Ok(text)
}

fn address_in(text: &str) -> Result<Address> {
    let line = text.lines().next().unwrap_or_default();
    crate::account(line).context("the first line is not the address of the key")
}

/// The passphrase of a script, if it gives one.
fn given_passphrase(file: Option<&Path>) -> Result<Option<Zeroizing<String>>> {
    if let Some(path) = file {
        let mut line = Zeroizing::new(String::new());
        let opened = fs::File::open(path);
        let read = opened.and_then(|file| BufReader::new(file.take(MAX_FILE_BYTES)).read_line(&mut line));
        read.with_context(|| format!("cannot read the passphrase in {}", path.display()))?;
        return Ok(Some(Zeroizing::new(line.trim_end_matches(['\n', '\r']).to_owned())));
    }
    match std::env::var("PASSPHRASE") {
        Ok(given) => Ok(Some(Zeroizing::new(given))),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => bail!("PASSPHRASE is not UTF-8"),
    }
}

/// Asks on the terminal, which does not show what is typed.
fn asked_passphrase(prompt: &str) -> Result<Zeroizing<String>> {
    let terminal = Term::stderr();
    ensure!(
        terminal.is_term(),
        "there is no terminal to ask for the passphrase: give it with PASSPHRASE or --passphrase-file"
    );
    terminal.write_str(prompt)?;
    Ok(Zeroizing::new(terminal.read_secure_line().context("cannot read the passphrase")?))
}
