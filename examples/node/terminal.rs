//! What the node writes to standard error: log lines and, on a terminal, progress below them. The program
//! continues if the disk is full, or if the reader is gone or has stopped reading.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use hashloom::NodeHandle;
use hashloom::node::Status;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::EnvFilter;

/// The refresh interval of the progress line.
const REFRESH: Duration = Duration::from_millis(200);

/// The log filter if `RUST_LOG` is not set.
const DEFAULT_LOG: &str = concat!("warn,hashloom=info,", env!("CARGO_CRATE_NAME"), "=info");

/// Switches the access log on.
const ACCESS_LOG: &str = "hashloom::http::access=debug";

/// The queue limit for lines that wait for standard error. Further lines are dropped and counted.
const MAX_QUEUED: usize = 4096;

/// How long the program waits at its end for the last lines to be written.
const FINISH_TIMEOUT: Duration = Duration::from_millis(500);

/// Standard error, shared by the log and the progress. A separate thread writes the log lines.
#[derive(Clone, Debug)]
pub(crate) struct Terminal {
    screen: Screen,
    lines: mpsc::Sender<Line>,
    counts: Arc<Counts>,
}

/// The terminal's screen. The lock serialises drawing and writing.
#[derive(Clone, Debug, Default)]
struct Screen {
    /// Draws nothing if standard error is not a terminal.
    bars: MultiProgress,
    busy: Arc<Mutex<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    waiting: AtomicUsize,
    dropped: AtomicUsize,
}

enum Line {
    Text(Vec<u8>),
    /// Answered after all earlier lines were written.
    Flush(mpsc::Sender<()>),
}

impl Terminal {
    pub(crate) fn new() -> Result<Self> {
        let (lines, waiting) = mpsc::channel();
        let (screen, counts) = (Screen::default(), Arc::<Counts>::default());
        if is_dumb() {
            screen.bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        let writer = {
            let (screen, counts) = (screen.clone(), Arc::clone(&counts));
            move || write_lines(&waiting, &screen, &counts)
        };
        thread::Builder::new().name("log".to_owned()).spawn(writer).context("cannot start a thread")?;
        Ok(Self { screen, lines, counts })
    }

    /// Sends all log lines and panic messages of the process here.
    pub(crate) fn log(&self, access_log: bool) -> Result<()> {
        let filter = match std::env::var("RUST_LOG") {
            Ok(text) if !text.trim().is_empty() => EnvFilter::try_new(compact(&text))
                .map_err(|error| anyhow!("RUST_LOG is no log filter: {error}"))?,
            _ => EnvFilter::new(DEFAULT_LOG),
        };
        let filter =
            if access_log { filter.add_directive(ACCESS_LOG.parse().context("ACCESS_LOG")?) } else { filter };
        let terminal = self.clone();
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(io::stderr().is_terminal() && !is_colorless())
            .with_writer(move || terminal.clone())
            // The subscriber would report internal errors with `eprintln!`, which panics if standard error is
            // closed.
            .log_internal_errors(false)
            .init();
        // The default hook writes to standard error itself, and may block.
        std::panic::set_hook(Box::new(|panic| {
            let backtrace = Backtrace::capture();
            if backtrace.status() == BacktraceStatus::Captured {
                tracing::error!("{panic}\n{backtrace}");
            } else {
                tracing::error!("{panic}");
            }
        }));
        Ok(())
    }

    /// Writes a line that is not a log line.
    pub(crate) fn say(&self, text: &str) {
        self.queue(format!("{text}\n").into_bytes());
    }

    /// Waits for [`FINISH_TIMEOUT`] at most until all lines are written.
    pub(crate) fn finish(&self) {
        let (written, all) = mpsc::channel();
        if self.lines.send(Line::Flush(written)).is_ok() {
            // Lines that standard error has not accepted by then are lost.
            let _ = all.recv_timeout(FINISH_TIMEOUT);
        }
    }

    /// Shows the progress of mining and synchronisation until the returned value is dropped.
    pub(crate) fn show_progress(&self, node: NodeHandle<crate::Record>) -> Shown {
        let (shown, ended) = mpsc::channel();
        if !self.screen.bars.is_hidden() {
            let screen = self.screen.clone();
            // A thread, because a terminal may block the writer. Without the thread only the progress line is
            // missing.
            let _ = thread::Builder::new().name("progress".to_owned()).spawn(move || {
                let mut line = ProgressLine { bar: None, screen };
                let mut rate = 0.0;
                while ended.recv_timeout(REFRESH) == Err(RecvTimeoutError::Timeout) {
                    line.show(progress(&node.status(), &mut rate));
                }
            });
        }
        Shown(shown)
    }

    fn queue(&self, text: Vec<u8>) {
        if self.counts.waiting.fetch_add(1, Ordering::Relaxed) < MAX_QUEUED {
            // The writer thread ends only after the last sender is dropped.
            let _ = self.lines.send(Line::Text(text));
        } else {
            self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Keeps the progress of a node on the screen until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Shown(
    #[expect(dead_code, reason = "its end is what counts")] mpsc::Sender<core::convert::Infallible>,
);

fn write_lines(lines: &mpsc::Receiver<Line>, screen: &Screen, counts: &Counts) {
    for line in lines {
        match line {
            Line::Text(text) => {
                screen.write(&text);
                counts.waiting.fetch_sub(1, Ordering::Relaxed);
                let dropped = counts.dropped.swap(0, Ordering::Relaxed);
                if dropped > 0 {
                    screen.write(
                        format!("{dropped} lines were dropped, too many for this reader\n").as_bytes(),
                    );
                }
            }
            Line::Flush(written) => drop(written.send(())),
        }
    }
}

impl Screen {
    /// Clears the progress and writes. The progress reappears at its next refresh.
    fn write(&self, text: &[u8]) {
        let _busy = self.lock();
        // Not `suspend`, which panics if the terminal is gone.
        let _ = self.bars.clear();
        // A failed write is ignored: nothing depends on it.
        let _ = io::stderr().write_all(text);
    }

    /// Adds a bar with this template.
    fn add(&self, bar: ProgressBar, template: &str) -> ProgressBar {
        let bar = self.bars.add(bar);
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Terminal {
    /// Shows the progress of work that advances block by block: a bar, or occasional lines if standard error
    /// is not a terminal.
    pub(crate) fn show_steps(&self, doing: &'static str, total: u64) -> Steps {
        let bar = (!self.screen.bars.is_hidden()).then(|| {
            let template = "{msg} {wide_bar} {human_pos} of {human_len} blocks, {per_sec}, {eta}";
            self.screen.add(ProgressBar::new(total), template).with_message(doing)
        });
        Steps { terminal: self.clone(), doing, total, bar, tenths: 0 }
    }
}

/// Work in progress. Dropping it removes its bar.
#[derive(Debug)]
pub(crate) struct Steps {
    terminal: Terminal,
    doing: &'static str,
    total: u64,
    bar: Option<ProgressBar>,
    /// The tenths of the total that were written as a line.
    tenths: u64,
}

impl Steps {
    /// Reports the number of finished blocks.
    pub(crate) fn show(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            let _busy = self.terminal.screen.lock();
            bar.set_position(done);
            return;
        }
        let tenths = done.saturating_mul(10).checked_div(self.total).unwrap_or(10);
        if tenths > self.tenths {
            self.tenths = tenths;
            self.terminal.say(&format!("{} {done} of {} blocks", self.doing, self.total));
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

/// Whether the user has disabled colours (<https://no-color.org>), or the terminal has none.
fn is_colorless() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || is_dumb()
}

/// Whether the terminal understands no escape sequences.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// The directives of a log filter without the blanks and line breaks around them, which would be read as part of a name.
fn compact(filter: &str) -> String {
    let directives = filter.split(',').map(str::trim).filter(|directive| !directive.is_empty());
    directives.collect::<Vec<_>>().join(",")
}

/// Never fails and never blocks.
impl Write for Terminal {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.queue(text.to_vec());
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The progress line. Dropping it clears the line.
struct ProgressLine {
    screen: Screen,
    bar: Option<ProgressBar>,
}

impl ProgressLine {
    /// Shows a text, or clears the line.
    fn show(&mut self, text: Option<String>) {
        let Some(text) = text else {
            self.clear();
            return;
        };
        let _busy = self.screen.lock();
        let bar = self
            .bar
            .get_or_insert_with(|| self.screen.add(ProgressBar::new_spinner(), "{spinner} {wide_msg}"));
        bar.set_message(text);
        bar.tick();
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            self.screen.bars.remove(&bar);
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The progress of a node that is halted, synchronises or mines. `rate` is the last hash rate that was
/// measured over a meaningful time.
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
