//! The encode and decode times of the formats, as tables and as panels of a chart.

use super::chart::Panel;
use super::codec::{Codec, Codecs};
use super::format::Format;
use super::table::{Table, figure};

pub(crate) fn sizes(all: &[Codecs]) -> Table {
    let names = Format::ALL.map(|format| [format.name().to_owned(), "of raw".to_owned()]);
    let columns = ["bytes of a".to_owned(), "raw".to_owned()].into_iter().chain(names.into_iter().flatten());
    let mut table = Table::new("Bytes on the wire", columns);
    for codecs in all {
        let cells =
            codecs.formats.iter().flat_map(|codec| [figure(codec.bytes), figure(codec.bytes / codecs.raw)]);
        table.row([codecs.item.clone(), figure(codecs.raw)].into_iter().chain(cells));
    }
    table.note(
        "Raw are the 180 bytes of the header and the canonical bytes of the transactions. Each figure is of a \
         message with many of them, divided by their number.",
    )
}

pub(crate) fn speeds(all: &[Codecs]) -> Table {
    let columns =
        ["µs for a", "format", "encode", "times as fast as json", "decode", "times as fast as json"];
    let mut table = Table::new("Encoding and decoding", columns);
    for codecs in all {
        for Codec { format, encode, decode, .. } in &codecs.formats {
            table.row([
                codecs.item.clone(),
                format.name().to_owned(),
                figure(encode.micros),
                spread(encode.speed),
                figure(decode.micros),
                spread(decode.speed),
            ]);
        }
    }
    table.note(
        "On one thread; the middle half of the turns in brackets. Decoding a block includes hashing its header, \
         which gives the block its identity, in every format.",
    )
}

pub(crate) fn panels(all: &[Codecs]) -> Vec<Panel> {
    let panel = |title: &str, value: &dyn Fn(&Codecs, &Codec) -> f64| Panel {
        title: title.to_owned(),
        groups: all
            .iter()
            .map(|codecs| {
                let values = codecs.formats.iter().map(|codec| value(codecs, codec));
                (codecs.item.clone(), values.collect())
            })
            .collect(),
    };
    vec![
        panel("Bytes, of raw", &|codecs, codec| codec.bytes / codecs.raw),
        panel("Encoding, raw MB a second", &|codecs, codec| codecs.raw / codec.encode.micros),
        panel("Decoding, raw MB a second", &|codecs, codec| codecs.raw / codec.decode.micros),
    ]
}

/// Formats a median and the middle half of the turns.
pub(crate) fn spread([low, middle, high]: [f64; 3]) -> String {
    format!("{} ({} to {})", figure(middle), figure(low), figure(high))
}
