//! Balances and sequence numbers, proven to who has a header.

use hashloom::ledger::{BalanceProof, SignedTransfer};
use hashloom::signed::{SequenceProof, StateProofError};
use hashloom::{Hash, Header, Transaction};

use crate::kit::{Coin, account, balance, coin, key, mine, pay};

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
