//! The material of the targets: a transaction type with a rule, a chain with a target that every second hash
//! meets, and blocks of every kind, mined once per process.

use core::time::Duration;
use std::sync::{Arc, LazyLock};

use hashloom::primitives::{BodyDigest, Target};
use hashloom::{
    Address, Block, Blockchain, ChainConfig, ChainSpec, CompactTarget, Context, Header, Rejected, Retarget,
    Timestamp, Transaction,
};
use serde::{Deserialize, Serialize};

/// A text that the application refuses if it is [`REFUSED`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note(pub String);

/// The text that the application refuses.
pub const REFUSED: &str = "refused";

impl Transaction for Note {
    /// The number of notes.
    type State = u64;

    fn apply(&self, count: &mut u64, _context: &Context<'_>) -> Result<(), Rejected> {
        *count += 1;
        if self.0 == REFUSED { Err(Rejected::new(REFUSED, "as it says")) } else { Ok(()) }
    }
}

/// The start of every run: a day after the default genesis.
pub const START: Timestamp = Timestamp::from_millis(1_767_312_000_000);

/// The blocks that a node has before its first peer connects.
pub const KNOWN: usize = 4;

/// A spec with a fixed target that every second hash meets.
pub fn spec() -> ChainSpec {
    spec_with(Retarget::Fixed)
}

/// [`spec`] with another retargeting rule.
pub fn spec_with(retarget: Retarget) -> ChainSpec {
    ChainSpec::builder("fuzz")
        .easiest_target(CompactTarget::from_bits(0x207f_ffff))
        .retarget(retarget)
        .max_block_bytes(2_048)
        .build()
        .expect("these rules make sense")
}

/// The blocks of [`spec`]'s chain: twelve that extend genesis; a branch of twelve that extends the third; one
/// with a refused note; one with the notes of another block; one from the future; one that claims the
/// greatest height; and two orphans.
pub fn blocks() -> &'static [Arc<Block<Note>>] {
    &BLOCKS
}

static BLOCKS: LazyLock<Vec<Arc<Block<Note>>>> = LazyLock::new(|| {
    let mut blocks = extend(&mut Blockchain::new(spec()), 12, "main");
    let mut forked = chain_of(&blocks[..3], ChainConfig::default());
    blocks.extend(extend(&mut forked, 12, "branch"));
    let header = *blocks[5].header();
    blocks.push(block(header, vec![Note(REFUSED.to_owned())]));
    blocks.push(Arc::new(Block::new(header, vec![Note("of another block".to_owned())])));
    let timestamp = START.saturating_add(Duration::from_mins(5));
    blocks.push(block(Header { timestamp, ..header }, Vec::new()));
    blocks.push(block(Header { height: u64::MAX, ..header }, Vec::new()));
    let mut elsewhere = Blockchain::new(spec());
    blocks.extend(extend(&mut elsewhere, 3, "elsewhere").split_off(1));
    blocks
});

/// A chain of [`spec`] with these blocks.
pub fn chain_of(blocks: &[Arc<Block<Note>>], config: ChainConfig) -> Blockchain<Note> {
    let mut chain = Blockchain::with_config(spec(), config);
    let imported = chain.import_all(blocks.to_vec(), START).expect("a store in memory does not fail");
    assert!(imported.verdicts.iter().all(Result::is_ok), "the blocks are good: {:?}", imported.verdicts);
    chain
}

/// Mines blocks that extend a chain, a second apart, with a clock that is not behind the chain.
pub fn extend(chain: &mut Blockchain<Note>, len: u64, label: &str) -> Vec<Arc<Block<Note>>> {
    let mut mined = Vec::new();
    for index in 0..len {
        let time = chain.spec().genesis_time().saturating_add(Duration::from_secs(chain.height() + 1));
        let time = time.max(chain.tip().header().timestamp);
        let template = chain.template_for(Address::ZERO, vec![Note(format!("{label} {index}"))], time);
        let block = Arc::new(template.expect("a good block").mine().expect("every second hash is a block"));
        let _ = chain.import(Arc::clone(&block), START).expect("a good block");
        mined.push(block);
    }
    mined
}

/// A block with this header and these transactions, with the correct Merkle root and, if one is found, a
/// valid nonce.
pub fn block(header: Header, data: Vec<Note>) -> Arc<Block<Note>> {
    let merkle_root = BodyDigest::of(&data).map_or(header.merkle_root, |digest| digest.merkle_root());
    Arc::new(Block::new(sealed(Header { merkle_root, ..header }), data))
}

/// The header with a nonce that meets its target, if one of 64 does.
pub fn sealed(mut header: Header) -> Header {
    let Ok(target) = Target::try_from(header.target) else { return header };
    for nonce in 0..64 {
        header.nonce = nonce;
        if target.is_met_by(&header.hash()) {
            break;
        }
    }
    header
}
