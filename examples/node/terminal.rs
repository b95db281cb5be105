//! What the node writes to standard error: log lines and, on a terminal, progress below them.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::{Result, anyhow};
use hashloom::{NodeHandle, Status};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use tracing_subscriber::EnvFilter;

/// How often the line of progress changes.
const REFRESH: Duration = Duration::from_millis(200);

/// What is logged where `RUST_LOG` does not say.
const DEFAULT_LOG: &str = "warn,hashloom=info,node=info";

/// Standard error, shared by the log and the progress.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    /// Draws nothing where standard error is no terminal.
    lines: MultiProgress,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self { lines: MultiProgress::new() }
    }

    /// Logs to here from now on.
    pub(crate) fn log(&self) -> Result<()> {
        let filter = match std::env::var("RUST_LOG") {
            Ok(text) if !text.is_empty() => {
                EnvFilter::try_new(text).map_err(|error| anyhow!("RUST_LOG is no log filter: {error}"))?
            }
            _ => EnvFilter::new(DEFAULT_LOG),
        };
        let terminal = self.clone();
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(io::stderr().is_terminal() && !is_colorless())
            .with_writer(move || terminal.clone())
            .init();
        Ok(())
    }

    /// Shows what the node mines or fetches, until the task is aborted.
    pub(crate) fn show_progress(&self, node: NodeHandle) -> JoinHandle<()> {
        let lines = self.lines.clone();
        tokio::spawn(async move {
            if lines.is_hidden() {
                return;
            }
            let mut line = Line { bar: None, lines };
            let mut ticks = interval(REFRESH);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut rate = 0.0;
            loop {
                ticks.tick().await;
                line.show(progress(&node.status(), &mut rate));
            }
        })
    }
}

impl Terminal {
    /// Shows how far a piece of work has come that is done block by block: a bar, or where standard error is no
    /// terminal a line now and then.
    pub(crate) fn show_steps(&self, doing: &'static str, total: u64) -> Steps {
        let bar = (!self.lines.is_hidden()).then(|| {
            let style = ProgressStyle::with_template(
                "{msg} {wide_bar} {human_pos} of {human_len} blocks, {per_sec}, {eta}",
            );
            let bar = self.lines.add(ProgressBar::new(total)).with_message(doing);
            if let Ok(style) = style { bar.with_style(style) } else { bar }
        });
        Steps { doing, total, bar, tenths: 0 }
    }
}

/// A piece of work under way. Dropping it takes its bar away.
#[derive(Debug)]
pub(crate) struct Steps {
    doing: &'static str,
    total: u64,
    bar: Option<ProgressBar>,
    /// Of the total, that were written as a line.
    tenths: u64,
}

impl Steps {
    /// So many blocks are done.
    pub(crate) fn show(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            return;
        }
        let tenths = done.saturating_mul(10).checked_div(self.total).unwrap_or(10);
        if tenths > self.tenths {
            self.tenths = tenths;
            // Whoever reads them may be gone, which is no reason to stop.
            let _ = writeln!(io::stderr(), "{} {done} of {} blocks", self.doing, self.total);
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Whether the user wants no colors: <https://no-color.org>.
fn is_colorless() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Takes the line of progress away while something is logged.
impl Write for Terminal {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.lines.suspend(|| io::stderr().write(text))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The line of progress. Dropping it takes it away.
struct Line {
    lines: MultiProgress,
    bar: Option<ProgressBar>,
}

impl Line {
    /// Shows the text, or nothing.
    fn show(&mut self, text: Option<String>) {
        let Some(text) = text else {
            self.clear();
            return;
        };
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}");
            let bar = self.lines.add(ProgressBar::new_spinner());
            if let Ok(style) = style { bar.with_style(style) } else { bar }
        });
        bar.set_message(text);
        bar.tick();
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            self.lines.remove(&bar);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What there is to say of a node that is halted, synchronises or mines. `rate` is the last hash rate that was measured
/// over long enough to mean something.
fn progress(status: &Status, rate: &mut f64) -> Option<String> {
    if let Some(error) = status.store_error.as_ref().filter(|_| status.halted) {
        return Some(format!("halted at block {}: {error}", status.height));
    }
    if status.header_height > status.height {
        return Some(format!("fetching block {} of {}", status.height + 1, status.header_height));
    }
    let mining = status.mining?;
    if mining.elapsed > REFRESH || *rate == 0.0 {
        *rate = mining.hash_rate();
    }
    let seconds = mining.elapsed.as_secs_f64();
    Some(format!("mining block {}, {:.2} MH/s, {seconds:.1} s", mining.height, *rate / 1e6))
}
