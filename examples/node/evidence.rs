//! The options and commands for evidence, and their conversion to types of the library. A build without the feature refuses
//! them, and hides them from the help.

use std::num::NonZeroU64;
use std::path::PathBuf;
#[cfg(not(feature = "evidence"))]
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use clap::{Args, Subcommand};
use hashloom::NodeBuilder;

use crate::program::options::{Heights, Options};
use crate::program::values::{List, trimmed, words};

/// What a node signs.
#[derive(Debug, Args)]
pub(crate) struct Signing {
    /// Sign checkpoints of the chain with the secret key in this file, which the command keygen writes.
    #[arg(long, env, value_name = "FILE", help_heading = "Evidence", hide = !cfg!(feature = "evidence"))]
    log_key: Option<PathBuf>,

    /// Blocks that there have to be above a signed block.
    #[arg(long, env, value_name = "COUNT", value_parser = trimmed::<NonZeroU64>, default_value = "6",
          help_heading = "Evidence", hide = !cfg!(feature = "evidence"))]
    log_depth: NonZeroU64,

    /// Be a witness: cosign the checkpoints of the logs in `WITNESSED_LOGS` with the secret key in this file, which the
    /// command keygen writes with --witness.
    #[arg(long, env, value_name = "FILE", help_heading = "Evidence", hide = !cfg!(feature = "evidence"))]
    witness_key: Option<PathBuf>,

    /// Public keys of the logs to cosign, separated by commas or blanks.
    #[arg(long, env, value_name = "KEY", value_parser = words, help_heading = "Evidence", hide = !cfg!(feature = "evidence"))]
    witnessed_logs: Vec<List<String>>,

    /// Witnesses to ask for cosignatures, such as `http://host:3001/witness=KEY`, separated by commas or blanks.
    #[arg(long, env, value_name = "URL=KEY", value_parser = words, help_heading = "Evidence",
          hide = !cfg!(all(feature = "client", feature = "evidence")))]
    witnesses: Vec<List<String>>,
}

/// Work on evidence.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key for checkpoints: write the secret key into a file, and print the public key.
    #[command(hide = !cfg!(feature = "evidence"))]
    Keygen {
        /// The file for the secret key; it must not exist.
        file: PathBuf,
        /// Name of the key, which is the origin of the log. Default: the name of the chain and its genesis hash.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Make the key of a witness.
        #[arg(long, requires = "name")]
        witness: bool,
    },
    /// Print the receipt of a transaction in the stored chain, for the last checkpoint that was signed.
    #[command(hide = !cfg!(all(feature = "evidence", feature = "redb")))]
    Receipt {
        /// The id of the transaction.
        id: String,
    },
    /// Write the log of the last checkpoint that was signed as static files, for any web server: the checkpoint, its
    /// tiles, and a receipt of each transaction.
    #[command(hide = !cfg!(all(feature = "evidence", feature = "redb")))]
    Publish {
        /// The directory. Files of an earlier run stay.
        directory: PathBuf,
        /// The blocks with receipts.
        #[command(flatten)]
        heights: Heights,
    },
    /// Check a receipt, without a chain and without a network.
    #[command(hide = !cfg!(feature = "evidence"))]
    Check {
        /// The receipt.
        file: PathBuf,
        /// A public key of the log; each key that is given must have signed.
        #[arg(long, value_name = "KEY", required = true)]
        key: Vec<String>,
    },
    /// Compare the checkpoint of a log with the one of the last audit. The exit code is 0 if it extends that one, 3 if the
    /// log is not reached, 4 if the checkpoint is not signed as it must be, and for an alarm 10 (cut off), 11 (unproven),
    /// 12 (rewritten) or 13 (split view).
    #[command(hide = !cfg!(all(feature = "client", feature = "evidence")))]
    Audit {
        /// Where the log is: `http://host:3001/log` for a node, or the address of published files.
        url: String,
        /// A public key of the log; each key that is given must have signed.
        #[arg(long, value_name = "KEY", required = true)]
        key: Vec<String>,
        /// The file with the checkpoint of the last audit; the first audit makes it.
        #[arg(long, value_name = "FILE")]
        memory: PathBuf,
        /// A public key of a witness.
        #[arg(long, value_name = "KEY")]
        witness: Vec<String>,
        /// How many of the witnesses must have cosigned. Default: all of them.
        #[arg(long, value_name = "COUNT")]
        min_witnesses: Option<usize>,
    },
}

/// What a command prints, and its exit code.
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) code: u8,
    /// The text is the result of the command, and not only words about it.
    pub(crate) is_data: bool,
}

impl From<String> for Report {
    fn from(text: String) -> Self {
        Self { text, code: 0, is_data: false }
    }
}

#[cfg(not(feature = "evidence"))]
const MISSING: &str = "needs a build with --features evidence";

impl Signing {
    /// The builder of a node that signs, if the options ask for it.
    #[cfg(feature = "evidence")]
    pub(crate) fn apply(
        &self,
        mut builder: NodeBuilder<crate::Record>,
    ) -> Result<NodeBuilder<crate::Record>> {
        use anyhow::{Context, ensure};
        use hashloom::evidence::{Cosigner, LogSigner, NoteSigner, NoteVerifier, Witness};

        if let Some(path) = &self.log_key {
            let key: NoteSigner = secret_key(path)?;
            tracing::info!("checkpoints are signed with the key {}", key.verifier());
            builder = builder.signer(LogSigner::new(key).with_depth(self.log_depth));
        }
        let logs: Vec<&String> = self.witnessed_logs.iter().flat_map(|list| &list.0).collect();
        if let Some(path) = &self.witness_key {
            let key: Cosigner = secret_key(path)?;
            tracing::info!("{} logs are witnessed with the key {}", logs.len(), key.verifier());
            let mut witness = Witness::new(key);
            for log in logs {
                let key: NoteVerifier = log.parse().with_context(|| format!("WITNESSED_LOGS {log:?}"))?;
                witness = witness.with_log(key);
            }
            builder = builder.witness(witness);
        } else {
            ensure!(logs.is_empty(), "WITNESSED_LOGS needs WITNESS_KEY");
        }
        self.ask_witnesses(builder)
    }

    #[cfg(all(feature = "client", feature = "evidence"))]
    fn ask_witnesses(&self, mut builder: NodeBuilder<crate::Record>) -> Result<NodeBuilder<crate::Record>> {
        use anyhow::Context;
        use hashloom::client::Client;

        for witness in self.witnesses.iter().flat_map(|list| &list.0) {
            let named = || format!("WITNESSES {witness:?}");
            let (url, key) = witness.split_once('=').with_context(|| format!("{}: no `=`", named()))?;
            let (url, key) = (Client::new(url).with_context(named)?, key.parse().with_context(named)?);
            builder = builder.ask_witness(url, key);
        }
        Ok(builder)
    }

    #[cfg(all(not(feature = "client"), feature = "evidence"))]
    fn ask_witnesses(&self, builder: NodeBuilder<crate::Record>) -> Result<NodeBuilder<crate::Record>> {
        anyhow::ensure!(self.witnesses.is_empty(), "WITNESSES needs a build with --features client");
        Ok(builder)
    }

    /// Returns the builder unchanged. Fails if a key is set.
    #[cfg(not(feature = "evidence"))]
    pub(crate) fn apply(&self, builder: NodeBuilder<crate::Record>) -> Result<NodeBuilder<crate::Record>> {
        let _ = self.log_depth;
        anyhow::ensure!(self.log_key.is_none(), "LOG_KEY {MISSING}");
        anyhow::ensure!(self.witness_key.is_none(), "WITNESS_KEY {MISSING}");
        anyhow::ensure!(self.witnessed_logs.is_empty(), "WITNESSED_LOGS {MISSING}");
        anyhow::ensure!(self.witnesses.is_empty(), "WITNESSES {MISSING}");
        Ok(builder)
    }
}

/// Reads a file with a secret key.
#[cfg(feature = "evidence")]
fn secret_key<K>(path: &std::path::Path) -> Result<K>
where
    K: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    use anyhow::Context;

    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    text.trim().parse().with_context(|| shown.to_string())
}

/// Runs a command; `None` if it was stopped.
#[cfg(not(feature = "evidence"))]
pub(crate) fn run(command: &Command, _: &Options, _: &AtomicBool) -> Result<Option<Report>> {
    let name = match command {
        Command::Keygen { .. } => "keygen",
        Command::Receipt { .. } => "receipt",
        Command::Publish { .. } => "publish",
        Command::Check { .. } => "check",
        Command::Audit { .. } => "audit",
    };
    anyhow::bail!("{name} {MISSING}")
}

#[cfg(feature = "evidence")]
pub(crate) use commands::run;

#[cfg(feature = "evidence")]
mod commands {
    use std::fmt::Write as _;
    use std::fs::{File, OpenOptions};
    use std::io::{Read as _, Write as _};
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use anyhow::{Context, Result, anyhow, bail, ensure};
    use hashloom::evidence::{
        Checkpoint, Cosigner, LogSigner, NoteSigner, NoteVerifier, Policy, Proven, Receipt, SignedNote, Tile,
    };
    use hashloom::primitives::transaction_id;
    use hashloom::{Blockchain, Hash, Timestamp};

    use super::{Command, Heights, Options, Report};
    use crate::program::output::Output;
    use crate::program::place::{Reading, read_chain};

    /// Runs a command; `None` if it was stopped.
    pub(crate) fn run(command: &Command, options: &Options, stopped: &AtomicBool) -> Result<Option<Report>> {
        let is_data = matches!(command, Command::Receipt { .. });
        let printed = match command {
            Command::Keygen { file, name, witness } => {
                Some(keygen(file, name.as_deref(), *witness, options)?)
            }
            Command::Receipt { id } => receipt(id, options, stopped)?,
            Command::Publish { directory, heights } => publish(directory, *heights, options, stopped)?,
            Command::Check { file, key } => Some(check(file, key, options)?),
            Command::Audit { .. } => return audit(command).map(Some),
        };
        Ok(printed.map(|text| Report { is_data, ..Report::from(text) }))
    }

    #[cfg(not(feature = "client"))]
    fn audit(_: &Command) -> Result<Report> {
        bail!("audit needs a build with --features client")
    }

    #[cfg(feature = "client")]
    fn audit(command: &Command) -> Result<Report> {
        let Command::Audit { url, key, memory, witness, min_witnesses } = command else {
            bail!("expected the command audit");
        };
        let (keys, witnesses) = (parsed("--key", key)?, parsed("--witness", witness)?);
        let min = min_witnesses.unwrap_or(witnesses.len());
        let policy = policy(&keys)?.with_witnesses(witnesses, min)?;
        let audit = crate::program::audit::Audit { url, policy, keys: &keys, memory };
        tokio::runtime::Handle::current().block_on(audit.run())
    }

    fn parsed(option: &str, keys: &[String]) -> Result<Vec<NoteVerifier>> {
        keys.iter().map(|key| key.trim().parse().with_context(|| format!("{option} {key:?}"))).collect()
    }

    fn policy(keys: &[NoteVerifier]) -> Result<Policy> {
        let (first, others) = keys.split_first().context("--key is missing")?;
        Ok(others.iter().cloned().try_fold(Policy::new(first.clone()), Policy::with_key)?)
    }

    fn keygen(path: &Path, name: Option<&str>, witness: bool, options: &Options) -> Result<String> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => Checkpoint::default_origin(&Blockchain::<crate::Record>::new(options.spec()?)),
        };
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| anyhow!("the system has no random bytes: {error}"))?;
        let named = || format!("--name {name:?}");
        let (secret, public) = if witness {
            let key = Cosigner::from_seed(&name, &seed).with_context(named)?;
            (key.secret_key(), key.verifier())
        } else {
            let key = NoteSigner::from_seed(&name, &seed).with_context(named)?;
            (key.secret_key(), key.verifier())
        };
        let cannot_write = || format!("cannot write {}", path.display());
        let mut file = create_secret(path).with_context(cannot_write)?;
        let written = writeln!(file, "{}", *secret).and_then(|()| file.sync_all());
        if written.is_err() {
            // Half a key is of no use, and would be in the way of the next attempt. The first error is the one to report.
            let _ = std::fs::remove_file(path);
        }
        written.with_context(cannot_write)?;
        Ok(format!("{public}\n"))
    }

    /// Creates a file that only its owner can read.
    fn create_secret(path: &Path) -> std::io::Result<File> {
        let mut open = OpenOptions::new();
        open.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
        open.open(path)
    }

    /// The stored chain, and the last checkpoint that was signed for it.
    fn log(options: &Options) -> Result<(Blockchain<crate::Record>, Checkpoint, SignedNote)> {
        let directory = options.place().directory()?;
        let chain = read_chain(&directory, options, Reading::Checked).map_err(|unread| unread.error)?;
        let last = LogSigner::last(&chain)?;
        let (checkpoint, note) =
            last.with_context(|| format!("{}: no checkpoint was signed", directory.display()))?;
        Ok((chain, checkpoint, note))
    }

    fn receipt(id: &str, options: &Options, stopped: &AtomicBool) -> Result<Option<String>> {
        let id: Hash = id.parse().with_context(|| format!("{id:?} is not the id of a transaction"))?;
        let (chain, _, note) = log(options)?;
        // From the tip down, because a chain that is only read may have no index, and one cannot be built here.
        for height in (1..=chain.height()).rev() {
            if stopped.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let Some(block) = chain.block_at(height)? else {
                bail!("transaction {id} is not in the blocks above {height}, and older ones are pruned");
            };
            let index = block.data().iter().position(|data| transaction_id(data).is_ok_and(|got| got == id));
            if let Some(index) = index {
                return Ok(Some(Receipt::issue(&chain, block.hash(), index, note)?.to_string()));
            }
        }
        bail!("transaction {id} is not in the chain")
    }

    fn publish(
        directory: &Path,
        heights: Heights,
        options: &Options,
        stopped: &AtomicBool,
    ) -> Result<Option<String>> {
        let (chain, checkpoint, note) = log(options)?;
        let size = checkpoint.size();
        let heights = heights.in_chain(size.saturating_sub(1), chain.first_body().max(1))?;
        let (mut tiles, mut receipts) = (0, 0);
        for tile in Tile::added(0, size) {
            if stopped.load(Ordering::Relaxed) {
                return Ok(None);
            }
            put(&directory.join(tile.to_string()), &tile.bytes(&chain, size)?)?;
            tiles += 1;
        }
        for height in heights.clone() {
            if stopped.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let block = chain.block_at(height)?.with_context(|| format!("block {height} is pruned"))?;
            for (index, data) in block.data().iter().enumerate() {
                let receipt = Receipt::issue(&chain, block.hash(), index, note.clone())?;
                let name = format!("receipts/{}.tlog-proof", transaction_id(data)?);
                put(&directory.join(name), receipt.to_string().as_bytes())?;
                receipts += 1;
            }
        }
        // Last, so that a reader of the checkpoint finds its tiles.
        put(&directory.join("checkpoint"), note.to_string().as_bytes())?;
        Ok(Some(format!(
            "published a checkpoint of {size} blocks, {tiles} tiles, and {receipts} receipts of the blocks {} to {} in {}\n",
            heights.start(),
            heights.end(),
            directory.display()
        )))
    }

    /// Writes a file that appears complete or not at all, unless it is there already. It is not synchronised: the next
    /// run compares it, and a log may have many files.
    fn put(path: &Path, bytes: &[u8]) -> Result<()> {
        if std::fs::read(path).is_ok_and(|present| present == bytes) {
            return Ok(());
        }
        let cannot_write = || format!("cannot write {}", path.display());
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).with_context(cannot_write)?;
        let mut file = Output::open(path, true)?;
        file.write_all(bytes).and_then(|()| file.finish_unsynchronised()).with_context(cannot_write)
    }

    fn check(path: &Path, keys: &[String], options: &Options) -> Result<String> {
        let policy = policy(&parsed("--key", keys)?)?;
        let policy = policy.with_easiest_target(options.spec()?.easiest_target())?;
        let receipt: Receipt = read(path)?.parse().with_context(|| path.display().to_string())?;
        let proven = receipt.verify(&policy).with_context(|| path.display().to_string())?;
        describe(&proven)
    }

    /// Reads a file that may be a receipt, and no more of it than the longest has.
    fn read(path: &Path) -> Result<String> {
        let cannot_read = || format!("cannot read {}", path.display());
        let limit = u64::try_from(Receipt::MAX_BYTES)? + 1;
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(limit).read_to_string(&mut text))
            .with_context(cannot_read)?;
        ensure!(text.len() <= Receipt::MAX_BYTES, "{}: too long for a receipt", path.display());
        Ok(text)
    }

    fn describe(proven: &Proven<'_>) -> Result<String> {
        let mut text = String::from("the transaction is in the log\n");
        let transaction = match proven.decode::<crate::Record>() {
            Ok(data) => format!("{data:?}"),
            Err(_) => hex::encode(proven.transaction),
        };
        let checkpoint = &proven.accepted.checkpoint;
        writeln!(text, "transaction {transaction}")?;
        writeln!(text, "id          {}", proven.id)?;
        writeln!(text, "block       {} at height {}", proven.block_hash, proven.header.height)?;
        writeln!(text, "mined       {}, by its miner", utc(proven.header.timestamp))?;
        writeln!(text, "log         {}, {} blocks", checkpoint.origin(), checkpoint.size())?;
        for key in &proven.accepted.signed_by {
            writeln!(text, "signed by   {key}")?;
        }
        Ok(text)
    }

    /// A time as in RFC 3339, in seconds and UTC.
    fn utc(time: Timestamp) -> String {
        let seconds = time.as_millis() / 1_000;
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        // Years begin in March, so that the leap day is the last one: an era is 400 years of 146,097 days.
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
        let year = 400 * era + year + u64::from(month <= 2);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}
