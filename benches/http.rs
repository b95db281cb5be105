//! Measures the HTTP routes as ratios within one run, compared with a bare axum server that answers with as
//! many bytes.
//!
//! ```sh
//! cargo bench --features http --bench http
//! cargo bench --features http --bench http -- --rounds 101 --turn-ms 300
//! ```
//!
//! Client and servers share one process and its processors, so both figures include the client's own work,
//! which brings a ratio closer to 1. The servers alternate in short turns, and a ratio is the median over the
//! turns. Prints Markdown tables; `docs/benchmarks.md` shows those of one run.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::disallowed_methods, reason = "measures time")]

#[path = "common/turns.rs"]
mod turns;

use core::time::Duration;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use clap::Parser;
use hashloom::http::{HttpConfig, RoutesConfig, routes, serve, serve_node};
use hashloom::{ChainSpec, CompactTarget, Node, NodeHandle, Retarget};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use turns::{median, quartiles};

/// Measures the HTTP routes.
#[derive(Debug, Parser)]
struct Options {
    /// Turns of each server; an odd number has a median.
    #[arg(long, default_value_t = 51)]
    rounds: usize,

    /// How long a turn is, in milliseconds.
    #[arg(long, default_value_t = 200)]
    turn_ms: u64,

    /// Connections that send one request after the other.
    #[arg(long, default_value_t = 64)]
    connections: usize,

    /// Connections that send half a request and no more. Both ends are here: each takes two file descriptors.
    #[arg(long, default_value_t = 2_000)]
    stalled: usize,

    /// Measures only the rows of the first table whose names contain this text.
    #[arg(long, default_value = "")]
    only: String,

    /// Passed by Cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The length of the chain that is read.
const BLOCKS: u64 = 100;

/// The targets as parts of axum's rate: for a read that is written as JSON, for one whose bytes are kept, and for a page of
/// them.
const LEAST_WRITTEN: f64 = 0.8;
const LEAST_KEPT: f64 = 0.9;
const LEAST_PAGE: f64 = 0.6;

/// How much the rate of other clients may fall while connections stall. Above this ratio the difference is
/// noise.
const LEAST_BESIDE_STALLED: f64 = 0.9;

/// The blocks of the log whose first tile is read, which has 256.
#[cfg(all(feature = "evidence", feature = "redb"))]
const TILE_BLOCKS: u64 = 300;

/// The transactions of a block, and the bytes of each.
const TRANSACTIONS: usize = 4;
const TRANSACTION_BYTES: usize = 150;

fn main() -> Result<()> {
    let options = Options::parse();
    let servers = Builder::new_multi_thread().enable_all().build()?;
    let client = Builder::new_current_thread().enable_all().build()?;
    let Served { handle, node, threads, hash } = servers.block_on(node(&options))?;

    println!("{} connections, each with one request after the other:\n", options.connections);
    println!(
        "| | bytes of the answer | axum, a second | `serve_node`, a second | ratio | middle half | `serve`, ratio |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let known = format!("If-None-Match: \"{hash}\"\r\n");
    let mut targets = Vec::new();
    let requests = [
        ("`GET /status`", "/status".to_owned(), "", Some(LEAST_WRITTEN)),
        ("`GET /blocks/{height}`", "/blocks/50".to_owned(), "", Some(LEAST_KEPT)),
        ("`GET /blocks/{hash}`", format!("/blocks/{hash}"), "", None),
        ("`GET /blocks/{hash}` that the client has: 304", format!("/blocks/{hash}"), &known, None),
        ("`GET /blocks?limit=100`", "/blocks?limit=100".to_owned(), "", Some(LEAST_PAGE)),
    ];
    for (name, path, headers, target) in requests {
        if !name.contains(&options.only) {
            continue;
        }
        // With an id of its own, so that all answers have one length: a client reads as many bytes as the first had.
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: bench\r\n{headers}\r\n");
        let (head, body) = client.block_on(answer(node, &request))?;
        let other = servers.block_on(bare(body.clone()))?;
        let compared = [
            Server::new(other, &request.replace(&path, "/")),
            Server::new(node, &request),
            Server::new(threads, &request),
        ];
        ensure!(head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.1 304"), "{head}");
        let ratio = row(name, body.len(), &take_turns(&client, &options, &compared)?);
        if let Some(least) = target {
            let what = format!("{name}: at least {least} of a bare axum server");
            targets.push((what, format!("{ratio:.2}"), ratio >= least));
        }
    }
    if options.only.is_empty() {
        #[cfg(all(feature = "evidence", feature = "redb"))]
        tiles(&options, &servers, &client)?;
        targets.extend(stalled(&options, &client, &handle)?);
    }
    println!("\n### Targets\n\n| target | here | |\n| --- | ---: | ---: |");
    for (target, here, met) in targets {
        println!("| {target} | {here} | {} |", if met { "met" } else { "missed" });
    }
    Ok(())
}

/// A server of one comparison.
struct Server {
    address: SocketAddr,
    request: String,
}

impl Server {
    fn new(address: SocketAddr, request: &str) -> Self {
        Self { address, request: request.to_owned() }
    }
}

/// A node with a chain to read.
struct Served {
    handle: NodeHandle<String>,
    /// The address of its routes under `serve_node`, and under `serve`, which uses a thread for every
    /// request.
    node: SocketAddr,
    threads: SocketAddr,
    /// The hash of one of the node's blocks.
    hash: String,
}

fn spec() -> Result<ChainSpec> {
    let every_second_hash = CompactTarget::from_bits(0x207f_ffff);
    Ok(ChainSpec::builder("bench").easiest_target(every_second_hash).retarget(Retarget::Fixed).build()?)
}

async fn node(options: &Options) -> Result<Served> {
    let node = Node::<String>::builder(spec()?).start().await?;
    for _ in 0..BLOCKS {
        node.mine(vec!["x".repeat(TRANSACTION_BYTES); TRANSACTIONS]).await?;
    }
    let hash = node.block_at(BLOCKS / 2)?.context("no such block")?.hash().to_string();
    let [served, threads] = serve_twice(&node, options).await?;
    Ok(Served { handle: node, node: served, threads, hash })
}

/// The addresses of the routes of a node under `serve_node` and under `serve`. The servers run until the process ends.
async fn serve_twice(node: &NodeHandle<String>, options: &Options) -> Result<[SocketAddr; 2]> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let on_threads = serve(listener, routes(node.clone(), RoutesConfig::default()), config(options))?;
    let addresses = [serve_once(node, options).await?, on_threads.local_addr()];
    core::mem::forget(on_threads);
    Ok(addresses)
}

/// The address of the routes of a node under `serve_node`. The server runs until the process ends.
async fn serve_once(node: &NodeHandle<String>, options: &Options) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = serve_node(listener, node.clone(), RoutesConfig::default(), config(options))?;
    let address = server.local_addr();
    core::mem::forget(server);
    Ok(address)
}

fn config(options: &Options) -> HttpConfig {
    let places = options.connections + options.stalled + 64;
    HttpConfig::default()
        .with_max_connections(places)
        .with_max_connections_per_address(places)
        // A connection is idle during the turns of other servers, and a stalled one until the end.
        .with_head_timeout(Duration::from_secs(3600))
}

/// An axum server whose only answer is these bytes.
async fn bare(body: Vec<u8>) -> io::Result<SocketAddr> {
    let body = axum::body::Bytes::from(body);
    let answer = move || async move { ([(CONTENT_TYPE, "application/json")], body) };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/", get(answer))).await });
    Ok(address)
}

/// Compares a tile of a log with the same bytes in a file, which the other server reads for each request.
#[cfg(all(feature = "evidence", feature = "redb"))]
fn tiles(options: &Options, servers: &Runtime, client: &Runtime) -> Result<()> {
    use hashloom::evidence::{LogSigner, NoteSigner};
    use hashloom::store::Redb;

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tile");
    let [node, threads, other] = servers.block_on(async {
        let signer = LogSigner::new(NoteSigner::from_seed("log.example/bench", &[1; 32])?);
        let node = Node::<String>::builder(spec()?).store(Redb::open(folder.path())?).signer(signer);
        let node = node.start().await?;
        for _ in 0..TILE_BLOCKS {
            node.mine(Vec::new()).await?;
        }
        node.sign_checkpoint().await?;
        let [served, on_threads] = serve_twice(&node, options).await?;
        let path = file.clone();
        let answer = move || {
            let path = path.clone();
            async move {
                let body = tokio::fs::read(path).await.unwrap_or_default();
                ([(CONTENT_TYPE, "application/octet-stream")], body)
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let files = listener.local_addr()?;
        let router = axum::Router::new().route("/", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        anyhow::Ok([served, on_threads, files])
    })?;
    println!("\nA tile of the log, beside a server that reads it from a file:\n");
    println!(
        "| | bytes of the answer | files, a second | `serve_node`, a second | ratio | middle half | `serve`, ratio |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (name, path) in [
        ("`GET /log/tile/0/000`", "/log/tile/0/000"),
        ("`GET /log/tile/entries/000`", "/log/tile/entries/000"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (head, body) = client.block_on(answer(node, &request))?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
        fs::write(&file, &body)?;
        let compared = [
            Server::new(other, &request.replace(path, "/")),
            Server::new(node, &request),
            Server::new(threads, &request),
        ];
        row(name, body.len(), &take_turns(client, options, &compared)?);
    }
    Ok(())
}

/// The requests per second of each server, turn by turn.
fn take_turns<const N: usize>(
    client: &Runtime,
    options: &Options,
    servers: &[Server; N],
) -> Result<[Vec<f64>; N]> {
    let turn = Duration::from_millis(options.turn_ms);
    let mut rates = [const { Vec::new() }; N];
    client.block_on(async {
        let mut connected = Vec::new();
        for server in servers {
            let (head, body) = answer(server.address, &server.request).await?;
            let mut connections = Vec::new();
            for _ in 0..options.connections {
                connections.push(TcpStream::connect(server.address).await?);
            }
            connected.push((connections, head.len() + body.len()));
        }
        // The first turn is a warm-up.
        for round in 0..=options.rounds {
            for ((server, (connections, bytes)), rates) in servers.iter().zip(&mut connected).zip(&mut rates)
            {
                let rate =
                    ask(core::mem::take(connections), connections, &server.request, *bytes, turn).await?;
                if round > 0 {
                    rates.push(rate);
                }
            }
        }
        Ok(rates)
    })
}

/// The requests per second over these connections, which are returned for the next turn.
async fn ask(
    connections: Vec<TcpStream>,
    returned: &mut Vec<TcpStream>,
    request: &str,
    bytes: usize,
    turn: Duration,
) -> Result<f64> {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for mut stream in connections {
        let request = request.to_owned();
        tasks.spawn(async move {
            let mut answer = vec![0; bytes];
            let mut answers = 0_u64;
            while start.elapsed() < turn {
                stream.write_all(request.as_bytes()).await?;
                stream.read_exact(&mut answer).await?;
                answers += 1;
            }
            io::Result::Ok((stream, answers))
        });
    }
    let mut answers = 0;
    while let Some(task) = tasks.join_next().await {
        let (stream, count) = task??;
        returned.push(stream);
        answers += count;
    }
    Ok(answers as f64 / start.elapsed().as_secs_f64())
}

/// Head and body of one answer, on a connection of its own.
async fn answer(address: SocketAddr, request: &str) -> Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok((head, body))
}

/// The quartiles of the ratios of two servers, each of two turns of one round.
fn ratios(rates: &[f64], base: &[f64]) -> [f64; 3] {
    quartiles(rates.iter().zip(base).map(|(rate, base)| rate / base))
}

/// Prints a row. The first rates are the base, and [`ratios`] compares the others with them. Returns the
/// median ratio of the second rates.
fn row(name: &str, bytes: usize, [base, rates, on_threads]: &[Vec<f64>; 3]) -> f64 {
    let ([low, middle, high], [_, threads, _]) = (ratios(rates, base), ratios(on_threads, base));
    let [base, rate] = [base, rates].map(|rates| median(rates.iter().copied()));
    println!(
        "| {name} | {bytes} | {base:.0} | {rate:.0} | {middle:.2} | {low:.2} to {high:.2} | {threads:.2} |"
    );
    middle
}

/// Measures what connections that send half a request cost other clients: two servers of one node take turns, and one
/// of them has these connections. Each server has a runtime of its own, so that nothing but the machine is shared.
/// Returns two lines for the table of targets.
fn stalled(
    options: &Options,
    client: &Runtime,
    node: &NodeHandle<String>,
) -> Result<[(String, String, bool); 2]> {
    let [alone, beside] = [(); 2].map(|()| Builder::new_multi_thread().enable_all().build());
    let (alone, beside) = (alone?, beside?);
    let without = alone.block_on(serve_once(node, options))?;
    let with = beside.block_on(serve_once(node, options))?;
    let threads_before = threads();
    let held = client.block_on(async {
        let mut held = Vec::new();
        for _ in 0..options.stalled {
            let mut stream = TcpStream::connect(with).await?;
            stream.write_all(b"GET /status HTTP/1.1\r\nHost:").await?;
            held.push(stream);
        }
        io::Result::Ok(held)
    })?;
    let request = "GET /status HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: bench\r\n\r\n";
    let compared = [without, with].map(|address| Server::new(address, request));
    let [without, with] = take_turns(client, options, &compared)?;
    let threads_after = threads();
    let shown =
        |threads: Option<u64>| threads.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    println!("\n`GET /status` beside {} connections that stall in the middle of a request:\n", held.len());
    println!("| | a second | ratio | middle half | threads |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let [low, ratio, high] = ratios(&with, &without);
    let [before, after] = [without, with].map(|rates| median(rates.into_iter()));
    println!("| without | {before:.0} | | | {} |", shown(threads_before));
    println!("| with | {after:.0} | {ratio:.2} | {low:.2} to {high:.2} | {} |", shown(threads_after));
    let count = held.len();
    Ok([
        (
            format!("{count} stalled connections: at least {LEAST_BESIDE_STALLED} of the requests a second"),
            format!("{ratio:.2}"),
            ratio >= LEAST_BESIDE_STALLED,
        ),
        (
            format!("{count} stalled connections: no more threads"),
            format!("{} and {}", shown(threads_before), shown(threads_after)),
            threads_before >= threads_after,
        ),
    ])
}

/// The number of threads of this process, if the system reports it.
fn threads() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok())
}
