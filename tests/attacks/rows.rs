//! The rows, by kind of attack.

mod bombs;
mod bytes;
mod calls;
mod counts;
mod crowds;
mod discovery;
mod floods;
mod forged;
mod formats;
mod frames;
mod hello;
mod sync;
mod upgrade;

use crate::table::Row;

const GROUPS: &[&[Row]] = &[
    upgrade::ROWS,
    formats::ROWS,
    hello::ROWS,
    bytes::ROWS,
    bombs::ROWS,
    frames::ROWS,
    counts::ROWS,
    forged::ROWS,
    sync::ROWS,
    floods::ROWS,
    discovery::ROWS,
    crowds::ROWS,
    calls::ROWS,
];

pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(|group| group.iter())
}
