//! Stores of another chain or of another format version: opening and repairing name the difference, and
//! change nothing.

use core::time::Duration;

use rstest::rstest;

use super::forge::*;
use super::stored::{Disk, assert_same, disk, open, try_open};
use crate::chain::FORMAT_VERSION;
use crate::consensus::ChainSpecBuilder;
use crate::primitives::Target;
use crate::store::{Batch, Store, Table, seal};
use crate::{Blockchain, ChainConfig, ChainSpec, OpenError, Retarget, StoreError, Timestamp};

/// The difference that is named for the rules that the genesis block commits to with one hash.
const HASHED: &str = "its block interval, retargeting, a limit or its genesis data";

fn config() -> ChainConfig {
    ChainConfig::default()
}

fn filled() -> Disk {
    let disk = disk();
    let mut chain: Chain = open(&spec(), &config(), &disk);
    for block in Branch::of(&[1, 2, 3]).mined() {
        let _ = import(&mut chain, block).unwrap();
    }
    disk
}

fn put(disk: &Disk, table: Table, key: &[u8], value: Option<Vec<u8>>) {
    let mut batch = Batch::new();
    match value {
        Some(value) => batch.put(table, key, value),
        None => batch.delete(table, key),
    }
    disk.clone().commit(&batch).unwrap();
}

/// Asserts that opening and repairing fail with this error, and that neither changes the store.
#[track_caller]
fn assert_refused(disk: &Disk, expected: &OpenError) {
    let before = disk.with_inner(|memory| memory.clone());
    assert_eq!(try_open::<Note>(&spec(), &config(), disk).unwrap_err(), *expected);
    let repaired = Chain::repair(spec(), config(), Box::new(disk.clone()));
    assert_eq!(repaired.unwrap_err(), *expected);
    assert!(disk.with_inner(|memory| *memory == before), "nothing is written");
}

fn damaged(table: Table, key: &str, reason: &'static str) -> StoreError {
    StoreError::DamagedValue { table, key: key.to_owned(), reason }
}

#[rstest]
#[case::name(ChainSpec::builder("other"), "its name")]
#[case::genesis_time(builder().genesis_time(Timestamp::from_millis(1)), "its genesis time")]
#[case::easiest_target(builder().easiest_target(Target::FOUR_HEX_ZEROS), "its easiest target")]
#[case::limit(builder().max_block_bytes(5_000), HASHED)]
#[case::block_interval(builder().block_interval(Duration::from_secs(3)), HASHED)]
#[case::retargeting(builder().retarget(Retarget::Step), HASHED)]
fn another_chain_is_refused_by_its_name_genesis_and_what_differs(
    #[case] other: ChainSpecBuilder,
    #[case] differs: &'static str,
) {
    let disk = disk();
    let other = other.build().unwrap();
    let chain: Chain = open(&other, &config(), &disk);
    let (got, expected) = (*chain.genesis().hash(), *spec().genesis::<Note>().unwrap().hash());
    let name = other.name().to_owned();
    let error = OpenError::OtherChain { name: name.clone(), got, expected, differs };
    assert_refused(&disk, &error);
    assert_eq!(
        error.to_string(),
        format!(
            "the store holds chain {name:?} with genesis {got}, expected {expected}; {differs} differs: choose \
             another directory, or the rules by which it was made"
        )
    );
    assert_eq!(open::<Note>(&other, &config(), &disk).height(), 0);
}

#[rstest]
#[case(FORMAT_VERSION + 1)]
#[case(u32::MAX)]
fn a_newer_format_is_refused_by_its_version(#[case] got: u32) {
    let disk = filled();
    put(&disk, Table::Meta, b"format", Some(seal(Table::Meta, b"format", got.to_be_bytes().to_vec())));
    let error = OpenError::NewerFormat { got };
    assert_refused(&disk, &error);
    assert_eq!(
        error.to_string(),
        format!("the store has format version {got}, this program knows up to 2: use a newer program")
    );
}

#[rstest]
#[case::older_than_any(0_u32.to_be_bytes().to_vec())]
#[case::too_short(vec![1])]
fn a_format_that_never_was_is_damage(#[case] value: Vec<u8>) {
    let disk = filled();
    put(&disk, Table::Meta, b"format", Some(seal(Table::Meta, b"format", value)));
    assert_refused(&disk, &damaged(Table::Meta, "format", "is not what was written").into());
}

#[test]
fn a_store_that_does_not_say_whose_it_is_is_damaged() {
    let disk = filled();
    put(&disk, Table::Meta, b"genesis", Some(seal(Table::Meta, b"genesis", vec![0; 31])));
    assert_refused(&disk, &damaged(Table::Meta, "genesis", "is not what was written").into());
}

/// A repair rewrites a missing format version or genesis hash if the first rows of the store belong to this
/// chain.
#[rstest]
#[case::format("format")]
#[case::genesis("genesis")]
fn what_a_store_lacks_that_says_whose_it_is_a_repair_writes_anew(#[case] key: &'static str) {
    let disk = filled();
    let whole = open::<Note>(&spec(), &config(), &disk);
    put(&disk, Table::Meta, key.as_bytes(), None);
    let expected = OpenError::from(damaged(Table::Meta, key, "is not what was written"));
    assert_eq!(try_open::<Note>(&spec(), &config(), &disk).unwrap_err(), expected);
    let other = builder().max_block_bytes(5_000).build().unwrap();
    assert_eq!(Chain::repair(other, config(), Box::new(disk.clone())).unwrap_err(), expected);
    let (repaired, found) = Chain::repair(spec(), config(), Box::new(disk.clone())).unwrap();
    assert_eq!((repaired.tip(), found), (whole.tip(), Some(expected)));
    drop(repaired);
    assert_eq!(open::<Note>(&spec(), &config(), &disk).tip(), whole.tip());
}

/// The checksum of a value covers its key, so a value under another key is damaged.
#[test]
fn a_value_of_another_key_is_damage() {
    let disk = filled();
    let value = disk.get(Table::Meta, b"genesis").unwrap();
    put(&disk, Table::Meta, b"format", value);
    assert_refused(&disk, &damaged(Table::Meta, "format", "is not what was written").into());
}

#[test]
fn a_store_with_a_head_and_no_chain_is_damaged_and_repaired_to_a_new_one() {
    let disk = filled();
    for height in 0..4_u64 {
        put(&disk, Table::Chain, &height.to_be_bytes(), None);
    }
    let error = damaged(Table::Chain, "0", "is missing");
    let open = try_open::<Note>(&spec(), &config(), &disk).unwrap_err();
    assert_eq!(open, OpenError::Damaged { height: 0, error: error.clone() });
    let (mut chain, found) = Chain::repair(spec(), config(), Box::new(disk)).unwrap();
    assert_eq!((chain.height(), found), (0, Some(error.into())));
    let main = Branch::of(&[1, 2, 3]);
    let _ = chain.import_all(main.mined().iter().cloned(), NOW).unwrap();
    chain.check_invariants();
    assert_follows(&chain, &main);
}

/// The chain does not touch the tables of the mempool and of the peers, which are in its store.
#[test]
fn tables_of_others_are_left_alone() {
    let disk = filled();
    for table in [Table::Mempool, Table::Peers] {
        put(&disk, table, b"key", Some(b"value".to_vec()));
    }
    let mut chain: Chain = open(&spec(), &config(), &disk);
    assert_eq!(import(&mut chain, Branch::of(&[1, 2, 3, 4]).tip()).map(|_| ()), Ok(()));
    chain.drop_above(2).unwrap();
    let (repaired, found) = Chain::repair(spec(), config(), Box::new(disk.clone())).unwrap();
    assert_eq!(found, None);
    assert_same(&repaired, &chain);
    for table in [Table::Mempool, Table::Peers] {
        assert_eq!(disk.get(table, b"key").unwrap().as_deref(), Some(&b"value"[..]));
    }
}

#[test]
fn a_chain_of_another_transaction_type_is_damaged_where_its_blocks_are() {
    let disk = filled();
    // A `Note` does not decode as a `String`, so the first block that opening reads counts as damaged.
    let error = Blockchain::<String>::open(spec(), config(), Box::new(disk)).unwrap_err();
    let OpenError::Damaged { error: StoreError::DamagedValue { table: Table::Blocks, .. }, .. } = error
    else {
        panic!("{error}");
    };
}
