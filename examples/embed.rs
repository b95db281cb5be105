//! A custom application on a chain: an audit log in which no record can be dropped, repeated or changed.
//!
//! ```sh
//! cargo run --example embed --no-default-features --features evidence -- [FILE]
//! ```
//!
//! Reads records from a text file (default: `examples/audit.log`), mines them into blocks, hands out a receipt for one
//! of them, proves the last number of an author from a header, and shows that invalid records, forged receipts and
//! forged blocks are refused. Uses only the chain, the miner and the evidence for outsiders: no network, no async
//! runtime, no clock. So the blocks of a file are the same on every machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use hashloom::evidence::{Checkpoint, NoteSigner, Policy, Receipt, SignedNote, VerifyReceiptError};
use hashloom::{
    AuthenticatedMap, Block, BlockError, Blockchain, ChainSpec, Context, Hash, Header, MapProof, Rejected,
    RuleError, Transaction,
};
use serde::{Deserialize, Serialize};

/// An audit log on a chain: mines it, proves it, and rejects forgeries.
#[derive(Debug, Parser)]
struct Options {
    /// The log: one `author number action` a line; empty lines and lines that begin with # do not count.
    #[arg(default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/audit.log"))]
    file: PathBuf,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    author: String,
    /// The number of the record among the author's records, from 1 without a gap.
    sequence: u64,
    action: String,
}

impl Transaction for Record {
    /// The last number of each author.
    type State = AuthenticatedMap<String, u64>;

    fn apply(&self, last: &mut Self::State, _context: &Context<'_>) -> Result<(), Rejected> {
        last.update(self.author.clone(), |last| {
            let expected = last.map_or(1, |last| last.saturating_add(1));
            if self.sequence != expected {
                let detail = format!("{} has number {}, expected {expected}", self.author, self.sequence);
                return Err(Rejected::new("sequence", detail));
            }
            Ok(Some(expected))
        })
    }

    /// Every header commits to the state, so two programs that compute different states disagree at the first
    /// block, and a header proves the last number of an author.
    fn state_root(last: &Self::State) -> Hash {
        last.root()
    }
}

/// The number of records in a block.
const BLOCK_RECORDS: usize = 3;

fn main() -> ExitCode {
    match run(&Options::parse().file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(file: &Path) -> Result<()> {
    let records = read(file)?;
    let mut chain = Blockchain::new(ChainSpec::builder("audit-log").build()?);
    for lines in records.chunks(BLOCK_RECORDS) {
        mine(&mut chain, lines, file)?;
    }
    show(&chain)?;
    hand_out_a_receipt(&chain)?;
    prove_the_last_numbers(&chain)?;
    refuse_a_jump(&chain)?;
    refuse_a_forgery(&chain)
}

/// The records of the file, each with its line number.
fn read(file: &Path) -> Result<Vec<(usize, Record)>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().map(str::trim).enumerate().map(|(index, line)| (index + 1, line));
    let records = lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| match parse(line) {
            Ok(record) => Ok((number, record)),
            Err(error) => bail!("{}:{number}: {error}", file.display()),
        })
        .collect::<Result<Vec<_>>>()?;
    ensure!(!records.is_empty(), "{}: there are no records", file.display());
    Ok(records)
}

fn parse(line: &str) -> Result<Record> {
    let (author, rest) = line.split_once(' ').context("expected `author number action`")?;
    let (sequence, action) = rest.trim_start().split_once(' ').context("the action is missing")?;
    let number = sequence.parse().ok().with_context(|| format!("{sequence:?} is not a number"))?;
    Ok(Record { author: author.to_owned(), sequence: number, action: action.trim_start().to_owned() })
}

/// Mines one block and imports it.
fn mine(chain: &mut Blockchain<Record>, lines: &[(usize, Record)], file: &Path) -> Result<()> {
    // Simulates a block at every interval. A program with a clock passes the current time.
    let now = chain.tip().header().timestamp.saturating_add(chain.spec().block_interval());
    let records = lines.iter().map(|(_, record)| record.clone()).collect();
    let template = match chain.template(records, now) {
        Ok(template) => template,
        Err(RuleError::Transaction { index, reason }) if index < lines.len() => {
            bail!("{}:{}: {reason}", file.display(), lines[index].0);
        }
        Err(error) => return Err(error.into()),
    };
    let block = template.mine()?;
    let imported = chain.import(Arc::new(block), now)?;
    ensure!(imported.is_extension(), "the new block is not the tip: {imported:?}");
    Ok(())
}

fn show(chain: &Blockchain<Record>) -> Result<()> {
    println!("The log, in {} blocks:", chain.height());
    for block in chain.blocks(1..) {
        let block = block?;
        println!("\n  block {} {}", block.height(), block.hash());
        for Record { author, sequence, action } in block.data() {
            println!("    {author} #{sequence}: {action}");
        }
    }
    Ok(())
}

/// Hands out a receipt for a record, and checks it like an auditor who has only the file and the public key.
fn hand_out_a_receipt(chain: &Blockchain<Record>) -> Result<()> {
    println!("\nReceipts:");
    if chain.height() < 2 {
        println!("  none: no block is on top of block 1 yet");
        return Ok(());
    }
    // The operator signs a checkpoint of all blocks below the tip. A real seed is secret and random.
    let key = NoteSigner::from_seed("log.example/audit", &[7; 32])?;
    let checkpoint = Checkpoint::of_chain(chain, chain.height(), key.name())?;
    let note = SignedNote::sign(checkpoint.to_string(), &key)?;
    let first = chain.block_at(1)?.context("nothing was mined")?;
    let file = Receipt::issue(chain, first.hash(), first.data().len() - 1, note)?.to_string();

    let policy = Policy::new(key.verifier()).with_easiest_target(chain.spec().easiest_target())?;
    let receipt: Receipt = file.parse()?;
    let proven = receipt.verify(&policy)?;
    let Record { author, sequence, .. } = proven.decode()?;
    let (height, size) = (proven.header.height, proven.accepted.checkpoint.size());
    println!("  {author} #{sequence} is in block {height} of the {size} that {} has signed:", key.name());
    println!(
        "  proven by a file of {} bytes, for any holder of the public key {}",
        file.len(),
        key.verifier()
    );

    let mut forged = serde_json::to_value(&receipt)?;
    let changed = Record { action: "nothing to see here".to_owned(), ..proven.decode()? };
    let mut bytes = Vec::new();
    changed.encode(&mut bytes)?;
    forged["transaction"] = hex::encode(bytes).into();
    let forged: Receipt = serde_json::from_value(forged)?;
    match forged.verify(&policy) {
        Err(error @ VerifyReceiptError::NotInBlock { .. }) => println!("  a changed record: {error}"),
        other => bail!("a changed record is proven: {other:?}"),
    }
    Ok(())
}

/// Proves the last number of an author, and that another name has written nothing, to a party that has only the header
/// of the tip.
fn prove_the_last_numbers(chain: &Blockchain<Record>) -> Result<()> {
    println!("\nProofs from the header of block {}:", chain.height());
    let header = chain.tip().header();
    let author = chain.tip().data().last().context("the tip has no record")?.author.clone();
    for name in [author, "nobody".to_owned()] {
        let bytes = chain.state().prove(&name)?.to_bytes();
        let last = MapProof::from_bytes(&bytes)?.verify::<String, u64>(&name, &header.state_root)?;
        let shown = last.map_or_else(|| "no record".to_owned(), |last| format!("{last} records"));
        println!("  {name} has written {shown}, proven by {} bytes", bytes.len());
    }
    Ok(())
}

/// Shows the application's own rule: a record number may not be skipped.
fn refuse_a_jump(chain: &Blockchain<Record>) -> Result<()> {
    println!("\nRefused:");
    let (author, last) = chain.state().iter().next().context("no author has written an entry")?;
    let jump = Record { author: author.clone(), sequence: last + 2, action: "left one out".to_owned() };
    match chain.template(vec![jump], chain.tip().header().timestamp) {
        Err(RuleError::Transaction { reason, .. }) => {
            println!(
                "  a jump in the numbers, by the application's rule `{}`: {}",
                reason.rule(),
                reason.detail()
            );
            Ok(())
        }
        other => bail!("a jump in the numbers was not refused: {other:?}"),
    }
}

/// Shows the chain's rules: another chain, which has all blocks but the last, receives forged ones.
fn refuse_a_forgery(chain: &Blockchain<Record>) -> Result<()> {
    let now = chain.tip().header().timestamp;
    let mut party = Blockchain::new(chain.spec().clone());
    for block in chain.blocks(1..chain.height()) {
        ensure!(party.import(block?, now)?.is_extension(), "a block is missing");
    }
    let (header, mut records) = (**chain.tip()).clone().into_parts();
    records[0].action = String::from("nothing to see here");

    let forged = Block::new(header, records.clone());
    match party.import(forged.into(), now) {
        Err(error @ BlockError::Rule(RuleError::MerkleRoot { .. })) => {
            println!("  a changed record, by the rule `{}`: {error}", error.rule());
        }
        other => bail!("a changed record was not refused: {other:?}"),
    }

    let merkle_root = Block::new(header, records.clone()).digest()?.merkle_root();
    let forged = Block::new(Header { merkle_root, ..header }, records);
    match party.import(forged.into(), now) {
        Err(error @ BlockError::Rule(RuleError::ProofOfWork { .. })) => {
            println!("  a header to go with it, by the rule `{}`: {error}", error.rule());
        }
        other => bail!("a changed header was not refused: {other:?}"),
    }

    ensure!(party.import(Arc::clone(chain.tip()), now)?.is_extension(), "a block is missing");
    ensure!(party.tip() == chain.tip(), "the parties disagree");
    println!("\nThe valid block is imported, and both parties have the tip {}.", party.tip().hash());
    Ok(())
}
