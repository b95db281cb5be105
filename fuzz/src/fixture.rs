//! What the targets draw from: a transaction type with a rule, a chain on which every second hash is a block,
//! and blocks of every sort, mined once for each process.

use core::time::Duration;
use std::sync::{Arc, LazyLock};

use hashloom::{
    Address, Block, Blockchain, BodyDigest, ChainConfig, ChainSpec, CompactTarget, Context, Header, Rejected,
    Retarget, Target, Timestamp, Transaction,
};
use serde::{Deserialize, Serialize};

/// A text that the application refuses where it reads [`REFUSED`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note(pub String);

/// What no block may hold.
pub const REFUSED: &str = "refused";

impl Transaction for Note {
    /// How many notes there are.
    type State = u64;

    fn apply(&self, count: &mut u64, _context: &Context<'_>) -> Result<(), Rejected> {
        *count += 1;
        if self.0 == REFUSED { Err(Rejected::new(REFUSED, "as it says")) } else { Ok(()) }
    }
}

/// When every run begins: a day after the default genesis.
pub const START: Timestamp = Timestamp::from_millis(1_767_312_000_000);

/// Blocks that a node of the targets has before it hears of the first peer.
pub const KNOWN: usize = 4;

/// Every second hash is a block, and the target stays as it is.
pub fn spec() -> ChainSpec {
    spec_with(Retarget::Fixed)
}

/// The same with another way to adjust the target.
pub fn spec_with(retarget: Retarget) -> ChainSpec {
    ChainSpec::builder("fuzz")
        .easiest_target(CompactTarget::from_bits(0x207f_ffff))
        .retarget(retarget)
        .max_block_bytes(2_048)
        .build()
        .expect("these rules make sense")
}

/// The blocks of [`spec`]'s chain: twelve on top of genesis; a branch of twelve above the third; one with a
/// refused note; one with the notes of another block; one from the future; one that claims the greatest
/// height; and two whose ancestors are unknown.
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

/// Mines blocks on top of a chain, a second apart, by a clock that is not behind the chain.
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

/// The block with this header and these transactions, once its Merkle root and its nonce are right.
pub fn block(header: Header, data: Vec<Note>) -> Arc<Block<Note>> {
    let merkle_root = BodyDigest::of(&data).map_or(header.merkle_root, |digest| digest.merkle_root());
    Arc::new(Block::new(sealed(Header { merkle_root, ..header }), data))
}

/// The header with a nonce that meets its target, where one is found soon.
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
