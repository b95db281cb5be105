//! The state of one connection.

use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};

use super::address::PeerAddr;
use super::close::CloseReason;
use super::discovery::Exchange;
use super::host::PeerHost;
use super::limits;
use super::message::{Hello, Message};
use super::now::Now;
use super::peer::Direction;
use super::refusal::Refused;
use crate::mempool::RecentSet;
use crate::primitives::{Hash, Timestamp, Work};

#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: PeerAddr,
    pub(super) direction: Direction,
    pub(super) connected_at: Duration,
    /// The peer's `Hello`; `None` until the peer has completed the handshake.
    pub(super) hello: Option<Hello>,
    /// The tip in the `Hello` that this node sent.
    pub(super) told: Hash,
    /// Blocks and transactions that the peer has and that are therefore not sent to it.
    pub(super) known: RecentSet,
    /// The header with the most work that the peer has sent or announced and that is in this node's header
    /// tree.
    pub(super) best: Option<PeerTip>,
    /// A header that the peer claims to have and that is not in this node's header tree yet.
    pub(super) claimed: Option<Hash>,
    /// Whether the peer has headers that this node does not know.
    pub(super) wants_headers: bool,
    /// The header after which the next header request continues; from this node's best header if `None`.
    pub(super) headers_from: Option<PeerTip>,
    pub(super) headers_request: Option<Duration>,
    /// Whether to ignore the next answer, because it extends headers that were evicted since the request.
    pub(super) headers_void: bool,
    /// When headers were last requested from the peer. The peer with the oldest request is asked first.
    pub(super) headers_asked: Option<Duration>,
    /// A header whose timestamp is too far ahead, to be requested again.
    pub(super) early_header: Option<EarlyHeader>,
    /// The peer's branch that was refused last, if other nodes may accept it.
    pub(super) refused: Option<Refused>,
    /// Until when nothing is requested from the peer, because its blocks exceeded a limit.
    pub(super) paused: Option<Duration>,
    pub(super) blocks: BTreeSet<Hash>,
    /// The deadline for the outstanding blocks; each delivered block extends it.
    pub(super) blocks_deadline: Duration,
    /// Ids that the peer offered and that are still to be processed, in the order in which they are
    /// requested.
    pub(super) offered: VecDeque<Hash>,
    /// The number of further ids that the peer offered and that were requested from another peer. They return
    /// to `offered` when the other peer has answered.
    pub(super) waiting_ids: usize,
    /// The requested ids in order, and the deadline of the answer.
    pub(super) transactions_request: Option<(Vec<Hash>, Duration)>,
    pub(super) last_received: Duration,
    pub(super) ping: Option<(u64, Duration)>,
    /// When the peer last delivered a block that was new.
    pub(super) useful_at: Option<Duration>,
    /// The shortest time in which the peer has answered a ping.
    pub(super) latency: Option<Duration>,
    /// The exchange of addresses with the peer.
    pub(super) exchange: Exchange,
}

/// A header from a peer with a timestamp too far ahead of the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct EarlyHeader {
    pub(super) timestamp: Timestamp,
    /// When the clock is checked again.
    pub(super) retry: Duration,
}

/// A header that a peer has and that is in this node's header tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerTip {
    pub(super) hash: Hash,
    pub(super) height: u64,
    /// The total work of the chain up to this header.
    pub(super) work: Work,
}

/// The action that a passed deadline requires.
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

    /// Returns the next time at which [`overdue`](Self::overdue) or [`resume`](Self::resume) has to be
    /// called.
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

    /// Resumes requests that were postponed until now. Returns whether blocks may be requested again.
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

    /// Whether the peer has delivered a block that was kept.
    pub(super) const fn is_proven(&self) -> bool {
        self.useful_at.is_some()
    }

    /// Whether headers or blocks of the peer are in flight, or headers are about to be requested.
    pub(super) fn is_asked_for_more(&self) -> bool {
        !self.blocks.is_empty() || self.headers_request.is_some() || self.wants_headers
    }

    /// Extends the deadline of the outstanding blocks by the time that one delivered block is worth.
    pub(super) fn earned(&mut self, block_bytes: usize, now: Duration) {
        #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
        const BLOCKS: u32 = limits::BLOCKS_PER_REQUEST as u32;
        let by_bytes = Duration::from_secs(block_bytes as u64) / limits::MIN_DOWNLOAD_RATE;
        let earned = by_bytes.max(limits::REQUEST_TIMEOUT / BLOCKS);
        self.blocks_deadline = (self.blocks_deadline + earned).min(now + limits::REQUEST_TIMEOUT);
    }

    /// Notes the arrival of a message, before the message is processed.
    pub(super) fn on_message<T>(&mut self, message: &Message<T>, now: Now) {
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
