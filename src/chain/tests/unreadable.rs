//! Stores that are partly unreadable, and applications whose values cannot be serialised: a chain works
//! around damage, returns other failures of the store as errors, and loses nothing in either case.

use core::any::type_name;
use core::fmt::Debug;
use core::marker::PhantomData;
use core::slice;
use std::collections::BTreeMap;
use std::sync::Arc;

use rstest::rstest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::chain_store::ChainStore;
use super::forge::{NOW, builder, outcome};
use super::stored::{Disk, blocks_above, copy_of, disk, entries, open, try_open};
use crate::chain::Verdict;
use crate::miner::Template;
use crate::primitives::{BodyDigest, EncodeError};
use crate::store::{Batch, Cause, Entries, Keys, Order, Store, Table};
use crate::{
    Address, Block, BlockError, Blockchain, ChainConfig, ChainSpec, Context, OpenError, Rejected, RuleError,
    StoreError, Transaction,
};

fn spec() -> ChainSpec {
    builder().build().unwrap()
}

fn config() -> ChainConfig {
    ChainConfig::default()
}

fn keeping(bodies: u64) -> ChainConfig {
    config().with_keep_bodies(Some(bodies))
}

/// A chain of `len` blocks with states at these heights.
fn grown(len: u64, states: &[u64]) -> (Blockchain, Disk, Vec<Arc<Block>>) {
    let disk = disk();
    let mut chain: Blockchain = open(&spec(), &config(), &disk);
    let blocks = blocks_above(&chain, len, |height| vec![format!("{height}")]);
    for block in &blocks {
        let _ = chain.import(Arc::clone(block), NOW).unwrap();
        if states.contains(&block.height()) {
            chain.checkpoint().unwrap();
        }
    }
    assert_eq!(chain.checkpoints.states, states);
    (chain, disk, blocks)
}

/// A chain of thirteen blocks without the bodies of the first eight.
fn pruned() -> (Blockchain, Disk, Vec<Arc<Block>>) {
    let (_, disk, blocks) = grown(12, &[3, 8]);
    let mut chain: Blockchain = open(&spec(), &keeping(2), &disk);
    let next = blocks_above(&chain_of(&blocks), 1, |height| vec![format!("{height}")]).remove(0);
    let _ = chain.import(next, NOW).unwrap();
    assert_eq!(chain.first_body(), 9);
    (chain, disk, blocks)
}

/// A store in which one table cannot be read.
#[derive(Debug)]
struct Blind(Disk, Table);

impl Blind {
    fn look(&self, table: Table) -> Result<(), StoreError> {
        if table == self.1 { Err(StoreError::Io(Cause::new("blind"))) } else { Ok(()) }
    }
}

impl Store for Blind {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.look(table).and_then(|()| self.0.get(table, key))
    }

    fn scan(&self, table: Table, keys: Keys<'_>, order: Order, limit: usize) -> Result<Entries, StoreError> {
        self.look(table).and_then(|()| self.0.scan(table, keys, order, limit))
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.0.commit(batch)
    }
}

fn is_blind(error: &OpenError) -> bool {
    matches!(error, OpenError::Store(StoreError::Io(_)) | OpenError::Damaged { error: StoreError::Io(_), .. })
}

/// A table that fails to read must cause neither a replay from genesis nor a repair that deletes what it
/// could not read.
#[test]
fn a_table_that_fails_is_an_error_and_no_damage() {
    let (_, disk, _) = grown(6, &[2, 4]);
    for table in [Table::Chain, Table::Blocks, Table::States, Table::Branches] {
        let before = copy_of(&disk);
        let error = Blockchain::<String>::open(spec(), config(), Box::new(Blind(disk.clone(), table)));
        assert!(is_blind(&error.unwrap_err()), "{table:?}");
        let repaired = Blockchain::<String>::repair(spec(), config(), Box::new(Blind(disk.clone(), table)));
        assert!(is_blind(&repaired.unwrap_err()), "{table:?}");
        for table in Table::ALL {
            assert_eq!(entries(&disk, table), entries(&before, table));
        }
    }
}

#[test]
fn a_repair_does_not_go_below_genesis() {
    let disk = disk();
    drop(open::<String>(&spec(), &config(), &disk));
    // A repair of a chain of genesis alone returns the error of the store, and does not truncate any further.
    let error = Blockchain::<String>::repair(spec(), config(), Box::new(Blind(disk, Table::Heights)));
    assert!(is_blind(&error.unwrap_err()));
}

/// A key that has no error of its own does not hide the damage of a value.
#[test]
fn a_repair_returns_the_error_of_a_damaged_state() {
    let (_, mut disk, _) = grown(12, &[3, 8]);
    disk.flip_bit(Table::States, &8_u64.to_be_bytes(), 9).unwrap();
    let mut batch = Batch::new();
    batch.put(Table::States, *b"no height", vec![1]);
    disk.commit(&batch).unwrap();
    let (chain, found) = Blockchain::<String>::repair(spec(), config(), Box::new(disk.clone())).unwrap();
    let Some(OpenError::Store(StoreError::DamagedValue { table: Table::States, key, .. })) = found else {
        panic!("{found:?}");
    };
    assert!(key.starts_with('8'), "{key}");
    assert_eq!(entries(&disk, Table::States).len(), 1);
    chain.check_store();
}

/// If the state that a pruned chain would restore is damaged, the bodies below it are still needed for a
/// replay.
#[test]
fn a_damaged_state_keeps_the_bodies_below_it() {
    let (_, disk, blocks) = grown(12, &[3, 8]);
    disk.flip_bit(Table::States, &8_u64.to_be_bytes(), 9).unwrap();
    let mut chain: Blockchain = open(&spec(), &keeping(2), &disk);
    let more = blocks_above(&chain, 2, |height| vec![format!("{height}")]);
    let _ = chain.import(Arc::clone(&more[0]), NOW).unwrap();
    assert_eq!((chain.first_body(), &chain.checkpoints.states[..]), (0, &[3][..]));
    let keys: Vec<_> = entries(&disk, Table::States).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [3_u64.to_be_bytes()]);
    for block in &blocks {
        assert_eq!(chain.block(block.hash()), Ok(Some(Arc::clone(block))));
    }
    chain.check_store();
    // The chain uses an earlier state instead, so that it prunes fewer bodies.
    let _ = chain.import(Arc::clone(&more[1]), NOW).unwrap();
    assert_eq!(chain.first_body(), 4);
    chain.check_store();
}

/// A repair derives the height up to which bodies were pruned from the bodies that are left.
#[test]
fn how_much_was_pruned_is_found_out_by_a_repair() {
    let (chain, disk, _) = pruned();
    drop(chain);
    disk.flip_bit(Table::Meta, b"pruned", 3).unwrap();
    let error = try_open::<String>(&spec(), &keeping(2), &disk).unwrap_err();
    assert!(matches!(&error, OpenError::Store(StoreError::DamagedValue { table: Table::Meta, key, .. })
        if key == "pruned"));
    let (chain, found) = Blockchain::<String>::repair(spec(), keeping(2), Box::new(disk.clone())).unwrap();
    assert_eq!(found, Some(error));
    assert_eq!((chain.height(), chain.first_body()), (13, 9));
    chain.check_store();
}

/// The tip must have a body. A truncation below the lowest body removes the whole chain, which then counts as
/// not pruned.
#[test]
fn a_pruned_chain_is_cut_down_to_its_lowest_body_or_as_a_whole() {
    let (mut chain, _, blocks) = pruned();
    chain.drop_above(9).unwrap();
    assert_eq!((chain.height(), chain.first_body()), (9, 9));
    chain.check_store();
    chain.drop_above(8).unwrap();
    assert_eq!((chain.height(), chain.first_body()), (0, 0));
    chain.check_store();
    for block in &blocks[..2] {
        let _ = chain.import(Arc::clone(block), NOW).unwrap();
        assert_eq!(chain.block(block.hash()), Ok(Some(Arc::clone(block))));
    }
}

fn chain_of(blocks: &[Arc<Block>]) -> Blockchain {
    let mut chain = Blockchain::new(spec());
    let _ = chain.import_all(blocks.iter().cloned(), NOW).unwrap();
    chain
}

/// A truncation also deletes bodies whose rows are missing.
#[test]
fn a_cut_leaves_no_body_above() {
    let (mut chain, disk, blocks) = grown(6, &[2]);
    disk.with_inner(|memory| {
        let mut batch = Batch::new();
        batch.delete(Table::Chain, 6_u64.to_be_bytes());
        batch.delete(Table::Chain, 5_u64.to_be_bytes());
        memory.commit(&batch).unwrap();
    });
    chain.drop_above(4).unwrap();
    let above = |(key, _): &(Vec<u8>, Vec<u8>)| key[..8] > 4_u64.to_be_bytes()[..];
    assert!(!entries(&disk, Table::Blocks).iter().any(above));
    assert_eq!(chain.height(), 4);
    chain.check_store();
    for block in &blocks[4..] {
        assert_eq!(chain.is_best(block.hash()), Ok(false));
        assert_eq!(
            chain.import(Arc::clone(block), NOW),
            Ok(outcome(Verdict::Kept, &[], slice::from_ref(block)))
        );
    }
}

/// A side branch block with a damaged row is deleted from the store with the next commit, and so are its
/// descendants.
#[test]
fn what_is_left_of_a_damaged_branch_goes_with_the_next_commit() {
    let (mut chain, disk, blocks) = grown(4, &[]);
    let side = blocks_above(&chain_of(&blocks[..1]), 2, |height| vec![format!("side {height}")]);
    for block in &side {
        let _ = chain.import(Arc::clone(block), NOW).unwrap();
    }
    let next = blocks_above(&chain, 1, |_| vec!["next".to_owned()]).remove(0);
    drop(chain);
    assert_eq!(entries(&disk, Table::Branches).len(), 2);
    disk.flip_bit(Table::Branches, side[0].hash().as_bytes(), 9).unwrap();
    let mut chain: Blockchain = open(&spec(), &config(), &disk);
    assert_eq!(chain.block(side[1].hash()), Ok(None));
    let _ = chain.import(next, NOW).unwrap();
    assert_eq!(entries(&disk, Table::Branches), []);
    let keys: Vec<_> = entries(&disk, Table::Blocks).into_iter().map(|(key, _)| key).collect();
    assert!(!keys.iter().any(|key| key[8..] == *side[1].hash().as_bytes()), "its height was known");
    // An undamaged branch stays.
    for block in &side {
        let _ = chain.import(Arc::clone(block), NOW).unwrap();
    }
    let mut chain: Blockchain = open(&spec(), &config(), &disk);
    let next = blocks_above(&chain, 1, |_| vec!["after".to_owned()]).remove(0);
    let _ = chain.import(next, NOW).unwrap();
    assert_eq!(entries(&disk, Table::Branches).len(), 2);
    chain.check_store();
}

/// A transaction that loses a field when it is serialised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Forgetful(u32, #[serde(skip)] u32);

impl Transaction for Forgetful {
    type State = ();

    fn apply(&self, (): &mut (), _: &Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        bytes.extend([self.0.to_be_bytes(), self.1.to_be_bytes()].concat());
        Ok(())
    }
}

#[test]
fn a_block_that_would_not_read_back_is_refused() {
    let disk = disk();
    let mut chain: Blockchain<Forgetful> = open(&spec(), &config(), &disk);
    // Built by hand, because `Blockchain::template` would refuse the transaction.
    let mined = |chain: &Blockchain<Forgetful>, lost| {
        let data = vec![Forgetful(1, lost)];
        let root = BodyDigest::of(&data).unwrap().merkle_root();
        Arc::new(Template::new(chain.next_header(Address::ZERO, root, NOW), data).mine().unwrap())
    };
    let error = chain.import(mined(&chain, 2), NOW).unwrap_err();
    assert!(matches!(&error, BlockError::Rule(RuleError::Encode(_))), "{error:?}");
    assert!(error.to_string().contains("does not read back"), "{error}");
    assert_eq!(chain.height(), 0);
    let _ = chain.import(mined(&chain, 0), NOW).unwrap();
    assert_eq!(open::<Forgetful>(&spec(), &config(), &disk).height(), 1);
}

/// A state that cannot be serialised.
#[derive(Clone, Debug, Default, PartialEq)]
struct Formless;

impl Serialize for Formless {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it has no form"))
    }
}

impl<'de> Deserialize<'de> for Formless {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

/// A state that skips an empty field, so that postcard reads one field in place of another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sparse {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    count: u64,
}

/// A state with a flattened field, which postcard cannot write.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Flat {
    #[serde(flatten)]
    balances: BTreeMap<String, u64>,
}

/// A state that only a self-describing format can read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Described(serde_json::Value);

/// A state that writes two fields and reads one, so that bytes are left over.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Longer(u64, u64);

impl Default for Longer {
    fn default() -> Self {
        Self(1, 1)
    }
}

impl<'de> Deserialize<'de> for Longer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(|first| Self(first, first))
    }
}

/// A transaction that does nothing, for any type of state.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
struct Step<S>(PhantomData<fn() -> S>);

impl<S> Clone for Step<S> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<S> PartialEq for Step<S> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<S> Transaction for Step<S>
where
    S: Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    type State = S;

    fn apply(&self, _: &mut S, _: &Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }
}

/// The error of opening a new store for this type of state, the name of the type, and the store.
fn refused<S>() -> (OpenError, &'static str, Disk)
where
    S: Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let disk = disk();
    (try_open::<Step<S>>(&spec(), &config(), &disk).unwrap_err(), type_name::<S>(), disk)
}

#[rstest]
#[case::cannot_be_written(refused::<Formless>, "Formless` in postcard: Serde Serialization Error")]
#[case::leaves_out_what_is_empty(refused::<Sparse>, "the likely cause is `#[serde(skip_serializing_if)]`")]
#[case::flattened(refused::<Flat>, "the likely cause is `#[serde(flatten)]`")]
#[case::needs_a_description(refused::<Described>, "or a `serde_json::Value` in the type")]
#[case::leaves_bytes(refused::<Longer>, "it does not read back as the same value")]
fn a_state_that_does_not_read_back_is_refused_before_there_is_anything_to_lose(
    #[case] refused: fn() -> (OpenError, &'static str, Disk),
    #[case] text: &str,
) {
    let (error, name, disk) = refused();
    assert!(
        matches!(&error, OpenError::Store(StoreError::Unwritable { what: "the state", .. })),
        "{error:?}"
    );
    let said = error.to_string();
    assert!(said.contains(text) && said.contains(name), "{said}");
    for table in Table::ALL {
        assert_eq!(entries(&disk, table), [], "{table:?}");
    }
}

#[test]
fn a_state_of_which_each_copy_is_written_in_another_order_is_fine() {
    #[expect(clippy::disallowed_types, reason = "its order differs, which is the point")]
    type Shuffled = std::collections::HashMap<u64, u64>;

    let shuffled = |count: u64| (0..count).map(|key| (key, key * key)).collect::<Shuffled>();
    for count in [0, 1, 100] {
        assert_eq!(ChainStore::<Step<Shuffled>>::check_state(&shuffled(count)), Ok(()), "{count} entries");
    }
}
