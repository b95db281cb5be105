//! Where the chain is kept, and in the node's own words what to do when it cannot be opened.

use std::path::{Path, PathBuf};

use anyhow::{Error, Result, anyhow, ensure};
use hashloom::store::{Memory, Store, StoreError};
use hashloom::{Blockchain, OpenError};

use crate::options::Options;

/// Where a chain is kept.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Memory,
    Directory(PathBuf),
}

/// The file that a store makes in its directory.
const FILE_NAME: &str = "chain.redb";

impl Place {
    /// The store for a node, made where it is missing.
    pub(crate) fn open(&self) -> Result<Box<dyn Store>> {
        match self {
            Self::Memory => Ok(Box::new(Memory::new())),
            Self::Directory(directory) => open_store(directory),
        }
    }

    /// The directory, for work on the chain in it.
    pub(crate) fn directory(self) -> Result<PathBuf> {
        match self {
            Self::Directory(directory) => Ok(directory),
            Self::Memory if cfg!(feature = "redb") => {
                Err(anyhow!("a chain in memory ends with its node: leave EPHEMERAL (or --ephemeral) out"))
            }
            Self::Memory => Err(needs_feature()),
        }
    }

    /// Why a node cannot go on with the chain.
    pub(crate) fn explain(&self, error: &OpenError) -> Error {
        match self {
            Self::Memory => anyhow!("{error}"),
            Self::Directory(directory) => explain(directory, error),
        }
    }

    /// Says at the start what will be left at the end.
    pub(crate) fn log(&self, chain: &Blockchain) {
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

/// The chain in a directory, for work on it without a node. One that is not there is only made where that is
/// wanted.
pub(crate) fn open_chain(directory: &Path, options: &Options, may_make: bool) -> Result<Blockchain> {
    if !may_make {
        ensure_chain(directory)?;
    }
    let store = open_store(directory)?;
    Blockchain::open(options.spec()?, options.chain_config(), store)
        .map_err(|error| explain(directory, &error))
}

/// The store in a directory, to repair the chain in it.
pub(crate) fn open_damaged_store(directory: &Path) -> Result<Box<dyn Store>> {
    ensure_chain(directory)?;
    #[cfg(feature = "redb")]
    return opened(directory, hashloom::store::Redb::open_for_repair(directory));
    #[cfg(not(feature = "redb"))]
    return open_store(directory);
}

fn ensure_chain(directory: &Path) -> Result<()> {
    ensure!(
        directory.join(FILE_NAME).exists(),
        "{} holds no chain: name the right directory with DATA_DIR (or --data-dir)",
        directory.display()
    );
    Ok(())
}

#[cfg(feature = "redb")]
fn open_store(directory: &Path) -> Result<Box<dyn Store>> {
    opened(directory, hashloom::store::Redb::open(directory))
}

#[cfg(feature = "redb")]
fn opened(directory: &Path, store: Result<hashloom::store::Redb, StoreError>) -> Result<Box<dyn Store>> {
    match store {
        Ok(store) => Ok(Box::new(store)),
        Err(error) => Err(explain(directory, &error.into())),
    }
}

#[cfg(not(feature = "redb"))]
fn open_store(directory: &Path) -> Result<Box<dyn Store>> {
    Err(needs_feature().context(format!("cannot keep a chain in {}", directory.display())))
}

fn needs_feature() -> Error {
    anyhow!("to keep one on disk, build with --features redb")
}

/// One line that says what is wrong and what to do. The texts of the library say most of it.
pub(crate) fn explain(directory: &Path, error: &OpenError) -> Error {
    let place = directory.display();
    match error {
        OpenError::Store(StoreError::InUse { .. }) => anyhow!("{error} with DATA_DIR (or --data-dir)"),
        OpenError::Store(StoreError::DamagedValue { .. }) => anyhow!(
            "{place}: {error}: run this program with the argument repair; where that does not help, restore the \
             directory from a copy, or remove it and let the peers send the chain again"
        ),
        OpenError::Store(error @ StoreError::Damaged(_)) => {
            anyhow!("{error}. Run this program with the argument repair first")
        }
        // These name the file.
        OpenError::Store(_) => anyhow!("{error}"),
        OpenError::OtherChain { .. } => anyhow!("{place}: {error} (DATA_DIR, CHAIN, BLOCK_INTERVAL)"),
        OpenError::Damaged { .. } => {
            anyhow!("{place}: {error}: run this program with the argument repair, which keeps what is below")
        }
        OpenError::Replay { .. } => anyhow!(
            "{place}: {error}; run the program that stored it, or this one with the argument repair to drop it"
        ),
        _ => anyhow!("{place}: {error}"),
    }
}
