//! The table in `docs/attacks.md`. `HASHLOOM_BLESS=1 cargo test --all-features --test attacks` updates the
//! document.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use libtest_mimic::Failed;

use crate::rows;
use crate::table::{Discovery, Over, Row};

const BEGIN: &str = "<!-- attacks: written by tests/attacks -->\n";
const END: &str = "<!-- end of attacks -->\n";

/// Compares the document with the rows.
pub(crate) fn check() -> Result<(), Failed> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/attacks.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).ok_or("the page has no place for the table")?;
    let (written, after) = rest.split_once(END).ok_or("the table does not end")?;
    let table = table();
    if std::env::var_os("HASHLOOM_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, [before, BEGIN, &table, END, after].concat()).unwrap();
        return Ok(());
    }
    if written == table {
        return Ok(());
    }
    Err("the table in docs/attacks.md is not that of tests/attacks; HASHLOOM_BLESS=1 writes it".into())
}

/// One line for each attack, grouped by how they end. The groups are in the order in which the rows first
/// reach them.
fn table() -> String {
    let mut order = Vec::new();
    let mut groups: BTreeMap<(String, u64), Vec<&Row>> = BTreeMap::new();
    for row in rows::all() {
        let key = (row.ends.documented(), row.after.as_secs());
        if !order.contains(&key) {
            order.push(key.clone());
        }
        groups.entry(key).or_default().push(row);
    }
    let mut table = "| attack | outcome | after | memory |\n| --- | --- | ---: | ---: |\n".to_owned();
    for key in order {
        let (rows, (ends, seconds)) = (&groups[&key], key);
        let after = if seconds == 0 { "at once".to_owned() } else { format!("{seconds} s") };
        for row in rows {
            let what = [row.does, only(row.over), with(row.discovery)].concat();
            let kib = row.memory >> 10;
            let memory = if kib < 1 << 10 { format!("{kib} KiB") } else { format!("{} MiB", kib >> 10) };
            writeln!(table, "| {what} | {ends} | {after} | {memory} |").unwrap();
        }
    }
    table
}

const fn only(over: Over) -> &'static str {
    match over {
        Over::All | Over::Sockets => "",
        Over::Memory => " (in memory)",
        Over::Json => " (JSON)",
        Over::Binary => " (binary)",
        Over::TwoFormats => " (two formats at one port)",
    }
}

const fn with(discovery: Discovery) -> &'static str {
    match discovery {
        Discovery::Off => "",
        Discovery::On => " (with discovery)",
        Discovery::Either => " (with discovery and without)",
    }
}
