//! Every request ends, with an answer or with the connection.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::{Breach, Cause, Invariant, Observation};
use crate::primitives::{Block, Hash};
use crate::protocol::{CloseReason, Message, Output, PeerId, limits};
use crate::sim::record::Record;

/// A peer answers a request within [`limits::REQUEST_TIMEOUT`], delivers blocks at
/// [`limits::MIN_DOWNLOAD_RATE`] or [`limits::BLOCKS_PER_REQUEST`] blocks in that time, or is disconnected.
/// No peer is disconnected for a request timeout without an overdue request.
#[derive(Clone, Debug, Default)]
pub struct RequestsEnd {
    nodes: BTreeMap<usize, BTreeMap<PeerId, Owed>>,
}

/// The outstanding requests to a peer, and when each was sent.
#[derive(Clone, Debug, Default)]
struct Owed {
    answers: BTreeMap<&'static str, Duration>,
    blocks: BTreeSet<Hash>,
    /// The number of the unanswered ping.
    ping: u64,
}

impl Invariant for RequestsEnd {
    fn check(&mut self, observed: &Observation<'_>) -> Result<(), Breach> {
        let owed = self.nodes.entry(observed.node).or_default();
        if observed.cause.is_start() {
            owed.clear();
        }
        if let Cause::Received { peer, message } = observed.cause
            && let Some(owed) = owed.get_mut(peer)
        {
            owed.receive(message, observed.at);
        }
        for output in observed.outputs {
            match output {
                Output::Send { peers, message } => {
                    for peer in peers.iter().filter(|_| is_request(message)) {
                        owed.entry(*peer).or_default().ask(message, observed.at);
                    }
                }
                Output::Close { peer, reason } => {
                    let owed = owed.remove(peer).unwrap_or_default();
                    if let CloseReason::RequestTimeout { kind, .. } = reason
                        && !owed.is_overdue(kind, observed.at)
                    {
                        return Err(Breach::Impatient { peer: *peer, kind });
                    }
                }
                _ => {}
            }
        }
        // Deadlines are only checked when a timeout is processed.
        if *observed.cause != Cause::Timeout {
            return Ok(());
        }
        owed.retain(|peer, _| observed.is_open(*peer));
        for (peer, owed) in owed {
            for (kind, since) in &owed.answers {
                if observed.at > *since + limits::REQUEST_TIMEOUT {
                    return Err(Breach::RequestStands { peer: *peer, kind, since: *since });
                }
            }
        }
        Ok(())
    }
}

const fn is_request(message: &Message<Record>) -> bool {
    matches!(
        message,
        Message::GetBlocks { .. }
            | Message::GetHeaders { .. }
            | Message::GetTransactions { .. }
            | Message::Ping(_)
    )
}

/// Returns the time that a peer may take to deliver a block.
fn time_of(block: &Block<Record>) -> Duration {
    #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
    const BLOCKS: u32 = limits::BLOCKS_PER_REQUEST as u32;
    let bytes = block.digest().map_or(0, |digest| digest.size);
    let by_bytes = Duration::from_secs(bytes as u64) / limits::MIN_DOWNLOAD_RATE;
    by_bytes.max(limits::REQUEST_TIMEOUT / BLOCKS)
}

impl Owed {
    fn ask(&mut self, message: &Message<Record>, at: Duration) {
        match message {
            Message::GetBlocks { hashes } => {
                self.blocks.extend(hashes);
                self.answers.entry("get_blocks").or_insert(at);
            }
            Message::GetHeaders { .. } | Message::GetTransactions { .. } => {
                self.answers.insert(message.kind(), at);
            }
            Message::Ping(number) => {
                self.ping = *number;
                self.answers.insert("ping", at);
            }
            _ => {}
        }
    }

    /// Processes an answer. Each delivered block extends the deadline of the rest by the time that it may
    /// have taken.
    fn receive(&mut self, message: &Message<Record>, at: Duration) {
        match message {
            Message::Headers(_) => {
                self.answers.remove("get_headers");
            }
            Message::Transactions(_) => {
                self.answers.remove("get_transactions");
            }
            Message::Pong(number) if *number == self.ping => {
                self.answers.remove("ping");
            }
            Message::Blocks(blocks) => {
                for block in blocks {
                    self.blocks.remove(block.hash());
                    if let Some(since) = self.answers.get_mut("get_blocks") {
                        *since = at.min(*since + time_of(block));
                    }
                }
            }
            Message::NotFound { hashes } => {
                for hash in hashes {
                    self.blocks.remove(hash);
                }
            }
            _ => {}
        }
        if self.blocks.is_empty() {
            self.answers.remove("get_blocks");
        }
    }

    fn is_overdue(&self, kind: &str, at: Duration) -> bool {
        self.answers.get(kind).is_some_and(|since| at >= *since + limits::REQUEST_TIMEOUT)
    }
}
