//! The program of the example nodes, whatever their transactions are. It reads options, logs, shows progress, and stops on a
//! signal; the library does everything else. The root of the example has the type `Record` of its transactions and its
//! `APPLICATION`.

#[cfg(all(feature = "client", feature = "evidence"))]
mod audit;
pub(crate) mod chain;
mod environment;
mod evidence;
mod options;
mod output;
mod place;
mod security;
mod terminal;
mod values;
pub(crate) mod work;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, anyhow};
use hashloom::http::{self, RoutesConfig};
use hashloom::transport::TransportError;
use hashloom::{Address, Node, NodeHandle, ProtocolConfig, StartError};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;

use crate::Record;
use options::Options;
use terminal::Terminal;

/// What an example is a node of.
pub(crate) struct Application {
    /// How the program is called.
    pub(crate) name: &'static str,
    /// The first of the examples in the help.
    pub(crate) example: &'static str,
    /// What the genesis block of the chain commits to, besides the options.
    pub(crate) genesis_data: fn() -> Result<Vec<u8>>,
    /// Reads the address of a miner.
    pub(crate) miner: fn(&str) -> Result<Address, String>,
    /// Describes the transactions in the description of the routes.
    pub(crate) describe: fn(RoutesConfig) -> RoutesConfig,
}

/// Runs a node, or a command on a stored chain, with these arguments, the first of which is skipped.
pub(crate) fn main(arguments: &[OsString]) -> ExitCode {
    end_on_panic();
    let options = match options::read(arguments) {
        Ok(options) => options,
        Err(exit_code) => return exit_code,
    };
    let (terminal, runtime) = match (Terminal::new(), Runtime::new()) {
        (Ok(terminal), Ok(runtime)) => (terminal, runtime),
        (terminal, runtime) => {
            let causes = [terminal.err(), runtime.err().map(Into::into)];
            let causes: Vec<_> = causes.into_iter().flatten().map(|error| format!("{error:#}")).collect();
            // A failed write is ignored: the exit code reports the error, too.
            let _ = writeln!(io::stderr(), "error: {}", causes.join(", "));
            return ExitCode::FAILURE;
        }
    };
    let exit_code = runtime.block_on(run(options, &terminal)).unwrap_or_else(|error| {
        terminal.say(&format!("error: {error:#}"));
        ExitCode::FAILURE
    });
    // Dropping the runtime would wait for host name look-ups, which may take 20 s and cannot be cancelled.
    runtime.shutdown_background();
    terminal.finish();
    exit_code
}

/// Ends the process at a panic, until [`Terminal::log`] replaces the hook.
///
/// tokio panics if the system refuses it a thread, and unwinding would then wait without end for the threads that the
/// runtime has.
fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let reason = payload.downcast_ref::<String>().map(String::as_str);
        let reason = reason.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("panicked");
        // A failed write is ignored: the exit code reports the error, too.
        let _ = writeln!(io::stderr(), "error: cannot start: {reason}");
        std::process::exit(1);
    }));
}

async fn run(options: Options, terminal: &Terminal) -> Result<ExitCode> {
    terminal.log(options.access_log)?;
    outlive_file_size_limit()?;
    let stop = stop_signal()?;
    if let Some(command) = options.command.clone() {
        return work::run(command, &options, terminal, stop);
    }
    // The port is bound first: if it is taken, nothing has been started yet.
    let listener = bind_http(options.http_address()).await?;
    let mut stop = pin!(stop);
    let options = Arc::new(options);
    let node = tokio::select! {
        started = start_on_thread(&options, listener.local_addr()?)? => started.context("the start panicked")??,
        () = &mut stop => {
            // What is being written is complete or not there after a crash, and after this.
            tracing::info!("stopped before the node had started");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let mut server = http::serve_node(listener, node.clone(), options.routes(), options.http())?;
    tracing::info!("HTTP at http://{}, which a browser can open", server.local_addr());
    let progress = terminal.show_progress(node.clone());

    // If the node or the server ends by itself, the program ends, so that a supervisor can restart it.
    let outcome = tokio::select! {
        () = &mut stop => Ok(ExitCode::SUCCESS),
        ended = node.closed() => match ended {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(failure) => Err(anyhow!("{failure}")),
        },
        () = server.closed() => Err(anyhow!("the HTTP server has ended")),
    };
    tokio::spawn(exit_at_second_ctrl_c());
    drop(progress);
    tracing::info!("stopping; Ctrl-C again to exit at once");
    // Concurrently: HTTP accepts no more requests, and requests that wait for a block end with the node.
    tokio::join!(server.shutdown(), node.shutdown());
    tracing::info!("stopped");
    outcome
}

async fn bind_http(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow!(
            "{address} is in use, perhaps by another node: give this one ports of its own \
             with HTTP_PORT and P2P_PORT (or --http-port and --p2p-port)"
        ),
        io::ErrorKind::AddrNotAvailable => anyhow!(
            "cannot serve HTTP at {address}: {error}: set HTTP_BIND (or --http-bind) to an address of this machine"
        ),
        _ => anyhow!("cannot serve HTTP at {address}: {error}"),
    })
}

/// Starts the node on a thread of its own: opening a chain may take long, and a signal must not wait for it. Not on a
/// thread of tokio, which panics if the system refuses it.
fn start_on_thread(
    options: &Arc<Options>,
    http: SocketAddr,
) -> Result<oneshot::Receiver<Result<NodeHandle<Record>>>> {
    let (sender, receiver) = oneshot::channel();
    let (options, runtime) = (Arc::clone(options), Handle::current());
    let start = move || {
        // Nothing waits for the node if the program was stopped meanwhile.
        let _ = sender.send(runtime.block_on(start_node(&options, http)));
    };
    thread::Builder::new().name("start".to_owned()).spawn(start).context("cannot start a thread")?;
    Ok(receiver)
}

async fn start_node(options: &Options, http: SocketAddr) -> Result<NodeHandle<Record>> {
    let transport = options.transport(http)?;
    let peers = options.peers(&transport)?;
    let formats = transport.subprotocols().join(", ");
    let place = options.place();
    let builder = Node::<Record>::builder(options.spec()?)
        .boxed_store(place.open()?)
        .protocol(ProtocolConfig::default().with_chain(options.followed_chain_config()))
        .transport(transport)
        .listen(options.p2p_address()?)
        .peers(peers)
        .discovery(options.discovery)
        .miner(options.miner)
        .mining_threads(options.mining_threads)
        .mine_continuously(options.mine);
    let node = options.signing.apply(builder)?.start().await.map_err(|error| match error {
        StartError::Transport(TransportError::AddressInUse { address }) => anyhow!(
            "{address} is in use, perhaps by another node: set P2P_PORT (or --p2p-port) to a free port"
        ),
        StartError::Open(error) => place.explain(&error),
        error => anyhow!("{error}"),
    })?;
    let address = node.listen_addr().context("the node listens nowhere")?;
    tracing::info!("peers at {address}, formats {formats}");
    tracing::info!("chain {} with genesis {}", options.chain.name, node.chain().genesis().hash());
    place.log(&node.chain());
    Ok(node)
}

/// Makes a write beyond the file size limit (`ulimit -f`) fail like a write to a full disk, from which a node
/// recovers. Without a handler, the signal SIGXFSZ ends the process.
fn outlive_file_size_limit() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let file_size = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        // The handler stays installed after the stream is dropped.
        drop(signal(file_size).context("cannot listen for SIGXFSZ")?);
    }
    Ok(())
}

/// A future that completes at the first Ctrl-C, SIGTERM or SIGHUP after this call.
fn stop_signal() -> Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let (mut terminate, mut hang_up) = {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind, name| signal(kind).with_context(|| format!("cannot listen for {name}"));
        let hang_up = if ignores_hang_up() { None } else { Some(listen(SignalKind::hangup(), "SIGHUP")?) };
        (listen(SignalKind::terminate(), "SIGTERM")?, hang_up)
    };
    Ok(async move {
        #[cfg(unix)]
        let terminal_is_gone = async {
            match &mut hang_up {
                Some(hang_up) => hang_up.recv().await,
                None => core::future::pending().await,
            }
        };
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
            _ = terminal_is_gone => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Whether the program was started with SIGHUP ignored, as by `nohup`, and should outlive its terminal. Known
/// on Linux only.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    /// The bit of SIGHUP, signal number 1, in the mask.
    const BIT: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & BIT != 0)
}

pub(crate) async fn exit_at_second_ctrl_c() {
    if tokio::signal::ctrl_c().await.is_ok() {
        // The exit code that a shell reports for a program that Ctrl-C ended.
        std::process::exit(130);
    }
}
