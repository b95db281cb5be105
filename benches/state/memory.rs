//! The memory of a state. Each kind is measured in a process of its own, by the resident memory that the system reports.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use hashloom::AuthenticatedMap;

use super::entries;
use super::table::{Table, figure};

/// The kinds of states whose memory is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Map,
    /// The map, and one that was changed at each tenth key and hashed.
    Versions,
    Model,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Map => "`AuthenticatedMap`",
            Self::Versions => "and a later version, a tenth of whose values differ",
            Self::Model => "`BTreeMap`",
        }
    }
}

/// The bytes of a key and a value.
const RAW: f64 = 28.0;

pub(crate) fn measure(count: usize, seed: u64) -> Result<Table> {
    let mut table =
        Table::new("Memory", ["", "entries", "resident bytes each", "beyond the 28 of key and value"]);
    for kind in [Kind::Map, Kind::Versions, Kind::Model] {
        let name = kind.to_possible_value().context("no name")?;
        let mut child = Command::new(std::env::current_exe()?);
        child.arg("--resident").arg(name.get_name());
        child.arg("--largest").arg(count.to_string()).arg("--seed").arg(seed.to_string());
        let output = child.stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "the child ended with {}", output.status);
        let bytes: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
        let each = bytes / count as f64;
        table.row([kind.name().to_owned(), figure(count as f64), figure(each), figure(each - RAW)]);
    }
    Ok(table.note(
        "In a process of its own: what the system counts as resident, divided by the number of entries.",
    ))
}

/// Builds the state, and prints by how much the resident memory grew.
pub(crate) fn report(kind: Kind, count: usize, seed: u64) -> Result<()> {
    let before = resident()?;
    let entries = || entries(count, seed);
    if kind == Kind::Model {
        let mut model = BTreeMap::new();
        model.extend(entries());
        println!("{}", resident()?.saturating_sub(before));
        ensure!(model.len() == count, "two keys are equal");
        return Ok(());
    }
    let mut map = AuthenticatedMap::new();
    for (key, value) in entries() {
        map.insert(key, value)?;
    }
    let earlier = map.clone();
    let root = map.root();
    if kind == Kind::Versions {
        for (key, value) in entries().step_by(10) {
            map.insert(key, !value)?;
        }
        ensure!(map.root() != root, "nothing changed");
    }
    println!("{}", resident()?.saturating_sub(before));
    ensure!(earlier.root() == root && earlier.len() == count, "two keys are equal");
    Ok(())
}

/// The resident memory of this process in bytes.
fn resident() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("memory is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
