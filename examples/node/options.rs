//! The flags and the environment of the node, and what they say in terms of the library.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use hashloom::transport::WsMulti;
#[cfg(feature = "ws-bincode")]
use hashloom::wire::Bincode;
#[cfg(feature = "ws-json")]
use hashloom::wire::Json;
#[cfg(feature = "ws-postcard")]
use hashloom::wire::Postcard;
use hashloom::{Address, ChainConfig, ChainSpec, PeerAddr, WireFormat};

use crate::place::Place;
use crate::security::Security;

/// A node that keeps a proof-of-work chain with its peers, mines, and serves HTTP.
///
/// Every option is also read from the environment; a flag comes first.
#[derive(Debug, Parser)]
#[command(name = "node", version, after_help = EXAMPLE, max_term_width = 100)]
pub(crate) struct Options {
    /// Port of the HTTP interface; 0 for any that is free.
    #[arg(long, env, value_name = "PORT", default_value_t = 3001, help_heading = "HTTP")]
    http_port: u16,

    /// IP address of the HTTP interface. It asks nobody for a password.
    #[arg(long, env, value_name = "IP", default_value = "127.0.0.1", help_heading = "HTTP")]
    http_bind: IpAddr,

    /// Names by which the HTTP interface may be called, besides IP addresses and localhost.
    #[arg(long, env, value_name = "NAME", value_delimiter = ',', help_heading = "HTTP")]
    pub(crate) allow_host: Vec<String>,

    /// Port for peers; 0 for any that is free.
    #[arg(long, env, value_name = "PORT", default_value_t = 5001, global = true, help_heading = "Peers")]
    p2p_port: u16,

    /// IP address for peers.
    #[arg(long, env, value_name = "IP", default_value = "127.0.0.1", help_heading = "Peers")]
    p2p_bind: IpAddr,

    /// Nodes to keep a connection to, separated by commas, such as `ws://localhost:5001`, or wss:// with TLS.
    #[arg(long, env, value_name = "URL", value_parser = peers, help_heading = "Peers")]
    peers: Vec<Peers>,

    /// Find more peers than these by asking them, and help others to find theirs.
    #[arg(long, env, value_parser = BoolishValueParser::new(), help_heading = "Peers")]
    pub(crate) discovery: bool,

    /// Format to ask peers for, json or bincode; every one that is built in is understood.
    #[arg(long, env, value_parser = wire, default_value = Wire::BUILT_IN, help_heading = "Peers")]
    wire: Wire,

    #[command(flatten)]
    security: Security,

    /// Mine all the time, not only on request.
    #[arg(long, env, value_parser = BoolishValueParser::new(), help_heading = "Mining")]
    pub(crate) mine: bool,

    /// Threads that mine.
    #[arg(long, env, value_name = "COUNT", value_parser = threads, default_value = "1", help_heading = "Mining")]
    pub(crate) mining_threads: NonZeroUsize,

    /// Who is named as the miner of this node's blocks: 20 bytes in hex.
    #[arg(long, env, value_name = "HEX", default_value_t = Address::ZERO, hide_default_value = true,
          help_heading = "Mining")]
    pub(crate) miner: Address,

    /// Name of the chain; peers must have the same.
    #[arg(long, env, value_name = "NAME", default_value = "hashloom", global = true, help_heading = "Chain")]
    pub(crate) chain: String,

    /// Time between blocks that the difficulty aims at, such as 10s or 500ms; peers must have the same.
    #[arg(long, env, value_name = "TIME", value_parser = duration, default_value = "10s", global = true,
          help_heading = "Chain")]
    block_interval: Duration,

    /// Directory in which the chain is kept; one node at a time uses it. Default: `hashloom-data/<P2P_PORT>`.
    #[arg(long, env, value_name = "DIR", global = true, help_heading = "Chain")]
    data_dir: Option<PathBuf>,

    /// Keep the chain in memory only, whatever `DATA_DIR` says.
    #[arg(long, env, value_parser = BoolishValueParser::new(), help_heading = "Chain")]
    ephemeral: bool,

    /// Keep the contents of this many blocks at the end of the chain, and of older ones the headers only.
    #[arg(long, env, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..), global = true,
          help_heading = "Chain")]
    keep_bodies: Option<u64>,

    /// What to do with the kept chain instead of running a node.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Work on the chain in the data directory, while no node runs there.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Check every rule again, and name the first block that breaks one.
    Verify(Heights),
    /// Write the blocks into a file.
    Export {
        /// The file; it appears when it is complete.
        file: PathBuf,
        /// Replace the file where there is one already.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        heights: Heights,
    },
    /// Take in the blocks of a file, each checked like a stranger's.
    Import {
        /// A file that `export` wrote.
        file: PathBuf,
    },
    /// Check every rule again, and drop what is damaged and all that stands on it.
    Repair,
}

/// Blocks of the chain.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Heights {
    /// The lowest height.
    #[arg(long, value_name = "HEIGHT")]
    from: Option<u64>,
    /// The highest height.
    #[arg(long, value_name = "HEIGHT")]
    to: Option<u64>,
}

impl Heights {
    /// The heights in a chain of this height, where `lowest` is meant unless another is named.
    pub(crate) fn in_chain(self, height: u64, lowest: u64) -> Result<RangeInclusive<u64>> {
        let (from, to) = (self.from.unwrap_or(lowest.min(height)), self.to.unwrap_or(height));
        ensure!(from <= height && to <= height, "the chain ends at height {height}");
        ensure!(from <= to, "--from {from} is above --to {to}");
        Ok(from..=to)
    }
}

const EXAMPLE: &str = "\
Two nodes, and a block that the first mines and the second shows:
  node
  HTTP_PORT=3002 P2P_PORT=5002 PEERS=ws://localhost:5001 node
  curl -X POST localhost:3001/mine -H 'content-type: application/json' -d '{\"data\": \"hello\"}'
  curl localhost:3002/blocks

The first node's chain into a file, while the node is stopped, and checked:
  node export blocks.archive
  node verify

RUST_LOG says what is logged, such as RUST_LOG=hashloom=debug.";

/// Reads the command line and the environment. Where there is nothing to run, says why, a mistake in one line,
/// and returns the exit code.
pub(crate) fn read() -> Result<Options, ExitCode> {
    Options::try_parse().map_err(|error| {
        if !error.use_stderr() {
            // Nobody reads the help: not worth more words.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        let text = error.to_string();
        // The blocks of clap's message are separated by empty lines; the last ones are about usage.
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let message: Vec<_> = lines.take_while(|line| !is_about_usage(line)).collect();
        eprintln!("{}; --help shows all options", message.join(", "));
        ExitCode::from(2)
    })
}

fn is_about_usage(line: &str) -> bool {
    line.starts_with("Usage:") || line.starts_with("For more information")
}

impl Options {
    pub(crate) fn http_address(&self) -> SocketAddr {
        SocketAddr::new(self.http_bind, self.http_port)
    }

    pub(crate) fn p2p_address(&self) -> Result<PeerAddr> {
        let (scheme, address) = (self.security.scheme(), SocketAddr::new(self.p2p_bind, self.p2p_port));
        Ok(format!("{scheme}://{address}").parse()?)
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerAddr> {
        self.peers.iter().flat_map(|peers| &peers.0).cloned()
    }

    pub(crate) fn spec(&self) -> Result<ChainSpec> {
        let spec = ChainSpec::builder(&self.chain).block_interval(self.block_interval).build();
        spec.context("CHAIN and BLOCK_INTERVAL make no chain")
    }

    pub(crate) fn chain_config(&self) -> ChainConfig {
        ChainConfig::default().with_keep_bodies(self.keep_bodies)
    }

    /// Where the chain is kept.
    pub(crate) fn place(&self) -> Place {
        match &self.data_dir {
            _ if self.ephemeral => Place::Memory,
            Some(directory) => Place::Directory(directory.clone()),
            // A build that cannot keep a chain still makes a node.
            None if !cfg!(feature = "redb") => Place::Memory,
            None => Place::Directory(PathBuf::from(format!("hashloom-data/{}", self.p2p_port))),
        }
    }

    /// All formats that are built in, the wanted one first, with TLS where that is asked for.
    pub(crate) fn transport(&self) -> Result<WsMulti> {
        let others = Wire::value_variants().iter().copied().filter(|wire| *wire != self.wire);
        let transport = others.fold(self.wire.add_to(None), |transport, wire| wire.add_to(Some(transport)));
        self.security.secure(transport)
    }
}

/// A wire format that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wire {
    #[cfg(feature = "ws-json")]
    Json,
    #[cfg(feature = "ws-bincode")]
    Bincode,
    #[cfg(feature = "ws-postcard")]
    Postcard,
}

impl Wire {
    const BUILT_IN: &str = if cfg!(feature = "ws-json") {
        "json"
    } else if cfg!(feature = "ws-bincode") {
        "bincode"
    } else {
        "postcard"
    };

    fn add_to(self, transport: Option<WsMulti>) -> WsMulti {
        match self {
            #[cfg(feature = "ws-json")]
            Self::Json => with(transport, Json),
            #[cfg(feature = "ws-bincode")]
            Self::Bincode => with(transport, Bincode),
            #[cfg(feature = "ws-postcard")]
            Self::Postcard => with(transport, Postcard),
        }
    }
}

fn with(transport: Option<WsMulti>, format: impl WireFormat) -> WsMulti {
    match transport {
        Some(transport) => transport.and(format),
        None => WsMulti::new(format),
    }
}

fn wire(text: &str) -> Result<Wire, String> {
    Wire::from_str(text, false).map_err(|_| match text {
        "json" | "bincode" | "postcard" => format!("not built in: add it with --features http,ws-{text}"),
        _ => "expected json, bincode or postcard".to_owned(),
    })
}

/// The addresses of one `PEERS`.
#[derive(Clone, Debug)]
struct Peers(Vec<PeerAddr>);

/// None in an empty text, which is how a script says that there are none.
fn peers(text: &str) -> Result<Peers, String> {
    if text.is_empty() {
        return Ok(Peers(Vec::new()));
    }
    text.split(',').map(peer).collect::<Result<_, _>>().map(Peers)
}

/// A peer's address is the transport's to take apart, which it does when it dials. A slip in the environment
/// ought to be seen at once.
fn peer(text: &str) -> Result<PeerAddr, String> {
    if text.is_empty() {
        return Err("an entry is empty, expected ws://host:port".to_owned());
    }
    let address: PeerAddr =
        text.parse().map_err(|error| format!("{text:?}: {error}, expected ws://host:port"))?;
    let rest = text.strip_prefix("ws://").or_else(|| text.strip_prefix("wss://"));
    let authority = rest.map(|rest| rest.split('/').next().unwrap_or(rest));
    let has_port = authority
        .and_then(|authority| authority.rsplit_once(':'))
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if has_port { Ok(address) } else { Err(format!("{text:?} is no address, expected ws://host:port")) }
}

/// More threads than any machine has cores for are a slip.
const MAX_THREADS: usize = 1024;

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let threads = text.parse().ok().filter(|threads: &NonZeroUsize| threads.get() <= MAX_THREADS);
    threads.ok_or_else(|| format!("expected 1 to {MAX_THREADS} threads"))
}

/// Seconds, with a decimal point and an `s` where wanted, or milliseconds with `ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(millis) => (millis, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.trim().parse().ok().map(|number: f64| number * unit);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "expected seconds or milliseconds, such as 10s, 2.5 or 500ms".to_owned())
}
