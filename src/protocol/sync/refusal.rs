//! Handles headers and blocks that the chain refuses: disconnects a peer that broke a consensus rule, and
//! reports a branch with more work that this node cannot follow because of a rule or a limit.

use super::{ChainSync, EarlyHeader, known};
use crate::chain::{BlockError, Blockchain};
use crate::consensus::RuleError;
use crate::consensus::headers::work_of;
use crate::primitives::{Hash, Header, Target, Transaction, Work};
use crate::protocol::call::Call;
use crate::protocol::close::CloseReason;
use crate::protocol::event::{Event, RefusedBranch};
use crate::protocol::limits;
use crate::protocol::peer::PeerId;
use crate::protocol::report::Change;

/// A peer's refused branch.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    error: BlockError,
    work: Work,
}

impl ChainSync {
    /// Returns the branch with the most work among the peers' branches that this node refuses, if there is
    /// one with more work than its own.
    pub(in crate::protocol) fn refused_branch<T: Transaction>(
        &self,
        chain: &Blockchain<T>,
    ) -> Option<RefusedBranch> {
        let ours = chain.work();
        let refused = self.peers.values().filter_map(|peer| peer.refused.as_ref());
        let heavier = refused.filter(|refused| refused.work > ours);
        let Refused { error, work } = heavier.clone().max_by_key(|refused| refused.work)?;
        Some(RefusedBranch { rule: error.rule(), error: error.clone(), work: *work, peers: heavier.count() })
    }

    /// Notifies the application when a refused branch appears and when there is none any more.
    pub(super) fn watch_refusals<T: Transaction>(&mut self, call: &mut Call<'_, T>) {
        let branch = self.refused_branch(&call.local.chain);
        match (self.refusals.update(branch.is_some(), call.now), branch) {
            (Some(Change::Begun), Some(branch)) => call.outbox.event(Event::BranchRefused(branch)),
            (Some(Change::Ended), _) => call.outbox.event(Event::BranchRefusalEnded),
            _ => {}
        }
    }

    /// Closes the connection for data that no honest peer sends, and for nothing else. Data that time or free
    /// storage can make acceptable is requested again. `proven` is the work of the branch that the peer
    /// proved.
    ///
    /// # Errors
    ///
    /// The reason to close the connection.
    pub(super) fn on_refused<T: Transaction>(
        &mut self,
        call: &mut Call<'_, T>,
        id: PeerId,
        hash: Hash,
        error: BlockError,
        proven: Work,
    ) -> Result<(), CloseReason> {
        if is_fault_of_peer(&error) {
            return Err(CloseReason::InvalidBlock { hash, error });
        }
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if is_of_this_node(&error) {
            peer.refused = Some(Refused { error: error.clone(), work: proven.max(peer.claimed_work) });
        }
        match error {
            BlockError::Rule(RuleError::TimestampTooLate { got, .. }) => {
                let retry = call.now.elapsed + limits::MIN_RETRY;
                peer.early_header = Some(EarlyHeader { timestamp: got, retry });
            }
            BlockError::SideBranchesFull { .. } => {
                peer.wants_headers = true;
                peer.paused = Some(call.now.elapsed + limits::FULL_PAUSE);
            }
            // An immediate request would return the same blocks again and again.
            BlockError::SideBytesFull { .. } => peer.paused = Some(call.now.elapsed + limits::FULL_PAUSE),
            BlockError::Store(error) => call.local.read_failed(error, call.outbox),
            _ => {}
        }
        Ok(())
    }

    /// Notes that the chain accepts headers of the peer again, or with `blocks` also their bodies.
    pub(super) fn note_accepted(&mut self, id: PeerId, blocks: bool) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.refused.take_if(|refused| {
                blocks
                    || !matches!(refused.error, BlockError::SideBytesFull { .. } | BlockError::Replay { .. })
            });
        }
    }
}

/// Returns the work of a branch that ends with these headers, as far as their hashes prove it. Each
/// header must be the parent of the next.
pub(super) fn proven_work<'a, T: Transaction>(
    call: &mut Call<'_, T>,
    headers: impl IntoIterator<Item = (&'a Header, &'a Hash)>,
) -> Work {
    let mut total = None;
    for (header, hash) in headers {
        let before = total.unwrap_or_else(|| {
            let parent = known(call, &header.previous_hash);
            parent.map_or(Work::ZERO, |parent| parent.work)
        });
        if !Target::try_from(header.target).is_ok_and(|target| target.is_met_by(hash)) {
            return before;
        }
        total = Some(before + work_of(header.target));
    }
    total.unwrap_or_default()
}

/// Whether no honest peer sends the block. Otherwise an honest peer may send it, because its clock, its chain
/// or its limits differ from those of this node.
pub(in crate::protocol) fn is_fault_of_peer(error: &BlockError) -> bool {
    let is_fault = |rule: &RuleError| !matches!(rule, RuleError::TimestampTooLate { .. });
    match error {
        BlockError::Rule(rule) => is_fault(rule),
        BlockError::InvalidAncestor { error: rule, .. } => is_fault(rule),
        BlockError::InvalidParent { .. } | BlockError::KnownInvalid { .. } => true,
        BlockError::UnknownParent { .. }
        | BlockError::Finality { .. }
        | BlockError::Pruned { .. }
        | BlockError::Store(_)
        | BlockError::Replay { .. }
        | BlockError::SideBranchesFull { .. }
        | BlockError::SideBytesFull { .. } => false,
    }
}

/// Whether a refusal depends on the local history and limits of this node, so that other nodes may accept the
/// branch.
const fn is_of_this_node(error: &BlockError) -> bool {
    matches!(
        error,
        BlockError::Finality { .. }
            | BlockError::Pruned { .. }
            | BlockError::Replay { .. }
            | BlockError::SideBranchesFull { .. }
            | BlockError::SideBytesFull { .. }
    )
}
