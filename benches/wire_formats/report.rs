//! The results as tables and as a chart, and their comparison with the targets.

use super::chart::{self, Panel};
use super::codec::{Codec, Codecs};
use super::comparison::{self, spread};
use super::format::Format;
use super::mesh::Propagation;
use super::socket::Throughput;
use super::sync::{Synced, Way};
use super::table::{Table, figure};
use super::turns::{median, quartiles};

/// All results of one run.
pub(crate) struct Results {
    /// The number of blocks of a full synchronisation.
    pub(crate) blocks: u64,
    /// The raw bytes of the blocks that are sent over a socket and synchronised.
    pub(crate) raw: f64,
    pub(crate) codecs: Vec<Codecs>,
    pub(crate) throughput: Vec<Throughput>,
    pub(crate) synced: Vec<Synced>,
    pub(crate) propagations: Vec<Propagation>,
}

impl Results {
    pub(crate) fn tables(&self) -> Vec<Table> {
        let codecs = !self.codecs.is_empty();
        let (socket, sync) = (!self.throughput.is_empty(), !self.synced.is_empty());
        let tables = [
            (codecs, comparison::sizes(&self.codecs)),
            (codecs, comparison::speeds(&self.codecs)),
            (socket, self.messages()),
            (sync, self.syncs()),
            (!self.propagations.is_empty(), self.meshes()),
            (codecs || sync, self.targets()),
        ];
        tables.into_iter().filter(|(is_measured, _)| *is_measured).map(|(_, table)| table).collect()
    }

    fn messages(&self) -> Table {
        let columns =
            ["format", "messages a second", "times json", "MB of raw blocks a second", "CPU ms a MB"];
        let mut table = Table::new("Messages over a socket", columns);
        for throughput in &self.throughput {
            let rate = median(throughput.rates.iter().copied());
            table.row([
                throughput.format.name().to_owned(),
                figure(rate),
                spread(ratios(&throughput.rates, &self.throughput[0].rates)),
                figure(rate * self.raw / 1e6),
                figure(self.cpu_of(throughput)),
            ]);
        }
        table.note(
            "Blocks of 4 texts of 150 bytes, each in a message of its own that is encoded, sent over loopback, read \
             and decoded; 64 messages between two flushes. CPU time is that of both ends, for a MB of raw blocks.",
        )
    }

    fn syncs(&self) -> Table {
        let first = self.synced.first().map_or("", |synced| synced.way.name());
        let columns = [
            "way",
            "blocks a second",
            &format!("times {first}"),
            "decode and import alone",
            "of that",
            "bytes a block",
            "CPU ms a MB",
        ];
        let mut table =
            Table::new(&format!("Full synchronisation of {} blocks", figure(self.blocks as f64)), columns);
        for synced in &self.synced {
            let total = self.blocks as f64 * synced.rates.len() as f64;
            let is_wire = synced.way != Way::Memory;
            table.row([
                synced.way.name().to_owned(),
                figure(median(synced.rates.iter().copied())),
                spread(ratios(&synced.rates, &self.synced[0].rates)),
                figure(median(synced.alone.iter().copied())),
                spread(ratios(&synced.rates, &synced.alone)),
                if is_wire { figure(synced.bytes as f64 / total) } else { "none".to_owned() },
                figure(synced.cpu.as_secs_f64() * 1e3 / (total * self.raw / 1e6)),
            ]);
        }
        table.note(
            "Blocks of 4 texts of 150 bytes, from one node to another that begins with nothing, both in this process \
             with stores in memory; over WebSocket on loopback, over bincode with both stores on a disk (`disk`), and \
             as values without a codec. Bytes are those that both nodes read: headers come first, so each crosses \
             twice. `Decode and import alone` is one thread that \
             reads the same messages with blocks, without headers, nodes or sockets.",
        )
    }

    fn meshes(&self) -> Table {
        let columns =
            ["mesh", "raw bytes of the block", "format", "ms", "times json", "bytes", "of the floor"];
        let mut table = Table::new("A block through a mesh", columns);
        for mesh in self.propagations.chunks(Format::ALL.len()) {
            for propagation in mesh {
                table.row([
                    format!("{} nodes", propagation.nodes),
                    figure(propagation.raw as f64),
                    propagation.format.name().to_owned(),
                    figure(median(propagation.millis.iter().copied())),
                    spread(ratios(&propagation.millis, &mesh[0].millis)),
                    figure(propagation.bytes),
                    figure(propagation.bytes / propagation.floor),
                ]);
            }
        }
        table.note(
            "All nodes are in this process and connected to each other over loopback. The time is from the new tip of \
             the node that mined to the new tip of the last one. The floor is one body for each node but the first; \
             what comes on top are announcements of the header, and bodies that were asked for while they were on \
             their way already.",
        )
    }

    /// The targets of the crate, and whether they are met.
    fn targets(&self) -> Table {
        let mut table = Table::new("Targets", ["target", "here", ""]);
        let mut row = |target: &str, here: String, is_met: bool| {
            table.row([target.to_owned(), here, if is_met { "met" } else { "missed" }.to_owned()]);
        };
        let of_raw = |codecs: &Codecs, format| codec(codecs, format).bytes / codecs.raw;
        let worst = |format| self.blocks_only().map(|codecs| of_raw(codecs, format)).fold(0.0, f64::max);
        let [bincode, postcard] = [Format::Bincode, Format::Postcard].map(worst);
        if !self.codecs.is_empty() {
            row("postcard: at most 1.05 of any block's raw bytes", figure(postcard), postcard <= 1.05);
            row("bincode: at most 1.3 of any block's raw bytes", figure(bincode), bincode <= 1.3);
        }
        for format in [Format::Bincode, Format::Postcard] {
            for codecs in &self.codecs {
                let speed = codec(codecs, format).decode.speed[1];
                let target = format!("{}: decodes a {} 5 times as fast as json", format.name(), codecs.item);
                row(&target, figure(speed), speed >= 5.0);
            }
        }
        let sync = |way| self.synced.iter().find(move |synced| synced.way == way);
        let [json, bincode] = [Format::Json, Format::Bincode].map(|format| sync(Way::Wire(format)));
        if let (Some(disk), Some(bincode)) = (sync(Way::Disk), bincode) {
            let [_, of_memory, _] = ratios(&disk.rates, &bincode.rates);
            row("sync between stores on a disk: 0.6 of that in memory", figure(of_memory), of_memory >= 0.6);
        }
        if let (Some(json), Some(bincode)) = (json, bincode) {
            let rate = median(bincode.rates.iter().copied());
            row("sync over bincode: 100,000 blocks a second", figure(rate), rate >= 100_000.0);
            let [_, of_alone, _] = ratios(&bincode.rates, &bincode.alone);
            row("half of decode and import alone", figure(of_alone), of_alone >= 0.5);
            let [_, of_bincode, _] = ratios(&json.rates, &bincode.rates);
            row("sync over json: a third of that over bincode", figure(of_bincode), of_bincode >= 1.0 / 3.0);
        }
        table
    }

    pub(crate) fn svg(&self) -> String {
        let mut panels = comparison::panels(&self.codecs);
        let rates = self.throughput.iter().map(|throughput| median(throughput.rates.iter().copied()));
        let synced = self.synced.iter().filter(|synced| matches!(synced.way, Way::Wire(_)));
        let sync_rates = synced.map(|synced| median(synced.rates.iter().copied()));
        let cpu = self.throughput.iter().map(|throughput| self.cpu_of(throughput));
        for (title, group, values) in [
            ("Messages a second over a socket", "block of 4 texts of 150 bytes", rates.collect::<Vec<_>>()),
            ("Full synchronisation, blocks a second", "block of 4 texts of 150 bytes", sync_rates.collect()),
            ("CPU ms for a raw MB over a socket", "both ends", cpu.collect()),
        ] {
            panels.push(Panel { title: title.to_owned(), groups: vec![(group.to_owned(), values)] });
        }
        let groups = self.propagations.chunks(Format::ALL.len()).filter_map(|mesh| {
            let first = mesh.first()?;
            let values = mesh.iter().map(|propagation| median(propagation.millis.iter().copied()));
            Some((format!("{} nodes, {} bytes", first.nodes, figure(first.raw as f64)), values.collect()))
        });
        panels.push(Panel { title: "A block through a mesh, ms".to_owned(), groups: groups.collect() });
        let title = format!("hashloom {}: wire formats", env!("CARGO_PKG_VERSION"));
        chart::svg(&title, &Format::ALL.map(Format::name), &panels, figure)
    }

    /// The payloads that are blocks.
    fn blocks_only(&self) -> impl Iterator<Item = &Codecs> {
        self.codecs.iter().filter(|codecs| codecs.item.starts_with("block"))
    }

    /// Milliseconds of processor time per megabyte of raw blocks.
    fn cpu_of(&self, throughput: &Throughput) -> f64 {
        throughput.cpu.as_secs_f64() * 1e3 / (throughput.messages as f64 * self.raw / 1e6)
    }
}

fn codec(codecs: &Codecs, format: Format) -> &Codec {
    let index = Format::ALL.iter().position(|other| *other == format).unwrap_or_default();
    &codecs.formats[index]
}

/// The quartiles of the ratios of turns in close succession.
fn ratios(values: &[f64], base: &[f64]) -> [f64; 3] {
    quartiles(values.iter().zip(base).map(|(value, base)| value / base))
}
