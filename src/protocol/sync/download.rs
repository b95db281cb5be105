//! Plans block downloads: each body is requested from one peer at a time, the lowest first, and no further
//! ahead of the tip than the storage for side branches allows.

use std::collections::BTreeMap;

use super::{ChainSync, Peer};
use crate::chain::Blockchain;
use crate::primitives::{Hash, HashSet, Transaction};
use crate::protocol::call::Call;
use crate::protocol::limits;
use crate::protocol::message::Message;
use crate::protocol::peer::PeerId;

impl ChainSync {
    /// Requests missing bodies, if anything has happened that may allow more requests.
    pub(super) fn request_blocks<T: Transaction>(&mut self, call: &mut Call<'_, T>) {
        if call.local.is_halted() || !core::mem::take(&mut self.blocks_due) {
            return;
        }
        for (id, hashes) in self.plan_downloads(call) {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            if peer.blocks.is_empty() {
                peer.blocks_deadline = call.now.elapsed + limits::REQUEST_TIMEOUT;
            }
            peer.blocks.extend(&hashes);
            for hashes in hashes.chunks(limits::BLOCKS_PER_REQUEST) {
                call.outbox.send(id, Message::GetBlocks { hashes: hashes.to_vec() });
            }
        }
    }

    /// Returns the bodies to request from each peer.
    fn plan_downloads<T: Transaction>(&self, call: &Call<'_, T>) -> Vec<(PeerId, Vec<Hash>)> {
        let chain = &call.local.chain;
        let sharing = self.peers.values().filter(|peer| peer.leads_further(chain)).count();
        if sharing == 0 {
            return Vec::new();
        }
        // The number of bodies that fit into the storage for side branches while the lowest one is missing.
        // Blocks whose transactions take more memory than canonical bytes may exceed it earlier; the highest
        // blocks are then evicted and requested again.
        let fitting = call.config.chain.max_side_bytes / chain.spec().max_block_bytes();
        let window = fitting.clamp(1, limits::DOWNLOAD_WINDOW);
        // No peer takes so much of the window that others have nothing to do.
        let share = (window / sharing).clamp(limits::BLOCKS_PER_REQUEST, limits::MAX_BLOCKS_IN_FLIGHT);
        let mut in_flight: HashSet =
            self.peers.values().flat_map(|peer| peer.blocks.iter().copied()).collect();
        // Most peers have the same best header, and the path to it is long, so all of them share one walk
        // along it.
        let mut paths: BTreeMap<Hash, Path<_>> = BTreeMap::new();
        let mut plan = Vec::new();
        for (id, peer) in &self.peers {
            let Some(best) = peer.best.filter(|_| peer.paused.is_none()).map(|best| best.hash) else {
                continue;
            };
            let room = share.saturating_sub(peer.blocks.len());
            // Each request should carry many hashes.
            if room < limits::BLOCKS_PER_REQUEST || !peer.leads_further(chain) {
                continue;
            }
            let path = paths
                .entry(best)
                .or_insert_with(|| Path { passed: Vec::new(), ahead: chain.missing_on_path(&best, window) });
            let lowest = peer.lowest_body();
            let has = |hash: &Hash| lowest == 0 || chain.side_height(hash) >= Some(lowest);
            let hashes = path.take(room, &mut in_flight, has);
            if !hashes.is_empty() {
                plan.push((*id, hashes));
            }
        }
        plan
    }
}

impl Peer {
    /// Whether the peer has blocks that may extend this node's best chain: it has a header with more work
    /// than the best chain, or a header on the path to one. The block with more work may already be stored
    /// although the peer that delivered it has disconnected.
    pub(super) fn leads_further<T: Transaction>(&self, chain: &Blockchain<T>) -> bool {
        self.work(chain) > Some(chain.work())
            || self.best.is_some_and(|best| chain.is_ahead(&best.hash, best.height))
    }

    /// Returns the lowest height for which the peer has the body, according to its `Hello` and its best known
    /// header.
    fn lowest_body(&self) -> u64 {
        let tip = self.best.map_or(0, |best| best.height);
        self.keeps_bodies.map_or(0, |keeps| (tip + 1).saturating_sub(keeps))
    }
}

/// The missing bodies on the path to a header, as far as the path has been walked.
struct Path<I> {
    /// Bodies that were skipped, because a peer did not have them.
    passed: Vec<Hash>,
    /// The rest of the path.
    ahead: I,
}

impl<I: Iterator<Item = Hash>> Path<I> {
    /// Takes the lowest missing bodies, up to `room`, that are not in flight and that the peer has, and marks
    /// them as in flight.
    fn take(&mut self, room: usize, in_flight: &mut HashSet, has: impl Fn(&Hash) -> bool) -> Vec<Hash> {
        let mut taken = Vec::new();
        self.passed.retain(|hash| {
            let is_next = taken.len() < room && has(hash) && in_flight.insert(*hash);
            if is_next {
                taken.push(*hash);
            }
            !is_next
        });
        while taken.len() < room
            && let Some(hash) = self.ahead.next()
        {
            if !has(&hash) {
                self.passed.push(hash);
            } else if in_flight.insert(hash) {
                taken.push(hash);
            }
        }
        taken
    }
}
