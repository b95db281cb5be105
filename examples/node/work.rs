//! Commands on a stored chain while no node runs on it: verify, export, import, repair. Each works in steps,
//! shows its progress, and can be stopped between two steps.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, bail};
use hashloom::archive::{Exporter, Importer};
use hashloom::chain::{Progress, Verifier, VerifyError};
use hashloom::store::StoreError;
use hashloom::{Blockchain, OpenError, Timestamp};
use tokio::task::block_in_place;

use crate::Record;
use crate::program::evidence;
use crate::program::options::{Command, Heights, Options};
use crate::program::output::Output;
use crate::program::place::{
    Reading, Unread, explain, explain_unrepairable, file_number, open_chain, open_damaged_store, read_chain,
};
use crate::program::terminal::Terminal;

/// Blocks in one step: few enough to stop quickly, and enough for one durable commit.
const STEP_BLOCKS: u64 = 500;

/// The buffer size for reading and writing an archive.
pub(crate) const BUFFER_BYTES: usize = 1 << 20;

/// How a command ended.
enum Outcome {
    /// With this exit code.
    Complete(u8),
    /// Stopped by Ctrl-C. The text says how to continue.
    Stopped(String),
}

/// Runs the command until it is done or until `stop` completes.
pub(crate) fn run(
    command: Command,
    options: &Options,
    terminal: &Terminal,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<ExitCode> {
    let stopped = Arc::new(AtomicBool::new(false));
    let stopping = tokio::spawn({
        let stopped = Arc::clone(&stopped);
        async move {
            stop.await;
            tracing::info!("stopping after this step; Ctrl-C again to exit at once");
            stopped.store(true, Ordering::Relaxed);
            crate::program::exit_at_second_ctrl_c().await;
        }
    });
    let work = Work { options, terminal, stopped: &stopped };
    let ended = block_in_place(|| match command {
        Command::Verify(heights) => work.verify(heights),
        Command::Export { file, force, heights } => work.export(&file, force, heights),
        Command::Import { file } => work.import(&file),
        Command::Repair => work.repair(),
        Command::Evidence(command) => work.evidence(&command),
    });
    stopping.abort();
    match ended? {
        Outcome::Complete(code) => Ok(ExitCode::from(code)),
        Outcome::Stopped(how) => {
            terminal.say(&format!("stopped: {how}"));
            // The exit code that a shell reports for a program that Ctrl-C ended.
            Ok(ExitCode::from(130))
        }
    }
}

struct Work<'a> {
    options: &'a Options,
    terminal: &'a Terminal,
    stopped: &'a AtomicBool,
}

impl Work<'_> {
    fn evidence(&self, command: &evidence::Command) -> Result<Outcome> {
        let Some(report) = evidence::run(command, self.options, self.stopped)? else {
            return Ok(Outcome::Stopped("the same command starts again".to_owned()));
        };
        let written = io::stdout().write_all(report.text.as_bytes());
        if report.is_data {
            written.context("cannot write to standard output")?;
        }
        Ok(Outcome::Complete(report.code))
    }

    fn verify(&self, heights: Heights) -> Result<Outcome> {
        let found = match self.verify_by(heights, Reading::Checked) {
            Ok(ended) => return Ok(ended),
            Err(found) if !found.is_damage => return Err(found.error),
            Err(found) => found,
        };
        match self.verify_by(heights, Reading::Unchecked) {
            Ok(stopped @ Outcome::Stopped(_)) => Ok(stopped),
            Err(named) if named.height.is_some() => Err(named.error),
            _ => Err(found.error),
        }
    }

    fn verify_by(&self, heights: Heights, reading: Reading) -> Result<Outcome, Unread> {
        let directory = self.options.place().directory()?;
        let chain = read_chain(&directory, self.options, reading)?;
        let heights = heights.in_chain(chain.height(), 0)?;
        let first = *heights.start();
        let failed = |error: VerifyError| {
            let good = match last_good(&error) {
                Some(last) if last >= first => {
                    format!("; the blocks {first} to {last} are good: the command repair keeps them")
                }
                _ => String::new(),
            };
            Unread {
                height: Some(error.height()),
                is_damage: matches!(&error, VerifyError::Store { error, .. } if error.is_damage()),
                error: anyhow!("{}: {error}{good}", directory.display()),
            }
        };
        let mut verifier = chain.verifier(heights.clone()).map_err(failed)?;
        if !self.verify_on(&chain, &mut verifier).map_err(failed)? {
            return Ok(Outcome::Stopped(format!("verify --from {} continues", verifier.next_height())));
        }
        let pruned = chain.first_body().saturating_sub(1);
        let pruned = if pruned >= first.max(1) {
            format!("; bodies up to {pruned} are pruned, so only their headers were verified")
        } else {
            String::new()
        };
        // Without the checksums of the file this is no verdict.
        if reading == Reading::Checked {
            say(&format!("verified the blocks {first} to {}{pruned}", heights.end()));
        }
        Ok(Outcome::Complete(0))
    }

    fn export(&self, path: &Path, force: bool, heights: Heights) -> Result<Outcome> {
        let directory = self.options.place().directory()?;
        let chain = read_chain(&directory, self.options, Reading::Checked).map_err(|unread| unread.error)?;
        let heights = heights.in_chain(chain.height(), 1)?;
        let output = Output::open(path, force)?;
        let is_file = output.is_file();
        let cannot_write = || format!("cannot write {}", path.display());
        let mut exporter =
            Exporter::new(&chain, heights.clone(), output).map_err(|error| anyhow!("{error}"))?;
        let total = exporter.progress().total;
        let is_complete = self
            .advance("exporting", total, || exporter.step(&chain, STEP_BLOCKS))
            .map_err(|error| anyhow!("{}: {error}", path.display()))?;
        if !is_complete {
            let written = if is_file { "nothing was written" } else { "what was written is not complete" };
            return Ok(Outcome::Stopped(written.to_owned()));
        }
        exporter.into_inner().finish().with_context(cannot_write)?;
        let done = format!("exported {total} blocks up to height {} into {}", heights.end(), path.display());
        if is_file {
            say(&done);
        } else {
            // Not standard output, to which the blocks may have been exported.
            self.terminal.say(&done);
        }
        Ok(Outcome::Complete(0))
    }

    fn import(&self, path: &Path) -> Result<Outcome> {
        let directory = self.options.place().directory()?;
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut chain = open_chain(&directory, self.options)?;
        let failed = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", path.display());
        let file = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut importer = Importer::new(&chain, file).map_err(|error| failed(&error))?;
        let total = importer.progress().total;
        let ended = self.advance("importing", total, || importer.step(&mut chain, STEP_BLOCKS, now()));
        let done = importer.progress().done;
        // If the checkpoint fails, the next opening only has more blocks to replay.
        let closed = chain.checkpoint();
        let kept = format!(
            "{done} of {total} blocks are valid and stored, the chain ends at height {}",
            chain.height()
        );
        match ended {
            Ok(true) => {
                closed.map_err(|error| explain(&directory, &error.into()))?;
                say(&format!("imported {}: {kept}", path.display()));
                Ok(Outcome::Complete(0))
            }
            Ok(false) => Ok(Outcome::Stopped(format!("{kept}; the same command continues"))),
            Err(error) => bail!("{}: {error}; {kept}", path.display()),
        }
    }

    fn repair(&self) -> Result<Outcome> {
        let directory = self.options.place().directory()?;
        let before = file_number(&directory);
        let store = open_damaged_store(&directory)?;
        // Damage of the file alone is repaired by a new file.
        let is_new = file_number(&directory) != before;
        let explain = |error: OpenError| explain_unrepairable(&directory, &error);
        let (mut chain, found) =
            Blockchain::<Record>::repair(self.options.spec()?, self.options.chain_config(), store)
                .map_err(explain)?;
        if let Some(found) = &found {
            let did = match found {
                OpenError::Damaged { .. } | OpenError::Replay { .. } => "dropped the end of the chain",
                _ => "repaired the store",
            };
            say(&format!("{did}: {}", cause(found)));
        }
        let mut verifier = chain.verifier(..).map_err(|error| anyhow!("{error}"))?;
        let is_good = match self.verify_on(&chain, &mut verifier) {
            Ok(true) => found.is_none() && !is_new,
            Ok(false) => return Ok(Outcome::Stopped("not all was checked; run it again".to_owned())),
            Err(error) => {
                let Some(last) = last_good(&error) else { bail!("{}: {error}", directory.display()) };
                let dropped = chain.height() - last;
                chain.drop_above(last).map_err(explain)?;
                say(&format!("dropped the last {dropped} blocks: {}", named(&error)));
                false
            }
        };
        let verdict = if is_good { "nothing is wrong" } else { "repaired" };
        say(&format!("{verdict}: the chain ends at height {}", chain.height()));
        Ok(Outcome::Complete(0))
    }

    fn verify_on(
        &self,
        chain: &Blockchain<Record>,
        verifier: &mut Verifier<Record>,
    ) -> Result<bool, VerifyError> {
        let total = verifier.progress().total;
        self.advance("verifying", total, || verifier.step(chain, STEP_BLOCKS))
    }

    /// Runs steps until all are done or the command is stopped. Returns whether all are done.
    fn advance<E>(
        &self,
        doing: &'static str,
        total: u64,
        mut step: impl FnMut() -> Result<Progress, E>,
    ) -> Result<bool, E> {
        let mut steps = self.terminal.show_steps(doing, total);
        loop {
            let progress = step()?;
            steps.show(progress.done);
            if progress.is_complete {
                return Ok(true);
            }
            if self.stopped.load(Ordering::Relaxed) {
                return Ok(false);
            }
        }
    }
}

/// Prints a result for people and scripts. A failed write is ignored, because the exit code reports the
/// result, too.
fn say(text: &str) {
    let _ = io::stdout().write_all(format!("{text}\n").as_bytes());
}

/// The height up to which a chain that failed verification is valid. `None` if no block is valid, or if the
/// disk may be at fault and not the data.
fn last_good(error: &VerifyError) -> Option<u64> {
    match error {
        VerifyError::Block { height, .. }
        | VerifyError::Hash { height, .. }
        | VerifyError::Store { height, error: StoreError::DamagedValue { .. } } => height.checked_sub(1),
        _ => None,
    }
}

/// What was wrong with the block at which opening truncated the chain.
fn cause(found: &OpenError) -> String {
    match found {
        OpenError::Damaged { height, error } => format!("block {height}: {}", damage(error)),
        OpenError::Replay { height, error } => format!("block {height}: {error}"),
        OpenError::Store(error) => damage(error),
        error => error.to_string(),
    }
}

/// What was wrong with the block at which a verification ended.
fn named(error: &VerifyError) -> String {
    match error {
        VerifyError::Store { height, error } => format!("block {height}: {}", damage(error)),
        error => error.to_string(),
    }
}

/// What is wrong with a store. The library's own text advises to repair it, which is being done.
fn damage(error: &StoreError) -> String {
    match error {
        StoreError::DamagedValue { table, key, reason } => format!("{} {key} {reason}", table.name()),
        error => error.to_string(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the clock of a program, which is an argument of the library")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
