//! The options and commands for evidence, and their conversion to types of the library. A build without the feature refuses
//! them, and hides them from the help.

use std::num::NonZeroU64;
use std::path::PathBuf;
#[cfg(not(feature = "evidence"))]
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use clap::{Args, Subcommand};
use hashloom::NodeBuilder;

use crate::options::{Heights, Options};
use crate::values::trimmed;

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
}

#[cfg(not(feature = "evidence"))]
const MISSING: &str = "needs a build with --features evidence";

impl Signing {
    /// The builder of a node that signs, if the options ask for it.
    #[cfg(feature = "evidence")]
    pub(crate) fn apply(&self, builder: NodeBuilder) -> Result<NodeBuilder> {
        use anyhow::Context;
        use hashloom::evidence::{LogSigner, NoteSigner};

        let Some(path) = &self.log_key else { return Ok(builder) };
        let shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
        let key: NoteSigner = text.trim().parse().with_context(|| shown.to_string())?;
        tracing::info!("checkpoints are signed with the key {}", key.verifier());
        Ok(builder.signer(LogSigner::new(key).with_depth(self.log_depth)))
    }

    /// Returns the builder unchanged. Fails if a key is set.
    #[cfg(not(feature = "evidence"))]
    pub(crate) fn apply(&self, builder: NodeBuilder) -> Result<NodeBuilder> {
        let _ = self.log_depth;
        anyhow::ensure!(self.log_key.is_none(), "LOG_KEY {MISSING}");
        Ok(builder)
    }
}

/// Runs a command. Returns what it prints; `None` if it was stopped.
#[cfg(not(feature = "evidence"))]
pub(crate) fn run(command: &Command, _: &Options, _: &AtomicBool) -> Result<Option<String>> {
    let name = match command {
        Command::Keygen { .. } => "keygen",
        Command::Receipt { .. } => "receipt",
        Command::Publish { .. } => "publish",
        Command::Check { .. } => "check",
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
        Checkpoint, LogSigner, NoteSigner, NoteVerifier, Policy, Proven, Receipt, SignedNote, Tile,
    };
    use hashloom::primitives::transaction_id;
    use hashloom::{Blockchain, Hash};
    use tempfile::NamedTempFile;

    use super::{Command, Heights, Options};
    use crate::place::{Reading, read_chain};

    /// Runs a command. Returns what it prints; `None` if it was stopped.
    pub(crate) fn run(command: &Command, options: &Options, stopped: &AtomicBool) -> Result<Option<String>> {
        match command {
            Command::Keygen { file, name } => keygen(file, name.as_deref(), options).map(Some),
            Command::Receipt { id } => receipt(id, options, stopped),
            Command::Publish { directory, heights } => publish(directory, *heights, options, stopped),
            Command::Check { file, key } => check(file, key, options).map(Some),
        }
    }

    fn keygen(path: &Path, name: Option<&str>, options: &Options) -> Result<String> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => Checkpoint::default_origin(&Blockchain::<String>::new(options.spec()?)),
        };
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| anyhow!("the system has no random bytes: {error}"))?;
        let key = NoteSigner::from_seed(&name, &seed).with_context(|| format!("--name {name:?}"))?;
        let mut file = create_secret(path).with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(file, "{}", *key.secret_key())?;
        file.sync_all()?;
        Ok(format!("{}\n", key.verifier()))
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
    fn log(options: &Options) -> Result<(Blockchain, Checkpoint, SignedNote)> {
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
        // From the tip down, because there is no index from transactions to blocks.
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

    /// Writes a file that appears complete or not at all, unless it is there already.
    fn put(path: &Path, bytes: &[u8]) -> Result<()> {
        let write = || {
            if std::fs::read(path).is_ok_and(|present| present == bytes) {
                return Ok(());
            }
            let folder = path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder)?;
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(bytes)?;
            // A temporary file is private, and these are for a web server.
            #[cfg(unix)]
            file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
            file.persist(path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error: std::io::Error| anyhow!("cannot write {}: {error}", path.display()))
    }

    fn check(path: &Path, keys: &[String], options: &Options) -> Result<String> {
        let keys = keys.iter().map(|key| key.trim().parse().with_context(|| format!("--key {key:?}")));
        let mut keys = keys.collect::<Result<Vec<NoteVerifier>>>()?.into_iter();
        let first = keys.next().context("--key is missing")?;
        let policy = keys.try_fold(Policy::new(first), Policy::with_key)?;
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
        let transaction = match proven.decode::<String>() {
            Ok(data) => format!("{data:?}"),
            Err(_) => hex::encode(proven.transaction),
        };
        let checkpoint = &proven.accepted.checkpoint;
        writeln!(text, "transaction {transaction}")?;
        writeln!(text, "id          {}", proven.id)?;
        writeln!(text, "block       {} at height {}", proven.block_hash, proven.header.height)?;
        writeln!(text, "mined       {} ms since 1970, by its miner", proven.header.timestamp.as_millis())?;
        writeln!(text, "log         {}, {} blocks", checkpoint.origin(), checkpoint.size())?;
        for key in &proven.accepted.signed_by {
            writeln!(text, "signed by   {key}")?;
        }
        Ok(text)
    }
}
