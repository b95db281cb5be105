//! The settings of a simulation: the number of nodes, their connections, mining, and latency.

use core::time::Duration;

use super::latency::Latency;
use crate::consensus::{ChainSpec, Retarget};
use crate::primitives::CompactTarget;
use crate::protocol::ProtocolConfig;

/// The settings of a [`Simulation`](super::Simulation).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SimulationConfig {
    /// The seed of all randomness. Default: 0.
    pub seed: u64,
    /// The number of honest nodes; they are numbered from 0. Default: 4.
    pub nodes: usize,
    /// The number of nodes that violate the protocol; their numbers follow those of the honest nodes.
    /// Default: 0.
    pub byzantine: usize,
    /// The number of nodes that follow the protocol, except that they never deliver requested blocks and
    /// transactions. They do not answer, answer that they do not have them, or send the right headers with
    /// other transactions. Their numbers follow those of the Byzantine nodes. Default: 0.
    pub withholding: usize,
    /// Which nodes dial which. Default: [`Topology::Mesh`].
    pub topology: Topology,
    /// Whether each node also dials its own address. Default: no.
    pub dials_itself: bool,
    /// The latency of messages. Default: 50 ms plus an exponentially distributed time with a mean of 50 ms.
    pub latency: Latency,
    /// The number of messages per million that break the connection they are sent over. Default: 0.
    pub breaks_per_million: u32,
    /// The mean time between the blocks that the whole network finds; `None` for no mining. Independent of
    /// the spec's target: at the target of the default spec, a block takes two hashes on average. Default: 10
    /// s.
    pub block_interval: Option<Duration>,
    /// The shares of the hash rate, by node; missing entries count as 1. Default: all equal.
    pub hash_rates: Vec<u32>,
    /// The mean time between submitted transactions, each to a random node; `None` for none. Default: `None`.
    pub transaction_interval: Option<Duration>,
    /// The clock skew of each node in milliseconds; missing entries count as 0.
    pub clock_skews: Vec<i64>,
    /// The mean time between two attacks of a Byzantine node. Default: 1 s.
    pub attack_interval: Duration,
    /// The consensus rules of the chain. Its easiest target must be easy to meet. Default:
    /// [`SimulationConfig::easy_spec`].
    pub spec: ChainSpec,
    /// The settings of every node, except the seed, which differs between nodes.
    pub protocol: ProtocolConfig,
    /// The command that replays the run, in which `{seed}` stands for the seed; printed with a violation.
    pub replay: String,
}

/// Which nodes dial which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topology {
    /// Each node dials all nodes with lower numbers.
    Mesh,
    /// Each node dials the one before it, so that there is exactly one path between any two.
    Line,
    /// Each node dials its successor on a ring, so that there is a path between any two, and some random
    /// nodes.
    Random {
        /// The number of random nodes.
        outbound: usize,
    },
}

impl Default for SimulationConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            nodes: 4,
            byzantine: 0,
            withholding: 0,
            topology: Topology::Mesh,
            dials_itself: false,
            latency: Latency::Exponential {
                floor: Duration::from_millis(50),
                mean: Duration::from_millis(50),
            },
            breaks_per_million: 0,
            block_interval: Some(Duration::from_secs(10)),
            hash_rates: Vec::new(),
            transaction_interval: None,
            clock_skews: Vec::new(),
            attack_interval: Duration::from_secs(1),
            spec: Self::easy_spec(),
            protocol: ProtocolConfig::default(),
            replay: "a simulation with the seed {seed} and the same settings".to_owned(),
        }
    }
}

impl SimulationConfig {
    /// Returns a spec for which every second hash on average is a block, at every height.
    pub fn easy_spec() -> ChainSpec {
        Self::easy_spec_with(Duration::from_secs(120), Retarget::Fixed, Duration::from_secs(10))
    }

    /// Returns an easy spec with this limit on how far ahead of a node's clock a block may be, at most a day.
    /// Difficulty is adjusted for blocks that are found faster than every `interval`, by the rule of
    /// `retarget`.
    pub(super) fn easy_spec_with(drift: Duration, retarget: Retarget, interval: Duration) -> ChainSpec {
        #[expect(clippy::expect_used, reason = "constants that make a chain")]
        ChainSpec::builder("simulation")
            .easiest_target(CompactTarget::from_bits(0x207f_ffff))
            .retarget(retarget)
            .block_interval(interval)
            .max_future_drift(drift)
            .build()
            .expect("these rules make sense")
    }

    /// Sets [`seed`](Self::seed).
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets [`nodes`](Self::nodes).
    #[must_use]
    pub const fn with_nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Sets [`byzantine`](Self::byzantine).
    #[must_use]
    pub const fn with_byzantine(mut self, nodes: usize) -> Self {
        self.byzantine = nodes;
        self
    }

    /// Sets [`withholding`](Self::withholding).
    #[must_use]
    pub const fn with_withholding(mut self, nodes: usize) -> Self {
        self.withholding = nodes;
        self
    }

    /// Sets [`dials_itself`](Self::dials_itself).
    #[must_use]
    pub const fn with_dials_itself(mut self, dials: bool) -> Self {
        self.dials_itself = dials;
        self
    }

    /// Sets [`topology`](Self::topology).
    #[must_use]
    pub const fn with_topology(mut self, topology: Topology) -> Self {
        self.topology = topology;
        self
    }

    /// Sets [`latency`](Self::latency).
    #[must_use]
    pub const fn with_latency(mut self, latency: Latency) -> Self {
        self.latency = latency;
        self
    }

    /// Sets [`breaks_per_million`](Self::breaks_per_million).
    #[must_use]
    pub const fn with_breaks_per_million(mut self, messages: u32) -> Self {
        self.breaks_per_million = messages;
        self
    }

    /// Sets [`block_interval`](Self::block_interval).
    #[must_use]
    pub const fn with_block_interval(mut self, mean: Option<Duration>) -> Self {
        self.block_interval = mean;
        self
    }

    /// Sets [`hash_rates`](Self::hash_rates).
    #[must_use]
    pub fn with_hash_rates(mut self, shares: impl Into<Vec<u32>>) -> Self {
        self.hash_rates = shares.into();
        self
    }

    /// Sets [`transaction_interval`](Self::transaction_interval).
    #[must_use]
    pub const fn with_transaction_interval(mut self, mean: Option<Duration>) -> Self {
        self.transaction_interval = mean;
        self
    }

    /// Sets [`clock_skews`](Self::clock_skews).
    #[must_use]
    pub fn with_clock_skews(mut self, millis: impl Into<Vec<i64>>) -> Self {
        self.clock_skews = millis.into();
        self
    }

    /// Sets [`attack_interval`](Self::attack_interval).
    #[must_use]
    pub const fn with_attack_interval(mut self, mean: Duration) -> Self {
        self.attack_interval = mean;
        self
    }

    /// Sets [`spec`](Self::spec).
    #[must_use]
    pub fn with_spec(mut self, spec: ChainSpec) -> Self {
        self.spec = spec;
        self
    }

    /// Sets [`protocol`](Self::protocol).
    #[must_use]
    pub fn with_protocol(mut self, config: ProtocolConfig) -> Self {
        self.protocol = config;
        self
    }

    /// Sets [`replay`](Self::replay).
    #[must_use]
    pub fn with_replay(mut self, command: impl Into<String>) -> Self {
        self.replay = command.into();
        self
    }
}
