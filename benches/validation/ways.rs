//! Several ways to process the next items of a list, measured in turns.

use std::time::Duration;

use super::table::{Table, figure};
use super::turns::{median, quartiles};

/// One way, and the results of its turns.
pub(crate) struct Way {
    name: &'static str,
    /// Seconds per item, turn by turn.
    pub(crate) turns: Vec<f64>,
}

impl Way {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, turns: Vec::new() }
    }

    /// Records a turn with this many items.
    pub(crate) fn note(&mut self, elapsed: Duration, items: usize) {
        self.turns.push(elapsed.as_secs_f64() / items as f64);
    }

    /// Items per second.
    pub(crate) fn rate(&self) -> f64 {
        1.0 / median(self.turns.iter().copied())
    }

    /// The ratios of the times of the turns to those of another way in the same round.
    pub(crate) fn ratios(&self, base: &Self) -> [f64; 3] {
        quartiles(self.turns.iter().zip(&base.turns).map(|(turn, base)| turn / base))
    }

    fn total(&self) -> f64 {
        self.turns.iter().sum()
    }
}

/// A table of ways. Ratios are of time, relative to the first way.
pub(crate) fn table(title: &str, of: &str, ways: &[&Way]) -> Table {
    let columns =
        ["", of, "a second", "times the first row", "middle half", "of all the time", "of the fastest turns"];
    let mut table = Table::new(title, columns);
    let fastest = |way: &Way| way.turns.iter().copied().fold(f64::INFINITY, f64::min);
    let base = ways[0];
    for way in ways {
        let [low, middle, high] = way.ratios(base);
        table.row([
            way.name.to_owned(),
            figure(1e6 * median(way.turns.iter().copied())),
            figure(way.rate()),
            figure(middle),
            format!("{} to {}", figure(low), figure(high)),
            figure(way.total() / base.total()),
            figure(fastest(way) / fastest(base)),
        ]);
    }
    table
}
