//! What an operator reads of a node.

use crate::protocol::{ClockBehind, CloseReason, Event, RemovalReason};

/// Flaws of the application's type that the operator was warned of. Peers can have them show again and again.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) unsendable: bool,
    unreadable: bool,
    refused: bool,
}

impl Noted {
    /// Logs what an operator wants to read.
    pub(super) fn log<T>(&mut self, event: &Event<T>) {
        match event {
            Event::PeerDisconnected { reason: reason @ CloseReason::Unreadable(_), .. } => {
                let is_first = !core::mem::replace(&mut self.unreadable, true);
                warn_once(is_first, reason, "a peer's messages cannot be read");
                log(event);
            }
            Event::TransactionRefused { id, error } => {
                let is_first = !core::mem::replace(&mut self.refused, true);
                warn_once(is_first, error, &format!("a peer's transaction {id} is refused"));
            }
            _ => log(event),
        }
    }
}

/// Warns of a flaw in the application's type, the first time; later it is for those who look closely.
pub(super) fn warn_once(is_first: bool, error: &impl core::fmt::Display, what: &str) {
    if is_first {
        tracing::warn!(%error, "{what}; see the documentation of `Transaction`; later cases are logged at debug level");
    } else {
        tracing::debug!(%error, "{what}");
    }
}

fn log<T>(event: &Event<T>) {
    match event {
        Event::BlockConnected(block) => {
            tracing::info!(height = block.height(), hash = %block.hash(), "block connected");
        }
        Event::BlockDisconnected(block) => {
            tracing::info!(height = block.height(), hash = %block.hash(), "block disconnected");
        }
        Event::HeadersAdvanced { height } => tracing::debug!(height, "headers advanced"),
        Event::TransactionAccepted { id } => tracing::debug!(%id, "transaction accepted"),
        // For `Noted` to log.
        Event::TransactionRefused { .. } => {}
        Event::TransactionRemoved { id, reason: reason @ RemovalReason::Unminable(_) } => {
            tracing::warn!(%id, %reason, "transaction removed");
        }
        Event::TransactionRemoved { id, reason } => tracing::info!(%id, %reason, "transaction removed"),
        Event::PeerConnected { peer, address, agent, .. } => {
            tracing::info!(%peer, %address, agent, "peer connected");
        }
        Event::PeerDisconnected { peer, address, reason } => {
            tracing::info!(%peer, %address, %reason, "peer disconnected");
        }
        Event::StoreFailed { error } => tracing::error!(%error, "store failed"),
        Event::StoreRecovered => tracing::info!("store works again"),
        Event::ClockBehind(ClockBehind { behind, mining_in, peers }) => {
            let (behind_seconds, mining_in_seconds) = (behind.as_secs(), mining_in.as_secs());
            tracing::warn!(
                behind_seconds,
                mining_in_seconds,
                peers,
                "the clock is behind the chain or the headers of peers, which wait for it; check the clock"
            );
        }
        Event::ClockCaughtUp => tracing::info!("the clock has caught up, nothing waits for it any more"),
        Event::HostBanned { host, duration } => {
            tracing::warn!(%host, seconds = duration.as_secs(), "host banned");
        }
        Event::DialFailed { address, error, retry_in } => {
            tracing::warn!(%address, %error, ?retry_in, "peer not reached, trying again");
        }
    }
}
