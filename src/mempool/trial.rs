//! Applying transactions one after another, skipping those that are refused.

use crate::primitives::application::{self, ApplyError};
use crate::primitives::{Context, Transaction};

/// A state that transactions are tried on. A refused transaction leaves no changes, even if its `apply`
/// changed the state before it failed. No clone is taken per transaction: after a refusal the state is
/// rebuilt from the last checkpoint.
pub(super) struct Trial<'a, T: Transaction> {
    context: Context<'a>,
    state: T::State,
    checkpoint: T::State,
    since: Vec<&'a T>,
}

/// Accepted transactions between two checkpoints: a refusal replays at most this many.
const CHECKPOINT_INTERVAL: usize = 64;

impl<'a, T: Transaction> Trial<'a, T> {
    pub(super) fn new(state: T::State, context: Context<'a>) -> Self {
        Self { context, checkpoint: state.clone(), state, since: Vec::new() }
    }

    pub(super) fn apply(&mut self, transaction: &'a T) -> Result<(), ApplyError> {
        let outcome = application::apply(transaction, &mut self.state, &self.context);
        if outcome.is_ok() {
            self.since.push(transaction);
            if self.since.len() == CHECKPOINT_INTERVAL {
                self.checkpoint = self.state.clone();
                self.since.clear();
            }
        } else {
            self.state = self.checkpoint.clone();
            for accepted in &self.since {
                // This transaction was accepted on an equal state before, and `apply` is deterministic.
                let _ = application::apply(*accepted, &mut self.state, &self.context);
            }
        }
        outcome
    }

    pub(super) fn into_state(self) -> T::State {
        self.state
    }
}
