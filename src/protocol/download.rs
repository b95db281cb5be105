//! Which bodies are asked of whom: each of one peer at a time, the lowest first, no further ahead of the tip than
//! there is room for.

use std::collections::{BTreeMap, BTreeSet};

use super::io::{Now, PeerId};
use super::message::Message;
use super::peer::Peer;
use super::relay::work_of;
use super::{Protocol, limits};
use crate::primitives::{Hash, Transaction};

impl<T: Transaction> Protocol<T> {
    pub(super) fn request_blocks(&mut self, now: Now) {
        if self.is_halted() || !core::mem::take(&mut self.blocks_due) {
            return;
        }
        for (id, hashes) in self.plan_downloads() {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            if peer.blocks.is_empty() {
                peer.blocks_deadline = now.elapsed + limits::REQUEST_TIMEOUT;
            }
            peer.blocks.extend(&hashes);
            for hashes in hashes.chunks(limits::BLOCKS_PER_REQUEST) {
                self.send(id, Message::GetBlocks { hashes: hashes.to_vec() });
            }
        }
    }

    /// The bodies to ask each peer for.
    fn plan_downloads(&self) -> Vec<(PeerId, Vec<Hash>)> {
        if !self.peers.values().any(|peer| self.leads_further(peer)) {
            return Vec::new();
        }
        // As many bodies as wait for the lowest one with room for all. The few whose transactions take more memory than
        // canonical bytes may fill that room earlier; the highest are then dropped, and asked for again.
        let fitting = self.config.chain.max_side_bytes / self.chain.spec().max_block_bytes();
        let window = fitting.clamp(1, limits::DOWNLOAD_WINDOW);
        let mut in_flight: BTreeSet<Hash> =
            self.peers.values().flat_map(|peer| peer.blocks.iter().copied()).collect();
        // Most peers show the same header, and the way to it is long: none goes it again from its beginning.
        let mut ways: BTreeMap<Hash, Way<_>> = BTreeMap::new();
        let mut plan = Vec::new();
        for (id, peer) in &self.peers {
            let Some(best) = peer.best.filter(|_| peer.paused.is_none()).map(|best| best.hash) else {
                continue;
            };
            let room = limits::MAX_BLOCKS_IN_FLIGHT - peer.blocks.len();
            // Requests that carry many hashes.
            if room < limits::BLOCKS_PER_REQUEST || !self.leads_further(peer) {
                continue;
            }
            let way = ways.entry(best).or_insert_with(|| Way {
                passed: Vec::new(),
                ahead: self.chain.missing_on_way(&best, window),
            });
            let lowest = lowest_body(peer);
            let has = |hash: &Hash| lowest == 0 || self.chain.side_height(hash) >= Some(lowest);
            let hashes = way.take(room, &mut in_flight, has);
            if !hashes.is_empty() {
                plan.push((*id, hashes));
            }
        }
        plan
    }

    /// Whether the peer has what our chain may go on with: it has shown more work than is ours, or a part of the way
    /// to such. The block with more work may be here already, and whoever sent it be gone.
    pub(super) fn leads_further(&self, peer: &Peer) -> bool {
        work_of(&self.chain, peer) > Some(self.chain.work())
            || peer.best.is_some_and(|best| self.chain.is_ahead(&best.hash, best.height))
    }
}

/// The missing bodies on the way to a header, as far as it has been gone.
struct Way<I> {
    /// Those that were passed over, because the peer that was to be asked does not have them.
    passed: Vec<Hash>,
    /// Those further ahead.
    ahead: I,
}

impl<I: Iterator<Item = Hash>> Way<I> {
    /// The lowest of the missing bodies, up to `room`, that are not in flight and that a peer has. They are in flight
    /// from now on.
    fn take(
        &mut self,
        room: usize,
        in_flight: &mut BTreeSet<Hash>,
        has: impl Fn(&Hash) -> bool,
    ) -> Vec<Hash> {
        let mut taken = Vec::new();
        self.passed.retain(|hash| {
            let is_next = taken.len() < room && has(hash) && start(in_flight, *hash);
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
            } else if start(in_flight, hash) {
                taken.push(hash);
            }
        }
        taken
    }
}

/// Takes a body for in flight. Returns whether it was not.
fn start(in_flight: &mut BTreeSet<Hash>, hash: Hash) -> bool {
    in_flight.insert(hash) || flaw!(AsksEverybody)
}

/// The lowest block whose body a peer has, as far as its `Hello` and the headers that it showed tell.
fn lowest_body(peer: &Peer) -> u64 {
    let keeps = peer.hello.as_ref().and_then(|hello| hello.keeps_bodies);
    let tip = peer.best.map_or(0, |best| best.height);
    keeps.map_or(0, |keeps| (tip + 1).saturating_sub(keeps))
}
