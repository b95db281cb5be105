//! Opening a chain from its store: the end of the best chain, the side branches, the last stored state, and a
//! replay of the blocks above it. Deeper data is read only on demand, so the cost of opening does not depend
//! on the length of the chain.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ancestry::best_end;
use super::chain_store::{ChainStore, MetaKey};
use super::checkpoints::Checkpoints;
use super::entry::{BestEntry, ChainEntry};
use super::error::{ApplyError, OpenError};
use super::format::FORMAT_VERSION;
use super::genesis::Genesis;
use super::orphans::Orphans;
use super::outcome::Imported;
use super::snapshots::Snapshots;
use super::tree::Tree;
use super::{Blockchain, ChainConfig};
use crate::consensus::ChainSpec;
use crate::consensus::headers::{BranchEnd, work_of};
use crate::primitives::{Block, Hash, Header, Transaction};
use crate::store::{Memory, Store, StoreError, Table};

/// The parts of the store that are loaded into memory.
struct Loaded<T: Transaction> {
    tip: Arc<Block<T>>,
    tree: Tree<T>,
    stored_branches: BTreeSet<Hash>,
    end: BranchEnd,
    snapshots: Snapshots<T::State>,
    checkpoints: Checkpoints,
}

impl<T: Transaction> Blockchain<T> {
    /// A chain in memory that holds the genesis block of `spec`.
    ///
    /// # Panics
    ///
    /// As [`with_config`](Self::with_config).
    #[track_caller]
    pub fn new(spec: ChainSpec) -> Self {
        Self::with_config(spec, ChainConfig::default())
    }

    /// A chain in memory that holds the genesis block of `spec`, with bounds of your own.
    ///
    /// # Panics
    ///
    /// With the error that [`open`](Self::open) with a [store in memory](Memory) would return: if `T` makes
    /// no state of the spec's genesis data, or its first state does not read back from postcard.
    #[track_caller]
    pub fn with_config(spec: ChainSpec, config: ChainConfig) -> Self {
        match Self::open(spec, config, Box::new(Memory::new())) {
            Ok(chain) => chain,
            #[expect(
                clippy::panic,
                reason = "documented: a mistake in the application, as a store in memory does not fail"
            )]
            Err(error) => panic!("no chain can be begun: {error}"),
        }
    }

    /// The chain that `store` holds, or a new one with the genesis block of `spec` if the store is empty.
    ///
    /// ```
    /// use hashloom::{Blockchain, ChainConfig, ChainSpec, store};
    ///
    /// let store = Box::new(store::Memory::new());
    /// let chain: Blockchain = Blockchain::open(ChainSpec::default(), ChainConfig::default(), store)?;
    /// assert_eq!(chain.height(), 0);
    /// # Ok::<(), hashloom::OpenError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`OpenError`], which says what to do. The store is not changed then, except for a part of the index of
    /// [transactions](ChainConfig::index_transactions).
    pub fn open(spec: ChainSpec, config: ChainConfig, store: Box<dyn Store>) -> Result<Self, OpenError> {
        let genesis = Genesis::of(&spec)?;
        let mut store = ChainStore::new(store, config.max_cached_bytes);
        if store.meta(MetaKey::Format)?.is_none() {
            create(&mut store, &spec, &genesis)?;
        }
        let loaded = load(&mut store, &spec, &config, &genesis)?;
        let mut chain = Self::from_parts(spec, config, store, genesis, loaded);
        chain.build_index()?;
        Ok(chain)
    }

    /// Opens a chain like [`open`](Self::open), even if its end is damaged: drops the blocks from the damage
    /// on, to be fetched from peers again, and returns what was wrong. On a pruned chain that may be all
    /// blocks, because there is no state to replay from. Deeper damage is found by [`verify`](Self::verify)
    /// and dropped by [`drop_above`](Self::drop_above).
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the store cannot be read at all or holds another chain.
    pub fn repair(
        spec: ChainSpec,
        config: ChainConfig,
        store: Box<dyn Store>,
    ) -> Result<(Self, Option<OpenError>), OpenError> {
        let genesis = Genesis::of(&spec)?;
        let mut store = ChainStore::<T>::new(store, config.max_cached_bytes);
        let mut found = None;
        for key in [MetaKey::Format, MetaKey::Genesis] {
            if store.meta(key)?.is_some() {
                continue;
            }
            // The rows of the chain say the same.
            if store.begins_with(genesis.block.hash())? {
                put_identity(&mut store, &spec, &genesis.block);
                found = Some(key.damaged().into());
            } else if key == MetaKey::Format {
                create(&mut store, &spec, &genesis)?;
            }
        }
        check_identity(&mut store, &spec, &genesis.block)?;
        found = store.rebuild_derived(&genesis_row(&spec, &genesis.block))?.map(OpenError::Store).or(found);
        // Derived, too, and not worth a comparison of each entry.
        store.clear_transactions()?;
        let loaded = loop {
            match load(&mut store, &spec, &config, &genesis) {
                Ok(loaded) => break loaded,
                Err(error @ (OpenError::Damaged { height, .. } | OpenError::Replay { height, .. }))
                    if height > 0 =>
                {
                    let checkpoints = load_checkpoints(&store)?;
                    store.cut(cut_height(height - 1, &checkpoints))?;
                    found = Some(error);
                }
                Err(error) => return Err(error),
            }
        };
        let mut chain = Self::from_parts(spec, config, store, genesis, loaded);
        chain.build_index()?;
        Ok((chain, found))
    }

    /// Drops the blocks of the best chain above `height`, and all side branches. They may be imported again.
    /// On a pruned chain, all blocks are dropped if there is no state to replay from.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the store fails, or if the remaining chain cannot be opened.
    pub fn drop_above(&mut self, height: u64) -> Result<(), OpenError> {
        let height = cut_height(height, &self.checkpoints);
        let cut = self.store.cut(height).map_err(OpenError::from).and_then(|()| self.reload_all());
        // Part of the blocks may have been deleted before the error.
        cut.inspect_err(|_| self.checkpoints.is_stale = true)
    }

    fn from_parts(
        spec: ChainSpec,
        config: ChainConfig,
        store: ChainStore<T>,
        genesis: Genesis<T>,
        loaded: Loaded<T>,
    ) -> Self {
        let Loaded { tip, tree, stored_branches, end, snapshots, checkpoints } = loaded;
        let orphans = Orphans::new(config.max_orphans, config.max_orphan_bytes);
        let (branch_ends, outcome) = (Vec::new(), Imported::default());
        Self {
            spec,
            config,
            store,
            genesis,
            tip,
            tree,
            stored_branches,
            end,
            branch_ends,
            snapshots,
            orphans,
            checkpoints,
            outcome,
        }
    }

    /// Discards everything that is only in memory, and loads the chain from the store.
    pub(super) fn reload(&mut self) -> Result<(), StoreError> {
        self.reload_all().map_err(|error| match error {
            OpenError::Store(error) | OpenError::Damaged { error, .. } => error,
            OpenError::Genesis(_) | OpenError::OtherChain { .. } | OpenError::NewerFormat { .. } => {
                MetaKey::Genesis.damaged()
            }
            OpenError::Replay { height, .. } => {
                StoreError::damaged(Table::Blocks, height, "cannot be applied again")
            }
        })
    }

    fn reload_all(&mut self) -> Result<(), OpenError> {
        let changes = self.store.take_changes();
        match load(&mut self.store, &self.spec, &self.config, &self.genesis) {
            Ok(loaded) => {
                let Loaded { tip, tree, stored_branches, end, snapshots, checkpoints } = loaded;
                self.tip = tip;
                self.tree = tree;
                self.stored_branches = stored_branches;
                self.end = end;
                self.snapshots = snapshots;
                self.checkpoints = checkpoints;
                self.branch_ends.clear();
                // Reads one entry, unless the chain was cut.
                self.build_index()
            }
            Err(error) => {
                self.store.restore_changes(changes);
                Err(error)
            }
        }
    }
}

/// Initialises a store: writes the genesis block and the metadata.
fn create<T: Transaction>(
    store: &mut ChainStore<T>,
    spec: &ChainSpec,
    genesis: &Genesis<T>,
) -> Result<(), OpenError> {
    if store.last_height()?.is_some() {
        return Err(MetaKey::Format.damaged().into());
    }
    put_identity(store, spec, &genesis.block);
    store.push_row(genesis_row(spec, &genesis.block));
    // Checked before anything is written, so that no chain starts with a state that cannot be stored.
    ChainStore::<T>::check_state(&genesis.state)?;
    Ok(store.commit()?)
}

fn put_identity<T: Transaction>(store: &mut ChainStore<T>, spec: &ChainSpec, genesis: &Block<T>) {
    store.put_format();
    store.put_meta(MetaKey::Genesis, [genesis.hash().as_bytes(), spec.name().as_bytes()].concat());
}

fn genesis_row<T>(spec: &ChainSpec, genesis: &Block<T>) -> BestEntry {
    let work = work_of(spec.easiest_target());
    let entry = ChainEntry::new(*genesis.hash(), *genesis.header(), work);
    BestEntry { entry: ChainEntry { size: Header::LEN, ..entry }, subtrees: Vec::new() }
}

/// The height at which a chain is truncated for a requested `height`. Below its base there is neither a state
/// to restore nor are there bodies to replay one from, and the tip must have a body.
fn cut_height(height: u64, checkpoints: &Checkpoints) -> u64 {
    if height < checkpoints.base() || height <= checkpoints.pruned { 0 } else { height }
}

fn load<T: Transaction>(
    store: &mut ChainStore<T>,
    spec: &ChainSpec,
    config: &ChainConfig,
    genesis: &Genesis<T>,
) -> Result<Loaded<T>, OpenError> {
    check_identity(store, spec, &genesis.block)?;
    store.load_recent()?;
    let row = Arc::clone(store.tip());
    let height = row.header.height;
    let tip = match height {
        0 => Arc::clone(&genesis.block),
        _ => store.stored_block(&row).map_err(|error| OpenError::Damaged { height, error })?,
    };
    let mut checkpoints = load_checkpoints(store)?;
    let snapshots = replay(store, &mut checkpoints, genesis)?;
    let seen = store.recent_rows().map(|row| row.seen + 1).max().unwrap_or(1);
    let mut tree = Tree::new(seen);
    let stored_branches = load_branches(store, config, &mut tree).map_err(relocated)?;
    let end = best_end(store, spec.retarget(), height).map_err(located)?;
    Ok(Loaded { tip, tree, stored_branches, end, snapshots, checkpoints })
}

/// Adds the height to an error of a damaged row of the best chain.
fn located(error: StoreError) -> OpenError {
    match &error {
        StoreError::DamagedValue { table: Table::Chain, key, .. } => match key.parse() {
            Ok(height) => OpenError::Damaged { height, error },
            Err(_) => OpenError::Store(error),
        },
        _ => OpenError::Store(error),
    }
}

fn relocated(error: OpenError) -> OpenError {
    match error {
        OpenError::Store(error) => located(error),
        error => error,
    }
}

/// Checks that the store has this chain. The next commit to a store of an older format writes the version of this
/// one.
fn check_identity<T: Transaction>(
    store: &mut ChainStore<T>,
    spec: &ChainSpec,
    genesis: &Block<T>,
) -> Result<(), OpenError> {
    let format =
        store.meta(MetaKey::Format)?.and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
    match format {
        Some(1..=FORMAT_VERSION) => {}
        Some(got) if got > FORMAT_VERSION => return Err(OpenError::NewerFormat { got }),
        _ => return Err(MetaKey::Format.damaged().into()),
    }
    let identity = store.meta(MetaKey::Genesis)?;
    let Some((got, name)) = identity.as_ref().and_then(|bytes| bytes.split_first_chunk()) else {
        return Err(MetaKey::Genesis.damaged().into());
    };
    let got = Hash::from_bytes(*got);
    if got != *genesis.hash() {
        let name = String::from_utf8_lossy(name).into_owned();
        let differs =
            if name == spec.name() { difference(store, &got, genesis.header()) } else { "its name" };
        return Err(OpenError::OtherChain { name, got, expected: *genesis.hash(), differs });
    }
    if format != Some(FORMAT_VERSION) {
        store.put_format();
    }
    Ok(())
}

/// What differs between the genesis block in the store and that of the given rules. Its `previous_hash`
/// commits to all rules, so the fields that hold one rule alone come first.
fn difference<T: Transaction>(store: &ChainStore<T>, got: &Hash, given: &Header) -> &'static str {
    match store.row(0) {
        Ok(Some(row)) if row.hash == *got => {
            let stored = &row.header;
            if stored.timestamp != given.timestamp {
                "its genesis time"
            } else if stored.target != given.target {
                "its easiest target"
            } else if stored.state_root != given.state_root {
                "its genesis data or the application's initial state"
            } else {
                "its block interval, retargeting, a limit or its genesis data"
            }
        }
        // A damaged row tells nothing. Opening the store with its own spec reports the damage.
        _ => "a rule",
    }
}

/// Loads the heights of stored states and of pruned bodies.
fn load_checkpoints<T: Transaction>(store: &ChainStore<T>) -> Result<Checkpoints, OpenError> {
    let states = store.heights(MetaKey::States)?.unwrap_or_default();
    let pruned = store.heights(MetaKey::Pruned)?.and_then(|heights| heights.first().copied()).unwrap_or(0);
    Ok(Checkpoints { states, pruned, ..Checkpoints::default() })
}

/// The state at the tip, replayed from the last stored one.
fn replay<T: Transaction>(
    store: &ChainStore<T>,
    checkpoints: &mut Checkpoints,
    genesis: &Genesis<T>,
) -> Result<Snapshots<T::State>, OpenError> {
    let tip = store.tip().header.height;
    let stored = store.stored_state(&checkpoints.states, 0, tip)?;
    let (from, state) = stored.unwrap_or_else(|| (0, genesis.state.clone()));
    let mut snapshots = Snapshots::new(from, state);
    for height in from + 1..=tip {
        let damaged = |error| OpenError::Damaged { height, error };
        let row = store.row_below_tip(height).map_err(damaged)?;
        let state =
            store.applied(&row, genesis.block.hash(), snapshots.tip().clone()).map_err(
                |error| match error {
                    ApplyError::Store(error) => damaged(error),
                    ApplyError::Rule(error) => OpenError::Replay { height, error },
                },
            )?;
        checkpoints.replay_bytes += row.size;
        snapshots.push(state);
    }
    Ok(snapshots)
}

/// Loads the side branches into the tree. A block that is damaged or whose parent is missing is left out and
/// deleted with the next commit; a peer may send it again.
fn load_branches<T: Transaction>(
    store: &ChainStore<T>,
    config: &ChainConfig,
    tree: &mut Tree<T>,
) -> Result<BTreeSet<Hash>, OpenError> {
    let mut rows = store.branches()?;
    let stored = rows.iter().map(|(hash, _)| *hash).collect();
    rows.sort_by_key(|(_, row)| row.as_ref().map(|row| row.header.height));
    for (hash, row) in rows {
        let Some(row) = row else {
            tree.discard(hash, None);
            continue;
        };
        let height = row.header.height;
        let is_best = store.is_best_at(height.saturating_sub(1), &row.header.previous_hash)?;
        if !tree.restore(row, is_best, store.tip()) {
            tree.discard(hash, Some(height));
        }
    }
    // The limits may have been higher when the branches were stored.
    tree.evict_until_fits(config.max_side_headers.saturating_add(1), config.max_side_bytes, 0, &[]);
    Ok(stored)
}
