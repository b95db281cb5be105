//! Headers of a chain, imported one by one before their blocks.

use std::time::Instant;

use anyhow::{Result, ensure};
use hashloom::{Blockchain, ChainConfig, Header};

use super::floor;
use super::forge::{Forge, NOW, spec};
use super::table::Table;
use super::ways::{self, Way};

/// The headers of a turn, which take a millisecond or less.
const TURN: usize = 500;

pub(crate) struct Headers {
    pub(crate) table: Table,
    /// Headers per second.
    pub(crate) rate: f64,
}

pub(crate) fn measure(count: usize, rounds: usize) -> Result<Headers> {
    let mut forge = Forge::new()?;
    let headers = (0..count)
        .map(|_| Ok(*forge.next::<String>(|_| Vec::new())?.header()))
        .collect::<Result<Vec<Header>>>()?;
    let mut bare = Way::new("the compressions that its hash and its history root ask for, bare");
    let mut six = Way::new("six compressions, bare");
    let mut import = Way::new("`import_header`");
    for _ in 0..rounds {
        let mut chain = empty(count)?;
        for headers in headers.chunks(TURN) {
            bare.note(floor::compress(headers.iter().map(floor::of_header).sum()), headers.len());
            let constant = floor::CONSTANT * u32::try_from(headers.len())?;
            six.note(floor::compress(constant), headers.len());
            let start = Instant::now();
            for header in headers {
                ensure!(chain.import_header(header, NOW)?, "a header was known");
            }
            import.note(start.elapsed(), headers.len());
        }
        ensure!(chain.best_header().1 == &headers[count - 1], "not at the last header");
    }
    let title = format!("{count} headers of a chain, one by one");
    let table = ways::table(&title, "µs a header", &[&bare, &six, &import]);
    Ok(Headers { table, rate: import.rate() })
}

/// An empty chain that accepts this many headers without their blocks.
pub(crate) fn empty(headers: usize) -> Result<Blockchain> {
    let config = ChainConfig::default().with_max_side_headers(headers + 1);
    Ok(Blockchain::with_config(spec()?, config))
}
