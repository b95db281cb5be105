//! A double spend on both sides of a cut network, and how exactly one of the two payments survives.
//!
//! ```sh
//! cargo run --example coin_cluster --features ledger,test-utils
//! ```
//!
//! Three nodes in one process keep a ledger, and there are two wallets: Ann's and Bob's. While node C is cut off, Ann pays
//! Bob at node A, and with the same sequence number and the same units herself at node C. Both payments are mined. When the
//! cut heals, the branch with more work wins, and the payment on the other one is refused by the rule `sequence_used`.
//! Exits with 1 if a check fails. Every wait has a deadline. `RUST_LOG=info` shows the log of the nodes.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use hashloom::ledger::{AddressPrefix, Ledger, LedgerParameters, SignedTransfer, Transfer};
use hashloom::mempool::{MempoolError, RemovalReason};
use hashloom::node::Events;
use hashloom::signed::{SecretKey, Signed};
use hashloom::testing::Switch;
use hashloom::transport::Memory;
use hashloom::{Address, ChainSpec, Event, Hash, Node, NodeHandle, Retarget};

/// What Ann has at the beginning, in units.
const OPENING: u64 = 100;
/// What she spends twice.
const AMOUNT: u64 = 90;
const FEE: u64 = 1;
/// What the miner of a block is paid.
const REWARD: u64 = 50;

/// The deadline of every wait.
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let prefix = AddressPrefix::new("coin")?;
    let (ann, bob) = (Wallet::new(1), Wallet::new(2));
    let mut cluster = Cluster::start(&ann).await?;
    let [a, _, c] = [0, 1, 2];
    println!("Ann is {}", prefix.encode(&ann.address()));
    println!("Bob is {}", prefix.encode(&bob.address()));
    println!("\nAll nodes agree: Ann has {OPENING} units, and Bob has none.");
    cluster.mine(a).await?;
    cluster.agree(&[0, 1, 2]).await?;
    cluster.print(&ann, &bob);

    println!("\nC is cut off. Ann pays Bob {AMOUNT} units at A. At C she pays them to herself.");
    cluster.members[c].switch.cut();
    let to_bob = ann.pay(&cluster.members[a].node, bob.address())?;
    let to_herself = ann.pay(&cluster.members[c].node, ann.address())?;
    ensure!(to_bob.sequence() == to_herself.sequence(), "the two payments have different numbers");
    let payment = cluster.submit(a, to_bob.clone()).await?;
    let double = cluster.submit(c, to_herself).await?;
    cluster.mine(a).await?;
    cluster.agree(&[0, 1]).await?;
    cluster.mine(c).await?;
    cluster.print(&ann, &bob);
    ensure!(cluster.depth(a, &payment)? == Some(1), "the payment to Bob is not in A's tip");
    ensure!(cluster.depth(c, &double)? == Some(1), "the second payment is not in C's tip");
    println!("Both sides have mined a payment with Ann's number {}.", to_bob.sequence());
    let refused = cluster.members[c].node.submit(to_bob.clone()).await;
    let refused = refused.err().context("C accepts the payment to Bob, too")?;
    println!("To neither side can the other payment be added: {refused}");

    println!("\nA and B mine one more block, and the cut heals. C reorganises to the branch with more work.");
    cluster.mine(a).await?;
    cluster.members[c].switch.heal();
    cluster.agree(&[0, 1, 2]).await?;
    cluster.print(&ann, &bob);
    let rule = cluster.why_removed(c, &double).await?;
    ensure!(rule == "sequence_used", "C dropped the second payment by the rule {rule}");
    println!("C has dropped Ann's payment to herself by the rule {rule}.");

    cluster.check(&payment, &double, &bob)?;
    println!("\nBob has {AMOUNT} units on all three, and one payment of the two is on the chain.");
    println!("He was sure of them when enough blocks were on top, not when he saw the first.");
    for member in cluster.members {
        within("a node to stop", member.node.shutdown()).await?;
    }
    Ok(())
}

/// A secret key, and what its holder does with it.
struct Wallet(SecretKey);

impl Wallet {
    /// The seed is fixed, so that the example has one course. That of a real wallet is from the random source of the
    /// operating system.
    fn new(seed: u8) -> Self {
        Self(SecretKey::from_seed(&[seed; 32]))
    }

    fn address(&self) -> Address {
        self.0.public_key().address()
    }

    /// A payment with the next number at this node.
    fn pay(&self, node: &NodeHandle<SignedTransfer>, to: Address) -> Result<SignedTransfer> {
        let chain = node.chain();
        let sequence = chain.state().next_sequence(&self.0.public_key());
        let transfer = Transfer { to, amount: AMOUNT, fee: FEE };
        Ok(Signed::sign(transfer, sequence, &self.0, chain.genesis().hash())?)
    }
}

struct Member {
    name: char,
    node: NodeHandle<SignedTransfer>,
    switch: Switch<SignedTransfer>,
    /// All events of the node since it started.
    events: Events<SignedTransfer>,
}

struct Cluster {
    members: Vec<Member>,
}

impl Cluster {
    /// Starts three nodes, each of which is connected to the others.
    async fn start(ann: &Wallet) -> Result<Self> {
        let parameters = LedgerParameters::new(REWARD, 1_000)?.with_opening([(ann.address(), OPENING)])?;
        let spec = ChainSpec::builder("coin cluster").genesis_data(parameters.to_genesis_data());
        // At a fixed difficulty three blocks have more work than two, however fast they were found.
        let spec = spec.retarget(Retarget::Fixed).build()?;
        let network = Memory::new();
        let mut members: Vec<Member> = Vec::new();
        for (number, name) in ['A', 'B', 'C'].into_iter().enumerate() {
            let switch = Switch::new(network.clone());
            let node = Node::<SignedTransfer>::builder(spec.clone())
                .transport(switch.clone())
                .listen("memory://".parse()?)
                .peers(members.iter().filter_map(|other| other.node.listen_addr().cloned()))
                // Miners are paid, so each has an account.
                .miner(Wallet::new(10 + u8::try_from(number)?).address())
                .start()
                .await?;
            members.push(Member { name, events: node.subscribe(), node, switch });
        }
        for member in &members {
            within("the peers of a node", member.node.wait_for_peers(2)).await??;
        }
        Ok(Self { members })
    }

    async fn submit(&self, at: usize, transfer: SignedTransfer) -> Result<Hash> {
        Ok(within("a payment", self.members[at].node.submit(transfer)).await??)
    }

    /// Lets one node mine a block of its pending transfers.
    async fn mine(&self, at: usize) -> Result<()> {
        within("a block", self.members[at].node.mine_pending()).await??;
        Ok(())
    }

    /// Waits until these nodes have the tip of the one whose chain has the most work.
    async fn agree(&self, of: &[usize]) -> Result<()> {
        let members = || of.iter().map(|at| &self.members[*at]);
        let best = members().map(|member| member.node.status()).max_by_key(|status| status.work);
        let tip = best.context("there are no nodes")?.tip;
        for Member { name, node, .. } in members() {
            let reached = node.wait_for(|chain| *chain.tip().hash() == tip);
            within(&format!("{name} to have the tip {tip}"), reached).await??;
        }
        Ok(())
    }

    /// The blocks from that of a payment to the tip of a node; `None` if it is in no block of the best chain.
    fn depth(&self, at: usize, id: &Hash) -> Result<Option<u64>> {
        let blocks = self.members[at].node.blocks(..)?;
        let holds = |data: &[SignedTransfer]| -> Result<bool> {
            let ids: Result<Vec<_>, _> = data.iter().map(hashloom::primitives::transaction_id).collect();
            Ok(ids?.contains(id))
        };
        for (block, depth) in blocks.iter().rev().zip(1..) {
            if holds(block.data())? {
                return Ok(Some(depth));
            }
        }
        Ok(None)
    }

    /// The rule of the ledger by which a node has dropped a payment.
    async fn why_removed(&mut self, at: usize, id: &Hash) -> Result<String> {
        let events = &mut self.members[at].events;
        loop {
            let event = within("the end of the second payment", events.recv()).await??;
            let Event::TransactionsRemoved { removed } = event else { continue };
            match removed.iter().find(|(of, _)| of == id) {
                Some((_, RemovalReason::Inapplicable(MempoolError::Rejected(rejected)))) => {
                    return Ok(rejected.rule().to_owned());
                }
                Some((_, reason)) => bail!("it was removed, but: {reason}"),
                None => {}
            }
        }
    }

    fn print(&self, ann: &Wallet, bob: &Wallet) {
        for Member { name, node, .. } in &self.members {
            let chain = node.chain();
            let ledger = chain.state().application();
            let (ann, bob) = (ledger.balance(&ann.address()), ledger.balance(&bob.address()));
            let root = chain.tip().header().state_root.to_string();
            println!(
                "  {name}  height {}  Ann {ann:3}  Bob {bob:3}  state root {}…",
                chain.height(),
                &root[..8]
            );
        }
    }

    /// Checks that all nodes have one state, in which one payment of the two was made and nothing is lost.
    fn check(&self, payment: &Hash, double: &Hash, bob: &Wallet) -> Result<()> {
        let root = self.members[0].node.tip().header().state_root;
        for (at, Member { name, node, .. }) in self.members.iter().enumerate() {
            ensure!(self.depth(at, payment)? == Some(2), "{name} does not have the payment to Bob");
            ensure!(self.depth(at, double)?.is_none(), "{name} has both payments");
            ensure!(node.tip().header().state_root == root, "{name} has another state than A");
            ensure!(node.status().pending == 0, "{name} still has pending payments");
            let state = node.state();
            let ledger: &Ledger = state.application();
            ensure!(ledger.balance(&bob.address()) == AMOUNT, "Bob was not paid once at {name}");
            let sum: u64 = ledger.accounts().iter().map(|(_, units)| *units).sum();
            let expected = OPENING + 3 * REWARD;
            ensure!(sum == expected && ledger.minted() == expected, "{name} has {sum} units, not {expected}");
        }
        Ok(())
    }
}

async fn within<R>(what: &str, future: impl Future<Output = R>) -> Result<R> {
    let outcome = tokio::time::timeout(DEADLINE, future).await;
    outcome.map_err(|_| anyhow!("{what} took longer than {} s", DEADLINE.as_secs()))
}
