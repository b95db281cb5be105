//! Five nodes on which clients mine, each in a network namespace of its own, while cables are pulled and
//! moved: within ten seconds of healing all have one tip, and no block that a node answered with is lost.
//!
//! `HASHLOOM_ROUNDS` is the number of rounds, 8 by default. More rounds, with the seed of a failure:
//!
//! ```sh
//! HASHLOOM_ROUNDS=200 HASHLOOM_SEED=42 cargo test --all-features --test it process::partition -- --nocapture
//! ```
//!
//! The seed determines which nodes are disconnected and for how long, and when clients mine. The reaction of
//! the nodes depends on the machine. The test needs the permission to create namespaces, which root has.
//! Without it, the test reports on stderr that it is skipped, or fails if `HASHLOOM_NO_SKIP=1`.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Child;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::netns::{Cable, Network, ask};
use super::program::Start;
use crate::kit::within;
use crate::skip::skip;

const NODES: usize = 5;

const DEFAULT_ROUNDS: usize = 8;

/// The time after healing within which all nodes must have one tip.
const HEAL_TIME: Duration = Duration::from_secs(10);

/// The longest partition, not counting the time until the nodes disagree. After a partition the kernel waits
/// for about as long as it lasted before it retransmits lost packets.
const MAX_CUT: Duration = Duration::from_secs(3);

/// The mean time until a client mines on one of the nodes: short enough for every partition to fork the
/// chain, and long enough for the nodes to agree most of the time. It is also the chain's block interval, so
/// that the difficulty stays at its initial value and a block is found as soon as a client requests it.
const BLOCK_INTERVAL: Duration = Duration::from_millis(500);

/// The interval at which the nodes are asked for their tips.
const LOOK: Duration = Duration::from_millis(100);

/// A node in its namespace.
#[derive(Debug)]
struct Node {
    start: Start,
    child: Child,
}

/// A block with which a node answered `/mine`.
#[derive(Clone, Debug)]
struct Answered {
    node: usize,
    height: u64,
    hash: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_agree_within_ten_seconds_of_healing() {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let rounds = number("HASHLOOM_ROUNDS").map_or(DEFAULT_ROUNDS, |rounds| usize::try_from(rounds).unwrap());
    let seed = number("HASHLOOM_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("HASHLOOM_ROUNDS={rounds} HASHLOOM_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);

    let network = match Network::new(NODES) {
        Ok(network) => network,
        Err(reason) => return skip("process::partition, no network namespaces", &reason),
    };
    let mut nodes = start_all(&network);
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for (number, node) in nodes.iter().enumerate() {
        let (on, port) = (node.start.through.clone(), node.start.http);
        clients.spawn(keep_mining(number, on, port, rng.fork(), Arc::clone(&stop)));
    }
    within(agreement(&nodes)).await;
    let mut slowest = Duration::ZERO;
    for round in 1..=rounds {
        let cables = draw_cut(&mut rng);
        network.plug(&cables);
        sleep(MAX_CUT.mul_f64(rng.f64())).await;
        within(disagreement(&nodes, &cables)).await;
        network.plug(&[Cable::Switch(0); NODES]);
        let healed = Instant::now();
        let Ok(tip) = timeout(HEAL_TIME, agreement(&nodes)).await else {
            panic!("round {round}: {HEAL_TIME:?} after {cables:?} healed: {:?}", tips(&nodes).await);
        };
        println!("round {round}: {cables:?} healed in {:.1} s, tip {tip}", healed.elapsed().as_secs_f64());
        slowest = slowest.max(healed.elapsed());
    }
    println!("{rounds} rounds, the slowest healed in {:.1} s", slowest.as_secs_f64());

    stop.store(true, Ordering::Relaxed);
    restart(&mut nodes).await;
    let mut answered = Vec::new();
    while let Some(ended) = within(clients.join_next()).await {
        answered.extend(ended.unwrap());
    }
    assert!(answered.len() >= rounds, "{} blocks answered in {rounds} rounds", answered.len());
    let blocks = settle(&nodes).await;
    assert_nothing_lost(&nodes, &blocks, &answered).await;
}

fn start_all(network: &Network) -> Vec<Node> {
    let formats = ["json", "bincode", "postcard"];
    let built_in = [true, cfg!(feature = "ws-bincode"), cfg!(feature = "ws-postcard")];
    let formats: Vec<_> =
        formats.into_iter().zip(built_in).filter(|(_, is)| *is).map(|(name, _)| name).collect();
    let mut starts: Vec<_> = (0..NODES).map(|number| Start::new(formats[number % formats.len()])).collect();
    let addresses: Vec<_> =
        (0..NODES).map(|number| format!("ws://{}:{}", network.address(number), starts[number].p2p)).collect();
    for (number, start) in starts.iter_mut().enumerate() {
        let others = addresses.iter().enumerate().filter(|(other, _)| *other != number);
        start.peers = others.map(|(_, address)| address.as_str()).collect::<Vec<_>>().join(",");
        start.through = network.on(number);
    }
    let nodes = starts.into_iter().map(|start| {
        let interval = format!("{}ms", BLOCK_INTERVAL.as_millis());
        let start = start.with("P2P_BIND", "0.0.0.0").with("BLOCK_INTERVAL", interval);
        let child = start.spawn();
        Node { start, child }
    });
    nodes.collect()
}

/// Random positions of the cables that partition the network.
fn draw_cut(rng: &mut fastrand::Rng) -> [Cable; NODES] {
    loop {
        let cables = [(); NODES].map(|()| match rng.usize(..3) {
            2 => Cable::Pulled,
            switch => Cable::Switch(switch),
        });
        if cables.iter().any(|cable| is_cut_off(*cable, cables[0])) {
            return cables;
        }
    }
}

/// Whether two different nodes with these cables cannot reach each other.
fn is_cut_off(one: Cable, other: Cable) -> bool {
    one != other || one == Cable::Pulled
}

/// Waits until all nodes have one tip in one round of requests.
async fn agreement(nodes: &[Node]) -> Value {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let tips = tips(nodes).await;
        if let Some(tip) = tips[0].clone().filter(|_| tips.iter().all(|tip| *tip == tips[0])) {
            return tip;
        }
    }
}

/// Waits until two nodes that cannot reach each other have different tips.
async fn disagreement(nodes: &[Node], cables: &[Cable]) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let tips = tips(nodes).await;
        let first = (cables[0], &tips[0]);
        if cables.iter().zip(&tips).any(|(cable, tip)| is_cut_off(*cable, first.0) && tip != first.1) {
            return;
        }
    }
}

/// The tips of all nodes, requested concurrently. `None` for a node that does not answer.
async fn tips(nodes: &[Node]) -> Vec<Option<Value>> {
    let mut questions = JoinSet::new();
    for (number, node) in nodes.iter().enumerate() {
        let (on, port) = (node.start.through.clone(), node.start.http);
        questions.spawn(async move { (number, ask(&on, port, "GET", "/status", "").await) });
    }
    let mut tips = vec![None; nodes.len()];
    for (number, answer) in questions.join_all().await {
        tips[number] = answer.map(|(_, status)| status["tip"].clone());
    }
    tips
}

/// Mines blocks at random intervals, and records those that the node answers with.
async fn keep_mining(
    node: usize,
    on: Vec<String>,
    port: u16,
    mut rng: fastrand::Rng,
    stop: Arc<AtomicBool>,
) -> Vec<Answered> {
    let longest = 2 * BLOCK_INTERVAL * u32::try_from(NODES).unwrap();
    let mut answered = Vec::new();
    for count in 0.. {
        sleep(longest.mul_f64(rng.f64())).await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let body = json!({ "data": format!("node {node}, block {count}") }).to_string();
        match ask(&on, port, "POST", "/mine", &body).await {
            Some((201, block)) => {
                let height = block["height"].as_u64().unwrap();
                let hash = block["hash"].as_str().unwrap().to_owned();
                answered.push(Answered { node, height, hash });
            }
            Some((status, error)) => panic!("node {node} answers {status}: {error}"),
            // The node is not running.
            None => {}
        }
    }
    answered
}

/// Kills and restarts all nodes.
async fn restart(nodes: &mut [Node]) {
    for node in &mut *nodes {
        let ended = node.child.try_wait().unwrap();
        let log = || std::fs::read_to_string(node.start.log()).unwrap();
        assert!(ended.is_none(), "a node ended by itself, {ended:?}: {:?}", log().lines().last());
        within(node.child.kill()).await.unwrap();
    }
    for node in nodes {
        node.child = node.start.spawn();
    }
}

/// Lets the nodes agree, and returns their common chain.
async fn settle(nodes: &[Node]) -> Vec<Value> {
    let first = &nodes[0];
    // Two branches with equal work remain until one is extended.
    while timeout(HEAL_TIME / 5, agreement(nodes)).await.is_err() {
        ask(&first.start.through, first.start.http, "POST", "/mine", "{}").await;
    }
    let blocks = first.blocks().await;
    for (height, pair) in blocks.windows(2).enumerate() {
        assert_eq!((&pair[0]["height"], &pair[1]["previous_hash"]), (&json!(height), &pair[0]["hash"]));
    }
    for node in nodes {
        assert!(node.blocks().await == blocks, "the nodes tell different stories of one tip");
    }
    blocks
}

/// Checks that every answered block is on the best chain or on a side branch.
async fn assert_nothing_lost(nodes: &[Node], blocks: &[Value], answered: &[Answered]) {
    let mut lost = 0;
    for Answered { node, height, hash } in answered {
        let in_chain = &blocks[usize::try_from(*height).unwrap()];
        if in_chain["hash"] == json!(hash) {
            continue;
        }
        lost += 1;
        let block = nodes[*node].get(&format!("/blocks/{hash}")).await;
        assert_eq!((&block["height"], &block["hash"]), (&json!(height), &json!(hash)));
    }
    println!("{} blocks answered, {lost} of them on branches that lost, of {}", answered.len(), blocks.len());
}

impl Node {
    async fn get(&self, path: &str) -> Value {
        let answer = within(ask(&self.start.through, self.start.http, "GET", path, "")).await;
        let (status, body) = answer.unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// All blocks of the node's best chain.
    async fn blocks(&self) -> Vec<Value> {
        let mut blocks = Vec::new();
        loop {
            let page = self.get(&format!("/blocks?limit=1000&from={}", blocks.len())).await;
            let page = page.as_array().unwrap();
            if page.is_empty() {
                return blocks;
            }
            blocks.extend_from_slice(page);
        }
    }
}
