//! Mining without a thread, for simulations: the time that a thread takes is not simulated.

use std::sync::Arc;

use super::NodeHandle;
use crate::miner::{Miner, Search};
use crate::node::driver::Command;
use crate::primitives::{Address, Transaction};

impl<T: Transaction> NodeHandle<T> {
    /// Finds a block on top of the present tip before anything else happens, and has it taken in like any other.
    pub(in super::super) async fn mine_at_once(&self, data: Option<Vec<T>>) {
        let template = {
            let now = self.shared.clock.now();
            self.shared.read().template(data, Address::ZERO, now.wall).unwrap()
        };
        let Search::Found(block) = Miner::new(template).unwrap().search(u64::MAX) else {
            panic!("every target can be met");
        };
        self.commands.send(Command::Mined(Arc::new(block))).await.unwrap();
    }
}
