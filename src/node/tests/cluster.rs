//! Simulated hosts with one node each, and control over the network between them.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use turmoil::Sim;

use super::recorder::{Recorded, Recorder, Seen};
use crate::consensus::{ChainSpec, Retarget};
use crate::miner::{Miner, SearchOutcome};
use crate::node::{Node, NodeHandle};
use crate::primitives::{Address, CompactTarget, Hash, Timestamp};
use crate::protocol::{PeerAddr, ProtocolConfig};
use crate::transport::{WebSocketConfig, WsJson};

pub(super) const HOSTS: usize = 5;

pub(super) const MIN_LATENCY: Duration = Duration::from_millis(10);

pub(super) const MAX_LATENCY: Duration = Duration::from_millis(100);

/// The resolution of the simulated clock.
const TICK: Duration = Duration::from_millis(10);

/// Longer than any test runs.
const END: Duration = Duration::from_secs(60 * 60);

/// The time at which every simulation begins, after the genesis block's timestamp.
const BEGIN: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Simulated hosts, each of which keeps a connection to all others.
pub(super) struct Cluster {
    simulation: Sim<'static>,
    record: Arc<Mutex<Seen>>,
    desks: Vec<Arc<Mutex<Desk>>>,
}

/// The test's access to a host.
#[derive(Debug, Default)]
struct Desk {
    node: Option<NodeHandle>,
    orders: Option<mpsc::UnboundedSender<Order>>,
    starts: u64,
}

#[derive(Debug)]
enum Order {
    Mine(String),
    Submit(String),
}

fn name(host: usize) -> String {
    format!("host-{host}")
}

/// The links from the hosts that `of` selects to those that `to` selects.
fn links(of: impl Fn(usize) -> bool, to: impl Fn(usize) -> bool) -> Vec<(String, String)> {
    let ends = (0..HOSTS).flat_map(|one| (0..HOSTS).map(move |other| (one, other)));
    let ends = ends.filter(|(one, other)| one != other && of(*one) && to(*other));
    ends.map(|(one, other)| (name(one), name(other))).collect()
}

fn address(host: usize) -> PeerAddr {
    format!("ws://{}:5001", name(host)).parse().unwrap()
}

impl Cluster {
    /// Starts all hosts, on a network whose behaviour the seed determines.
    pub(super) fn new(seed: u64) -> Self {
        eprintln!("seed {seed}");
        let mut simulation = turmoil::Builder::new()
            .rng_seed(seed)
            .tick_duration(TICK)
            .simulation_duration(END)
            .min_message_latency(MIN_LATENCY)
            .max_message_latency(MAX_LATENCY)
            .tcp_capacity(1024)
            .build();
        let record = Arc::new(Mutex::new(Seen::default()));
        let desks: Vec<Arc<Mutex<Desk>>> = (0..HOSTS).map(|_| Arc::default()).collect();
        for (host, desk) in desks.iter().enumerate() {
            let (desk, recorder) = (Arc::clone(desk), Recorder::new(host, Arc::clone(&record)));
            simulation.host(name(host), move || run(host, seed, Arc::clone(&desk), recorder.clone()));
        }
        Self { simulation, record, desks }
    }

    pub(super) fn run_for(&mut self, duration: Duration) {
        let end = self.simulation.elapsed() + duration;
        while self.simulation.elapsed() < end {
            self.simulation.step().unwrap();
        }
    }

    /// Runs until all chains have one tip, for at most `patience`. Returns how long it took.
    pub(super) fn run_until_equal(&mut self, patience: Duration) -> Duration {
        let begin = self.simulation.elapsed();
        loop {
            self.simulation.step().unwrap();
            let taken = self.simulation.elapsed().saturating_sub(begin);
            let tips: Vec<_> = (0..HOSTS).map(|host| self.tip(host)).collect();
            if tips[0].is_some() && tips.iter().all(|tip| *tip == tips[0]) {
                return taken;
            }
            assert!(taken < patience, "after {taken:?} the tips are {tips:?}");
        }
    }

    fn tip(&self, host: usize) -> Option<Hash> {
        self.desks[host].lock().unwrap().node.as_ref().map(|node| *node.tip().hash())
    }

    /// The transactions of every block after the genesis.
    pub(super) fn contents(&self, host: usize) -> Vec<Vec<String>> {
        let node = self.desks[host].lock().unwrap().node.clone().unwrap();
        node.blocks(1..).unwrap().iter().map(|block| block.data().to_vec()).collect()
    }

    pub(super) fn mine(&mut self, host: usize, data: &str) {
        self.order(host, Order::Mine(data.to_owned()));
    }

    pub(super) fn submit(&mut self, host: usize, data: &str) {
        self.order(host, Order::Submit(data.to_owned()));
    }

    fn order(&mut self, host: usize, order: Order) {
        let desk = Arc::clone(&self.desks[host]);
        while desk.lock().unwrap().orders.is_none() {
            self.simulation.step().unwrap();
        }
        desk.lock().unwrap().orders.as_ref().unwrap().send(order).unwrap();
        self.simulation.step().unwrap();
    }

    /// Drops all traffic between the hosts below this one and the others.
    pub(super) fn split(&self, at: usize) {
        for (one, other) in links(|host| host < at, |host| host >= at) {
            self.simulation.partition(one, other);
        }
    }

    /// Delays all traffic between this host and the others.
    pub(super) fn hold(&self, host: usize) {
        for (one, other) in links(|one| one == host, |_| true) {
            self.simulation.hold(one, other);
        }
    }

    /// Delivers the delayed traffic.
    pub(super) fn release(&self, host: usize) {
        for (one, other) in links(|one| one == host, |_| true) {
            self.simulation.release(one, other);
        }
    }

    /// Repairs all links.
    pub(super) fn repair(&self) {
        for (one, other) in links(|_| true, |_| true) {
            self.simulation.release(one.as_str(), other.as_str());
            self.simulation.repair(one, other);
        }
    }

    /// Simulates a power failure: peers receive no goodbye. The links are cut first, also because tokio drops
    /// the tasks of a runtime in an order that depends on how many tasks the process started before, and the
    /// order of the goodbyes would depend on that.
    pub(super) fn crash(&mut self, host: usize) {
        for (one, other) in links(|one| one == host, |_| true) {
            self.simulation.partition(one, other);
        }
        self.simulation.crash(name(host));
        let mut desk = self.desks[host].lock().unwrap();
        (desk.node, desk.orders) = (None, None);
    }

    /// Restarts a host, which has lost all data.
    pub(super) fn restart(&mut self, host: usize) {
        self.simulation.bounce(name(host));
        for (one, other) in links(|one| one == host, |_| true) {
            self.simulation.repair(one, other);
        }
    }

    pub(super) fn seen(&self) -> Seen {
        self.record.lock().unwrap().clone()
    }
}

/// Mines a block on top of the node's tip without a thread, because a simulation cannot account for the time
/// that a thread takes.
async fn mine_at_once(node: &NodeHandle, data: String) {
    let now = node.shared.clock.now();
    let template = node.shared.read().template(Some(vec![data]), Address::ZERO, now.wall).unwrap();
    let SearchOutcome::Found(block) = Miner::new(template).unwrap().search(u64::MAX) else {
        panic!("every target can be met");
    };
    let outcome = node.shared.write().mined(&Arc::new(block), now);
    assert!(outcome.is_ok(), "{outcome:?}");
    // The driver performs the outputs of the import with those of its next command.
    node.remove_transaction(Hash::ZERO).await.unwrap();
}

/// The software of a host, from its start to its crash.
async fn run(host: usize, seed: u64, desk: Arc<Mutex<Desk>>, recorder: Recorder) -> turmoil::Result {
    let (sender, mut orders) = mpsc::unbounded_channel();
    let start = {
        let mut desk = desk.lock().unwrap();
        desk.starts += 1;
        desk.starts
    };
    let spec = ChainSpec::builder("simulated")
        .easiest_target(CompactTarget::from_bits(0x207f_ffff))
        .retarget(Retarget::Fixed)
        .build()?;
    let seed = seed.wrapping_mul(1_000).wrapping_add(host as u64 * 100).wrapping_add(start);
    let transport = WsJson::default().with_config(WebSocketConfig::simulated());
    let node = Node::builder(spec)
        .transport(Recorded { inner: transport, recorder: recorder.clone() })
        .listen("ws://0.0.0.0:5001".parse()?)
        .peers((0..HOSTS).filter(|other| *other != host).map(address))
        .protocol(ProtocolConfig::default().with_seed(seed).with_listen(Some(address(host))))
        .wall_clock(|| BEGIN.saturating_add(turmoil::sim_elapsed().unwrap_or_default()))
        .start()
        .await?;
    let mut events = node.subscribe();
    tokio::spawn(async move {
        loop {
            let event = events.recv().await;
            recorder.note(&event);
            if event.is_err() {
                return;
            }
        }
    });
    {
        let mut desk = desk.lock().unwrap();
        (desk.node, desk.orders) = (Some(node.clone()), Some(sender));
    }
    while let Some(order) = orders.recv().await {
        match order {
            Order::Mine(data) => mine_at_once(&node, data).await,
            Order::Submit(data) => drop(node.submit(data).await),
        }
    }
    Ok(())
}
