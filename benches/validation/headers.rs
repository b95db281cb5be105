//! Headers of a chain, imported one by one and in lists before their blocks.

use std::time::Instant;

use anyhow::{Result, ensure};
use hashloom::{Blockchain, ChainConfig, Header};

use super::floor;
use super::forge::{Forge, NOW, spec};
use super::table::Table;
use super::ways::{self, Way};

/// The headers of a turn and of a list, which take a millisecond or less.
const TURN: usize = 500;

pub(crate) struct Headers {
    pub(crate) table: Table,
    /// Headers per second, in lists.
    pub(crate) rate: f64,
    /// The time of a header in a list, as a multiple of its bare compressions.
    pub(crate) ratio: f64,
}

pub(crate) fn measure(count: usize, rounds: usize) -> Result<Headers> {
    let mut forge = Forge::new()?;
    let headers = (0..count)
        .map(|_| Ok(*forge.next::<String>(|_| Vec::new())?.header()))
        .collect::<Result<Vec<Header>>>()?;
    let mut bare = Way::new("the compressions that its hash and its history root ask for, bare");
    let mut six = Way::new("six compressions, bare");
    let mut single = Way::new("`import_header`");
    let mut listed = Way::new("`import_headers` of 500");
    for _ in 0..rounds {
        let (mut by_one, mut by_list) = (empty(count)?, empty(count)?);
        for headers in headers.chunks(TURN) {
            bare.note(floor::compress(headers.iter().map(floor::of_header).sum()), headers.len());
            let constant = floor::CONSTANT * u32::try_from(headers.len())?;
            six.note(floor::compress(constant), headers.len());
            let start = Instant::now();
            for header in headers {
                ensure!(by_one.import_header(header, NOW)?, "a header was known");
            }
            single.note(start.elapsed(), headers.len());
            let start = Instant::now();
            ensure!(by_list.import_headers(headers, NOW)? == headers.len(), "a header was known");
            listed.note(start.elapsed(), headers.len());
        }
        for chain in [by_one, by_list] {
            ensure!(chain.best_header().1 == &headers[count - 1], "not at the last header");
        }
    }
    let title = format!("{count} headers of a chain");
    let table = ways::table(&title, "µs a header", &[&bare, &six, &single, &listed]);
    let [_, ratio, _] = listed.ratios(&bare);
    Ok(Headers { table, rate: listed.rate(), ratio })
}

/// An empty chain that accepts this many headers without their blocks.
pub(crate) fn empty(headers: usize) -> Result<Blockchain> {
    let config = ChainConfig::default().with_max_side_headers(headers + 1);
    Ok(Blockchain::with_config(spec()?, config))
}
