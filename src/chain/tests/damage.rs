//! Damaged stores: whichever bit is flipped, a chain serves the correct blocks or names the damaged value. A
//! repaired chain accepts the rest of the blocks again.

use std::sync::Arc;

use super::forge::*;
use super::stored::{Disk, Picture, assert_same, blocks_above, copy_of, disk, open, try_open};
use crate::chain::VerifyError;
use crate::store::{ALL_KEYS, Batch, Order, Store, Table};
use crate::{BlockError, Blockchain, ChainConfig, Hash, Header, OpenError, StoreError, Transaction};

fn config() -> ChainConfig {
    ChainConfig::default()
}

/// The tables that are not empty in the store of an [`Original`].
const TABLES: [&str; 6] = ["meta", "chain", "heights", "blocks", "branches", "states"];

/// A stored chain with a side branch and two states.
struct Original {
    disk: Disk,
    chain: Chain,
    main: Branch,
    side: Branch,
}

fn original() -> Original {
    let disk = disk();
    let mut chain: Chain = open(&spec(), &config(), &disk);
    let main = Branch::of(&[1, 2, 3, 4, 5, 6, 7]);
    let side = main.cut(4).with(&[15, 16]);
    for block in main.mined().iter().chain(side.above(4)) {
        let _ = import(&mut chain, block).unwrap();
        if block == main.at(2) || block == main.at(5) {
            chain.checkpoint().unwrap();
        }
    }
    assert_follows(&chain, &main);
    assert_eq!(chain.checkpoints.states.len(), 2);
    Original { disk, chain, main, side }
}

fn entries(disk: &Disk) -> Vec<(Table, Vec<u8>, Vec<u8>)> {
    let of = |table| disk.scan(table, ALL_KEYS, Order::Ascending, usize::MAX).unwrap().into_iter();
    Table::ALL.into_iter().flat_map(|table| of(table).map(move |(key, value)| (table, key, value))).collect()
}

/// How an error names a key.
fn named(table: Table, key: &[u8]) -> String {
    let height = |key: &[u8]| u64::from_be_bytes(key[..8].try_into().unwrap());
    match table {
        Table::Meta => String::from_utf8(key.to_vec()).unwrap(),
        Table::Chain | Table::States => height(key).to_string(),
        Table::Blocks => format!("{} {}", height(key), hex::encode(&key[8..])),
        _ => hex::encode(key),
    }
}

fn is_named(error: &StoreError, table: Table, key: &[u8]) -> bool {
    matches!(error, StoreError::DamagedValue { table: got, key: name, .. }
        if *got == table && *name == named(table, key))
}

/// Asserts that every read of a chain with one damaged value returns the correct block or an error that names
/// the value.
fn check_reads(chain: &Chain, original: &Original, table: Table, key: &[u8]) {
    assert_eq!((chain.tip(), chain.state()), (original.chain.tip(), original.chain.state()));
    for height in 0..=original.chain.height() {
        let expected = original.main.at(usize::try_from(height).unwrap());
        match chain.block_at(height) {
            Ok(block) => assert_eq!(block.as_ref(), Some(expected), "height {height}"),
            Err(error) => assert!(is_named(&error, table, key), "height {height}: {error}"),
        }
        match chain.block(expected.hash()) {
            Ok(block) => assert_eq!(block.as_ref(), Some(expected), "block {height}"),
            Err(error) => assert!(is_named(&error, table, key), "block {height}: {error}"),
        }
    }
    for expected in original.side.above(4) {
        match chain.block(expected.hash()) {
            // A side branch block with a damaged row is dropped with its descendants; peers may send them
            // again.
            Ok(None) => assert_eq!(table, Table::Branches),
            Ok(block) => assert_eq!(block.as_ref(), Some(expected)),
            Err(error) => assert!(is_named(&error, table, key), "side: {error}"),
        }
    }
}

/// Repairs a chain, including the damage that only a verification finds, and returns the errors found.
fn repair<T: Transaction>(disk: &Disk) -> (Blockchain<T>, Vec<String>) {
    let (mut chain, found) = Blockchain::repair(spec(), config(), Box::new(disk.clone())).unwrap();
    let mut found: Vec<String> = found.iter().map(ToString::to_string).collect();
    while let Err(error) = chain.verify(..) {
        found.push(error.to_string());
        chain.drop_above(error.height().saturating_sub(1)).unwrap();
    }
    (chain, found)
}

/// Asserts that a repair keeps a lower part of the chain, and that importing the rest of the blocks restores
/// the whole chain. Returns whether the repair found an error.
fn check_repair(disk: &Disk, original: &Original) -> bool {
    let (mut chain, found) = repair::<Note>(disk);
    let height = usize::try_from(chain.height()).unwrap();
    assert_follows(&chain, &original.main.cut(height));
    // A missing last row cannot be detected: the store is then that of a shorter chain.
    assert!(!found.is_empty() || height + 1 >= original.main.mined().len());
    for block in original.main.mined().iter().chain(original.side.above(4)) {
        let _ = chain.import(Arc::clone(block), NOW).unwrap();
    }
    chain.check_invariants();
    assert_eq!(chain.block(original.side.tip().hash()), Ok(Some(Arc::clone(original.side.tip()))));
    assert_follows(&chain, &original.main);
    assert_same(&open(&spec(), &config(), disk), &chain);
    assert!(repair::<Note>(disk).1.is_empty(), "nothing is wrong any more");
    !found.is_empty()
}

#[test]
fn whatever_bit_is_flipped_no_wrong_block_is_served() {
    let original = original();
    let mut tables = Vec::new();
    for (table, key, value) in entries(&original.disk) {
        tables.push(table);
        for byte in 0..value.len() {
            let bit = byte * 8 + (byte * 3 + key.len()) % 8;
            let damaged = copy_of(&original.disk);
            damaged.flip_bit(table, &key, bit).unwrap();
            let context = format!("{} {}, bit {bit}", table.name(), named(table, &key));
            match try_open::<Note>(&spec(), &config(), &damaged) {
                Ok(chain) => check_reads(&chain, &original, table, &key),
                Err(OpenError::Store(error) | OpenError::Damaged { error, .. }) => {
                    assert!(is_named(&error, table, &key), "{context}: {error}");
                }
                Err(error) => panic!("{context}: {error}"),
            }
        }
    }
    tables.dedup();
    assert_eq!(tables.iter().map(|table| table.name()).collect::<Vec<_>>(), TABLES);
}

#[test]
fn whatever_bit_is_flipped_a_repair_leaves_a_chain_that_takes_the_rest() {
    let original = original();
    for (table, key, value) in entries(&original.disk) {
        for byte in (0..value.len()).step_by(7).chain([value.len() - 1]) {
            let bit = byte * 8 + (byte * 5 + key.len()) % 8;
            let damaged = copy_of(&original.disk);
            damaged.flip_bit(table, &key, bit).unwrap();
            // A repair does not guess a damaged format version or genesis hash.
            if table == Table::Meta && [&b"format"[..], b"genesis"].contains(&&key[..]) {
                let error = Chain::repair(spec(), config(), Box::new(damaged)).unwrap_err();
                let OpenError::Store(error) = error else { panic!("{error}") };
                assert!(is_named(&error, table, &key), "{error}");
                continue;
            }
            println!("{} {}, bit {bit}", table.name(), named(table, &key));
            // A side branch with a damaged row is dropped without a report.
            assert_eq!(check_repair(&damaged, &original), table != Table::Branches);
        }
    }
}

/// A missing value, in each of the tables.
#[test]
fn whatever_value_is_missing_a_repair_leaves_a_chain_that_takes_the_rest() {
    let original = original();
    for (table, key, _) in entries(&original.disk) {
        let damaged = copy_of(&original.disk);
        let mut batch = Batch::new();
        batch.delete(table, &key[..]);
        damaged.clone().commit(&batch).unwrap();
        if let Ok(chain) = try_open::<Note>(&spec(), &config(), &damaged) {
            for height in 0..=chain.height() {
                let expected = original.main.at(usize::try_from(height).unwrap());
                match chain.block_at(height) {
                    Ok(block) => assert_eq!(block.as_ref(), Some(expected)),
                    Err(error) => assert!(is_named(&error, table, &key), "{error}"),
                }
            }
        }
        println!("{} {}", table.name(), named(table, &key));
        check_repair(&damaged, &original);
    }
}

/// A chain that is longer than the part of it that opening reads.
fn long() -> (Disk, Blockchain) {
    let disk = disk();
    let mut chain: Blockchain = open(&spec(), &config(), &disk);
    let blocks = blocks_above(&chain, 2_500, |height| vec![height.to_string()]);
    let _ = chain.import_all(blocks, NOW).unwrap();
    chain.checkpoint().unwrap();
    (disk, chain)
}

fn block_key(height: u64, hash: &Hash) -> Vec<u8> {
    [&height.to_be_bytes()[..], hash.as_bytes()].concat()
}

#[test]
fn damage_far_below_is_found_when_it_is_read_verified_or_repaired() {
    let (disk, whole) = long();
    let hash = *whole.block_at(100).unwrap().unwrap().hash();
    let cases = [
        (Table::Chain, 100_u64.to_be_bytes().to_vec()),
        (Table::Heights, hash.as_bytes().to_vec()),
        (Table::Blocks, block_key(100, &hash)),
    ];
    for (table, key) in cases {
        let damaged = copy_of(&disk);
        damaged.flip_bit(table, &key, 9).unwrap();
        let chain: Blockchain = open(&spec(), &config(), &damaged);
        assert_eq!(chain.tip(), whole.tip());
        let error = chain.block(&hash).unwrap_err();
        assert!(is_named(&error, table, &key), "{error}");
        if table != Table::Heights {
            assert_eq!(chain.block_at(100), Err(error.clone()));
        }
        assert_eq!(chain.verify(..), Err(VerifyError::Store { height: 100, error: error.clone() }));
        assert_eq!(chain.verify(..100), Ok(()));
        drop(chain);

        let (mut repaired, found) = repair::<String>(&damaged);
        if table == Table::Heights {
            // The index of heights by hash is rebuilt from the rows, so nothing is lost.
            assert_eq!(found, [error.to_string()]);
            assert_eq!(Picture::of(&repaired), Picture::of(&whole));
            continue;
        }
        assert_eq!(found, [format!("block 100: {error}")]);
        assert_eq!(repaired.height(), 99);
        repaired.check_store();
        let rest: Vec<_> = whole.blocks(100..).map(Result::unwrap).collect();
        let _ = repaired.import_all(rest, NOW).unwrap();
        repaired.check_store();
        assert_eq!(Picture::of(&repaired).without_states(), Picture::of(&whole).without_states());
        let reopened: Blockchain = open(&spec(), &config(), &damaged);
        assert_eq!(reopened.verify(..), Ok(()));
    }
}

/// Headers for a peer are read without the checksums of their rows, and shown to be whole by the hashes in them.
#[test]
fn a_damaged_row_gives_a_whole_header_or_is_named() {
    let (disk, whole) = long();
    let damaged = copy_of(&disk);
    let chain: Blockchain = open(&spec(), &config(), &damaged);
    let locator = [*whole.block_at(90).unwrap().unwrap().hash()];
    let expected: Vec<Header> = (91..=110).map(|height| whole.header_at(height).unwrap().unwrap()).collect();
    for height in [91_u64, 100, 110] {
        let key = height.to_be_bytes();
        let bits = 8 * damaged.get(Table::Chain, &key).unwrap().unwrap().len();
        let mut named = 0;
        for bit in 0..bits {
            damaged.flip_bit(Table::Chain, &key, bit).unwrap();
            match chain.headers_after(&locator, 20) {
                Ok(headers) => assert_eq!(headers, expected, "row {height}, bit {bit}"),
                Err(error) => {
                    assert!(is_named(&error, Table::Chain, &key), "row {height}, bit {bit}: {error}");
                    named += 1;
                }
            }
            damaged.flip_bit(Table::Chain, &key, bit).unwrap();
        }
        // More than half of a row is its header.
        assert!(named > bits / 2, "{named} of {bits} bits of row {height}");
    }
    assert_eq!(chain.headers_after(&locator, 0), Ok(Vec::new()));
    assert_eq!(chain.headers_after(&[*whole.tip().hash()], 20), Ok(Vec::new()));
    assert_eq!(chain.headers_after(&[], 3_000).unwrap().last(), Some(whole.tip().header()));
}

#[test]
fn a_good_chain_is_repaired_to_itself() {
    let original = original();
    let before = entries(&original.disk);
    let (chain, found) = repair::<Note>(&original.disk);
    assert!(found.is_empty(), "{found:?}");
    assert_same(&chain, &original.chain);
    assert_eq!(entries(&original.disk), before, "nothing is written");
}

#[test]
fn what_is_dropped_comes_again() {
    for height in [0, 1, 4, 5, 6, 7, 9] {
        let Original { disk, mut chain, main, side } = original();
        chain.drop_above(height).unwrap();
        let left = main.cut(usize::try_from(height.min(7)).unwrap());
        assert_follows(&chain, &left);
        chain.check_invariants();
        assert_same(&open(&spec(), &config(), &disk), &chain);
        for block in main.mined().iter().chain(side.above(4)) {
            let _ = import(&mut chain, block).unwrap();
            chain.checkpoint().unwrap();
            chain.check_invariants();
        }
        assert_follows(&chain, &main);
        let longer = side.with(&[17, 18]);
        for block in longer.above(6) {
            let _ = import(&mut chain, block).unwrap();
        }
        assert_follows(&chain, &longer);
        assert_same(&open(&spec(), &config(), &disk), &chain);
    }
}

/// A side branch with a damaged body is dropped when it gets the most work. After its blocks are imported
/// again, it becomes the best chain.
#[test]
fn a_damaged_branch_that_is_to_be_followed_is_brought_again() {
    for is_missing in [false, true] {
        let Original { disk, main, side, .. } = original();
        let key = block_key(5, &side.hash(5));
        disk.flip_bit(Table::Blocks, &key, 1_700).unwrap();
        if is_missing {
            let mut batch = Batch::new();
            batch.delete(Table::Blocks, &key[..]);
            disk.clone().commit(&batch).unwrap();
        }
        let mut chain: Chain = open(&spec(), &config(), &disk);
        let longer = side.with(&[17, 18]);
        let _ = chain.import(Arc::clone(longer.at(7)), NOW).unwrap();
        let missing = longer.hash(7);
        assert_eq!(import(&mut chain, longer.at(8)), Ok(orphaned(missing)));
        assert_eq!(chain.header(&longer.hash(5)), Ok(None));
        assert_follows(&chain, &main);
        for block in longer.above(4) {
            assert_eq!(import_header(&mut chain, block), Ok(true));
        }
        assert_eq!(
            chain.missing_bodies(longer.tip().hash(), 9),
            [5, 6, 7, 8].map(|height| longer.hash(height))
        );
        for block in &longer.above(4)[..3] {
            assert_eq!(import(&mut chain, block), Ok(side_branch()));
        }
        assert_eq!(import(&mut chain, longer.tip()), reorged(main.above(4), longer.above(4)));
        assert_follows(&chain, &longer);
        assert_same(&open(&spec(), &config(), &disk), &chain);
    }
}

/// A reorganisation that has to read a damaged block of the best chain fails with an error that names the
/// block, and changes nothing until the chain is repaired.
#[test]
fn a_reorganisation_over_a_damaged_block_names_it() {
    let Original { disk, main, side, .. } = original();
    let key = block_key(5, &main.hash(5));
    disk.flip_bit(Table::Blocks, &key, 1_700).unwrap();
    let mut chain: Chain = open(&spec(), &config(), &disk);
    let longer = side.with(&[17, 18]);
    assert_eq!(chain.import(Arc::clone(longer.at(7)), NOW), Ok(side_branch()));
    for _ in 0..2 {
        let Err(BlockError::Store(error)) = chain.import(Arc::clone(longer.at(8)), NOW) else {
            panic!("the block below is damaged");
        };
        assert!(is_named(&error, Table::Blocks, &key), "{error}");
        assert_eq!((chain.tip(), chain.state()), (main.tip(), fed(spec(), main.mined()).state()));
    }
    assert_eq!(chain.verify(..).unwrap_err().height(), 5);
    chain.drop_above(4).unwrap();
    let _ = chain.import_all(longer.above(4).iter().cloned(), NOW).unwrap();
    chain.check_invariants();
    assert_follows(&chain, &longer);
}
