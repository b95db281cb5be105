//! Balances and sequence numbers, proven to who has a header.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use hashloom::ledger::{AddressPrefix, BalanceProof, SignedTransfer};
use hashloom::signed::{SequenceProof, StateProofError};
use hashloom::{Hash, Header, Transaction};

use crate::kit::{Coin, account, balance, coin, key, mine, pay};
use crate::skip::skip;

/// Account 1 has paid account 2, and account 9 has mined a block. Account 3 has nothing.
fn chain() -> (Coin, Header) {
    let mut chain = coin();
    let transfer = pay(&chain, 1, 0, 2, 30, 2);
    let header = *mine(&mut chain, account(9), vec![transfer]).header();
    (chain, header)
}

fn prove(chain: &Coin, key: &str) -> Option<Vec<u8>> {
    <SignedTransfer as Transaction>::prove(chain.state(), key)
}

#[test]
fn a_header_proves_balances_and_numbers() {
    let (chain, header) = chain();
    for (of, expected) in [(1, 68), (2, 30), (9, 52), (3, 0)] {
        let bytes = prove(&chain, &format!("accounts/{}", account(of))).unwrap();
        let proof = BalanceProof::from_bytes(&bytes).unwrap();
        assert_eq!(proof.verify(&account(of), &header.state_root), Ok(expected));
        assert_eq!(balance(&chain, of), expected);
        assert_eq!(proof.to_bytes(), bytes);
        // Of another account it proves nothing, at least not this balance.
        assert_ne!(proof.verify(&account(4), &header.state_root), Ok(68));
    }
    for (of, expected) in [(1, 1), (2, 0)] {
        let author = key(of).public_key();
        let bytes = prove(&chain, &format!("sequences/{author}")).unwrap();
        let proof = SequenceProof::from_bytes(&bytes).unwrap();
        assert_eq!(proof.verify(&author, &header.state_root), Ok(expected));
        assert_eq!(proof.to_bytes(), bytes);
    }
}

#[test]
fn a_proof_of_another_header_is_refused() {
    let (mut chain, old) = chain();
    let of_account = format!("accounts/{}", account(1));
    let bytes = prove(&chain, &of_account).unwrap();
    let new = *mine(&mut chain, account(9), vec![]).header();
    let proof = BalanceProof::from_bytes(&bytes).unwrap();
    let refused = StateProofError::Root { got: old.state_root, expected: new.state_root };
    assert_eq!(proof.verify(&account(1), &new.state_root), Err(refused));

    let author = key(1).public_key();
    let proof = SequenceProof::from_bytes(&prove(&chain, &format!("sequences/{author}")).unwrap()).unwrap();
    let refused = StateProofError::Root { got: new.state_root, expected: old.state_root };
    assert_eq!(proof.verify(&author, &old.state_root), Err(refused));
}

#[test]
fn each_changed_bit_and_each_other_length_is_noticed() {
    let (chain, header) = chain();
    let of_balance = prove(&chain, &format!("accounts/{}", account(1))).unwrap();
    let of_number = prove(&chain, &format!("sequences/{}", key(1).public_key())).unwrap();
    let balance = |bytes: &[u8]| BalanceProof::from_bytes(bytes)?.verify(&account(1), &header.state_root);
    let number =
        |bytes: &[u8]| SequenceProof::from_bytes(bytes)?.verify(&key(1).public_key(), &header.state_root);
    assert_eq!((balance(&of_balance), number(&of_number)), (Ok(68), Ok(1)));
    for (bytes, verify) in
        [(of_balance, &balance as &dyn Fn(&[u8]) -> Result<u64, StateProofError>), (of_number, &number)]
    {
        for at in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert!(verify(&changed).is_err(), "bit {at}");
        }
        for len in 0..bytes.len() {
            assert!(verify(&bytes[..len]).is_err(), "{len} bytes");
        }
        assert!(verify(&[bytes, vec![0]].concat()).is_err());
    }
    let length = |got, expected| Err(StateProofError::Length { got, expected });
    assert_eq!(balance(&[0; 31]), length(31, Hash::LEN));
    assert_eq!(balance(&[0; 71]), length(7, 8));
    assert_eq!(number(&[0; 63]), length(31, Hash::LEN));
}

#[test]
fn other_texts_are_no_keys() {
    let (chain, _) = chain();
    let author = key(1).public_key();
    let keys =
        ["", "accounts", "accounts/", "accounts/1", "sequences/", "sequences/1", "minted"].map(str::to_owned);
    let wrong = [format!("accounts/{author}"), format!("sequences/{}", account(1)), account(1).to_string()];
    for key in keys.iter().chain(&wrong) {
        assert_eq!(prove(&chain, key), None, "{key}");
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/balance_proofs.txt")
}

#[test]
fn proofs_are_frozen() {
    let (chain, header) = chain();
    let prefix = AddressPrefix::new("coin").unwrap();
    let mut lines = vec![
        "# a header; what is proven, of which address or public key, the proof, and what it shows".to_owned(),
        format!("header {}", hex::encode(header.to_bytes())),
    ];
    for (of, units) in [(1, 68), (2, 30), (9, 52), (3, 0)] {
        let proof = hex::encode(prove(&chain, &format!("accounts/{}", account(of))).unwrap());
        lines.push(format!("balance {} {proof} {units}", prefix.encode(&account(of))));
    }
    for (of, number) in [(1, 1), (2, 0)] {
        let author = key(of).public_key();
        let proof = hex::encode(prove(&chain, &format!("sequences/{author}")).unwrap());
        lines.push(format!("number {author} {proof} {number}"));
    }
    let today = lines.join("\n") + "\n";
    if env::var_os("HASHLOOM_BLESS").is_some_and(|value| value == "1") {
        fs::write(golden(), &today).unwrap();
    }
    let frozen = fs::read_to_string(golden()).unwrap_or_default();
    assert_eq!(today, frozen, "if that is meant: HASHLOOM_BLESS=1 cargo test --test ledger proof");
}

/// The lines that a program in JavaScript, which was written from the pages, prints about a file; `None` if it cannot run.
fn javascript(file: &Path) -> Option<Vec<String>> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/check_balance.mjs");
    match Command::new("node").arg(program).arg(file).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skip("a check of balances in JavaScript", "there is no program `node`");
            None
        }
        output => {
            let output = output.unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
        }
    }
}

#[test]
fn javascript_checks_the_same_proofs() {
    let frozen = fs::read_to_string(golden()).unwrap();
    let entries: Vec<Vec<&str>> = frozen.lines().skip(2).map(|line| line.split(' ').collect()).collect();
    let expected: Vec<_> = entries.iter().map(|entry| format!("{} {}", entry[1], entry[3])).collect();
    let Some(shown) = javascript(&golden()) else { return };
    assert_eq!(shown, expected);

    // Of another account, of more minted units, and with a typo in the address.
    let (first, second) = (&entries[0], &entries[1]);
    let minted = format!("{}ff{}", &first[2][..142], &first[2][144..]);
    let lines = [
        frozen.lines().nth(1).unwrap().to_owned(),
        format!("balance {} {}", second[1], first[2]),
        format!("balance {} {minted}", first[1]),
        format!("balance {} {}", first[1].replacen("xmdg", "xmgd", 1), first[2]),
    ];
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), lines.join("\n")).unwrap();
    assert_eq!(javascript(file.path()).unwrap(), ["refused root", "refused state root", "refused checksum"]);
}
