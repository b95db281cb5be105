//! The network as a whole: setup, execution and queries.

use core::time::Duration;
use std::collections::BTreeMap;

use fastrand::Rng;

use super::config::{SimulationConfig, Topology};
use super::invariants::{self, Breach, Invariant};
use super::latency::{exponential, index};
use super::links::{Links, Place};
use super::measure::Measurements;
use super::node::{Node, address};
use super::queue::{Action, Queue};
use super::record::Record;
use super::trace::{Trace, TraceEvent};
use super::violation::Violation;
use crate::primitives::{Hash, Timestamp};
use crate::protocol::{Now, Protocol};

/// A network of nodes on virtual time. Equal settings and equal calls give the identical run, to the byte;
/// see [`trace_hash`](Self::trace_hash).
#[derive(Debug)]
pub struct Simulation {
    pub(super) config: SimulationConfig,
    pub(super) rng: Rng,
    pub(super) elapsed: Duration,
    pub(super) queue: Queue,
    pub(super) nodes: Vec<Node>,
    pub(super) links: Links,
    pub(super) invariants: Vec<Box<dyn Invariant>>,
    pub(super) trace: Trace,
    pub(super) measurements: Measurements,
    /// The tips of the honest nodes that are up, with the number of nodes on each.
    pub(super) tips: BTreeMap<Hash, usize>,
    /// The tip of each honest node that is up, as counted in `tips`.
    pub(super) counted: Vec<Option<Hash>>,
    /// The cumulative hash rates of the honest nodes.
    pub(super) hash_rates: Vec<u64>,
    pub(super) submitted: u64,
    /// How often the interval between blocks was changed.
    pub(super) mining_round: u64,
    /// How often the interval between transactions was changed.
    pub(super) submit_round: u64,
}

impl Simulation {
    /// Creates a network whose nodes have just been started and dial each other.
    ///
    /// # Errors
    ///
    /// [`Violation`], if a node breaks an invariant when it starts.
    pub fn new(config: SimulationConfig) -> Result<Self, Violation> {
        let mut rng = Rng::with_seed(config.seed);
        let all = config.nodes + config.byzantine + config.withholding;
        let nodes = (0..all).map(|node| {
            let skew = config.clock_skews.get(node).copied().unwrap_or(0);
            let dials = dials(&config, node, &mut rng).into_iter().map(address).collect();
            Node::new(skew, dials)
        });
        let nodes = nodes.collect();
        let mut sum = 0;
        let hash_rates = (0..config.nodes).map(|node| {
            sum += u64::from(config.hash_rates.get(node).copied().unwrap_or(1));
            sum
        });
        let mut simulation = Self {
            nodes,
            rng,
            elapsed: Duration::ZERO,
            queue: Queue::default(),
            links: Links::default(),
            invariants: invariants::all(),
            trace: Trace::default(),
            measurements: Measurements::default(),
            tips: BTreeMap::new(),
            counted: vec![None; config.nodes],
            hash_rates: hash_rates.collect(),
            submitted: 0,
            mining_round: 0,
            submit_round: 0,
            config,
        };
        for node in 0..all {
            simulation.start(node, true)?;
        }
        simulation.plan_after(simulation.config.block_interval, Action::Mine { round: 0 });
        simulation.plan_after(simulation.config.transaction_interval, Action::Submit { round: 0 });
        Ok(simulation)
    }

    /// Returns the present settings.
    pub const fn config(&self) -> &SimulationConfig {
        &self.config
    }

    /// Returns the virtual time since the start.
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns the protocol of a node; `None` if the node is down or not honest.
    pub fn protocol(&self, node: usize) -> Option<&Protocol<Record>> {
        self.nodes.get(node)?.protocol()
    }

    /// Whether the node is up.
    pub fn is_up(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(Node::is_up)
    }

    /// Returns the hash over all events so far.
    pub fn trace_hash(&self) -> Hash {
        self.trace.hash()
    }

    /// Returns the number of events.
    pub const fn events(&self) -> u64 {
        self.trace.events()
    }

    /// Returns the last events.
    pub fn last_events(&self) -> impl ExactSizeIterator<Item = &TraceEvent> {
        self.trace.last()
    }

    /// Returns the measurements of block propagation.
    pub const fn measurements(&self) -> &Measurements {
        &self.measurements
    }

    /// Adds an invariant to be checked after every step.
    pub fn watch(&mut self, invariant: Box<dyn Invariant>) {
        self.invariants.push(invariant);
    }

    /// Whether all honest nodes that are up have the same tip.
    pub fn is_agreed(&self) -> bool {
        self.tips.len() == 1
    }

    /// Changes the mean time between blocks; `None` stops mining.
    pub fn set_block_interval(&mut self, mean: Option<Duration>) {
        self.config.block_interval = mean;
        self.mining_round += 1;
        self.plan_after(mean, Action::Mine { round: self.mining_round });
    }

    /// Changes the mean time between submitted transactions; `None` stops them.
    pub fn set_transaction_interval(&mut self, mean: Option<Duration>) {
        self.config.transaction_interval = mean;
        self.submit_round += 1;
        self.plan_after(mean, Action::Submit { round: self.submit_round });
    }

    /// Executes the next planned action. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// [`Violation`], if a node broke an invariant.
    pub fn step(&mut self) -> Result<bool, Violation> {
        let Some((at, action)) = self.queue.pop() else { return Ok(false) };
        self.elapsed = at;
        self.act(action)?;
        Ok(true)
    }

    /// Runs for this duration of virtual time.
    ///
    /// # Errors
    ///
    /// [`Violation`], if a node broke an invariant.
    pub fn run_for(&mut self, duration: Duration) -> Result<(), Violation> {
        let end = self.elapsed + duration;
        self.run_to(end, |_| false)?;
        self.elapsed = end;
        Ok(())
    }

    /// Runs until the condition holds, for at most `limit`. Returns whether it holds.
    ///
    /// # Errors
    ///
    /// [`Violation`], if a node broke an invariant.
    pub fn run_until(
        &mut self,
        limit: Duration,
        condition: impl Fn(&Self) -> bool,
    ) -> Result<bool, Violation> {
        self.run_to(self.elapsed + limit, condition)
    }

    /// Runs until all honest nodes that are up have the same tip. Mining continues, because two branches with
    /// equal work coexist until one of them grows.
    ///
    /// # Errors
    ///
    /// [`Violation`], if a node broke an invariant, and with [`Breach::NoAgreement`] if the tips did not
    /// agree within `limit`.
    pub fn run_until_agreed(&mut self, limit: Duration) -> Result<(), Violation> {
        if self.run_until(limit, Self::is_agreed)? {
            return Ok(());
        }
        let breach = Breach::NoAgreement { tips: self.tips.len(), waited: limit };
        Err(self.violation(None, breach))
    }

    /// Runs until all honest nodes that are up have the same pending transactions.
    ///
    /// # Errors
    ///
    /// [`Violation`], if a node broke an invariant, and with [`Breach::PoolsDiffer`] if the mempools did not
    /// agree within `limit`.
    pub fn run_until_pools_agree(&mut self, limit: Duration) -> Result<(), Violation> {
        if self.run_until(limit, Self::pools_agree)? {
            return Ok(());
        }
        Err(self.violation(None, Breach::PoolsDiffer { waited: limit }))
    }

    /// Returns a node from which this node has outstanding block requests.
    pub(super) fn downloads_from(&self, node: usize) -> Option<usize> {
        let peers = self.protocol(node)?.peers();
        let source = peers.into_iter().find(|peer| peer.blocks_in_flight > 0)?;
        self.links.node(Place::of(source.id).other())
    }

    fn pools_agree(&self) -> bool {
        let mut pools = self.nodes.iter().filter_map(Node::protocol).map(Protocol::mempool);
        let Some(first) = pools.next() else { return true };
        pools.all(|pool| pool.len() == first.len() && pool.iter().all(|(id, _)| first.contains(id)))
    }

    /// Performs the checks that are too slow for every step: each honest node's chain is valid block by
    /// block, and its state equals a replay of its blocks.
    ///
    /// # Errors
    ///
    /// [`Violation`], with the number of the node.
    pub fn verify(&self) -> Result<(), Violation> {
        for (number, node) in self.nodes.iter().enumerate() {
            let Some(protocol) = node.protocol() else { continue };
            let checked = invariants::replay(protocol.chain()).and_then(|()| {
                protocol.chain().verify(..).map_err(|error| Breach::Verify { error: error.to_string() })
            });
            checked.map_err(|breach| self.violation(Some(number), breach))?;
        }
        Ok(())
    }

    pub(super) fn now(&self, node: usize) -> Now {
        let since = i64::try_from(self.elapsed.as_millis()).unwrap_or(i64::MAX);
        let skew = self.nodes.get(node).map_or(0, |node| node.skew_ms);
        let start = self.config.spec.genesis_time().saturating_add(START_AFTER_GENESIS);
        let wall = start.as_millis().saturating_add_signed(since.saturating_add(skew));
        Now { elapsed: self.elapsed, wall: Timestamp::from_millis(wall) }
    }

    pub(super) fn violation(&self, node: Option<usize>, breach: Breach) -> Violation {
        let trace = self.trace.last().copied().collect();
        Violation::new(self.config.seed, self.elapsed, node, breach, &self.config.replay, trace)
    }

    pub(super) fn record(
        &mut self,
        node: Option<usize>,
        from: Option<usize>,
        kind: &'static str,
        bytes: &[u8],
    ) {
        self.trace.record(TraceEvent { at: self.elapsed, node, from, kind }, bytes);
    }

    /// Plans an action after an exponentially distributed time, so that it is equally likely at any moment.
    pub(super) fn plan_after(&mut self, mean: Option<Duration>, action: Action) {
        let Some(mean) = mean else { return };
        let after = exponential(&mut self.rng, mean);
        self.queue.plan(self.elapsed + after, action);
    }

    fn run_to(&mut self, end: Duration, condition: impl Fn(&Self) -> bool) -> Result<bool, Violation> {
        while !condition(self) {
            if self.queue.next().is_none_or(|at| at > end) {
                return Ok(false);
            }
            self.step()?;
        }
        Ok(true)
    }
}

/// The virtual time between the genesis timestamp and the start of a simulation.
const START_AFTER_GENESIS: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the nodes that a node dials when it starts.
fn dials(config: &SimulationConfig, node: usize, rng: &mut Rng) -> Vec<usize> {
    let SimulationConfig { nodes, byzantine, withholding, topology, .. } = *config;
    let liars = nodes..nodes + byzantine;
    let mut dials: Vec<usize> = match topology {
        // A Byzantine node chooses whom to dial in each attack.
        _ if liars.contains(&node) => return Vec::new(),
        _ if node >= nodes => return (0..nodes).collect(),
        Topology::Mesh => (0..node).collect(),
        Topology::Line => node.checked_sub(1).into_iter().collect(),
        Topology::Random { outbound } => {
            let drawn = (0..outbound).map(|_| index(rng, nodes)).collect::<Vec<_>>();
            core::iter::once((node + 1) % nodes).chain(drawn).collect()
        }
    };
    // Each Byzantine or withholding node is dialled by one honest node.
    dials.extend((nodes..liars.end + withholding).filter(|liar| liar % nodes == node));
    dials.retain(|other| *other != node);
    dials.extend(config.dials_itself.then_some(node));
    dials.sort_unstable();
    dials.dedup();
    dials
}
