//! A small currency: a node for it, and a wallet that checks what the node says.
//!
//! ```sh
//! alias coin='cargo run --example coin --features client,http,keyfile,ledger,ws-json --'
//! coin key new                                # coin.pem, under a passphrase
//! MINER=$(coin address) coin node --mine      # in another terminal; its rewards are yours
//! coin balance
//! coin send coin1… 30 --wait 1
//! coin history
//! ```
//!
//! The node takes the options and commands of the example `node`, whose code it shares. The wallet asks a node over HTTP
//! (`NODE`, by default `http://localhost:3001`). It knows the genesis block from `CHAIN`, `BLOCK_INTERVAL` and `ON_DEMAND`, which
//! have to be those of the node, and checks all headers from there on; a balance is shown if a proof leads to it from the
//! last of them. `docs/ledger.md` says what that shows.

// Cargo would compile files beside this one as examples of their own.
#[path = "coin/key_file.rs"]
mod key_file;
#[path = "node/program.rs"]
mod program;
#[path = "coin/verified.rs"]
mod verified;
#[path = "coin/wallet.rs"]
mod wallet;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use hashloom::Address;
use hashloom::ledger::{AddressError, AddressPrefix, LedgerParameters, MAX_SUPPLY, SignedTransfer};

use program::Application;
use program::chain::Chain;

/// What a block contains.
type Record = SignedTransfer;

const APPLICATION: Application = Application {
    name: "coin node",
    example: "\
A node that mines for the key in coin.pem, and a second one:
  MINER=$(coin address) coin node --mine
  HTTP_PORT=3002 P2P_PORT=5002 PEERS=ws://localhost:5001 coin node",
    genesis_data: || Ok(parameters()?.to_genesis_data()),
    miner: |text| account(text).map_err(|error| format!("{error:#}")),
    describe: |routes| routes,
};

/// The units that the miner of the first blocks is paid, and the number of blocks after which it is half of that.
const FIRST_REWARD: u64 = 5_000;
const HALVING_INTERVAL: u64 = 210_000;
/// The lowest fee of a transfer, in units.
const MIN_FEE: u64 = 1;

fn parameters() -> Result<LedgerParameters> {
    Ok(LedgerParameters::new(FIRST_REWARD, HALVING_INTERVAL)?.with_min_fee(MIN_FEE))
}

/// A wallet for a small currency, and its node.
#[derive(Debug, Parser)]
#[command(name = "coin", version, max_term_width = 100)]
struct Options {
    /// The file of the secret key.
    #[arg(long, env = "KEY_FILE", value_name = "FILE", default_value = "coin.pem", global = true)]
    key: std::path::PathBuf,

    /// The file whose first line is the passphrase, such as /dev/fd/3. Without it, `PASSPHRASE` is the passphrase, or the
    /// terminal asks for it.
    #[arg(long, env, value_name = "FILE", global = true)]
    passphrase_file: Option<std::path::PathBuf>,

    /// The node to ask.
    #[arg(long, env, value_name = "URL", default_value = "http://localhost:3001", global = true)]
    node: String,

    /// What the node may ask for before it accepts a transfer.
    #[arg(long, env, value_name = "TOKEN", hide_env_values = true, global = true)]
    http_token: Option<String>,

    #[command(flatten)]
    chain: Chain,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node, or a command on its stored chain: `coin node --help` has its options.
    #[command(disable_help_flag = true)]
    Node {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
        arguments: Vec<OsString>,
    },
    /// Make a key.
    #[command(subcommand)]
    Key(Key),
    /// Print the address of the key.
    Address,
    /// Print the units in an account, after their proof was checked.
    Balance {
        /// The account; by default that of the key.
        #[arg(value_parser = parsed_account)]
        address: Option<Address>,
    },
    /// Pay units to an account.
    Send {
        /// The account that is paid.
        #[arg(value_parser = parsed_account)]
        to: Address,
        /// The units that it is paid.
        #[arg(value_parser = clap::value_parser!(u64).range(1..=MAX_SUPPLY))]
        amount: u64,
        /// The units that the miner is paid. Miners take the transfer with the highest fee first.
        #[arg(long, value_name = "UNITS", default_value_t = MIN_FEE,
              value_parser = clap::value_parser!(u64).range(MIN_FEE..=MAX_SUPPLY))]
        fee: u64,
        /// Wait until the transfer has this depth, which is 1 in the last block; 0 does not wait.
        #[arg(long, value_name = "BLOCKS", default_value_t = 0)]
        wait: u64,
        /// The most seconds to wait.
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        timeout: u64,
    },
    /// Print the transfers and rewards of an account, the oldest first. Reads all blocks.
    History {
        /// The account; by default that of the key.
        #[arg(value_parser = parsed_account)]
        address: Option<Address>,
    },
}

#[derive(Debug, Subcommand)]
enum Key {
    /// Make a secret key, and write it under a passphrase into a file that does not exist yet.
    New,
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|command| command == "node") {
        return program::main(&arguments[1..]);
    }
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => error.exit(),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let done = runtime.block_on(run(options));
    // Dropping the runtime would wait for a host name look-up.
    runtime.shutdown_background();
    match done
        .and_then(|text| io::stdout().write_all(text.as_bytes()).context("cannot write to standard output"))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // A failed write is ignored: the exit code reports the error, too.
    let _ = writeln!(io::stderr(), "error: {error:#}");
    ExitCode::FAILURE
}

/// Runs a command, and returns what it prints.
async fn run(options: Options) -> Result<String> {
    let wallet = || wallet::Wallet::new(&options.node, options.http_token.as_deref(), &options.chain);
    let own = |address: Option<Address>| match address {
        Some(address) => Ok(address),
        None => key_file::address(&options.key),
    };
    match options.command {
        // `main` runs it.
        Command::Node { .. } => Ok(String::new()),
        Command::Key(Key::New) => key_file::create(&options.key, options.passphrase_file.as_deref()),
        Command::Address => Ok(format!("{}\n", shown(&key_file::address(&options.key)?)?)),
        Command::Balance { address } => wallet()?.balance(&own(address)?).await,
        Command::History { address } => wallet()?.history(&own(address)?).await,
        Command::Send { to, amount, fee, wait, timeout } => {
            let wallet = wallet()?;
            let key = key_file::open(&options.key, options.passphrase_file.as_deref())?;
            wallet.send(&key, hashloom::ledger::Transfer { to, amount, fee }, wait, timeout).await
        }
    }
}

/// An account as people write it: with a checksum, or in hex, as the node's JSON has it.
fn account(text: &str) -> Result<Address> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    match prefix()?.decode(text.trim()) {
        Ok(address) => Ok(address),
        Err(error @ AddressError::Checksum) => Err(error).context("the address has a typo: copy it again"),
        Err(error) => Err(error.into()),
    }
}

fn parsed_account(text: &str) -> Result<Address, String> {
    account(text).map_err(|error| format!("{error:#}"))
}

/// An address as text for people.
fn shown(address: &Address) -> Result<String> {
    Ok(prefix()?.encode(address))
}

fn prefix() -> Result<AddressPrefix> {
    Ok(AddressPrefix::new("coin")?)
}
