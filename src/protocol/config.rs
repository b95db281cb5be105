//! The local settings of a node, which do not affect the consensus rules of its chain.

use core::time::Duration;

use super::address::PeerAddr;
use super::limits;
use crate::chain::ChainConfig;
use crate::mempool::MempoolConfig;

/// The settings of a [`Protocol`](super::Protocol).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProtocolConfig {
    /// The seed of all randomness: jitter, and the nonce by which a node recognises a connection to itself.
    /// Two nodes with equal seeds therefore take each other for themselves. Default: `None`: a `Node` draws a
    /// random seed, and a bare [`Protocol`](super::Protocol) uses 0.
    pub seed: Option<u64>,
    /// The software name and version in the `Hello`; cut to [`limits::MAX_AGENT_BYTES`]. Default: `hashloom/`
    /// and the version of this crate.
    pub agent: String,
    /// The address at which this node accepts connections, advertised to peers if discovery is on. Default:
    /// none.
    pub listen: Option<PeerAddr>,
    /// Whether peers should send each block that they mine at once, which saves a round trip. Default: yes.
    pub wants_new_blocks: bool,
    /// Maximum inbound connections. Default: [`limits::MAX_INBOUND`].
    pub max_inbound: usize,
    /// Maximum inbound connections from one host. Default: [`limits::MAX_INBOUND_PER_HOST`].
    pub max_inbound_per_host: usize,
    /// The duration of a ban for misbehaviour. The machine on which the node runs is never banned for
    /// misbehaviour. Default: [`limits::BAN_DURATION`].
    pub ban_duration: Duration,
    /// Maximum addresses that this node keeps a connection to. Default: [`limits::MAX_OUTBOUND`].
    pub max_outbound: usize,
    /// Whether this node asks its peers for addresses, connects to some of them, and advertises the addresses
    /// that it knows. Default: no, because many chains run among known parties, and an address from a peer
    /// may be any machine that this node can reach. Connecting to such addresses is therefore opt-in.
    pub discovery: bool,
    /// Maximum connections that discovery opens, in addition to the addresses that this node keeps a
    /// connection to. With 0, discovery only collects and advertises addresses. Default:
    /// [`limits::MAX_DISCOVERED`].
    pub max_discovered: usize,
    /// The bounds of the chain.
    pub chain: ChainConfig,
    /// The bounds of the mempool.
    pub mempool: MempoolConfig,
}

impl Default for ProtocolConfig {
    fn default() -> Self {
        Self {
            seed: None,
            agent: concat!("hashloom/", env!("CARGO_PKG_VERSION")).to_owned(),
            listen: None,
            wants_new_blocks: true,
            max_inbound: limits::MAX_INBOUND,
            max_inbound_per_host: limits::MAX_INBOUND_PER_HOST,
            ban_duration: limits::BAN_DURATION,
            max_outbound: limits::MAX_OUTBOUND,
            discovery: false,
            max_discovered: limits::MAX_DISCOVERED,
            chain: ChainConfig::default(),
            mempool: MempoolConfig::default(),
        }
    }
}

impl ProtocolConfig {
    /// Sets [`seed`](Self::seed).
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets [`agent`](Self::agent).
    #[must_use]
    pub fn with_agent(mut self, agent: impl Into<String>) -> Self {
        self.agent = agent.into();
        self
    }

    /// Sets [`listen`](Self::listen).
    #[must_use]
    pub fn with_listen(mut self, address: Option<PeerAddr>) -> Self {
        self.listen = address;
        self
    }

    /// Sets [`wants_new_blocks`](Self::wants_new_blocks).
    #[must_use]
    pub const fn with_wants_new_blocks(mut self, wants: bool) -> Self {
        self.wants_new_blocks = wants;
        self
    }

    /// Sets [`max_inbound`](Self::max_inbound).
    #[must_use]
    pub const fn with_max_inbound(mut self, connections: usize) -> Self {
        self.max_inbound = connections;
        self
    }

    /// Sets [`max_inbound_per_host`](Self::max_inbound_per_host).
    #[must_use]
    pub const fn with_max_inbound_per_host(mut self, connections: usize) -> Self {
        self.max_inbound_per_host = connections;
        self
    }

    /// Sets [`ban_duration`](Self::ban_duration).
    #[must_use]
    pub const fn with_ban_duration(mut self, duration: Duration) -> Self {
        self.ban_duration = duration;
        self
    }

    /// Sets [`max_outbound`](Self::max_outbound).
    #[must_use]
    pub const fn with_max_outbound(mut self, addresses: usize) -> Self {
        self.max_outbound = addresses;
        self
    }

    /// Sets [`discovery`](Self::discovery).
    #[must_use]
    pub const fn with_discovery(mut self, discovery: bool) -> Self {
        self.discovery = discovery;
        self
    }

    /// Sets [`max_discovered`](Self::max_discovered).
    #[must_use]
    pub const fn with_max_discovered(mut self, connections: usize) -> Self {
        self.max_discovered = connections;
        self
    }

    /// Sets [`chain`](Self::chain).
    #[must_use]
    pub fn with_chain(mut self, config: ChainConfig) -> Self {
        self.chain = config;
        self
    }

    /// Sets [`mempool`](Self::mempool).
    #[must_use]
    pub fn with_mempool(mut self, config: MempoolConfig) -> Self {
        self.mempool = config;
        self
    }
}

/// Returns at most `limit` bytes of a text that may come from a peer, with control characters replaced by
/// spaces, because they could corrupt logs and terminals.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= limit).last();
    text[..end.unwrap_or(0)].replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_peer_is_cut_at_a_character_and_cleaned() {
        assert_eq!(printable("a\nb\u{1b}[2J", 100), "a b [2J");
        assert_eq!(printable("ab\u{e9}", 3), "ab");
        assert_eq!(printable("ab\u{e9}", 4), "ab\u{e9}");
    }
}
