//! A store of each version of the format, which every later version must be able to open.
//!
//! The test compares each store with the results of the steps that created it. A new fixture is added only for
//! a new version of the format: `HASHLOOM_BLESS=1 cargo test --test it fixture` creates it if it does not
//! exist.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hashloom::chain::FORMAT_VERSION;
use hashloom::protocol::Now;
use hashloom::store::Redb;
use hashloom::{Block, Blockchain, ChainConfig, Protocol, ProtocolConfig};

use super::{Line, NOW, extend, spec};

fn fixture(version: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("store-v{version}.redb"))
}

/// Twelve blocks, a side branch of two blocks, and two pending transactions.
struct Contents {
    best: Vec<Arc<Block<Line>>>,
    branch: Vec<Arc<Block<Line>>>,
    pending: [Line; 2],
}

fn contents() -> Contents {
    let mut chain = Blockchain::new(spec());
    let best: Vec<_> = (1..=12).map(|height| extend(&mut chain, &format!("block {height}"))).collect();
    let mut other = Blockchain::new(spec());
    for block in &best[..9] {
        let _ = other.import(Arc::clone(block), NOW).unwrap();
    }
    let branch = ["left 10", "left 11"].map(|text| extend(&mut other, text)).to_vec();
    let pending = ["first", "second"].map(|text| Line(text.to_owned()));
    Contents { best, branch, pending }
}

fn write() {
    let Contents { best, branch, pending } = contents();
    let directory = tempfile::tempdir().unwrap();
    let store = Box::new(Redb::open(directory.path()).unwrap());
    let mut chain = Blockchain::open(spec(), ChainConfig::default(), store).unwrap();
    let _ = chain.import_all(best[..9].iter().chain(&branch).cloned(), NOW).unwrap();
    chain.checkpoint().unwrap();
    let _ = chain.import_all(best[9..].iter().cloned(), NOW).unwrap();
    let now = Now { elapsed: Duration::ZERO, wall: NOW };
    let mut node = Protocol::with_chain(chain, ProtocolConfig::default(), NOW).unwrap();
    for line in pending {
        node.submit(line, now).unwrap();
    }
    node.shutdown(now);
    drop(node);
    fs::copy(directory.path().join("chain.redb"), fixture(FORMAT_VERSION)).unwrap();
}

#[test]
fn a_store_of_each_format_is_opened_by_every_later_version() {
    if std::env::var_os("HASHLOOM_BLESS").is_some_and(|value| value == "1")
        && !fixture(FORMAT_VERSION).exists()
    {
        write();
    }
    (1..=FORMAT_VERSION).for_each(check_version);
}

fn check_version(version: u32) {
    let directory = tempfile::tempdir().unwrap();
    fs::copy(fixture(version), directory.path().join("chain.redb")).unwrap();
    let store = Box::new(Redb::open(directory.path()).unwrap());
    let chain = Blockchain::<Line>::open(spec(), ChainConfig::default(), store).unwrap();

    let Contents { best, branch, pending } = contents();
    assert_eq!(chain.blocks(1..).collect::<Result<Vec<_>, _>>().unwrap(), best);
    assert_eq!(chain.state(), &(12, "block 12".to_owned()));
    for block in &branch {
        assert_eq!(chain.block(block.hash()).unwrap().as_ref(), Some(block));
        assert!(!chain.is_best(block.hash()).unwrap());
    }
    chain.verify(..).unwrap();
    let mut node = Protocol::with_chain(chain, ProtocolConfig::default(), NOW).unwrap();
    assert!(node.mempool().iter().map(|(_, line)| line).eq(&pending));

    // The chain continues: a block with the pending transactions is mined, and the side branch may still win.
    let now = Now { elapsed: Duration::ZERO, wall: NOW };
    let block = node.template(None, hashloom::Address::ZERO, NOW).unwrap().mine().unwrap();
    assert_eq!(block.data(), pending);
    assert_eq!(node.mined(&Arc::new(block), now), Ok(true));
    assert_eq!(node.chain().state(), &(14, "second".to_owned()));
}
