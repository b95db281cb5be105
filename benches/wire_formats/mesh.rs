//! The propagation of one block through a mesh in which every node is connected to every other.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hashloom::{Message, Node, NodeHandle, ProtocolConfig};
use tokio::task::JoinSet;

use super::forge::spec;
use super::format::Format;
use super::traffic::Traffic;

/// The deadline of every wait.
const DEADLINE: Duration = Duration::from_secs(60);

/// The propagation of blocks in one format.
pub(crate) struct Propagation {
    pub(crate) format: Format,
    pub(crate) nodes: usize,
    /// Canonical bytes of a block.
    pub(crate) raw: usize,
    /// Milliseconds from the first node's new tip to the last node's, block by block.
    pub(crate) millis: Vec<f64>,
    /// Bytes that all nodes read for one block.
    pub(crate) bytes: f64,
    /// The lower bound of the bytes: one body for each node but the first.
    pub(crate) floor: f64,
}

/// Measures the propagation of blocks with these transactions through a mesh of `nodes` nodes, in every
/// format.
pub(crate) async fn measure(
    nodes: usize,
    data: &[String],
    rounds: usize,
    mut tick: impl FnMut(),
) -> Result<Vec<Propagation>> {
    let mut meshes = Vec::new();
    for format in Format::ALL {
        let mesh = Mesh::start(format, nodes).await?;
        let propagation = Propagation { format, nodes, raw: 0, millis: Vec::new(), bytes: 0.0, floor: 0.0 };
        meshes.push((mesh, propagation));
    }
    for _ in 0..rounds {
        for (mesh, propagation) in &mut meshes {
            let before = mesh.traffic.bytes();
            let elapsed = mesh.spread(data).await?;
            propagation.millis.push(elapsed.as_secs_f64() * 1e3);
            mesh.settle().await;
            propagation.bytes += (mesh.traffic.bytes() - before) as f64 / rounds as f64;
        }
        tick();
    }
    let mut measured = Vec::new();
    for (mesh, mut propagation) in meshes {
        let tip = mesh.nodes.first().context("no node")?.tip();
        propagation.raw = tip.digest()?.size;
        let body = propagation.format.encode(&Message::NewBlock(tip))?.as_bytes().len();
        propagation.floor = ((nodes - 1) * body) as f64;
        mesh.stop().await;
        measured.push(propagation);
    }
    Ok(measured)
}

struct Mesh {
    nodes: Vec<NodeHandle>,
    traffic: Traffic,
}

impl Mesh {
    async fn start(format: Format, count: usize) -> Result<Self> {
        let traffic = Traffic::default();
        let mut nodes: Vec<NodeHandle> = Vec::new();
        for _ in 0..count {
            let peers = nodes.iter().filter_map(|node| node.listen_addr().cloned());
            let node = Node::builder(spec()?)
                .transport(traffic.transport(format))
                .listen("ws://127.0.0.1:0".parse()?)
                // All nodes are on one host.
                .protocol(ProtocolConfig::default().with_max_inbound_per_host(count))
                .peers(peers)
                .start()
                .await?;
            nodes.push(node);
        }
        for node in &nodes {
            tokio::time::timeout(DEADLINE, node.wait_for_peers(count - 1)).await??;
        }
        let mesh = Self { nodes, traffic };
        mesh.settle().await;
        Ok(mesh)
    }

    /// Mines a block at the first node, and returns the time from its new tip to that of the last node.
    async fn spread(&self, data: &[String]) -> Result<Duration> {
        let first = self.nodes.first().context("no node")?;
        let height = first.status().height + 1;
        let mut arrivals = JoinSet::new();
        for node in &self.nodes {
            let node = node.clone();
            arrivals.spawn(async move {
                node.wait_for(|chain| chain.height() == height).await?;
                anyhow::Ok(Instant::now())
            });
        }
        first.mine(data.to_vec()).await?;
        let mut times = Vec::new();
        while let Some(arrived) = tokio::time::timeout(DEADLINE, arrivals.join_next()).await? {
            times.push(arrived??);
        }
        let (first, last) = (times.iter().min().context("no node")?, times.iter().max().context("no node")?);
        Ok(last.duration_since(*first))
    }

    /// Waits until no more bytes are read.
    async fn settle(&self) {
        let mut before = None;
        while before != Some(self.traffic.bytes()) {
            before = Some(self.traffic.bytes());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn stop(self) {
        let mut stopping = JoinSet::new();
        for node in self.nodes {
            stopping.spawn(async move { node.shutdown().await });
        }
        stopping.join_all().await;
    }
}
