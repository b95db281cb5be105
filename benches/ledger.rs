//! Measures blocks of signed transfers as ratios to the bare verification of their signatures, and what a transfer and the
//! proof of a balance cost in ledgers of growing size.
//!
//! ```sh
//! cargo bench --no-default-features --features ledger --bench ledger
//! cargo bench --no-default-features --features ledger --bench ledger -- --quick
//! ```
//!
//! Each turn does the same in each way, in close succession, so that other load on the machine affects all ways. Prints
//! Markdown tables.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::disallowed_methods, reason = "measures time")]

#[path = "common/environment.rs"]
mod environment;
#[path = "common/table.rs"]
mod table;
#[path = "common/timed.rs"]
mod timed;
#[path = "common/turns.rs"]
mod turns;

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use hashloom::ledger::{Ledger, LedgerParameters, SignedTransfer, Transfer};
use hashloom::signed::{SecretKey, Signed, SignedState};
use hashloom::{
    Address, Block, Blockchain, ChainSpec, CompactTarget, Hash, MapProof, Retarget, Timestamp, Transaction,
};

use table::{Table, figure};
use timed::timed;
use turns::{median, quartiles};

/// Measures a ledger.
#[derive(Debug, Parser)]
struct Options {
    /// Turns of each way; an odd number has a median.
    #[arg(long, default_value_t = 51)]
    rounds: u64,

    /// Transfers in a block, each of another author.
    #[arg(long, default_value_t = 1_000)]
    transfers: u64,

    /// The accounts of the largest ledger. The others have a thousand, and powers of 32 times as many.
    #[arg(long, default_value_t = 1_000_000)]
    largest: u64,

    /// Measures so little that it takes seconds.
    #[arg(long)]
    quick: bool,

    /// Passed by Cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

type Coin = Blockchain<SignedTransfer>;
type State = SignedState<Ledger>;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// The units in each account before the first block.
const OPENING: u64 = 1_000_000;

fn main() -> Result<()> {
    let mut options = Options::parse();
    if options.quick {
        options = Options { rounds: 3, transfers: 50, largest: 2_000, ..options };
    }
    ensure!(options.rounds > 0 && options.transfers > 0, "there is nothing to measure");
    println!("{}", environment::describe(&["ed25519-dalek", "curve25519-dalek", "sha2"]));
    println!("{}", blocks(&options)?.markdown());
    println!("{}", ledgers(&options)?.markdown());
    Ok(())
}

/// The key of the author with this number.
fn key(number: u64) -> SecretKey {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    SecretKey::from_seed(&seed)
}

/// The account with this number, which has no known key.
fn account(number: u64) -> Address {
    let mut bytes = [0; Address::LEN];
    bytes.copy_from_slice(&Hash::digest(&number.to_be_bytes()).as_bytes()[..Address::LEN]);
    Address::from_bytes(bytes)
}

/// Parameters of a ledger in which the authors and the accounts from zero on have units.
fn parameters(authors: u64, accounts: u64) -> Result<LedgerParameters> {
    let authors = (0..authors).map(|number| key(number).public_key().address());
    let opening = authors.chain((0..accounts).map(account)).map(|account| (account, OPENING));
    Ok(LedgerParameters::new(50, 1_000)?.with_opening(opening)?)
}

/// A transfer of each author, as a peer delivers it: without the verdict on its signature.
fn transfers(genesis: &Hash, count: u64, sequence: u64) -> Result<Vec<SignedTransfer>> {
    let sign = |number| {
        let transfer = Transfer { to: account(number), amount: 1, fee: 1 };
        Signed::sign(transfer, sequence, &key(number), genesis)
    };
    let signed: Vec<SignedTransfer> = (0..count).map(sign).collect::<Result<_, _>>()?;
    Ok(postcard::from_bytes(&postcard::to_stdvec(&signed)?)?)
}

/// The import of blocks, and the bare verification of their signatures.
fn blocks(options: &Options) -> Result<Table> {
    const WAYS: [&str; 3] = [
        "the bare library: `verify` under a parsed key",
        "import of a block whose transfers were verified when they became pending",
        "import of a block that was just received",
    ];
    let target = CompactTarget::from_bits(0x207f_ffff);
    let spec = ChainSpec::builder("bench").easiest_target(target).retarget(Retarget::Fixed);
    let spec = spec.genesis_data(parameters(options.transfers, 0)?.to_genesis_data()).build()?;
    let (mut pending, mut received) = (Coin::new(spec.clone()), Coin::new(spec));
    let genesis = *pending.genesis().hash();
    let mut turns = Vec::new();
    for round in 0..options.rounds {
        let now = NOW.saturating_add(core::time::Duration::from_secs(round));
        let data = transfers(&genesis, options.transfers, round)?;
        let parsed = data.iter().map(|transfer| {
            let key = VerifyingKey::from_bytes(transfer.author().as_bytes())?;
            let signature = Signature::from_bytes(transfer.signature().as_bytes());
            Ok((key, transfer.signed_bytes(&genesis)?, signature))
        });
        let parsed: Vec<(VerifyingKey, Vec<u8>, Signature)> = parsed.collect::<Result<_>>()?;
        let block = Arc::new(pending.template(data, now)?.mine().context("a nonce")?);
        let new: Block<SignedTransfer> = postcard::from_bytes(&postcard::to_stdvec(&*block)?)?;
        let bare =
            timed(|| parsed.iter().try_for_each(|(key, message, signature)| key.verify(message, signature)))?;
        let verified = timed(|| pending.import(block, now).map(drop))?;
        let first = timed(|| received.import(Arc::new(new), now).map(drop))?;
        ensure!(received.height() == round + 1, "the block is not on the best chain");
        turns.push([bare, verified, first]);
    }
    let columns = [
        "way",
        "transfers a second",
        "µs each",
        "times the bare `verify`",
        "lower quartile",
        "upper quartile",
    ];
    let title = format!("Blocks of {} transfers", figure(options.transfers as f64));
    let mut table = Table::new(&title, columns).note("One thread. Each transfer has another author.");
    for (at, way) in WAYS.iter().enumerate() {
        let each = median(turns.iter().map(|turn| turn[at])) / options.transfers as f64;
        let [low, middle, high] = quartiles(turns.iter().map(|turn| turn[at] / turn[0]));
        let cells = [1.0 / each, each * 1e6, middle, low, high].map(figure);
        table.row([(*way).to_owned()].into_iter().chain(cells));
    }
    Ok(table)
}

/// What a transfer and the proof of a balance cost in larger and larger ledgers.
fn ledgers(options: &Options) -> Result<Table> {
    let columns = [
        "accounts",
        "µs of a transfer, with its part of the root",
        "µs to make a proof of a balance",
        "µs to verify it",
        "bytes of a proof",
        "MB of the state on disk",
    ];
    let mut table = Table::new("Ledgers by number of accounts", columns)
        .note("One thread. A transfer changes two balances and a sequence number; its signature is not part of this.");
    let mut accounts = 1_000.min(options.largest);
    loop {
        let data = parameters(options.transfers, accounts)?.to_genesis_data();
        let state = SignedTransfer::genesis_state(&data).map_err(anyhow::Error::from)?;
        drop(data);
        table.row(ledger_row(options, accounts, state)?);
        if accounts == options.largest {
            return Ok(table);
        }
        accounts = (accounts * 32).min(options.largest);
    }
}

fn ledger_row(options: &Options, accounts: u64, mut state: State) -> Result<Vec<String>> {
    let spec = ChainSpec::builder("bench").genesis_data(parameters(0, 0)?.to_genesis_data()).build()?;
    let chain = Coin::new(spec);
    let block = chain.template_for(account(0), Vec::new(), NOW)?.into_block(0);
    let genesis = *chain.genesis().hash();
    let count = options.transfers as f64;
    let proven = |number: u64| account(number * 7_919 % accounts);
    // The first root hashes the whole state, which a chain does once.
    let _ = SignedTransfer::state_root(&state);
    let mut turns = Vec::new();
    for round in 0..options.rounds {
        let data = transfers(&genesis, options.transfers, round)?;
        let transfer = timed(|| {
            data.iter()
                .try_for_each(|transfer| transfer.apply(&mut state, &block.header().context(&genesis)))?;
            let _ = SignedTransfer::state_root(&state);
            anyhow::Ok(())
        })?;
        let balances = state.application().accounts();
        let root = balances.root();
        let mut proofs = Vec::new();
        let make = timed(|| {
            (0..options.transfers)
                .try_for_each(|number| balances.prove(&proven(number)).map(|proof| proofs.push(proof)))
        })?;
        let verify = timed(|| {
            for (number, proof) in proofs.iter().enumerate() {
                let balance: Option<u64> = proof.verify(&proven(number as u64), &root)?;
                ensure!(balance >= Some(OPENING), "account {number} has {balance:?}");
            }
            anyhow::Ok(())
        })?;
        let bytes: usize = proofs.iter().map(|proof: &MapProof| proof.to_bytes().len()).sum();
        turns.push([transfer * 1e6, make * 1e6, verify * 1e6, bytes as f64]);
    }
    let disk = postcard::to_stdvec(&state)?.len();
    let cells = (0..4).map(|at| median(turns.iter().map(|turn| turn[at] / count)));
    let cells = [accounts as f64].into_iter().chain(cells).chain([disk as f64 / 1e6]);
    Ok(cells.map(figure).collect())
}
