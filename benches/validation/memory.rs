//! The memory of headers and blocks. Each kind is measured in a process of its own, by the resident memory
//! that the system reports: memory that the allocator keeps counts too, and a counting allocator would slow
//! down the measured code.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use super::forge::{Forge, NOW};
use super::table::{Table, figure};
use super::{Options, blocks, headers};

/// The kinds of items whose memory is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Headers without their blocks.
    Headers,
    /// Blocks with one small text.
    Small,
    /// Blocks full of texts.
    Full,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Headers => "header ahead of its block",
            Self::Small => "block of one text of 8 bytes",
            Self::Full => "block of 4 texts of 150 bytes",
        }
    }

    /// The canonical bytes of an item.
    const fn raw(self) -> usize {
        match self {
            Self::Headers => 180,
            Self::Small => 180 + 9,
            Self::Full => 180 + 4 * 152,
        }
    }
}

pub(crate) fn measure(options: &Options) -> Result<Table> {
    let columns = ["", "number", "raw bytes", "resident bytes each", "one more", "beyond the raw ones"];
    let mut table = Table::new("Memory", columns).note(
        "A chain in memory, in a process of its own: what the system counts as resident, divided by their number; and the \
         growth over the second half of them, when the cache of recent blocks is full.",
    );
    for kind in [Kind::Headers, Kind::Small, Kind::Full] {
        let (half, whole) = (grown(kind, options.tall / 2)?, grown(kind, options.tall)?);
        let count = count(kind, options.tall);
        let more = (whole - half) / (count / 2) as f64;
        table.row([
            kind.name().to_owned(),
            count.to_string(),
            kind.raw().to_string(),
            figure(whole / count as f64),
            figure(more),
            figure(more - kind.raw() as f64),
        ]);
    }
    Ok(table)
}

/// The resident bytes of the items for a chain of this height, in a process of their own.
fn grown(kind: Kind, tall: u64) -> Result<f64> {
    let name = kind.to_possible_value().context("no name")?;
    let mut child = Command::new(std::env::current_exe()?);
    child.arg("--resident").arg(name.get_name()).arg("--tall").arg(tall.to_string());
    let output = child.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the child ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// As many headers as the height of the taller chain, and a fifth as many blocks.
fn count(kind: Kind, tall: u64) -> u64 {
    match kind {
        Kind::Headers => tall,
        Kind::Small | Kind::Full => tall / 5,
    }
}

/// Builds the items, and prints by how much the resident memory grew.
pub(crate) fn report(kind: Kind, options: &Options) -> Result<()> {
    let count = count(kind, options.tall);
    let mut forge = Forge::new()?;
    let mut chain = headers::empty(usize::try_from(count)?)?;
    let before = resident()?;
    for _ in 0..count {
        match kind {
            Kind::Headers => {
                let block = forge.next::<String>(|_| Vec::new())?;
                ensure!(chain.import_header(block.header(), NOW)?, "a header was known");
            }
            Kind::Small => {
                let _ = chain.import(forge.next(|height| vec![format!("{height:0>8}")])?, NOW)?;
            }
            Kind::Full => {
                let _ = chain.import(blocks::next(&mut forge)?, NOW)?;
            }
        }
    }
    println!("{}", resident()?.saturating_sub(before));
    Ok(())
}

/// The resident memory of this process in bytes.
fn resident() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("memory is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
