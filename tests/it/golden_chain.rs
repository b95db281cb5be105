//! Freezes the bytes of a chain: a change of the genesis block or of a block's canonical bytes fails here.
//! `HASHLOOM_BLESS=1 cargo test --test it golden_chain` records an intended change, which makes every
//! existing chain incompatible.

use std::fmt::{Display, Write};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use hashloom::consensus::HeaderChain;
use hashloom::primitives::{Target, U256, Work, merkle, transaction_id};
use hashloom::{
    Block, Blockchain, ChainSpec, CompactTarget, Context, Hash, Header, Rejected, Retarget, Timestamp,
    Transaction,
};
use serde::{Deserialize, Serialize};

#[test]
fn default_spec() {
    check(
        "default_spec.txt",
        "The rules of the default chain and what follows from them.",
        &rules_of::<String>(&ChainSpec::default()),
    );
}

/// `docs/consensus.md` and `tests/node/decode.mjs` have these values, too.
#[test]
fn spec_that_differs_from_the_default_in_every_field_but_the_genesis_data() {
    let spec = ChainSpec::builder("Vereinschronik Übersee")
        .genesis_time(Timestamp::from_millis(1_800_000_000_000))
        .easiest_target(CompactTarget::from_bits(0x1e7f_ff80))
        .block_interval(Duration::from_millis(2_500))
        .retarget(Retarget::Asert { half_life_ms: 3_600_000 })
        .max_block_bytes(300_000)
        .max_block_transactions(200)
        .max_future_drift(Duration::from_secs(15))
        .finality_depth(Some(100))
        .build()
        .unwrap();
    check("spec.txt", "The rules of another chain and what follows from them.", &rules_of::<String>(&spec));
}

/// Accepts any genesis data and has no commitment to its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Open;

impl Transaction for Open {
    type State = ();

    fn apply(&self, (): &mut (), _: &Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }

    fn genesis_state(_: &[u8]) -> Result<(), Rejected> {
        Ok(())
    }
}

/// `docs/consensus.md` and `tests/node/decode.mjs` have these values, too.
#[test]
fn spec_with_genesis_data() {
    let spec = ChainSpec::builder("genesis data").genesis_data([0xa5; 200]).build().unwrap();
    let title = "The rules of a chain with genesis data and what follows from them.";
    check("genesis_data.txt", title, &rules_of::<Open>(&spec));
}

fn rules_of<T: Transaction>(spec: &ChainSpec) -> Vec<(&'static str, String)> {
    let genesis: Block<T> = spec.genesis().unwrap();
    let mut rules = postcard::to_allocvec(spec).unwrap();
    if spec.genesis_data().is_empty() {
        assert_eq!(rules.pop(), Some(0), "its length, which the commitment leaves out");
    }
    vec![
        ("commitment", spec.commitment().to_string()),
        ("rules", hex::encode(rules)),
        ("genesis hash", genesis.hash().to_string()),
        ("genesis header", hex::encode(genesis.header().to_bytes())),
    ]
}

#[test]
fn mined_block() {
    let mut chain: Blockchain = Blockchain::new(spec());
    let now = Timestamp::from_millis(1_767_225_700_000);
    let data = ["", "hashloom", "\u{1d11e}"].map(str::to_owned).to_vec();
    let block = chain.template(data, now).unwrap().mine().unwrap();
    assert!(chain.import(block.clone().into(), now).is_ok(), "a golden block is a good one");
    let ids: Vec<Hash> = block.data().iter().map(|text| transaction_id(text).unwrap()).collect();
    assert_eq!(block.header().merkle_root, merkle::root(&ids));
    let lines = [
        ("hash", block.hash().to_string()),
        ("header", hex::encode(block.header().to_bytes())),
        ("block in postcard", hex::encode(postcard::to_allocvec(&block).unwrap())),
        ("block in JSON", serde_json::to_string(&block).unwrap()),
        ("transaction ids", ids.iter().map(Hash::to_string).collect::<Vec<_>>().join(" ")),
    ];
    check("mined_block.txt", "A block with three texts on the genesis block of a chain.", &lines);
    read_back();
}

#[test]
fn archive() {
    let mut chain: Blockchain = Blockchain::new(spec());
    let now = Timestamp::from_millis(1_767_225_700_000);
    for data in [&["", "hashloom"][..], &[]] {
        let data = data.iter().map(ToString::to_string).collect();
        let block = chain.template(data, now).unwrap().mine().unwrap();
        assert!(chain.import(block.into(), now).is_ok(), "a golden block is a good one");
    }
    let mut file = Vec::new();
    chain.export(.., &mut file).unwrap();
    let lines = [("tip", chain.tip().hash().to_string()), ("file", hex::encode(file))];
    check("archive.txt", "An archive of two blocks, with two texts and with none.", &lines);

    let mut copy: Blockchain = Blockchain::new(spec());
    let file = hex::decode(frozen_value("archive.txt", "file")).unwrap();
    assert_eq!(copy.import_archive(file.as_slice(), now).unwrap(), 2);
    assert_eq!(copy.tip().hash().to_string(), frozen_value("archive.txt", "tip"));
}

pub(crate) fn spec() -> ChainSpec {
    ChainSpec::builder("golden")
        .easiest_target(CompactTarget::from_bits(0x2000_ffff))
        .retarget(Retarget::Fixed)
        .genesis_time(Timestamp::from_millis(1_767_225_600_000))
        .build()
        .unwrap()
}

/// The golden block is still valid and still has proof of work.
fn read_back() {
    let value = |name: &str| frozen_value("mined_block.txt", name);
    let bytes: [u8; Header::LEN] = hex::decode(value("header")).unwrap().try_into().unwrap();
    let header = Header::from_bytes(&bytes);
    assert_eq!(header.hash().to_string(), value("hash"));
    assert!(Target::try_from(header.target).unwrap().is_met_by(&header.hash()));
    let mut headers = HeaderChain::new::<String>(spec()).unwrap();
    assert_eq!(headers.push(&header, header.timestamp), Ok(()));
    assert_eq!(headers.tip_hash().to_string(), value("hash"));
    // The work of two blocks with this target: 2^256 / (0xffff * 2^232 + 1) each, rounded down.
    assert_eq!(headers.work(), Work::from_uint(U256::from(512)));
    let block: Block = serde_json::from_str(&value("block in JSON")).unwrap();
    assert_eq!(*block.header(), header);
    let again: Block = postcard::from_bytes(&hex::decode(value("block in postcard")).unwrap()).unwrap();
    assert_eq!(again, block);
}

/// Compares the lines with the golden file.
pub(crate) fn check(file: &str, title: &str, lines: &[(impl Display, String)]) {
    let mut today = format!("# {title}\n");
    for (name, value) in lines {
        writeln!(today, "{name}: {value}").unwrap();
    }
    if std::env::var_os("HASHLOOM_BLESS").is_some_and(|value| value == "1") {
        fs::write(path(file), &today).unwrap();
    }
    let frozen = fs::read_to_string(path(file)).unwrap_or_default();
    assert_eq!(
        today, frozen,
        "{file} differs; if that is meant: HASHLOOM_BLESS=1 cargo test --test it golden"
    );
}

/// The value with this name in a golden file.
fn frozen_value(file: &str, name: &str) -> String {
    let frozen = fs::read_to_string(path(file)).unwrap();
    let value = frozen.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap().to_owned()
}

pub(crate) fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(file)
}
