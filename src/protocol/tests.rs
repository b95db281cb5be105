//! Tests of the whole protocol: shared helpers, and one file per subject. No test reads a clock.

mod bans;
mod bench;
mod bounds;
mod clock;
mod connections;
mod cost;
mod discovery;
mod doubles;
mod hostile;
mod junk;
mod low_work;
mod minable;
mod network;
mod overdue;
mod refusal;
mod relay;
mod remembered;
mod replies;
mod requests;
mod storage;
mod sync;

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::*;
use crate::mempool::MempoolError;
use crate::primitives::Work;
use crate::{
    Address, Blockchain, ChainSpec, CompactTarget, Context, Header, Rejected, Retarget, RuleError, Timestamp,
};

/// The start time of every test: a day after the default genesis.
const START: Timestamp = Timestamp::from_millis(1_767_312_000_000);

/// A text, which the application refuses if it is `refused`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note(String);

impl Transaction for Note {
    /// The number of notes.
    type State = u64;

    fn apply(&self, count: &mut u64, _context: &Context<'_>) -> Result<(), Rejected> {
        *count += 1;
        if self.0 == "refused" { Err(Rejected::new("refused", "as it says")) } else { Ok(()) }
    }
}

fn note(text: impl Into<String>) -> Note {
    Note(text.into())
}

/// A spec for which every second hash on average is a block.
fn spec(name: &str) -> ChainSpec {
    ChainSpec::builder(name)
        .easiest_target(CompactTarget::from_bits(0x207f_ffff))
        .retarget(Retarget::Fixed)
        .build()
        .unwrap()
}

/// Blocks on top of genesis, a second apart, each with one transaction that begins with `label`.
fn chain_of(len: u64, label: &str) -> Vec<Arc<Block<Note>>> {
    let mut chain = Blockchain::new(spec("test"));
    (1..=len).map(|height| extend(&mut chain, &format!("{label} {height}"))).collect()
}

/// Extends `chain` by one block, with a timestamp that follows from its height.
fn extend(chain: &mut Blockchain<Note>, text: &str) -> Arc<Block<Note>> {
    let time = chain.spec().genesis_time().saturating_add(Duration::from_secs(chain.height() + 1));
    let block = Arc::new(chain.template(vec![note(text)], time).unwrap().mine().unwrap());
    assert!(chain.import(Arc::clone(&block), START).unwrap().is_extension());
    block
}

/// The header with the first nonce that meets its target.
fn sealed(mut header: Header) -> Header {
    let target = crate::primitives::Target::try_from(header.target).unwrap();
    header.nonce = 0;
    while !target.is_met_by(&header.hash()) {
        header.nonce += 1;
    }
    header
}
