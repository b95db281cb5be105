//! What is known of one connection.

use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};

use serde::Serialize;

use super::address::PeerAddr;
use super::discovery::Exchange;
use super::host::PeerHost;
use super::io::{CloseReason, Direction, Now, PeerId};
use super::limits;
use super::message::{Hello, Message};
use super::refusal::Refused;
use crate::mempool::RecentSet;
use crate::primitives::{Hash, Timestamp, Work};

#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: PeerAddr,
    pub(super) direction: Direction,
    pub(super) connected_at: Duration,
    /// `None` until the peer has introduced itself.
    pub(super) hello: Option<Hello>,
    /// The tip that our `Hello` named.
    pub(super) told: Hash,
    /// Blocks and transactions that the peer has, so that they are not sent to it.
    pub(super) known: RecentSet,
    /// The header with the most work that the peer has shown and that was in our tree.
    pub(super) best: Option<Shown>,
    /// A header that the peer says it has and that is not in our tree yet.
    pub(super) claimed: Option<Hash>,
    /// Whether the peer has headers that we do not know.
    pub(super) wants_headers: bool,
    /// Where the next request for headers goes on; from our best header where there is none.
    pub(super) headers_from: Option<Shown>,
    pub(super) headers_request: Option<Duration>,
    /// Whether the answer to come builds on headers that were forgotten since.
    pub(super) headers_void: bool,
    /// When it was last asked for headers. Who has waited longest comes first.
    pub(super) headers_asked: Option<Duration>,
    /// A header whose time had not come, to be asked for again.
    pub(super) early_header: Option<EarlyHeader>,
    /// The branch of the peer that was refused last and may be good for others.
    pub(super) refused: Option<Refused>,
    /// Until when nothing is asked for, because there was no room for it.
    pub(super) paused: Option<Duration>,
    pub(super) blocks: BTreeSet<Hash>,
    /// When the blocks asked for, or enough of them, have to be here.
    pub(super) blocks_deadline: Duration,
    /// Ids that the peer offered and that are still to be looked at, in the order in which they are asked for.
    pub(super) offered: VecDeque<Hash>,
    /// How many ids more the peer offered that another one was asked for. They come back to `offered` when that one
    /// has answered.
    pub(super) waiting_ids: usize,
    /// What was asked for, in this order, and when the answer is due.
    pub(super) transactions_request: Option<(Vec<Hash>, Duration)>,
    pub(super) last_received: Duration,
    pub(super) ping: Option<(u64, Duration)>,
    /// When it last brought a block that was new.
    pub(super) useful_at: Option<Duration>,
    /// The shortest time that it took to answer a ping.
    pub(super) latency: Option<Duration>,
    /// What was said of addresses.
    pub(super) exchange: Exchange,
}

/// A header that a peer has shown and that is too far ahead of the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct EarlyHeader {
    pub(super) timestamp: Timestamp,
    /// When the clock is looked at again.
    pub(super) retry: Duration,
}

/// A header that a peer has shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) hash: Hash,
    pub(super) height: u64,
    /// The work of the chain that ends here.
    pub(super) work: Work,
}

/// A deadline that passed, and what its passing means.
pub(super) enum Overdue {
    Nothing,
    Ping,
    Close(CloseReason),
}

impl Peer {
    pub(super) fn new(address: PeerAddr, direction: Direction, told: Hash, now: Duration) -> Self {
        Self {
            address,
            direction,
            connected_at: now,
            hello: None,
            told,
            known: RecentSet::new(limits::MAX_KNOWN_PER_PEER),
            best: None,
            claimed: None,
            wants_headers: false,
            headers_from: None,
            headers_request: None,
            headers_void: false,
            headers_asked: None,
            early_header: None,
            refused: None,
            paused: None,
            blocks: BTreeSet::new(),
            blocks_deadline: now,
            offered: VecDeque::new(),
            waiting_ids: 0,
            transactions_request: None,
            last_received: now,
            ping: None,
            useful_at: None,
            latency: None,
            exchange: Exchange::default(),
        }
    }

    pub(super) fn host(&self) -> PeerHost {
        PeerHost::from(&self.address)
    }

    pub(super) const fn is_ready(&self) -> bool {
        self.hello.is_some()
    }

    /// The next time at which [`overdue`](Self::overdue) has something to say.
    pub(super) fn deadline(&self) -> Duration {
        if !self.is_ready() {
            return self.connected_at + limits::HANDSHAKE_TIMEOUT;
        }
        let requests = self.requests().map(|(_, deadline)| deadline);
        let ping = self.ping.map_or(self.last_received + limits::PING_INTERVAL, |(_, deadline)| deadline);
        requests
            .chain(self.early_header.map(|early| early.retry))
            .chain(self.paused)
            .min()
            .map_or(ping, |next| next.min(ping))
    }

    /// Takes up again what was put off until now. Returns whether blocks may be asked for again.
    pub(super) fn resume(&mut self, now: Now, drift: Duration) -> bool {
        if let Some(early) = self.early_header.as_mut().filter(|early| early.retry <= now.elapsed) {
            let wait = early.timestamp.saturating_since(now.wall.saturating_add(drift));
            early.retry = now.elapsed + wait.min(limits::CLOCK_CHECK);
            if wait.is_zero() {
                self.early_header = None;
                self.wants_headers = true;
            }
        }
        self.paused.take_if(|at| *at <= now.elapsed).is_some()
    }

    pub(super) const fn may_be_asked_for_headers(&self) -> bool {
        self.wants_headers && self.headers_request.is_none() && self.paused.is_none()
    }

    pub(super) fn overdue(&self, now: Duration) -> Overdue {
        let late =
            |kind| Overdue::Close(CloseReason::RequestTimeout { kind, after: limits::REQUEST_TIMEOUT });
        if !self.is_ready() {
            return if self.deadline() <= now {
                Overdue::Close(CloseReason::HandshakeTimeout(limits::HANDSHAKE_TIMEOUT))
            } else {
                Overdue::Nothing
            };
        }
        if let Some((kind, _)) = self.requests().find(|(_, deadline)| *deadline <= now) {
            return late(kind);
        }
        match self.ping {
            Some((_, deadline)) if deadline <= now => late("ping"),
            None if self.last_received + limits::PING_INTERVAL <= now => Overdue::Ping,
            _ => Overdue::Nothing,
        }
    }

    fn requests(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        let headers = self.headers_request.map(|deadline| ("get_headers", deadline));
        let has_asked = !self.blocks.is_empty() && !flaw!(WaitsForEver);
        let blocks = has_asked.then_some(("get_blocks", self.blocks_deadline));
        let transactions =
            self.transactions_request.as_ref().map(|(_, deadline)| ("get_transactions", *deadline));
        headers.into_iter().chain(blocks).chain(transactions)
    }

    /// Whether it has brought a block that was kept.
    pub(super) const fn is_proven(&self) -> bool {
        self.useful_at.is_some()
    }

    /// Whether headers or blocks of it are under way, or headers are about to be.
    pub(super) fn is_asked_for_more(&self) -> bool {
        !self.blocks.is_empty() || self.headers_request.is_some() || self.wants_headers
    }

    /// Gives it as much more time for the blocks that it still owes as one that it brought is worth.
    pub(super) fn earned(&mut self, block_bytes: usize, now: Duration) {
        #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
        const BLOCKS: u32 = limits::BLOCKS_PER_REQUEST as u32;
        let by_bytes = Duration::from_secs(block_bytes as u64) / limits::MIN_DOWNLOAD_RATE;
        let earned = by_bytes.max(limits::REQUEST_TIMEOUT / BLOCKS);
        self.blocks_deadline = (self.blocks_deadline + earned).min(now + limits::REQUEST_TIMEOUT);
    }

    /// Notes that a message came, before it is looked at.
    pub(super) fn heard<T>(&mut self, message: &Message<T>, now: Now) {
        self.last_received = now.elapsed;
        if let (Message::Pong(nonce), Some((expected, deadline))) = (message, self.ping)
            && *nonce == expected
        {
            self.ping = None;
            let taken = (now.elapsed + limits::REQUEST_TIMEOUT).saturating_sub(deadline);
            self.latency = Some(self.latency.map_or(taken, |shortest| shortest.min(taken)));
        }
    }
}

/// What an application sees of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The connection's number.
    pub id: PeerId,
    /// The address that was dialled, or the one that the connection came from.
    pub address: PeerAddr,
    /// Who opened it.
    pub direction: Direction,
    /// The software that the peer says it is; empty until it has introduced itself.
    pub agent: String,
    /// The height of the best header that the peer has shown.
    pub height: Option<u64>,
    /// Blocks that were asked of it and are not here yet.
    pub blocks_in_flight: usize,
}
