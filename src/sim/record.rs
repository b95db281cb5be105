//! The transactions of a simulation: numbers, whose state differs for every order of them, and is committed
//! to by every header.

use serde::{Deserialize, Serialize};

use crate::primitives::{Context, Hash, Rejected, Transaction};

/// One entry of the simulated log. Honest nodes submit no two equal records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The node that submitted it.
    pub author: u64,
    /// The number of the record.
    pub number: u64,
}

impl Record {
    /// [`Transaction::apply`] refuses a record with this number, so that Byzantine nodes can build blocks
    /// with a transaction that no honest node may accept.
    pub const REFUSED: u64 = u64::MAX;
}

/// The state of a simulated chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The number of records.
    pub count: u64,
    /// A hash over all records in order, with the heights of their blocks, and over the miners of all blocks.
    pub digest: Hash,
}

impl Transaction for Record {
    type State = Tally;

    fn apply(&self, tally: &mut Tally, context: &Context<'_>) -> Result<(), Rejected> {
        if self.number == Self::REFUSED {
            return Err(Rejected::new("refused", "a record with the last of all numbers"));
        }
        tally.count += 1;
        let [height, author, number] = [context.height, self.author, self.number].map(u64::to_be_bytes);
        tally.digest = Hash::digest_parts(&[tally.digest.as_bytes(), &height, &author, &number]);
        Ok(())
    }

    /// A reward, which makes the state of each block another one, and depends on its miner and its chain.
    fn end_block(tally: &mut Tally, context: &Context<'_>) -> Result<(), Rejected> {
        let (miner, genesis) = (context.miner.as_bytes(), context.genesis.as_bytes());
        tally.digest = Hash::digest_parts(&[tally.digest.as_bytes(), miner, genesis]);
        Ok(())
    }

    fn state_root(tally: &Tally) -> Hash {
        tally.digest
    }
}
