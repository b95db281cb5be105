//! The size of a message in each format, and the time to encode and decode it.

use core::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hashloom::{Block, Message, Transaction};

use super::format::Format;
use super::turns::{median, quartiles};

/// One kind of payload in all formats.
#[derive(Debug)]
pub(crate) struct Codecs {
    /// The name of an item.
    pub(crate) item: String,
    /// The canonical bytes of one item, a lower bound for every format.
    pub(crate) raw: f64,
    /// In the order of [`Format::ALL`].
    pub(crate) formats: Vec<Codec>,
}

/// One kind of payload in one format.
#[derive(Debug)]
pub(crate) struct Codec {
    pub(crate) format: Format,
    /// Bytes of one item.
    pub(crate) bytes: f64,
    pub(crate) encode: Timing,
    pub(crate) decode: Timing,
}

#[derive(Debug)]
pub(crate) struct Timing {
    /// The median time for one item, in microseconds.
    pub(crate) micros: f64,
    /// The speed relative to the first format: the quartiles over the turns.
    pub(crate) speed: [f64; 3],
}

/// A message to measure, with the number of its items and the sum of their canonical bytes.
pub(crate) struct Sample<T> {
    pub(crate) item: String,
    pub(crate) message: Message<T>,
    pub(crate) items: usize,
    pub(crate) raw: usize,
}

impl<T: Transaction> Sample<T> {
    /// Blocks as a synchronisation sends them.
    pub(crate) fn blocks(item: impl Into<String>, blocks: Vec<Arc<Block<T>>>) -> Result<Self> {
        let mut raw = 0;
        for block in &blocks {
            raw += block.digest()?.size;
        }
        Ok(Self { item: item.into(), items: blocks.len(), message: Message::Blocks(blocks), raw })
    }

    /// Measures the message. The formats alternate, and `tick` is called after each round.
    pub(crate) fn measure(&self, rounds: usize, mut tick: impl FnMut()) -> Result<Codecs> {
        let mut frames = Vec::new();
        for format in Format::ALL {
            let frame = format.encode(&self.message)?;
            ensure!(format.decode::<Message<T>>(&frame)? == self.message, "{} changes it", format.name());
            frames.push(frame);
        }
        let mut times = Format::ALL.map(|_| (Vec::new(), Vec::new()));
        for _ in 0..rounds {
            for ((format, frame), (encode, decode)) in Format::ALL.iter().zip(&frames).zip(&mut times) {
                let start = Instant::now();
                black_box(format.encode(black_box(&self.message))?);
                encode.push(start.elapsed());
                let start = Instant::now();
                let message: Message<T> = format.decode(black_box(frame))?;
                decode.push(start.elapsed());
                drop(black_box(message));
            }
            tick();
        }
        let items = self.items as f64;
        let (first_encode, first_decode) = times.first().context("no format")?;
        let formats =
            Format::ALL.iter().zip(&frames).zip(&times).map(|((format, frame), (encode, decode))| Codec {
                format: *format,
                bytes: frame.as_bytes().len() as f64 / items,
                encode: timing(encode, first_encode, items),
                decode: timing(decode, first_decode, items),
            });
        Ok(Codecs { item: self.item.clone(), raw: self.raw as f64 / items, formats: formats.collect() })
    }
}

fn timing(times: &[Duration], base: &[Duration], items: f64) -> Timing {
    let speed = times.iter().zip(base).map(|(time, base)| base.as_secs_f64() / time.as_secs_f64());
    Timing { micros: median(times.iter().map(Duration::as_secs_f64)) * 1e6 / items, speed: quartiles(speed) }
}
