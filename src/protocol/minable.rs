//! Removes pending transactions that cannot or must not be mined: those that the operator removes, and those
//! that prevent a block from being mined. No pending transaction, from any source, may block mining.

use core::error::Error;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::Event;
use super::local::Local;
use super::message::Message;
use super::now::Now;
use super::outbox::Outbox;
use crate::chain::BlockError;
use crate::consensus::RuleError;
use crate::mempool::RemovalReason;
use crate::miner::Template;
use crate::primitives::application::check_serde_form;
use crate::primitives::{Address, Block, EncodeError, Hash, Header, Timestamp, Transaction, transaction_id};

/// Why there is no template for a block that can be mined, sent and accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError<E> {
    /// The block would break a consensus rule, or nothing can be imported at present.
    #[error(transparent)]
    Refused(#[from] BlockError),
    /// The block cannot be sent to every peer.
    #[error("peers could not read this block: {0}")]
    Unsendable(#[source] E),
}

impl<E> TemplateError<E> {
    /// Whether a block with other transactions may be valid.
    pub(crate) const fn blames_body(&self) -> bool {
        match self {
            Self::Refused(error) => error.blames_body(),
            Self::Unsendable(_) => true,
        }
    }
}

/// Checks that a block of this template can be sent, both as a `NewBlock` and as an answer to `GetBlocks`,
/// with the largest possible nonce.
pub(crate) fn check_sendable<T: Transaction, E>(
    template: Template<T>,
    check: impl Fn(Message<T>) -> Result<(), E>,
) -> Result<(), E> {
    let block = Arc::new(template.into_block(Header::NONCE_LIMIT - 1));
    check(Message::NewBlock(Arc::clone(&block)))?;
    check(Message::Blocks(vec![block]))
}

impl<T: Transaction> Local<T> {
    /// See [`Protocol::template`](super::Protocol::template).
    pub(super) fn template(
        &self,
        data: Option<Vec<T>>,
        miner: Address,
        now: Timestamp,
    ) -> Result<Template<T>, BlockError> {
        if self.is_halted() {
            return Err(self.store_failure().into());
        }
        match data {
            Some(data) => Ok(self.chain.template_for(miner, data, now)?),
            None => Ok(self.mempool.template(&self.chain, miner, now)?),
        }
    }

    /// See [`Protocol::remove_transaction`](super::Protocol::remove_transaction).
    pub(super) fn remove_transaction(&mut self, id: Hash, outbox: &mut Outbox<T>, now: Now) -> bool {
        self.drop_pending(vec![(id, RemovalReason::Requested)], outbox, now)
    }

    /// See [`Protocol::refuse_transaction`](super::Protocol::refuse_transaction).
    pub(super) fn refuse_transaction(
        &mut self,
        id: Hash,
        error: Arc<dyn Error + Send + Sync>,
        outbox: &mut Outbox<T>,
    ) {
        self.mempool.refuse(id);
        outbox.event(Event::TransactionRefused { id, error });
    }

    /// See [`Protocol::minable_template`](super::Protocol::minable_template).
    pub(super) fn minable_template<E: Error + Send + Sync + 'static>(
        &mut self,
        miner: Address,
        outbox: &mut Outbox<T>,
        now: Now,
        check: impl Fn(Message<T>) -> Result<(), E>,
    ) -> Result<Template<T>, TemplateError<E>> {
        if self.is_halted() {
            return Err(BlockError::from(self.store_failure()).into());
        }
        self.drop_unfit(outbox, now, |transaction| {
            check(Message::Transactions(vec![transaction.clone()])).map_err(|error| Arc::new(error) as _)
        });
        let attempt = |node: &Self, count: usize| -> Result<Template<T>, TemplateError<E>> {
            let template =
                node.mempool.template_of(count, &node.chain, miner, now.wall).map_err(BlockError::from)?;
            check_sendable(template.clone(), &check).map_err(TemplateError::Unsendable)?;
            Ok(template)
        };
        let mut failing = self.mempool.len();
        let mut error = match attempt(self, failing) {
            Err(error) if error.blames_body() && failing > 0 => error,
            outcome => return outcome,
        };
        let (mut fitting, mut template) = (0, attempt(self, 0)?);
        while failing - fitting > 1 {
            let middle = fitting.midpoint(failing);
            match attempt(self, middle) {
                Ok(longer) => (fitting, template) = (middle, longer),
                Err(cause) if cause.blames_body() => (failing, error) = (middle, cause),
                Err(cause) => return Err(cause),
            }
        }
        let cause = self.mempool.iter().nth(fitting).map(|(id, _)| *id);
        // A block may exceed a frame although none of its transactions does; the next block contains the
        // rest.
        let is_unfit = fitting == 0 || matches!(error, TemplateError::Refused(_));
        if let Some(id) = cause.filter(|_| is_unfit) {
            self.drop_pending(vec![(id, RemovalReason::Unminable(Arc::new(error)))], outbox, now);
        }
        Ok(template)
    }

    /// Removes the transactions for which the chain refused a mined block although its template was valid.
    /// The cause is non-deterministic application code.
    pub(super) fn drop_refused(
        &mut self,
        block: &Block<T>,
        error: &BlockError,
        outbox: &mut Outbox<T>,
        now: Now,
    ) {
        if !error.blames_body() {
            return;
        }
        if self.drop_unfit(outbox, now, |_| Ok(())) {
            return;
        }
        let culprits = match error {
            BlockError::Rule(
                RuleError::Transaction { index, .. } | RuleError::ApplyPanicked { index, .. },
            ) => block.data().get(*index..=*index).unwrap_or_default(),
            // The cause is unknown, so all transactions of the block are removed.
            _ => block.data(),
        };
        let ids = culprits.iter().filter_map(|transaction| transaction_id(transaction).ok());
        let error: Arc<dyn Error + Send + Sync> = Arc::new(error.clone());
        let unfit = ids.map(|id| (id, RemovalReason::Unminable(Arc::clone(&error)))).collect();
        self.drop_pending(unfit, outbox, now);
    }

    /// Removes the pending transactions that cannot be in any block, judged one by one. Returns whether there
    /// were any.
    fn drop_unfit(
        &mut self,
        outbox: &mut Outbox<T>,
        now: Now,
        check: impl Fn(&T) -> Result<(), Arc<dyn Error + Send + Sync>>,
    ) -> bool {
        let flaw = |id: &Hash, transaction: &T| -> Result<(), Arc<dyn Error + Send + Sync>> {
            match transaction_id(transaction) {
                Ok(anew) if anew == *id => {}
                Ok(_) => {
                    return Err(Arc::new(EncodeError::new("canonical bytes that are not always the same")));
                }
                Err(error) => return Err(Arc::new(error)),
            }
            if let Err(error) = check_serde_form(transaction) {
                return Err(Arc::new(error));
            }
            check(transaction)
        };
        let pending = self.mempool.iter();
        let unfit = pending.filter_map(|(id, transaction)| {
            Some((*id, RemovalReason::Unminable(flaw(id, transaction).err()?)))
        });
        self.drop_pending(unfit.collect(), outbox, now)
    }

    /// Removes those of the transactions that are pending, and their dependents. Returns whether any was
    /// removed.
    fn drop_pending(&mut self, unfit: Vec<(Hash, RemovalReason)>, outbox: &mut Outbox<T>, now: Now) -> bool {
        let mut reasons: BTreeMap<Hash, RemovalReason> = unfit.into_iter().collect();
        let ids = reasons.keys().copied().collect();
        let removed = self.mempool.remove_all(&ids, &self.chain, now.wall);
        if removed.is_empty() {
            return false;
        }
        let reason = |id: &Hash| reasons.remove(id).unwrap_or(RemovalReason::Dependent);
        let removed: Vec<_> = removed.iter().copied().zip(removed.iter().map(reason)).collect();
        self.report_removed(removed, outbox);
        self.plan_to_save(now);
        true
    }
}
