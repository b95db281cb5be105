//! Three nodes in one process: they mine together, one is disconnected, both sides continue, the partition
//! heals, and all three agree on one chain.
//!
//! ```sh
//! cargo run --example three_node_cluster --features test-utils -- --wire json
//! ```
//!
//! Draws the fork and its resolution from the events of the nodes, and exits with 1 if a check fails. Every
//! wait has a deadline. `RUST_LOG=info` shows the log of the nodes.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[cfg(not(all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard")))]
use anyhow::bail;
use anyhow::{Context, Result, anyhow, ensure};
use clap::{Parser, ValueEnum};
#[cfg(feature = "ws-bincode")]
use hashloom::WsBincode;
#[cfg(feature = "ws-json")]
use hashloom::WsJson;
#[cfg(feature = "ws-postcard")]
use hashloom::WsPostcard;
use hashloom::node::Events;
use hashloom::testing::Switch;
use hashloom::transport::Memory;
#[cfg(all(feature = "ws-json", feature = "ws-bincode"))]
use hashloom::transport::WsMulti;
#[cfg(all(feature = "ws-json", feature = "ws-bincode"))]
use hashloom::wire::{Bincode, Json};
use hashloom::{Address, Block, ChainSpec, Event, Hash, Node, NodeHandle, Retarget};

/// Three nodes, a fork, and how it resolves.
#[derive(Debug, Parser)]
struct Options {
    /// How the nodes communicate. With `mixed`, A speaks both formats, B JSON and C bincode.
    #[arg(long, value_enum, default_value = "json")]
    wire: Wire,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wire {
    Json,
    Bincode,
    Postcard,
    Mixed,
    Memory,
}

/// The deadline of every wait.
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match run(options.wire).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(wire: Wire) -> Result<()> {
    let mut members = start(wire).await?;

    println!("Each of three nodes mines a block.");
    for name in ['A', 'B', 'C'] {
        mine(&mut members, name).await?;
        agree(&members).await?;
    }
    print_tips(&members);

    println!("\nC is cut off. A and B mine three blocks, C mines two.");
    members[2].switch.cut();
    for name in ['A', 'B', 'A'] {
        mine(&mut members, name).await?;
        agree(&members[..2]).await?;
    }
    for name in ['C', 'C'] {
        mine(&mut members, name).await?;
    }
    print_tips(&members);
    ensure!(members[1].node.tip() != members[2].node.tip(), "the chain has not forked");

    println!("\nThe cut heals. C reorganises to the branch with more work.");
    members[2].switch.heal();
    agree(&members).await?;
    print_tips(&members);

    println!("\nWhat C had mined is pending again and offered to its peers. A mines it.");
    within("C's transactions at A", members[0].node.wait_for_pending(2)).await??;
    within("a block of A", members[0].node.mine_pending()).await??;
    agree(&members).await?;
    print_tips(&members);

    println!();
    draw(&mut members)?;
    check(&members)?;
    println!("\nOne tip, and the same contents on all three.");
    for member in members {
        within("a node to stop", member.node.shutdown()).await?;
    }
    Ok(())
}

/// A node with what the example records about it.
struct Member {
    name: char,
    node: NodeHandle,
    switch: Switch,
    /// All events of the node since it started.
    events: Events,
    /// The labels of the blocks that the node has mined, in order: A1, A2 and so on.
    labels: Vec<String>,
}

/// Starts three nodes and connects each to the others, as far as their wire formats allow.
async fn start(wire: Wire) -> Result<Vec<Member>> {
    // At a fixed difficulty three blocks have more work than two, however fast they were found.
    let spec = ChainSpec::builder("three-nodes").retarget(Retarget::Fixed).build()?;
    let network = Memory::new();
    let any = if wire == Wire::Memory { "memory://" } else { "ws://127.0.0.1:0" };
    let mut members: Vec<Member> = Vec::new();
    for name in ['A', 'B', 'C'] {
        let switch = switch(wire, name, &network)?;
        let understood = members.iter().filter(|other| wire != Wire::Mixed || other.name == 'A');
        let node = Node::builder(spec.clone())
            .transport(switch.clone())
            .listen(any.parse()?)
            .peers(understood.filter_map(|other| other.node.listen_addr().cloned()))
            .miner(address(name))
            .start()
            .await?;
        members.push(Member { name, events: node.subscribe(), node, switch, labels: Vec::new() });
    }
    for Member { name, node, .. } in &members {
        let peers = if wire == Wire::Mixed && *name != 'A' { 1 } else { 2 };
        within("the peers of a node", node.wait_for_peers(peers)).await??;
    }
    Ok(members)
}

/// The transport of the node with this name.
#[cfg_attr(
    all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard"),
    expect(clippy::unnecessary_wraps, reason = "fails if a format is not built in")
)]
fn switch(wire: Wire, name: char, network: &Memory) -> Result<Switch> {
    match (wire, name) {
        (Wire::Memory, _) => Ok(Switch::new(network.clone())),
        #[cfg(all(feature = "ws-json", feature = "ws-bincode"))]
        (Wire::Mixed, 'A') => Ok(Switch::new(WsMulti::new(Json).and(Bincode))),
        #[cfg(all(feature = "ws-json", feature = "ws-bincode"))]
        (Wire::Mixed, 'B') => Ok(Switch::new(WsJson::default())),
        #[cfg(all(feature = "ws-json", feature = "ws-bincode"))]
        (Wire::Mixed, _) => Ok(Switch::new(WsBincode::default())),
        #[cfg(feature = "ws-json")]
        (Wire::Json, _) => Ok(Switch::new(WsJson::default())),
        #[cfg(feature = "ws-bincode")]
        (Wire::Bincode, _) => Ok(Switch::new(WsBincode::default())),
        #[cfg(feature = "ws-postcard")]
        (Wire::Postcard, _) => Ok(Switch::new(WsPostcard::default())),
        #[cfg(not(all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard")))]
        (wire, _) => bail!("not built in: add --features {} or use --wire memory", missing_features(wire)),
    }
}

/// The features that a wire option needs and this build lacks, separated as Cargo expects them.
#[cfg(not(all(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard")))]
fn missing_features(wire: Wire) -> String {
    let json = ("ws-json", cfg!(feature = "ws-json"));
    let bincode = ("ws-bincode", cfg!(feature = "ws-bincode"));
    let postcard = ("ws-postcard", cfg!(feature = "ws-postcard"));
    let needed = match wire {
        Wire::Json => vec![json],
        Wire::Bincode => vec![bincode],
        Wire::Postcard => vec![postcard],
        Wire::Mixed => vec![json, bincode],
        Wire::Memory => vec![],
    };
    let missing: Vec<_> =
        needed.into_iter().filter_map(|(name, is_built_in)| (!is_built_in).then_some(name)).collect();
    missing.join(",")
}

/// The miner address in the blocks of the node with this name.
fn address(name: char) -> Address {
    let mut bytes = [0; Address::LEN];
    name.encode_utf8(&mut bytes);
    Address::from_bytes(bytes)
}

/// Lets one node mine a block with a transaction that names the node and numbers the block.
async fn mine(members: &mut [Member], name: char) -> Result<()> {
    let member = members.iter_mut().find(|member| member.name == name).context("no member has that name")?;
    let label = format!("{name}{}", member.labels.len() + 1);
    member.labels.push(label.clone());
    within("a block", member.node.mine(vec![label])).await??;
    Ok(())
}

/// Waits until all nodes have the tip of the node whose chain has the most work.
async fn agree(members: &[Member]) -> Result<()> {
    let best = members.iter().map(|member| member.node.status()).max_by_key(|status| status.work);
    let tip = best.context("there are no nodes")?.tip;
    for Member { name, node, .. } in members {
        within(&format!("{name} to have the tip {tip}"), node.wait_for(|chain| *chain.tip().hash() == tip))
            .await??;
    }
    Ok(())
}

async fn within<R>(what: &str, future: impl Future<Output = R>) -> Result<R> {
    let outcome = tokio::time::timeout(DEADLINE, future).await;
    outcome.map_err(|_| anyhow!("{what} took longer than {} s", DEADLINE.as_secs()))
}

fn print_tips(members: &[Member]) {
    for Member { name, node, .. } in members {
        let status = node.status();
        println!(
            "  {name}  height {:2}  tip {}  pending {}",
            status.height,
            short(&status.tip),
            status.pending
        );
    }
}

/// Draws every block that was ever on the best chain of a node.
fn draw(members: &mut [Member]) -> Result<()> {
    let mut blocks: BTreeMap<u64, BTreeMap<Hash, Arc<Block>>> = BTreeMap::new();
    let mut notes = Vec::new();
    for Member { name, events, .. } in members.iter_mut() {
        let mut disconnected = 0;
        while let Some(event) = events.try_recv()? {
            match event {
                Event::BlockConnected { block, .. } => {
                    blocks.entry(block.height()).or_default().insert(*block.hash(), block);
                }
                Event::BlockDisconnected(_) => disconnected += 1,
                _ => {}
            }
        }
        if disconnected > 0 {
            notes.push(format!("{name} disconnected {disconnected} blocks"));
        }
    }
    let chain = members[0].node.chain();
    let describe = |block: &Block| {
        let miner = members.iter().find(|member| address(member.name) == block.header().miner);
        let name = miner.map_or('?', |member| member.name);
        format!("{} by {name}: {}", short(block.hash()), block.data().join(", "))
    };
    println!("height");
    println!("{:6}  ● {} genesis", 0, short(chain.genesis().hash()));
    let mut is_forked = false;
    for (height, blocks) in &blocks {
        let best = chain.header_at(*height)?.map(|header| header.hash());
        let (best, others): (Vec<_>, Vec<_>) = blocks.values().partition(|block| Some(*block.hash()) == best);
        let best = best.first().map_or_else(String::new, |block| describe(block));
        let others: Vec<_> = others.into_iter().map(|block| format!("○ {}", describe(block))).collect();
        if !others.is_empty() && !is_forked {
            println!("        ├{}╮", "─".repeat(27));
        }
        is_forked = !others.is_empty();
        println!("{}", format!("{height:6}  ● {best:25} {}", others.join("  ")).trim_end());
    }
    println!("        ● best chain   ○ left: {}", notes.join(", "));
    Ok(())
}

/// Checks that all nodes have one chain, with every transaction that any node mined exactly once.
fn check(members: &[Member]) -> Result<()> {
    let blocks = members[0].node.blocks(..)?;
    for Member { name, node, .. } in members {
        ensure!(node.blocks(..)? == blocks, "{name} has other blocks than A");
        ensure!(node.status().pending == 0, "{name} still has pending transactions");
    }
    let mut mined: Vec<&String> = blocks.iter().flat_map(|block| block.data()).collect();
    let mut labels: Vec<&String> = members.iter().flat_map(|member| &member.labels).collect();
    mined.sort();
    labels.sort();
    ensure!(mined == labels, "the chain holds {mined:?}, but {labels:?} was mined");
    Ok(())
}

/// Enough of a hash to tell blocks apart. The first four digits are zeros.
fn short(hash: &Hash) -> String {
    hash.to_string().chars().take(10).collect()
}
