//! Forged archives: the checksums are correct, but the blocks or the numbers are not.

use super::*;
use crate::archive::format::{Head, RunningHash, max_record_bytes};
use crate::{BlockError, Header, RuleError};

/// The contents of an archive, which a test changes before the checksums are computed.
struct Forgery {
    head: Head,
    records: Vec<Vec<u8>>,
    count: u64,
}

impl Forgery {
    fn of(chain: &Blockchain) -> Self {
        let records =
            chain.blocks(1..).map(|block| postcard::to_allocvec(&block.unwrap()).unwrap()).collect();
        let (genesis, count) = (*chain.genesis().hash(), chain.height());
        Self { head: Head { genesis, first: 1, count, name: "test".to_owned() }, records, count }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The file, with correct checksums.
    fn seal(&self) -> Vec<u8> {
        let mut file = self.head.to_bytes();
        let mut running = RunningHash::of_head(&file);
        file.extend(running.checksum());
        for record in &self.records {
            let length = u32::try_from(record.len()).unwrap().to_be_bytes();
            running.extend(&length, record);
            file.extend(length);
            file.extend(record);
            file.extend(running.checksum());
        }
        let count = self.count.to_be_bytes();
        running.extend(&[0; 4], &count);
        file.extend([0; 4]);
        file.extend(count);
        file.extend(running.total().as_bytes());
        file
    }
}

fn record(header: Header, data: &[&str]) -> Vec<u8> {
    postcard::to_allocvec(&Block::new(header, data.to_vec())).unwrap()
}

#[test]
fn an_unchanged_forgery_is_what_an_export_writes() {
    let chain = small();
    assert_eq!(Forgery::of(&chain).seal(), exported(&chain));
}

#[test]
fn a_tampered_block_stops_at_its_height_with_its_rule() {
    let chain = small();
    let header = *chain.block_at(3).unwrap().unwrap().header();
    let file = Forgery::of(&chain).with(|forgery| forgery.records[2] = record(header, &["threE"])).seal();
    let (copy, result) = imported(&file);
    let error = result.unwrap_err();
    assert!(
        matches!(&error, ImportError::Block { at, height: 3, error: BlockError::Rule(RuleError::MerkleRoot { .. }) } if at.record == 3),
        "{error}"
    );
    assert!(error.to_string().starts_with("block 3 in record 3 at byte "), "{error}");
    assert_eq!(copy.height(), 2);
    assert_prefix(&copy, &chain);
}

#[test]
fn a_body_that_was_changed_in_a_block_that_is_here_is_skipped_with_it() {
    let chain = small();
    let header = *chain.block_at(2).unwrap().unwrap().header();
    let file = Forgery::of(&chain).with(|forgery| forgery.records[1] = record(header, &["two"])).seal();
    let mut copy = small();
    assert_eq!(copy.import_archive(file.as_slice(), NOW).unwrap(), 3);
    assert_eq!(blocks(&copy), blocks(&chain));
}

#[test]
fn a_block_that_was_tampered_with_anywhere_never_gets_in_unchecked() {
    let chain = small();
    for number in 0..3 {
        for index in 0..Forgery::of(&chain).records[number].len() {
            let forgery = Forgery::of(&chain).with(|forgery| forgery.records[number][index] ^= 1);
            let (copy, result) = imported(&forgery.seal());
            assert_eq!(copy.verify(..), Ok(()));
            assert_eq!(blocks(&copy)[..=number], blocks(&chain)[..=number]);
            // A changed header may have proof of work by chance. Then the block is another valid one, and the
            // archive is accepted only if no record extends the block.
            if result.is_ok() {
                assert!(number == 2 && index < Header::LEN, "byte {index} of record {number}");
                assert_ne!(copy.tip(), chain.tip());
            }
        }
    }
}

#[test]
fn records_out_of_order_are_refused_by_their_height() {
    let file = Forgery::of(&small()).with(|forgery| forgery.records.swap(1, 2)).seal();
    let (copy, result) = imported(&file);
    let expected = BlockError::Rule(RuleError::Height { got: 3, expected: 2 });
    assert!(
        matches!(&result, Err(ImportError::Block { height: 2, error, .. }) if *error == expected),
        "{result:?}"
    );
    assert_eq!(copy.height(), 1);
}

#[test]
fn numbers_that_contradict_each_other_are_refused() {
    type Case = (u64, fn(&mut Forgery));
    let changes: [Case; 5] = [
        (3, |forgery| forgery.head.count = 2),
        (4, |forgery| forgery.head.count = 4),
        (4, |forgery| forgery.head.count = u64::MAX),
        (4, |forgery| forgery.count = 2),
        (2, |forgery| forgery.records[1].clear()),
    ];
    for (record, change) in changes {
        let (copy, result) = imported(&Forgery::of(&small()).with(change).seal());
        let error = result.unwrap_err();
        assert!(matches!(error, ImportError::Count { at, .. } if at.record == record), "{error}");
        assert_eq!(copy.height(), record - 1);
    }
}

#[test]
fn a_first_height_at_the_end_of_the_numbers_is_harmless() {
    let file = Forgery::of(&small()).with(|forgery| forgery.head.first = u64::MAX).seal();
    let error = imported(&file).1.unwrap_err();
    assert!(matches!(error, ImportError::Block { height: u64::MAX, .. }), "{error}");
}

#[test]
fn a_record_that_is_no_block_is_refused() {
    let short = Forgery::of(&small()).with(|forgery| forgery.records[1].truncate(100)).seal();
    let error = imported(&short).1.unwrap_err();
    assert!(matches!(error, ImportError::Decode { at, .. } if at.record == 2), "{error}");
    let long = Forgery::of(&small()).with(|forgery| forgery.records[1].extend([0, 0])).seal();
    let error = imported(&long).1.unwrap_err();
    assert!(matches!(error, ImportError::RecordTail { at, got: 2 } if at.record == 2), "{error}");
}

#[test]
fn a_record_is_as_long_as_its_limit_at_most() {
    let limit = max_record_bytes(empty().spec());
    let with =
        |len| imported(&Forgery::of(&small()).with(|forgery| forgery.records[0] = vec![0; len]).seal()).1;
    let error = with(limit + 1).unwrap_err();
    assert!(
        matches!(error, ImportError::RecordLength { got, limit: max, .. } if got == limit + 1 && max == limit)
    );
    let error = with(limit).unwrap_err();
    assert!(matches!(error, ImportError::RecordTail { .. }), "{error}");
}

#[test]
fn the_largest_block_fits_into_a_record() {
    let mut chain = empty();
    let text = "x".repeat(chain.spec().max_block_bytes() - Header::LEN - 2);
    extend(&mut chain, &[&text]);
    assert!(chain.template(vec![text + "x"], NOW).is_err(), "it is the largest");
    assert_eq!(blocks(&imported(&exported(&chain)).0), blocks(&chain));
}
