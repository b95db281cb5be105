//! Counts the instructions of the hot paths and compares them with `benches/instructions.txt`. Unlike times,
//! these counts do not depend on the load of the machine, so that a test can detect a regression.
//!
//! ```sh
//! cargo bench --no-default-features --features ws-json,ws-bincode,ws-postcard --bench instructions
//! ```
//!
//! Needs valgrind, whose callgrind counts the instructions. Valgrind emulates the same processor on every
//! machine, with AVX2 and without AVX-512 and SHA instructions: `sha2` uses its portable code there, and a
//! row for mining names its kernel. Each row is counted on one thread, in a process of its own.
//!
//! The cost of a byte that a peer sends is also written to `docs/attacks.md`, and must not exceed the
//! documented cost.

#[path = "common/forge.rs"]
mod forge;
#[path = "common/format.rs"]
mod format;
#[path = "instructions/peers.rs"]
mod peers;

use core::hint::black_box;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use hashloom::miner::{MiningKernel, SearchOutcome, Template};
use hashloom::{Block, Blockchain, CompactTarget, Message, Miner, Retarget};

use forge::{Forge, NOW, spec, spec_with};
use format::Format;

/// Counts instructions, and compares them with those in git.
#[derive(Debug, Parser)]
struct Options {
    /// Runs this row, for valgrind to count.
    #[arg(long, hide = true)]
    row: Option<String>,

    /// Passed by Cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The file with the counts that are in git.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");

/// The prefix of rows that count the cost of a byte from a peer.
const BYTE: &str = "byte: ";

/// The document with those costs, and the lines around its table.
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/attacks.md");
const BEGIN: &str = "<!-- costs: written by benches/instructions.rs -->\n";
const END: &str = "<!-- end of costs -->\n";

/// How far a count may be from the one in git, in percent. Differences between memory layouts, compilers and
/// C libraries stay within this.
const TOLERANCE: f64 = 2.0;

/// The command that replaces the counts in git by those of a run.
const BLESS: &str = "HASHLOOM_BLESS=1 cargo bench --no-default-features --features ws-json,ws-bincode,ws-postcard \
                     --bench instructions";

/// How often a row repeats its work, by which the count is divided; the more repetitions, the less a first
/// time weighs. A message has at most `BLOCKS` blocks.
const HEADERS: u64 = 1_000;
const BLOCKS: u64 = 64;
const NONCES: u64 = 64 << 10;

/// The transactions of a block, and the bytes of each.
const TRANSACTIONS: usize = 4;
const TRANSACTION_BYTES: usize = 150;

/// Prepares the work of a row, calls [`counted_part`] once, and returns the number of repetitions.
type Run = Box<dyn Fn() -> Result<u64>>;

/// The rows by name.
fn rows() -> BTreeMap<String, Run> {
    let mut rows = BTreeMap::<String, Run>::new();
    rows.insert("header: hash".to_owned(), Box::new(header_hash));
    for (name, rule) in [("", Retarget::Fixed), (", retargeted by default", Retarget::default())] {
        rows.insert(format!("header: import in a list{name}"), Box::new(move || header_import(rule)));
    }
    rows.insert("block: import into memory".to_owned(), Box::new(block_import));
    rows.insert("block: import into memory, in a batch".to_owned(), Box::new(batch_import));
    rows.insert("block: digest, in a batch".to_owned(), Box::new(batch_digest));
    for format in Format::ALL {
        rows.insert(format!("block: encode {}", format.name()), Box::new(move || encode(format)));
        rows.insert(format!("block: decode {}", format.name()), Box::new(move || decode(format)));
    }
    for kernel in [MiningKernel::Avx2, MiningKernel::Sha2ByFour] {
        rows.insert(format!("nonce: kernel {kernel}"), Box::new(move || nonces(kernel)));
    }
    for (name, run) in peers::rows() {
        rows.insert(format!("{BYTE}{name}"), run);
    }
    rows
}

fn main() -> Result<()> {
    match Options::parse().row {
        Some(name) => {
            let rows = rows();
            println!("{}", rows.get(&name).context("no such row")?()?);
            Ok(())
        }
        None => compare(),
    }
}

/// The function to which valgrind restricts the count, by its name.
#[inline(never)]
fn counted_part<R>(work: impl FnOnce() -> R) -> R {
    black_box(work())
}

fn header_hash() -> Result<u64> {
    let mut header = *Forge::new()?.next::<String>(|_| Vec::new())?.header();
    counted_part(|| {
        for nonce in 0..HEADERS {
            header.nonce = nonce;
            black_box(black_box(&header).hash());
        }
    });
    Ok(HEADERS)
}

fn header_import(rule: Retarget) -> Result<u64> {
    let spec = spec_with(rule)?;
    let mut forge = Forge::of(&spec)?;
    let headers = (0..HEADERS)
        .map(|_| Ok(*forge.next::<String>(|_| Vec::new())?.header()))
        .collect::<Result<Vec<_>>>()?;
    let mut chain = Blockchain::<String>::new(spec);
    let new = counted_part(|| chain.import_headers(&headers, NOW))?;
    ensure!(new as u64 == HEADERS, "{new} headers were new");
    Ok(HEADERS)
}

fn block_import() -> Result<u64> {
    let blocks = blocks()?;
    let mut chain = Blockchain::<String>::new(spec()?);
    counted_part(|| -> Result<()> {
        for block in blocks {
            let _ = black_box(chain.import(block, NOW)?);
        }
        Ok(())
    })?;
    ensure!(chain.height() == BLOCKS, "{} blocks are in the chain", chain.height());
    Ok(BLOCKS)
}

fn batch_import() -> Result<u64> {
    let blocks = blocks()?;
    let mut chain = Blockchain::<String>::new(spec()?);
    let imported = counted_part(|| chain.import_all(blocks, NOW))?;
    ensure!(imported.verdicts.iter().all(Result::is_ok), "a block was refused");
    Ok(BLOCKS)
}

fn batch_digest() -> Result<u64> {
    let blocks = blocks()?;
    counted_part(|| Block::digest_all_ahead(blocks.iter().map(|block| &**block)));
    Ok(BLOCKS)
}

fn encode(format: Format) -> Result<u64> {
    let message = Message::Blocks(blocks()?);
    counted_part(|| format.encode(&message))?;
    Ok(BLOCKS)
}

fn decode(format: Format) -> Result<u64> {
    let message = Message::Blocks(blocks()?);
    let frame = format.encode(&message)?;
    let decoded = counted_part(|| format.decode::<Message>(&frame))?;
    ensure!(decoded == message, "{} changes a message", format.name());
    Ok(BLOCKS)
}

fn nonces(kernel: MiningKernel) -> Result<u64> {
    let mut header = *Forge::new()?.next::<String>(|_| Vec::new())?.header();
    // A target of 1: no hash is below it.
    header.target = CompactTarget::from_bits(0x0300_0001);
    let mut miner = Miner::<String>::new(Template::new(header, Vec::new()))?.with_kernel(kernel)?;
    let found = counted_part(|| miner.search(NONCES));
    ensure!(matches!(found, SearchOutcome::Continue { .. }), "{kernel} found a block");
    Ok(NONCES)
}

fn blocks() -> Result<Vec<Arc<Block>>> {
    let mut forge = Forge::new()?;
    let text = |height: u64, index: usize| format!("{:x<TRANSACTION_BYTES$}", format!("{height} {index} "));
    (0..BLOCKS)
        .map(|_| forge.next(|height| (0..TRANSACTIONS).map(|index| text(height, index)).collect()))
        .collect()
}

/// Counts all rows, and fails if a count differs from the one in git.
fn compare() -> Result<()> {
    ensure!(
        cfg!(all(target_arch = "x86_64", target_os = "linux")),
        "the numbers in git are those of x86_64 Linux; another processor has others"
    );
    let mut today = Vec::new();
    for name in rows().into_keys() {
        let count = count(&name)?;
        today.push((name, count));
    }
    let rustc = rustc();
    if env::var_os("HASHLOOM_BLESS").is_some_and(|value| value == "1") {
        fs::write(PATH, file(&today, &rustc)).with_context(|| format!("cannot write {PATH}"))?;
        document(&today)?;
    }
    let text = fs::read_to_string(PATH).with_context(|| format!("cannot read {PATH}"))?;
    let mut expected = parse(&text)?;

    println!("| | instructions | expected | difference |");
    println!("| --- | ---: | ---: | ---: |");
    let mut wrong = Vec::new();
    for (name, got) in &today {
        let Some(expected) = expected.remove(name.as_str()) else {
            wrong.push(format!("{name}: got {got:.1}, and no number is in git"));
            continue;
        };
        let difference = (got / expected - 1.0) * 100.0;
        println!("| {name} | {got:.1} | {expected:.1} | {difference:+.2} % |");
        if difference.abs() > TOLERANCE {
            let more = if difference > 0.0 { "more" } else { "fewer" };
            wrong.push(format!(
                "{name}: got {got:.1}, expected {expected:.1}: {difference:+.1} %, {more} than before"
            ));
        }
    }
    wrong.extend(undocumented(&today)?);
    wrong.extend(expected.keys().map(|name| format!("{name}: is in git, but was not counted")));
    if wrong.is_empty() {
        return Ok(());
    }
    let counted = text.lines().next().unwrap_or_default();
    bail!(
        "instructions differ by more than {TOLERANCE} %:\n  {}\n{counted}\nNow: {rustc}. Where that is meant, or the \
         compiler is another one: {BLESS}",
        wrong.join("\n  ")
    )
}

/// The instructions of one row, divided by its repetitions.
fn count(name: &str) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted_part*"])
        .arg(env::current_exe()?)
        .args(["--row", name])
        .output()
        .context("cannot start valgrind, which does the counting")?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name}: valgrind failed: {log}");
    let collected =
        log.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse::<u64>().ok());
    let collected = collected.with_context(|| format!("{name}: valgrind has counted nothing: {log}"))?;
    let times = String::from_utf8(output.stdout)?.trim().parse::<u64>()?;
    ensure!(
        collected > times,
        "{name}: {collected} instructions for {times} times; the function is not found"
    );
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    Ok(collected as f64 / times as f64)
}

/// The document before, in and after its table of byte costs.
fn documented() -> Result<(String, String, String)> {
    let text = fs::read_to_string(DOCUMENT).with_context(|| format!("cannot read {DOCUMENT}"))?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (table, after) = rest.split_once(END)?;
        Some((before.to_owned(), table.to_owned(), after.to_owned()))
    });
    parts.with_context(|| format!("{DOCUMENT} has no {BEGIN}"))
}

/// Writes the byte costs to the document, rounded up to two digits and whole instructions.
fn document(rows: &[(String, f64)]) -> Result<()> {
    let (before, _, after) = documented()?;
    let mut table = "| message | instructions for a byte, at most |\n| --- | ---: |\n".to_owned();
    for (name, count) in rows.iter().filter_map(|(name, count)| Some((name.strip_prefix(BYTE)?, count))) {
        let unit = 10_f64.powf((count.log10() - 1.0).floor()).max(1.0);
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {name} | {} |", (count / unit).ceil() * unit);
    }
    fs::write(DOCUMENT, [before.as_str(), BEGIN, &table, END, &after].concat())
        .with_context(|| format!("cannot write {DOCUMENT}"))
}

/// The rows whose byte cost exceeds the documented one, or is not documented.
fn undocumented(rows: &[(String, f64)]) -> Result<Vec<String>> {
    let (_, table, _) = documented()?;
    let limit = |name: &str| -> Option<f64> {
        let row = table
            .lines()
            .find_map(|line| line.strip_prefix("| ")?.strip_prefix(name)?.strip_prefix(" | "))?;
        row.strip_suffix(" |")?.parse().ok()
    };
    let too_much = |(name, got): &(String, f64)| {
        let name = name.strip_prefix(BYTE)?;
        let documented = limit(name);
        let is_fine = documented.is_some_and(|limit| *got <= limit);
        (!is_fine).then(|| format!("{name}: a byte costs {got:.1}, and {DOCUMENT} says {documented:?}"))
    };
    Ok(rows.iter().filter_map(too_much).collect())
}

/// The compiler version, such as `rustc 1.90.0`, without date and hash.
fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let version = output.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    version.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn file(rows: &[(String, f64)], rustc: &str) -> String {
    let mut text =
        format!("# Counted with: {rustc}. Written by HASHLOOM_BLESS=1, see benches/instructions.rs.\n");
    for (name, count) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name} = {count:.1}");
    }
    text
}

fn parse(text: &str) -> Result<BTreeMap<&str, f64>> {
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let (name, count) = line.split_once(" = ").with_context(|| format!("{PATH}: no row: {line:?}"))?;
        Ok((name, count.parse().with_context(|| format!("{PATH}: no number: {line:?}"))?))
    })
    .collect()
}
