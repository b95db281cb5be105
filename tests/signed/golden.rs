//! The frozen bytes of `tests/golden/signed.txt`, which `docs/signed.md` explains.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use hashloom::primitives::transaction_id;
use hashloom::signed::Signed;
use hashloom::{Blockchain, Transaction};

use crate::kit::{genesis, key, mine, spec};
use crate::skip::skip;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/signed.txt")
}

#[test]
fn bytes_are_frozen() {
    let mut chain = Blockchain::<Signed<String>>::new(spec("signed"));
    let genesis = genesis(&chain);
    let author = key(7);
    let mut lines = vec![
        "# what each is, and its bytes in hex; the transaction is the text \"hashloom\"".to_owned(),
        format!("seed {}", "07".repeat(32)),
        format!("author {}", author.public_key()),
        format!("address {}", author.public_key().address()),
        format!("genesis {genesis}"),
        format!("root_at_genesis {}", chain.tip().header().state_root),
    ];
    for sequence in 0..2 {
        let signed = Signed::sign("hashloom".to_owned(), sequence, &author, &genesis).unwrap();
        let mut canonical = Vec::new();
        signed.encode(&mut canonical).unwrap();
        let root = mine(&mut chain, vec![signed.clone()]).header().state_root;
        lines.extend([
            format!("sequence {sequence}"),
            format!("signed_bytes {}", hex::encode(signed.signed_bytes(&genesis).unwrap())),
            format!("signature {}", signed.signature()),
            format!("canonical {}", hex::encode(canonical)),
            format!("id {}", transaction_id(&signed).unwrap()),
            format!("postcard {}", hex::encode(postcard::to_stdvec(&signed).unwrap())),
            format!("sequences_root {}", chain.state().sequences().root()),
            format!("state_root {root}"),
        ]);
    }
    let today = lines.join("\n") + "\n";
    if env::var_os("HASHLOOM_BLESS").is_some_and(|value| value == "1") {
        fs::write(path(), &today).unwrap();
    }
    let frozen = fs::read_to_string(path()).unwrap_or_default();
    assert_eq!(today, frozen, "if that is meant: HASHLOOM_BLESS=1 cargo test --test signed golden");
}

/// A program in JavaScript, which was written from the page and shares no code with this crate.
#[test]
fn javascript_computes_the_same_bytes() {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("node/check_signed.mjs");
    match Command::new("node").arg(program).arg(path()).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skip("a check of signed transactions in JavaScript", "there is no program `node`");
        }
        output => {
            let output = output.unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            assert_eq!(String::from_utf8_lossy(&output.stdout), "21 lines are as computed\n");
        }
    }
}
