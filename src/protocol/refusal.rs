//! What becomes of headers and blocks that the chain refuses: a peer that broke a rule is disconnected, and a branch with
//! more work that a rule or a limit of this node keeps it from following is reported.

use serde::{Serialize, Serializer};

use super::io::{CloseReason, Event, Now, PeerId};
use super::peer::EarlyHeader;
use super::report::Change;
use super::{Protocol, limits};
use crate::consensus::headers::work_of;
use crate::consensus::{BlockError, Fault};
use crate::primitives::{Hash, Header, Target, Transaction, Work};

/// A branch with more work than the chain of this node, which refuses it for a reason that no honest peer can change:
/// the branch leaves the chain too deep, or has no place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RefusedBranch {
    /// The [rule](BlockError::rule), by its stable name.
    pub rule: &'static str,
    /// Why the branch is refused; in JSON, as a text.
    #[serde(serialize_with = "as_text")]
    pub error: BlockError,
    /// The most work that a peer says, or shows by headers, that it has on such a branch.
    pub work: Work,
    /// Peers that have one.
    pub peers: usize,
}

fn as_text<S: Serializer>(error: &BlockError, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}

/// What one peer has that was refused.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    error: BlockError,
    work: Work,
}

impl<T: Transaction> Protocol<T> {
    /// The branch with the most work that peers have and this node does not follow, if there is one.
    pub fn refused_branch(&self) -> Option<RefusedBranch> {
        let ours = self.chain.work();
        let refused = self.peers.values().filter_map(|peer| peer.refused.as_ref());
        let heavier = refused.filter(|refused| refused.work > ours);
        let Refused { error, work } = heavier.clone().max_by_key(|refused| refused.work)?;
        Some(RefusedBranch { rule: error.rule(), error: error.clone(), work: *work, peers: heavier.count() })
    }

    /// Tells the application when such a branch turns up and when there is none any more.
    pub(super) fn watch_refusals(&mut self, now: Now) {
        let branch = self.refused_branch();
        match (self.refusals.update(branch.is_some(), now), branch) {
            (Some(Change::Begun), Some(branch)) => self.event(Event::BranchRefused(branch)),
            (Some(Change::Ended), _) => self.event(Event::BranchRefusalEnded),
            _ => {}
        }
    }

    /// Closes the connection for what no honest peer sends, and nothing else. What time or room can change is
    /// asked for again. `shown` is the work of the branch that the peer showed.
    pub(super) fn blame(
        &mut self,
        id: PeerId,
        hash: Hash,
        error: BlockError,
        shown: Work,
        now: Now,
    ) -> Result<(), CloseReason> {
        if error.fault() == Fault::Peer {
            return Err(CloseReason::InvalidBlock { hash, error });
        }
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if is_of_this_node(&error) {
            let said = peer.hello.as_ref().map_or(Work::ZERO, |hello| hello.tip.work);
            peer.refused = Some(Refused { error: error.clone(), work: shown.max(said) });
        }
        match error {
            BlockError::TimestampTooLate { .. } if flaw!(ForgetsTheFuture) => {}
            BlockError::TimestampTooLate { got, .. } => {
                let retry = now.elapsed + limits::MIN_RETRY;
                peer.early_header = Some(EarlyHeader { timestamp: got, retry });
            }
            BlockError::SideBranchesFull { .. } => {
                peer.wants_headers = true;
                peer.paused = Some(now.elapsed + limits::FULL_PAUSE);
            }
            // Asked for at once, it would be sent again and again.
            BlockError::SideBytesFull { .. } => peer.paused = Some(now.elapsed + limits::FULL_PAUSE),
            BlockError::Store(error) => self.read_failed(error),
            _ => {}
        }
        Ok(())
    }

    /// Notes that the chain takes headers of the peer again, or with `blocks` also their bodies.
    pub(super) fn accepted_from(&mut self, id: PeerId, blocks: bool) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.refused.take_if(|refused| {
                blocks
                    || !matches!(refused.error, BlockError::SideBytesFull { .. } | BlockError::Replay { .. })
            });
        }
    }

    /// The work of a branch that ends with these headers, as far as their hashes prove it. Each is the parent of the next.
    pub(super) fn proven_work<'a>(
        &mut self,
        headers: impl IntoIterator<Item = (&'a Header, &'a Hash)>,
    ) -> Work {
        let mut total = None;
        for (header, hash) in headers {
            let before = total.unwrap_or_else(|| {
                let parent = self.known(&header.previous_hash);
                parent.map_or(Work::ZERO, |parent| parent.work)
            });
            if !Target::try_from(header.target).is_ok_and(|target| target.is_met_by(hash)) {
                return before;
            }
            total = Some(before + work_of(header.target));
        }
        total.unwrap_or_default()
    }
}

/// Whether a refusal comes from what this node has seen and keeps, so that a branch with more work may be good for others.
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
