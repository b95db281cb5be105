//! The metrics of the process, under the names that all Prometheus clients use.

use core::fmt;

use procfs::WithCurrentSystemInfo as _;
use procfs::process::Process as Entry;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::node::{BYTES, Encoder, SECONDS};

/// Reads `/proc` at each scrape. What cannot be read is left out.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    #[expect(clippy::cast_precision_loss, reason = "exact for millions of years")]
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Ok(entry) = Entry::myself().and_then(|process| process.stat()) else { return Ok(()) };
        let mut to = Encoder::new(encoder);
        if let Ok(boot) = procfs::boot_time_secs() {
            let since_boot = entry.starttime as f64 / procfs::ticks_per_second() as f64;
            let start = boot as f64 + since_boot;
            to.gauge(
                "process_start_time",
                "The time at which the process started, since 1970.",
                SECONDS,
                &start,
            )?;
        }
        let bytes = entry.rss_bytes().get();
        to.gauge("process_resident_memory", "The resident memory of the process.", BYTES, &bytes)
    }
}
