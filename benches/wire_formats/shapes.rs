//! The payloads on which the formats are compared.

use std::sync::Arc;

use anyhow::Result;
use hashloom::{Block, Context, Header, Message, Rejected, Transaction};
use serde::{Deserialize, Serialize};

use super::codec::Sample;
use super::forge::Forge;

/// The maximum number of blocks in one message: as many as a peer requests at once.
const BLOCKS: usize = 64;

/// A reading of a device: mostly numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    device: u32,
    at: u64,
    celsius: f64,
    volts: f32,
    counts: [u16; 6],
    is_final: bool,
}

/// Bytes without structure, encoded as a list of numbers like any `Vec<u8>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Blob(Vec<u8>);

macro_rules! without_rules {
    ($name:ident) => {
        impl Transaction for $name {
            type State = ();

            fn apply(&self, (): &mut (), _context: &Context<'_>) -> Result<(), Rejected> {
                Ok(())
            }
        }
    };
}

without_rules!(Reading);
without_rules!(Blob);

/// Four texts of this many characters, different at each height.
pub(crate) fn texts(height: u64, characters: usize) -> Vec<String> {
    (0..4).map(|index| format!("{:0>characters$}", height * 4 + index)).collect()
}

/// The text of a transaction of 150 canonical bytes: postcard encodes its length in two bytes.
pub(crate) const LONG_TEXT: usize = 148;

pub(crate) fn short_texts() -> Result<Sample<String>> {
    Sample::blocks("block of 4 texts of 12 bytes", forge(BLOCKS, |height| texts(height, 11))?)
}

pub(crate) fn long_texts() -> Result<Sample<String>> {
    Sample::blocks("block of 4 texts of 150 bytes", forge(BLOCKS, |height| texts(height, LONG_TEXT))?)
}

pub(crate) fn readings() -> Result<Sample<Reading>> {
    let mut random = fastrand::Rng::with_seed(1);
    let blocks = forge(BLOCKS, |height| {
        let reading = |device| Reading {
            device,
            at: 1_767_225_600_000 + height * 1_000 + u64::from(device),
            celsius: random.f64() * 40.0,
            volts: random.f32() * 12.0,
            counts: core::array::from_fn(|_| random.u16(..10_000)),
            is_final: random.bool(),
        };
        (0..32).map(reading).collect()
    })?;
    Sample::blocks("block of 32 structs of numbers", blocks)
}

pub(crate) fn blobs() -> Result<Sample<Blob>> {
    let mut random = fastrand::Rng::with_seed(2);
    // Enough blocks to fill a message of a mebibyte.
    let blocks = forge(16, |_| vec![Blob(core::iter::repeat_with(|| random.u8(..)).take(65_536).collect())])?;
    Sample::blocks("block of 1 blob of 64 KiB", blocks)
}

/// Headers as a synchronisation sends them.
pub(crate) fn headers() -> Result<Sample<String>> {
    let headers: Vec<Header> =
        forge(2_000, |height| texts(height, 11))?.iter().map(|block| *block.header()).collect();
    let (items, raw) = (headers.len(), headers.len() * Header::LEN);
    Ok(Sample {
        item: "header, of a batch of 2,000".to_owned(),
        message: Message::Headers(headers),
        items,
        raw,
    })
}

/// Consecutive blocks, with the transactions that `data` returns for their heights.
pub(crate) fn forge<T: Transaction>(
    count: usize,
    mut data: impl FnMut(u64) -> Vec<T>,
) -> Result<Vec<Arc<Block<T>>>> {
    let mut forge = Forge::new()?;
    (0..count).map(|_| forge.next(&mut data)).collect()
}
