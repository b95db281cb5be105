//! Three nodes that mine continuously while `kill -9` hits them at random moments: no block that a node
//! answered with is lost.
//!
//! `HASHLOOM_KILLS` is the number of kills, 200 by default. A thousand kills, with the seed of a failure:
//!
//! ```sh
//! HASHLOOM_KILLS=1000 HASHLOOM_SEED=42 cargo test --all-features --test it process::crash -- --nocapture
//! ```
//!
//! The seed determines which node is killed and when. What the nodes do at that moment depends on the
//! machine.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hashloom::store::Redb;
use hashloom::{Blockchain, ChainConfig, ChainSpec, Hash};
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::program::{Start, request};
use crate::kit::within;

const NODES: usize = 3;

const DEFAULT_KILLS: usize = 200;

/// The number of kills after which the whole chain of the killed node is verified.
const KILLS_IN_A_ROUND: usize = 20;

/// The number of blocks at the end of the chain that are verified after each kill.
const VERIFIED_BLOCKS: u64 = 50;

/// Short enough for blocks to be in flight at any moment, and long enough for the nodes to agree again and
/// again.
const BLOCK_INTERVAL: Duration = Duration::from_millis(50);

/// The longest time between two kills. Short enough for some kills to hit a node during its start.
const MAX_PAUSE: Duration = Duration::from_millis(600);

/// A node, and the blocks that it answered with.
struct Node {
    start: Start,
    child: Child,
    /// Locked while a request is outstanding.
    answered: Arc<Mutex<Vec<Answered>>>,
    /// How many of them were found in the directory after a kill.
    found: usize,
}

/// A block with which a node answered `/mine`.
#[derive(Clone, Debug)]
struct Answered {
    height: u64,
    hash: Hash,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answered_block_is_lost_when_nodes_are_killed() {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let kills = number("HASHLOOM_KILLS").map_or(DEFAULT_KILLS, |kills| usize::try_from(kills).unwrap());
    let seed = number("HASHLOOM_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("HASHLOOM_KILLS={kills} HASHLOOM_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);

    let mut nodes = start_all();
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for (number, node) in nodes.iter().enumerate() {
        clients.spawn(keep_mining(number, node.start.http, Arc::clone(&node.answered), Arc::clone(&stop)));
    }
    let started = Instant::now();
    for kill in 1..=kills {
        sleep(MAX_PAUSE.mul_f64(rng.f64())).await;
        let node = &mut nodes[rng.usize(..NODES)];
        node.kill().await;
        node.keeps_answered_blocks().await;
        if kill % KILLS_IN_A_ROUND == 0 {
            node.verify().await;
        }
        node.child = node.start.spawn();
    }
    println!("{kills} kills in {:.1} s", started.elapsed().as_secs_f64());
    stop.store(true, Ordering::Relaxed);
    for node in &mut nodes {
        node.kill().await;
        node.keeps_answered_blocks().await;
    }
    while let Some(ended) = within(clients.join_next()).await {
        ended.unwrap();
    }
    let nodes = settle(nodes).await;
    let answered: usize = nodes.iter().map(|node| node.found).sum();
    println!("{answered} blocks answered, height {}", nodes[0].blocks().await.len() - 1);
    assert!(answered >= kills, "{answered} blocks answered between {kills} kills");
}

/// Verifies the chains after the crashes, lets the nodes agree without continuous mining, and compares all
/// their blocks.
async fn settle(mut nodes: Vec<Node>) -> Vec<Node> {
    for node in &mut nodes {
        node.verify().await;
        node.start.variables.retain(|(name, _)| *name != "MINE");
        node.child = node.start.spawn();
    }
    for node in &nodes {
        node.is_up().await;
    }
    within(async {
        // Two branches with equal work remain until one is extended.
        while !agree(&nodes).await {
            let _ = request(nodes[0].start.http, "POST", "/mine", "{}").await;
            sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    let blocks = nodes[0].blocks().await;
    for (height, pair) in blocks.windows(2).enumerate() {
        assert_eq!((&pair[0]["height"], &pair[1]["previous_hash"]), (&json!(height), &pair[0]["hash"]));
    }
    for node in &nodes {
        assert!(node.blocks().await == blocks, "the nodes tell different stories of one tip");
        node.serves_answered_blocks().await;
    }
    nodes
}

async fn agree(nodes: &[Node]) -> bool {
    let mut tips = Vec::new();
    for node in nodes {
        tips.push(node.get("/status").await.map(|status| status["tip"].clone()));
    }
    tips.iter().all(|tip| tip.is_some() && *tip == tips[0])
}

fn start_all() -> Vec<Node> {
    let starts: Vec<_> = (0..NODES).map(|_| Start::new("json")).collect();
    let addresses: Vec<_> = starts.iter().map(Start::address).collect();
    let nodes = starts.into_iter().enumerate().map(|(number, mut start)| {
        let mut others = addresses.clone();
        others.remove(number);
        start.peers = others.join(",");
        let start =
            start.with("MINE", "true").with("BLOCK_INTERVAL", format!("{}ms", BLOCK_INTERVAL.as_millis()));
        let child = start.spawn();
        Node { start, child, answered: Arc::default(), found: 0 }
    });
    nodes.collect()
}

/// Mines block after block, and records those that the node answers with.
async fn keep_mining(number: usize, port: u16, answered: Arc<Mutex<Vec<Answered>>>, stop: Arc<AtomicBool>) {
    for count in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let body = json!({ "data": format!("node {number}, block {count}") }).to_string();
        let mut answered = answered.lock().await;
        match request(port, "POST", "/mine", &body).await {
            Some((201, block)) => {
                let height = block["height"].as_u64().unwrap();
                let hash = block["hash"].as_str().unwrap().parse().unwrap();
                answered.push(Answered { height, hash });
            }
            Some((status, error)) => panic!("node {number} answers {status}: {error}"),
            // The node is down at the moment.
            None => {
                drop(answered);
                sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

impl Node {
    /// Kills the node. The node must not have ended by itself, unless another process had its port, or a
    /// child of this process its file, when it was started.
    async fn kill(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            let log = std::fs::read_to_string(self.start.log()).unwrap();
            let last = log.lines().last().unwrap_or("nothing said");
            assert!(last.contains(" is in use"), "a node ended by itself, {status}: {last}");
            return;
        }
        within(self.child.kill()).await.unwrap();
    }

    async fn verify(&self) {
        let verified = self.start.succeeds(&["verify"]).await;
        assert!(verified.starts_with("verified the blocks 0 to "), "{verified}");
    }

    async fn is_up(&self) {
        within(async {
            while self.get("/status").await.is_none() {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// Opens the directory of a killed node, before the node can fetch lost blocks from a peer.
    async fn keeps_answered_blocks(&mut self) {
        // The client has seen its last request fail by then.
        let answered = within(self.answered.lock()).await;
        let spec = ChainSpec::builder("hashloom").block_interval(BLOCK_INTERVAL).build().unwrap();
        let store = Redb::open(self.start.data()).unwrap();
        let chain: Blockchain = Blockchain::open(spec, ChainConfig::default(), Box::new(store)).unwrap();
        for Answered { height, hash } in &answered[self.found..] {
            let found = chain.block(hash).unwrap().map(|block| block.height());
            assert_eq!(found, Some(*height), "block {height} {hash} was answered and is lost");
        }
        self.found = answered.len();
        chain.verify(chain.height().saturating_sub(VERIFIED_BLOCKS)..).unwrap();
    }

    /// Requests every block that the node answered with, on its best chain or on a side branch.
    async fn serves_answered_blocks(&self) {
        for Answered { height, hash } in within(self.answered.lock()).await.iter() {
            let block = self.get(&format!("/blocks/{hash}")).await.unwrap();
            assert_eq!((&block["height"], &block["hash"]), (&json!(height), &json!(hash)));
        }
    }

    /// All blocks of the node's best chain.
    async fn blocks(&self) -> Vec<Value> {
        let mut blocks = Vec::new();
        loop {
            let page = self.get(&format!("/blocks?limit=1000&from={}", blocks.len())).await.unwrap();
            let page = page.as_array().unwrap();
            if page.is_empty() {
                return blocks;
            }
            blocks.extend_from_slice(page);
        }
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let (status, body) = request(self.start.http, "GET", path, "").await?;
        assert_eq!(status, 200, "{path}: {body}");
        Some(body)
    }
}
