//! An application on three nodes: an inventory with a rule and an opening stock, stored on disk, served over
//! HTTP with the application's own routes, checked by an auditor, and shut down in order.
//!
//! ```sh
//! cargo run --example inventory --features http
//! ```
//!
//! Books goods over HTTP at each of three nodes. A booking of goods that are not in stock is refused. An
//! auditor who has only the spec checks one booking. Then all nodes are shut down, one is restarted from its
//! directory, and nothing is lost. Exits with 1 if anything is not as expected.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use hashloom::consensus::HeaderChain;
use hashloom::http::rouille::{Request, Response};
use hashloom::http::{self, HttpConfig, HttpServer, RoutesConfig};
use hashloom::node::ChainRef;
use hashloom::primitives::merkle::InclusionProof;
use hashloom::primitives::transaction_id;
use hashloom::store::Redb;
use hashloom::{
    ChainSpec, Context, Header, Node, NodeHandle, PeerAddr, Rejected, Timestamp, Transaction, WsJson,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Goods that come in, or go out if `change` is negative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Booking {
    /// The number of the delivery note, which distinguishes two deliveries of equal goods.
    note: u64,
    item: String,
    change: i64,
}

impl Transaction for Booking {
    /// What is in stock.
    type State = BTreeMap<String, i64>;

    fn apply(&self, stock: &mut Self::State, _: &Context<'_>) -> Result<(), Rejected> {
        let before = stock.get(&self.item).copied().unwrap_or(0);
        let Some(after) = before.checked_add(self.change).filter(|after| *after >= 0) else {
            let detail = format!("{before} {} in stock, a change of {} is booked", self.item, self.change);
            return Err(Rejected::new("stock", detail));
        };
        stock.insert(self.item.clone(), after);
        Ok(())
    }

    /// The opening stock, which the spec carries as JSON.
    fn genesis_state(data: &[u8]) -> Result<Self::State, Rejected> {
        serde_json::from_slice(data).map_err(|error| Rejected::new("opening_stock", error.to_string()))
    }
}

/// What an auditor needs to check that a booking is on the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Evidence {
    booking: Booking,
    /// The height of its block.
    height: u64,
    /// The path from the id of the booking to the `merkle_root` of its block.
    proof: InclusionProof,
    /// All headers after the genesis block, which the auditor derives from the spec.
    headers: Vec<Header>,
}

/// The time limit of a request, and of the delivery of a block to the other nodes.
const DEADLINE: Duration = Duration::from_secs(60);

/// A node with its HTTP server.
struct Site {
    node: NodeHandle<Booking>,
    server: HttpServer,
}

#[tokio::main]
async fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let of_site = |number: usize| directory.path().join(number.to_string());

    let first = Site::start(&of_site(0), None).await?;
    let hub = first.node.listen_addr().cloned();
    let mut sites = vec![first];
    for number in 1..3 {
        sites.push(Site::start(&of_site(number), hub.clone()).await?);
    }
    for site in &sites {
        site.node.wait_for_peers_timeout(1, DEADLINE).await?;
    }

    let bookings = [(1, "bolts", 100), (2, "nuts", 80), (3, "bolts", -30)];
    for (site, (note, item, change)) in sites.iter().zip(bookings) {
        let (status, block) = site.book(Booking { note, item: item.to_owned(), change }).await?;
        ensure!(status == 201, "note {note} was not booked: {block}");
        println!("note {note} is in block {}", block["height"]);
        for site in &sites {
            site.node.wait_for_timeout(|chain| chain.height() == note, DEADLINE).await?;
        }
    }
    let (status, error) = sites[2].book(Booking { note: 4, item: "nuts".to_owned(), change: -81 }).await?;
    ensure!(status == 422, "more goes out than is in stock: {error}");
    println!("note 4 is refused: {}", error["error"]["message"]);
    let expected = json!({ "bolts": 70, "nuts": 80, "washers": 40 });
    for site in &sites {
        let (_, stock) = site.get("/stock").await?;
        ensure!(stock == expected, "the stock is {stock}");
    }

    check_audit(&sites).await?;

    for site in sites {
        site.stop().await;
    }
    let again = Site::start(&of_site(1), None).await?;
    let (_, stock) = again.get("/stock").await?;
    ensure!(stock == expected, "after the restart the stock is {stock}");
    ensure!(again.node.chain().height() == 3, "after the restart blocks are missing");
    println!("after a restart the stock is {stock}");
    again.stop().await;
    Ok(())
}

/// The rules that all nodes and auditors agree on, with the opening stock. Blocks are mined when something is
/// booked, so the difficulty does not change. Any peer can therefore mine a longer chain at low cost, which
/// is why old blocks are final.
fn spec() -> Result<ChainSpec> {
    let opening_stock = json!({ "washers": 40 }).to_string();
    Ok(ChainSpec::on_demand("inventory").genesis_data(opening_stock).finality_depth(Some(100)).build()?)
}

impl Site {
    async fn start(directory: &Path, peer: Option<PeerAddr>) -> Result<Self> {
        let node = Node::<Booking>::builder(spec()?)
            .store(Redb::open(directory)?)
            .transport(WsJson::default())
            .listen("ws://127.0.0.1:0".parse()?)
            .peers(peer)
            .start()
            .await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = http::serve(listener, routes(node.clone()), HttpConfig::default())?;
        Ok(Self { node, server })
    }

    async fn book(&self, booking: Booking) -> Result<(u16, Value)> {
        let body = json!({ "data": booking }).to_string();
        request(self.server.local_addr(), "POST", "/mine", &body).await
    }

    async fn get(&self, path: &str) -> Result<(u16, Value)> {
        request(self.server.local_addr(), "GET", path, "").await
    }

    /// Stops the server before the node, so that no request meets a node that has stopped. The port and the
    /// store are free afterwards.
    async fn stop(self) {
        self.server.shutdown().await;
        self.node.shutdown().await;
    }
}

/// The application's own routes, and those of the node for everything else.
fn routes(node: NodeHandle<Booking>) -> impl Fn(&Request) -> Response + Send + Sync + 'static {
    let of_node = http::routes(node.clone(), RoutesConfig::default());
    move |request| {
        let path = request.url();
        match (request.method(), path.strip_prefix("/evidence/")) {
            ("GET", None) if path == "/stock" => Response::json(&node.state()),
            ("GET", Some(number)) => {
                let Ok(number) = number.parse() else { return Response::empty_400() };
                match evidence(&node.chain(), number) {
                    Ok(Some(evidence)) => Response::json(&evidence),
                    Ok(None) => Response::empty_404(),
                    Err(error) => Response::text(error.to_string()).with_status_code(500),
                }
            }
            _ => of_node(request),
        }
    }
}

/// The evidence for a note. Reads the whole chain: a larger application keeps the heights of its notes in the
/// state.
fn evidence(chain: &ChainRef<'_, Booking>, note: u64) -> Result<Option<Evidence>> {
    for block in chain.blocks(1..) {
        let block = block?;
        let Some(index) = block.data().iter().position(|booking| booking.note == note) else { continue };
        let proof = chain.transaction_proof(block.hash(), index)?.context("the block is pruned")?;
        let headers = chain.blocks(1..).map(|block| Ok(*block?.header())).collect::<Result<_>>()?;
        let booking = block.data()[index].clone();
        return Ok(Some(Evidence { booking, height: block.height(), proof, headers }));
    }
    Ok(None)
}

/// Requests evidence from every node, because proof of work at the easiest target does not prove which chain
/// is the right one, and checks that forged evidence is refused.
async fn check_audit(sites: &[Site]) -> Result<()> {
    let now = by_the_clock()?;
    let (_, asked) = sites[0].get("/evidence/2").await?;
    for site in sites {
        let (status, evidence) = site.get("/evidence/2").await?;
        ensure!(status == 200 && evidence == asked, "the nodes have different chains");
    }
    let evidence: Evidence = serde_json::from_value(asked)?;
    ensure!(evidence.booking.note == 2, "the evidence is for another note");
    audit(&evidence, now)?;

    let mut changed = evidence.clone();
    changed.booking.change = 800;
    ensure!(audit(&changed, now).is_err(), "a changed booking passes the audit");
    let mut removed = evidence.clone();
    removed.headers.remove(0);
    ensure!(audit(&removed, now).is_err(), "a chain without its first block passes the audit");
    let mut unmined = evidence.clone();
    if let Some(last) = unmined.headers.last_mut() {
        last.nonce ^= 1;
    }
    ensure!(audit(&unmined, now).is_err(), "a header without proof of work passes the audit");
    println!("an auditor checked note 2 with {} headers", evidence.headers.len());
    Ok(())
}

/// What an auditor checks with the spec alone, without a node or blocks.
fn audit(evidence: &Evidence, now: Timestamp) -> Result<()> {
    let mut chain = HeaderChain::new::<Booking>(spec()?)?;
    let mut root = None;
    for header in &evidence.headers {
        chain.push(header, now)?;
        if header.height == evidence.height {
            root = Some(header.merkle_root);
        }
    }
    let root = root.context("the header of the block is missing")?;
    evidence.proof.verify(&transaction_id(&evidence.booking)?, &root)?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the library takes the time as an argument, and this program reads the clock"
)]
fn by_the_clock() -> Result<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Timestamp::from_millis(since.as_millis().try_into()?))
}

/// One HTTP request. Returns the status and the body.
async fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> Result<(u16, Value)> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer = tokio::time::timeout(DEADLINE, exchange).await.context("no answer in time")??;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
    let status = head.split(' ').nth(1).context("the answer has no status")?.parse()?;
    Ok((status, serde_json::from_str(body).with_context(|| format!("the answer is not JSON: {body}"))?))
}
