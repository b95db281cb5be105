//! Where the chain is stored, and error messages that say what to do if it cannot be opened.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Error, Result, anyhow, ensure};
use hashloom::store::{Memory, Store, StoreError};
use hashloom::{Blockchain, OpenError};

use crate::Record;
use crate::program::options::Options;

/// Where a chain is stored.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Memory,
    Directory(PathBuf),
}

/// The name of the store's file in its directory.
const FILE_NAME: &str = "chain.redb";

impl Place {
    /// Opens the store for a node, and creates it if it does not exist.
    pub(crate) fn open(&self) -> Result<Box<dyn Store>> {
        match self {
            Self::Memory => Ok(Box::new(Memory::new())),
            Self::Directory(directory) => open_store(directory),
        }
    }

    /// The directory of the chain. Fails for a chain in memory, on which no command can work.
    pub(crate) fn directory(self) -> Result<PathBuf> {
        match self {
            Self::Directory(directory) => Ok(directory),
            Self::Memory if cfg!(feature = "redb") => {
                Err(anyhow!("a chain in memory ends with its node: leave EPHEMERAL (or --ephemeral) out"))
            }
            Self::Memory => Err(needs_feature()),
        }
    }

    /// Why a node cannot continue with the chain.
    pub(crate) fn explain(&self, error: &OpenError) -> Error {
        match self {
            Self::Memory => anyhow!("{error}"),
            Self::Directory(directory) => explain(directory, error),
        }
    }

    /// Logs at start where the chain is stored, and therefore what remains after the node ends.
    pub(crate) fn log(&self, chain: &Blockchain<Record>) {
        let height = chain.height();
        match self {
            Self::Directory(directory) => {
                tracing::info!(height, "chain kept in {}", directory.display());
            }
            Self::Memory if cfg!(feature = "redb") => {
                tracing::info!("chain kept in memory only: it ends with this process");
            }
            Self::Memory => {
                let error = needs_feature();
                tracing::warn!("chain kept in memory only: it ends with this process; {error}");
            }
        }
    }
}

/// Opens the chain in a directory for a command, without a node. Creates it if it does not exist.
pub(crate) fn open_chain(directory: &Path, options: &Options) -> Result<Blockchain<Record>> {
    let store = open_store(directory)?;
    Blockchain::open(options.spec()?, options.chain_config(), store)
        .map_err(|error| explain(directory, &error))
}

/// How a chain is opened for reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Checksums of the file are verified: damage makes everything in its neighbourhood unreadable.
    Checked,
    /// Checksums of the file are ignored: only the damaged value itself is detected.
    Unchecked,
}

/// Opens the chain in a directory for reading.
pub(crate) fn read_chain(
    directory: &Path,
    options: &Options,
    reading: Reading,
) -> Result<Blockchain<Record>, Unread> {
    let failed = |error: OpenError| Unread {
        height: match &error {
            OpenError::Damaged { height, .. } | OpenError::Replay { height, .. } => Some(*height),
            _ => None,
        },
        is_damage: match &error {
            OpenError::Store(error) => error.is_damage(),
            error => matches!(error, OpenError::Damaged { .. }),
        },
        error: explain(directory, &error),
    };
    ensure_chain(directory)?;
    let store = read_store(directory, reading)?.map_err(|error| failed(error.into()))?;
    Blockchain::open(options.spec()?, options.chain_config(), store).map_err(failed)
}

/// Why a chain could not be read to its end.
#[derive(Debug)]
pub(crate) struct Unread {
    /// The lowest height that is known to be wrong.
    pub(crate) height: Option<u64>,
    /// Whether the cause is corrupted data.
    pub(crate) is_damage: bool,
    pub(crate) error: Error,
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self { height: None, is_damage: false, error }
    }
}

/// Opens the store in a directory for a repair.
pub(crate) fn open_damaged_store(directory: &Path) -> Result<Box<dyn Store>> {
    ensure_chain(directory)?;
    #[cfg(feature = "redb")]
    return match hashloom::store::Redb::open_for_repair(directory) {
        Ok(store) => Ok(Box::new(store)),
        Err(error) => Err(explain_unrepairable(directory, &error.into())),
    };
    #[cfg(not(feature = "redb"))]
    return open_store(directory);
}

/// A number that tells the store's file in a directory from one that a repair puts in its place. Known on Unix only.
pub(crate) fn file_number(directory: &Path) -> Option<u64> {
    let file = directory.join(FILE_NAME).metadata().ok()?;
    #[cfg(unix)]
    return Some(std::os::unix::fs::MetadataExt::ino(&file));
    #[cfg(not(unix))]
    return file.is_file().then_some(0);
}

fn ensure_chain(directory: &Path) -> Result<()> {
    ensure!(
        !directory.is_file(),
        "{} is a file, not a directory: name the right directory with DATA_DIR (or --data-dir)",
        directory.display()
    );
    let file = directory.join(FILE_NAME);
    let has_chain = match file.metadata() {
        // An empty file is the leftover of a start that did not finish.
        Ok(found) => found.len() > 0,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => false,
        // For example if the directory of another user may not be read.
        Err(error) => return Err(anyhow!("cannot read {}: {error}", file.display())),
    };
    ensure!(
        has_chain,
        "{} holds no chain: name the right directory with DATA_DIR (or --data-dir)",
        directory.display()
    );
    Ok(())
}

#[cfg(feature = "redb")]
fn open_store(directory: &Path) -> Result<Box<dyn Store>> {
    match hashloom::store::Redb::open(directory) {
        Ok(store) => Ok(Box::new(store)),
        Err(error) => Err(explain(directory, &error.into())),
    }
}

#[cfg(feature = "redb")]
#[expect(clippy::unnecessary_wraps, reason = "as without redb")]
fn read_store(directory: &Path, reading: Reading) -> Result<Result<Box<dyn Store>, StoreError>> {
    use hashloom::store::Redb;
    let store = match reading {
        Reading::Checked => Redb::open_read_only(directory),
        Reading::Unchecked => Redb::open_unchecked(directory),
    };
    Ok(store.map(|store| Box::new(store) as Box<dyn Store>))
}

#[cfg(not(feature = "redb"))]
fn read_store(directory: &Path, _: Reading) -> Result<Result<Box<dyn Store>, StoreError>> {
    open_store(directory).map(Ok)
}

#[cfg(not(feature = "redb"))]
fn open_store(directory: &Path) -> Result<Box<dyn Store>> {
    Err(needs_feature().context(format!("cannot keep a chain in {}", directory.display())))
}

fn needs_feature() -> Error {
    anyhow!("to keep one on disk, build with --features redb")
}

/// One line that says what is wrong and what to do, mostly in the words of the library's error.
pub(crate) fn explain(directory: &Path, error: &OpenError) -> Error {
    let place = directory.display();
    match error {
        OpenError::Store(StoreError::InUse { .. }) => anyhow!("{error} with DATA_DIR (or --data-dir)"),
        OpenError::Store(StoreError::DamagedValue { .. }) => {
            anyhow!("{place}: {error}: run this program with the argument repair")
        }
        // The library's own text advises to restore a copy, which is needed only if the repair fails.
        OpenError::Store(StoreError::Damaged(cause)) => {
            anyhow!("the store is damaged: {cause}: run this program with the argument repair")
        }
        // The error itself names the file.
        OpenError::Store(_) => anyhow!("{error}"),
        OpenError::OtherChain { .. } => {
            anyhow!("{place}: {error} (DATA_DIR, CHAIN, BLOCK_INTERVAL, ON_DEMAND)")
        }
        OpenError::Damaged { .. } => {
            anyhow!("{place}: {error}: run this program with the argument repair, which keeps what is below")
        }
        OpenError::Replay { .. } => anyhow!("{place}: {error}; run the program that stored it"),
        _ => anyhow!("{place}: {error}"),
    }
}

/// One line about a store that `repair` could not repair. Unlike [`explain`], it does not advise to run
/// `repair`.
pub(crate) fn explain_unrepairable(directory: &Path, error: &OpenError) -> Error {
    const ADVICE: &str = "this cannot be repaired: restore the directory from a copy, or remove it and let the peers send the chain again";
    let place = directory.display();
    match error {
        OpenError::Store(StoreError::DamagedValue { table, key, reason, .. }) => {
            anyhow!("{place}: {} {key} {reason}; {ADVICE}", table.name())
        }
        OpenError::Store(error @ StoreError::Damaged(_)) => anyhow!("{error}"),
        OpenError::Damaged { height, .. } => {
            anyhow!("{place}: the chain is damaged at height {height}; {ADVICE}")
        }
        OpenError::Replay { .. } => anyhow!("{place}: {error}; run the program that stored it"),
        error => explain(directory, error),
    }
}
