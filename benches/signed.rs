//! Measures signed transactions as ratios to the bare signature library: verification one by one, a check whose verdict is
//! kept, and the import of blocks.
//!
//! ```sh
//! cargo bench --no-default-features --features signed --bench signed
//! cargo bench --no-default-features --features signed --bench signed -- --quick
//! ```
//!
//! Each turn verifies the same transactions in each way, in close succession, so that other load on the machine affects all
//! ways. Prints a Markdown table.

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

use anyhow::{Context, Result, ensure};
use clap::Parser;
use ed25519_dalek::{Signature, VerifyingKey};
use hashloom::signed::{SecretKey, Signed};
use hashloom::{Block, Blockchain, ChainSpec, CompactTarget, Hash, Retarget, Timestamp, Transaction};

use table::{Table, figure};
use timed::timed;
use turns::{median, quartiles};

/// Measures signed transactions.
#[derive(Debug, Parser)]
struct Options {
    /// Turns of each way; an odd number has a median.
    #[arg(long, default_value_t = 51)]
    rounds: usize,

    /// Transactions in a turn, and in a block.
    #[arg(long, default_value_t = 1_000)]
    transactions: u64,

    /// Measures so little that it takes seconds.
    #[arg(long)]
    quick: bool,

    /// Passed by Cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

type Note = Signed<String>;

/// The times of one turn, in seconds, by way.
type Turn = [f64; WAYS.len()];

const WAYS: [&str; 5] = [
    "the bare library: `verify` under a parsed key",
    "the bare library: `verify_strict` under a parsed key",
    "`Signed::check` of a value that was just received",
    "`Signed::check` again",
    "import of a block of them that was just received",
];

fn main() -> Result<()> {
    let mut options = Options::parse();
    if options.quick {
        options = Options { rounds: 3, transactions: 50, ..options };
    }
    ensure!(options.rounds > 0 && options.transactions > 0, "there is nothing to measure");
    println!("{}", environment::describe(&["ed25519-dalek", "curve25519-dalek", "sha2"]));
    let target = CompactTarget::from_bits(0x207f_ffff);
    let spec = ChainSpec::builder("bench").easiest_target(target).retarget(Retarget::Fixed).build()?;
    let mut chain = Blockchain::<Note>::new(spec);
    let genesis = *chain.genesis().hash();
    let mut turns = Vec::new();
    for round in 0..options.rounds as u64 {
        turns.push(turn(&mut chain, &genesis, round, options.transactions)?);
    }
    let mut table = Table::new(
        "Signed transactions",
        ["way", "a second", "µs each", "times the bare `verify`", "lower quartile", "upper quartile"],
    )
    .note("One thread. Each transaction has another author and a text of 32 bytes.");
    for (at, way) in WAYS.iter().enumerate() {
        let each = median(turns.iter().map(|turn| turn[at])) / options.transactions as f64;
        let [low, middle, high] = quartiles(turns.iter().map(|turn| turn[at] / turn[0]));
        let cells = [1.0 / each, each * 1e6, middle, low, high].map(figure);
        table.row([(*way).to_owned()].into_iter().chain(cells));
    }
    println!("{}", table.markdown());
    Ok(())
}

fn turn(chain: &mut Blockchain<Note>, genesis: &Hash, round: u64, count: u64) -> Result<Turn> {
    let now = Timestamp::from_millis(1_800_000_000_000 + round);
    let sign = |number: u64| {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&round.to_be_bytes());
        seed[8..16].copy_from_slice(&number.to_be_bytes());
        let text = format!("{round:016}{number:016}");
        Signed::sign(text, 0, &SecretKey::from_seed(&seed), genesis)
    };
    let signed: Vec<Note> = (0..count).map(sign).collect::<Result<_, _>>()?;
    let parsed = signed.iter().map(|note| {
        let key = VerifyingKey::from_bytes(note.author().as_bytes())?;
        Ok((key, note.signed_bytes(genesis)?, Signature::from_bytes(note.signature().as_bytes())))
    });
    let parsed: Vec<(VerifyingKey, Vec<u8>, Signature)> = parsed.collect::<Result<_>>()?;
    let block = chain.template(signed.clone(), now)?.mine().context("a nonce")?;
    let block: Block<Note> = postcard::from_bytes(&postcard::to_stdvec(&block)?)?;
    let notes: Vec<Note> = postcard::from_bytes(&postcard::to_stdvec(&signed)?)?;

    let bare = timed(|| {
        use ed25519_dalek::Verifier as _;
        parsed.iter().try_for_each(|(key, message, signature)| key.verify(message, signature))
    })?;
    let strict = timed(|| {
        parsed.iter().try_for_each(|(key, message, signature)| key.verify_strict(message, signature))
    })?;
    let first = timed(|| notes.iter().try_for_each(|note| note.check(genesis)))?;
    let again = timed(|| notes.iter().try_for_each(|note| note.check(genesis)))?;
    let block = Arc::new(block);
    let import = timed(|| chain.import(block, now).map(drop))?;
    ensure!(chain.height() == round + 1, "the block is not on the best chain");
    Ok([bare, strict, first, again, import])
}
