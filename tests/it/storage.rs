//! Chains on disk through the public interface: damaged files, files of an earlier version, restarts.

mod damage;
mod fixture;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hashloom::store::Redb;
use hashloom::{
    Block, Blockchain, ChainConfig, ChainSpec, CompactTarget, Context, OpenError, Rejected, Retarget,
    Timestamp, Transaction,
};
use serde::{Deserialize, Serialize};

/// A text. The state is the number of texts and the last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line(String);

impl Transaction for Line {
    type State = (u64, String);

    fn apply(&self, state: &mut Self::State, _: &Context<'_>) -> Result<(), Rejected> {
        *state = (state.0 + 1, self.0.clone());
        Ok(())
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn spec() -> ChainSpec {
    let builder = ChainSpec::builder("storage").easiest_target(CompactTarget::from_bits(0x207f_ffff));
    builder.retarget(Retarget::Fixed).build().unwrap()
}

/// Opens a chain without a cache, so that every block is read from the file.
fn open(directory: &Path) -> Result<Blockchain<Line>, OpenError> {
    let config = ChainConfig::default().with_max_cached_bytes(0);
    Blockchain::open(spec(), config, Box::new(Redb::open(directory)?))
}

/// Extends the chain by one block, a second after its parent.
fn extend(chain: &mut Blockchain<Line>, text: &str) -> Arc<Block<Line>> {
    let time = chain.tip().header().timestamp.saturating_add(Duration::from_secs(1));
    let block = Arc::new(chain.template(vec![Line(text.to_owned())], time).unwrap().mine().unwrap());
    let _ = chain.import(Arc::clone(&block), NOW).unwrap();
    block
}
