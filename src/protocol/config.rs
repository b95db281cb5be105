//! What a node decides for itself, beside the rules that it shares with the others.

use super::address::PeerAddr;
use super::limits;
use crate::chain::ChainConfig;
use crate::mempool::MempoolConfig;

/// The settings of a [`Protocol`](super::Protocol).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProtocolConfig {
    /// Where all randomness comes from: jitter and the nonce by which a node recognises itself. Give every
    /// node another one. Default: 0.
    pub seed: u64,
    /// The software's name and version, as peers see it; cut to [`limits::MAX_AGENT_BYTES`]. Default:
    /// `hashloom/` and the version of this crate.
    pub agent: String,
    /// Where this node accepts connections, as peers are told. Default: nowhere.
    pub listen: Option<PeerAddr>,
    /// Whether peers should send blocks that they mine at once, which saves a round trip. Default: yes.
    pub wants_new_blocks: bool,
    /// Connections that peers may open to this node. Default: [`limits::MAX_INBOUND`].
    pub max_inbound: usize,
    /// Addresses that this node keeps a connection to. Default: [`limits::MAX_OUTBOUND`].
    pub max_outbound: usize,
    /// The bounds of the chain.
    pub chain: ChainConfig,
    /// The bounds of the mempool.
    pub mempool: MempoolConfig,
}

impl Default for ProtocolConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            agent: concat!("hashloom/", env!("CARGO_PKG_VERSION")).to_owned(),
            listen: None,
            wants_new_blocks: true,
            max_inbound: limits::MAX_INBOUND,
            max_outbound: limits::MAX_OUTBOUND,
            chain: ChainConfig::default(),
            mempool: MempoolConfig::default(),
        }
    }
}

impl ProtocolConfig {
    /// Sets [`seed`](Self::seed).
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
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

    /// Sets [`max_outbound`](Self::max_outbound).
    #[must_use]
    pub const fn with_max_outbound(mut self, addresses: usize) -> Self {
        self.max_outbound = addresses;
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

/// The longest prefix of `text` with at most `limit` bytes.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= limit).last();
    &text[..end.unwrap_or(0)]
}
