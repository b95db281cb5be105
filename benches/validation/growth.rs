//! The cost of one more block on a short chain and on a long one.

use core::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hashloom::Blockchain;

use super::forge::{NOW, spec};
use super::grow::grow;
use super::table::Table;
use super::ways::{self, Way};

/// The turns of each chain, and the blocks of a turn.
const TURNS: usize = 200;
const TURN: usize = 10;

pub(crate) struct Growth {
    pub(crate) table: Table,
    /// The time on the long chain divided by the time on the short one.
    pub(crate) ratios: [(&'static str, f64); 2],
}

pub(crate) fn measure(short: u64, tall: u64) -> Result<Growth> {
    let mut chains = [chain(short)?, chain(tall)?];
    let mut made = [Way::new("template and mining, short"), Way::new("template and mining, long")];
    let mut imported = [Way::new("`import`, short"), Way::new("`import`, long")];
    for turn in 0..TURNS {
        for (index, chain) in chains.iter_mut().enumerate() {
            let mut elapsed = [Duration::ZERO; 2];
            for number in 0..TURN {
                let text = format!("turn {turn}, block {number}");
                let start = Instant::now();
                let block = chain.template(vec![text], NOW)?.mine()?;
                elapsed[0] += start.elapsed();
                let start = Instant::now();
                let outcome = black_box(chain.import(block.into(), NOW)?);
                elapsed[1] += start.elapsed();
                ensure!(outcome.is_extension(), "a block does not extend the chain");
            }
            made[index].note(elapsed[0], TURN);
            imported[index].note(elapsed[1], TURN);
        }
    }
    let [made_short, made_long] = &made;
    let [imported_short, imported_long] = &imported;
    let ratio = |long: &Way, short: &Way| long.ratios(short)[1];
    let ratios = [
        ("template and mining", ratio(made_long, made_short)),
        ("`import`", ratio(imported_long, imported_short)),
    ];
    let title = format!("One more block on {short} blocks, and on {tall}");
    let ways = [imported_short, imported_long, made_short, made_long];
    Ok(Growth { table: ways::table(&title, "µs a block", &ways), ratios })
}

/// A chain with this many small blocks.
fn chain(blocks: u64) -> Result<Blockchain> {
    let mut chain = Blockchain::new(spec()?);
    grow(&mut chain, blocks)?;
    Ok(chain)
}
