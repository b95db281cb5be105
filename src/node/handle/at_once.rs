//! Mining without a thread, for simulations: a simulation cannot account for the time that a thread takes.

use std::sync::Arc;

use super::NodeHandle;
use crate::miner::{Miner, SearchOutcome};
use crate::node::driver::Command;
use crate::primitives::{Address, Transaction};

impl<T: Transaction> NodeHandle<T> {
    /// Mines a block on top of the current tip in this call, and submits it to the driver.
    pub(in super::super) async fn mine_at_once(&self, data: Option<Vec<T>>) {
        let template = {
            let now = self.shared.clock.now();
            self.shared.read().template(data, Address::ZERO, now.wall).unwrap()
        };
        let SearchOutcome::Found(block) = Miner::new(template).unwrap().search(u64::MAX) else {
            panic!("every target can be met");
        };
        self.commands.send(Command::Mined(Arc::new(block))).await.unwrap();
    }
}
