//! The command line and environment of the node, and their conversion to types of the library.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow, ensure};
use clap::builder::PossibleValue;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use hashloom::http::{HttpConfig, Origin, RoutesConfig, Token};
use hashloom::transport::{AddressProblem, TransportError, WebSocketConfig, WsMulti};
#[cfg(feature = "ws-bincode")]
use hashloom::wire::Bincode;
#[cfg(feature = "ws-json")]
use hashloom::wire::Json;
#[cfg(feature = "ws-postcard")]
use hashloom::wire::Postcard;
use hashloom::{Address, ChainConfig, ChainSpec, PeerAddr, Transport, WireFormat};

use crate::Record;
use crate::program::Application;
use crate::program::chain::Chain;
use crate::program::environment;
use crate::program::evidence::{self, Signing};
use crate::program::place::Place;
use crate::program::security::Security;
use crate::program::values::{List, flag, hosts, list, miner, origins, threads, token, trimmed};

/// A node that keeps a proof-of-work chain with its peers, mines, and serves HTTP.
///
/// Every option is also read from the environment; a flag comes first, and an empty variable is as if not set.
#[derive(Debug, Parser)]
#[command(name = crate::APPLICATION.name, version, after_help = example(), max_term_width = 100)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Options {
    /// Port of the HTTP interface; 0 for any that is free.
    #[arg(long, env, value_name = "PORT", value_parser = trimmed::<u16>, default_value_t = 3001, help_heading = "HTTP")]
    http_port: u16,

    /// IP address of the HTTP interface. Every client may read, and without a token also mine, send, connect and ban.
    #[arg(long, env, value_name = "IP", value_parser = trimmed::<IpAddr>, default_value = "127.0.0.1", help_heading = "HTTP")]
    http_bind: IpAddr,

    /// Names by which the HTTP interface may be called, besides IP addresses and localhost.
    #[arg(long, env, value_name = "NAME", value_parser = hosts, help_heading = "HTTP")]
    allow_host: Vec<List<String>>,

    /// Origins of web pages that may use the HTTP interface, such as `https://app.example`. They need the token, too.
    #[arg(long, env, value_name = "ORIGIN", value_parser = origins, help_heading = "HTTP")]
    allow_origin: Vec<List<Origin>>,

    /// Requests per second that one address may make, after a burst; without it there is no limit.
    #[arg(long, env, value_name = "COUNT", value_parser = trimmed::<NonZeroU32>, help_heading = "HTTP")]
    requests_per_second: Option<NonZeroU32>,

    /// Requests that one address may make at once after a pause, if they are limited.
    #[arg(long, env, value_name = "COUNT", value_parser = trimmed::<NonZeroU32>, default_value = "100", help_heading = "HTTP")]
    request_burst: NonZeroU32,

    /// Log each answer: client, method, path, status, bytes and time.
    #[arg(long, env, value_parser = flag, help_heading = "HTTP")]
    pub(crate) access_log: bool,

    /// What a client must send as `Authorization: Bearer` to change something: at least 16 characters. Set it in the
    /// environment, where other users do not see it.
    #[arg(long, env, value_name = "TOKEN", hide_env_values = true, value_parser = token, help_heading = "HTTP")]
    http_token: Option<Token>,

    /// Port for peers; 0 for any that is free.
    #[arg(long, env, value_name = "PORT", value_parser = trimmed::<u16>, default_value_t = 5001, global = true, help_heading = "Peers")]
    p2p_port: u16,

    /// IP address for peers.
    #[arg(long, env, value_name = "IP", value_parser = trimmed::<IpAddr>, default_value = "127.0.0.1", help_heading = "Peers")]
    p2p_bind: IpAddr,

    /// Nodes to keep a connection to, separated by commas or blanks, such as `ws://localhost:5001`, or wss:// with TLS.
    /// Without a port, ws:// is port 80 and wss:// is port 443.
    #[arg(long, env, value_name = "URL", value_parser = peers, help_heading = "Peers")]
    peers: Vec<List<PeerAddr>>,

    /// Find more peers than these by asking them, and help others to find theirs.
    #[arg(long, env, value_parser = flag, help_heading = "Peers")]
    pub(crate) discovery: bool,

    /// Format to ask peers for.
    #[arg(long, env, value_parser = wire, default_value = Wire::BUILT_IN, help_heading = "Peers", help = Wire::help())]
    wire: Wire,

    #[command(flatten)]
    security: Security,

    #[command(flatten)]
    pub(crate) signing: Signing,

    /// Mine all the time, not only on request.
    #[arg(long, env, value_parser = flag, help_heading = "Mining")]
    pub(crate) mine: bool,

    /// Threads that mine.
    #[arg(long, env, value_name = "COUNT", value_parser = threads, default_value = "1", help_heading = "Mining")]
    pub(crate) mining_threads: NonZeroUsize,

    /// Miner address in this node's blocks: 20 bytes in hex.
    #[arg(long, env, value_name = "HEX", value_parser = miner, default_value_t = Address::ZERO, hide_default_value = true,
          help_heading = "Mining")]
    pub(crate) miner: Address,

    #[command(flatten)]
    pub(crate) chain: Chain,

    /// Directory in which the chain is stored; one node at a time uses it. Default: `hashloom-data/<P2P_PORT>`.
    #[arg(long, env, value_name = "DIR", global = true, help_heading = "Chain", hide = !cfg!(feature = "redb"))]
    data_dir: Option<PathBuf>,

    /// Keep the chain in memory only, even if `DATA_DIR` is set.
    #[arg(long, env, value_parser = flag, global = true, help_heading = "Chain", hide = !cfg!(feature = "redb"))]
    ephemeral: bool,

    /// Keep the contents of this many blocks at the end of the chain, and of older ones the headers only.
    #[arg(long, env, value_name = "COUNT", value_parser = trimmed::<NonZeroU64>, global = true,
          help_heading = "Chain")]
    keep_bodies: Option<NonZeroU64>,

    /// Keep no index of transactions: saves some 60 bytes for each, and mined ones are not found by their ids.
    #[arg(long, env, value_parser = flag, help_heading = "Chain")]
    no_transaction_index: bool,

    /// What to do with the stored chain instead of running a node.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Work on the chain in the data directory, while no node runs there.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Check every rule again, and name the first block that breaks one.
    #[command(hide = !cfg!(feature = "redb"))]
    Verify(Heights),
    /// Write the blocks into a file.
    #[command(hide = !cfg!(feature = "redb"))]
    Export {
        /// The file; it appears when it is complete.
        file: PathBuf,
        /// Replace the file if it exists.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        heights: Heights,
    },
    /// Import the blocks of a file, each validated like a block from a peer.
    #[command(hide = !cfg!(feature = "redb"))]
    Import {
        /// A file that `export` wrote.
        file: PathBuf,
    },
    /// Check every rule again, and drop damaged blocks and all their descendants.
    #[command(hide = !cfg!(feature = "redb"))]
    Repair,
    #[command(flatten)]
    Evidence(evidence::Command),
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
    /// The heights in a chain of this height. `lowest` replaces a missing lower bound.
    pub(crate) fn in_chain(self, height: u64, lowest: u64) -> Result<RangeInclusive<u64>> {
        let (from, to) = (self.from.unwrap_or(lowest.min(height)), self.to.unwrap_or(height));
        ensure!(from <= height && to <= height, "the chain ends at height {height}");
        ensure!(from <= to, "--from {from} is above --to {to}");
        Ok(from..=to)
    }
}

/// The end of the help. Examples of a chain on disk appear only if the build can store one.
fn example() -> String {
    let Application { name, example, .. } = crate::APPLICATION;
    let kept = if cfg!(feature = "redb") { kept_example(name) } else { String::new() };
    format!("{example}{kept}\n\nRUST_LOG says what is logged, such as RUST_LOG=hashloom=debug.")
}

fn kept_example(name: &str) -> String {
    format!(
        "

The first node's chain into a file, while the node is stopped, and checked:
  {name} export blocks.archive
  {name} verify"
    )
}

/// Reads the command line and the environment. If there is nothing to run, prints the help or the error in
/// one line, and returns the exit code.
pub(crate) fn read(arguments: &[OsString]) -> Result<Options, ExitCode> {
    let command = Options::command().bin_name(crate::APPLICATION.name);
    let is_work = environment::is_work(command.clone(), arguments);
    let parsed = environment::applicable(command.clone(), is_work).try_get_matches_from(arguments);
    parsed.and_then(|matches| Options::from_arg_matches(&matches)).map_err(|error| {
        if !error.use_stderr() {
            // A failed write of the help is ignored.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        if let Some(flag) = of_running_node(&command, &error) {
            let _ = writeln!(
                io::stderr(),
                "error: '{flag}' is for a running node, not for a command on a stored chain; --help shows all options"
            );
            return ExitCode::from(2);
        }
        // Arguments can be formatted only after `build`.
        let mut command = command;
        command.build();
        // clap separates the parts of its message by empty lines; the last parts are about usage.
        let text = without_secret(&command, &error);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines = lines.take_while(|line| !is_about_usage(line));
        let message: Vec<_> = lines.map(|line| environment::name_variables(&command, line)).collect();
        // A failed write is ignored: the exit code reports the error, too.
        let _ = writeln!(io::stderr(), "{}; --help shows all options", message.join(", "));
        ExitCode::from(2)
    })
}

/// The flag of a running node that a subcommand does not accept. clap would suggest a flag with a similar
/// spelling.
fn of_running_node(command: &clap::Command, error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else { return None };
    let name = given.strip_prefix("--")?;
    command.get_arguments().any(|arg| arg.get_long() == Some(name)).then(|| given.clone())
}

/// The text of an error, without the value if it is one that the help does not show either: the text may end up in a log.
fn without_secret(command: &clap::Command, error: &clap::Error) -> String {
    let text = error.to_string();
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    };
    let (Some(flag), Some(value)) = (context(ContextKind::InvalidArg), context(ContextKind::InvalidValue))
    else {
        return text;
    };
    let is_secret = |arg: &clap::Arg| arg.is_hide_env_values_set() && arg.to_string() == *flag;
    if command.get_arguments().any(is_secret) { text.replace(&format!(" '{value}'"), "") } else { text }
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

    /// The configured peers. Fails if the transport cannot dial one of them.
    pub(crate) fn peers(&self, transport: &WsMulti<Record>) -> Result<Vec<PeerAddr>> {
        let peers: Vec<PeerAddr> = self.peers.iter().flat_map(|list| &list.0).cloned().collect();
        for address in &peers {
            check(transport, address).map_err(|error| anyhow!("PEERS: {error}"))?;
        }
        Ok(peers)
    }

    /// What the routes allow.
    pub(crate) fn routes(&self) -> RoutesConfig {
        let hosts = self.allow_host.iter().flat_map(|list| &list.0).cloned();
        let origins = self.allow_origin.iter().flat_map(|list| &list.0).cloned();
        let config = RoutesConfig::default().with_allowed_hosts(hosts).with_allowed_origins(origins);
        let config = (crate::APPLICATION.describe)(config);
        if let Some(token) = &self.http_token {
            return config.with_token(token.clone());
        }
        if !self.http_bind.is_loopback() {
            tracing::warn!(
                "every client that reaches {} may mine, send, connect and ban: set HTTP_TOKEN to ask for a secret",
                self.http_bind
            );
        }
        config
    }

    /// The limits of the HTTP server.
    pub(crate) fn http(&self) -> HttpConfig {
        let config = HttpConfig::default().with_request_burst(self.request_burst);
        self.requests_per_second.into_iter().fold(config, HttpConfig::with_requests_per_second)
    }

    pub(crate) fn spec(&self) -> Result<ChainSpec> {
        self.chain.spec()
    }

    pub(crate) fn chain_config(&self) -> ChainConfig {
        ChainConfig::default().with_keep_bodies(self.keep_bodies.map(NonZeroU64::get))
    }

    /// The configuration of a chain that a node follows. The commands do without the index, which may have to be written
    /// first.
    pub(crate) fn followed_chain_config(&self) -> ChainConfig {
        self.chain_config().with_index_transactions(!self.no_transaction_index)
    }

    /// Where the chain is stored.
    pub(crate) fn place(&self) -> Place {
        match &self.data_dir {
            _ if self.ephemeral => Place::Memory,
            Some(directory) => Place::Directory(directory.clone()),
            // A build without a store on disk can still run a node.
            None if !cfg!(feature = "redb") => Place::Memory,
            None => Place::Directory(PathBuf::from(format!("hashloom-data/{}", self.p2p_port))),
        }
    }

    /// A transport with all formats of this build, the preferred one first, and with TLS if the options ask
    /// for it.
    pub(crate) fn transport(&self, http: SocketAddr) -> Result<WsMulti<Record>> {
        let port = http.port();
        let config = WebSocketConfig::default().with_http_hint(format!("HTTP is at port {port}"));
        self.security.secure(self.wire.transport(), config)
    }
}

/// A wire format of this build.
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

    fn help() -> String {
        let names: Vec<_> = Self::value_variants().iter().filter_map(Self::to_possible_value).collect();
        let names: Vec<_> = names.iter().map(PossibleValue::get_name).collect();
        format!("Format to ask peers for, of {}; each of these is understood", names.join(", "))
    }

    /// A transport with all formats of this build, this one first.
    fn transport(self) -> WsMulti<Record> {
        let others = Self::value_variants().iter().copied().filter(|wire| *wire != self);
        others.fold(self.add_to(None), |transport, wire| wire.add_to(Some(transport)))
    }

    fn add_to(self, transport: Option<WsMulti<Record>>) -> WsMulti<Record> {
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

fn with(transport: Option<WsMulti<Record>>, format: impl WireFormat) -> WsMulti<Record> {
    match transport {
        Some(transport) => transport.and(format),
        None => WsMulti::new(format),
    }
}

fn wire(text: &str) -> Result<Wire, String> {
    let text = text.trim().to_ascii_lowercase();
    Wire::from_str(&text, false).map_err(|_| match text.as_str() {
        "json" | "bincode" | "postcard" => format!("not built in: add it with --features http,ws-{text}"),
        _ => "expected json, bincode or postcard".to_owned(),
    })
}

fn peers(text: &str) -> Result<List<PeerAddr>, String> {
    list(text, peer)
}

/// Parses an address and checks it as a transport does before it dials, so that a mistake is reported at
/// start. Whether TLS is configured is checked later.
fn peer(text: &str) -> Result<PeerAddr, String> {
    let address: PeerAddr =
        text.parse().map_err(|error| format!("{text:?}: {error}, expected ws://host:port"))?;
    for wire in Wire::value_variants() {
        match check(&wire.transport(), &address) {
            Ok(()) | Err(TransportError::BadAddress { problem: AddressProblem::Tls, .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(address)
}

fn check(transport: &WsMulti<Record>, address: &PeerAddr) -> Result<(), TransportError> {
    Transport::<Record>::check_address(transport, address)
}
