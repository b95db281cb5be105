//! The frozen bytes of `tests/golden/ledger.txt`.

use std::path::PathBuf;
use std::{env, fs};

use hashloom::Transaction;

use crate::kit::{account, coin, mine, pay};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/ledger.txt")
}

#[test]
fn bytes_are_frozen() {
    let mut chain = coin();
    let mut lines = vec![
        "# what each is, and its bytes in hex; account 1 has the seed 01..01, and so on".to_owned(),
        format!("genesis_data {}", hex::encode(chain.state().application().parameters().to_genesis_data())),
        format!("genesis {}", chain.genesis().hash()),
        format!("account_1 {}", account(1)),
        format!("root_at_genesis {}", chain.tip().header().state_root),
    ];
    for sequence in 0..2 {
        let transfer = pay(&chain, 1, sequence, 2, 30 + sequence, 2);
        let mut canonical = Vec::new();
        transfer.encode(&mut canonical).unwrap();
        let header = *mine(&mut chain, account(9), vec![transfer.clone()]).header();
        lines.extend([
            format!("transfer {}", hex::encode(canonical)),
            format!("json {}", serde_json::to_string(&transfer).unwrap()),
            format!("accounts_root {}", chain.state().application().accounts().root()),
            format!("minted {}", chain.state().application().minted()),
            format!("state_root {}", header.state_root),
        ]);
    }
    let today = lines.join("\n") + "\n";
    if env::var_os("HASHLOOM_BLESS").is_some_and(|value| value == "1") {
        fs::write(path(), &today).unwrap();
    }
    let frozen = fs::read_to_string(path()).unwrap_or_default();
    assert_eq!(today, frozen, "if that is meant: HASHLOOM_BLESS=1 cargo test --test ledger golden");
}
