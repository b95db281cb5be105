//! What the blocks of a simulation carry: numbers, added up to a state that tells every order of them from every
//! other, and that every header commits to.

use serde::{Deserialize, Serialize};

use crate::primitives::{Context, Hash, Rejected, Transaction};

/// One entry of the simulated log. No two that honest nodes submit are equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The node that submitted it.
    pub author: u64,
    /// Its number.
    pub number: u64,
}

impl Record {
    /// A record with this number is refused by [`Transaction::apply`], so that Byzantine nodes have something
    /// to put into a block that no honest node may accept.
    pub const REFUSED: u64 = u64::MAX;
}

/// The state of a simulated chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many records there are.
    pub count: u64,
    /// A hash over all of them, in order, with the heights of their blocks.
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

    fn state_root(tally: &Tally) -> Hash {
        tally.digest
    }
}
