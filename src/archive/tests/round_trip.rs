//! An exported chain can be imported: whole or in ranges, at once or in steps, into a new chain or into a
//! chain with another branch.

use std::io::{self, Write};

use proptest::prelude::*;

use super::*;
use crate::archive::{ExportError, Exporter, Importer};

#[test]
fn ranges_follow_each_other() {
    let chain = small();
    let mut copy = empty();
    for (range, count, height) in [(0..2, 1, 1), (2..2, 0, 1), (2..9, 2, 3), (7..9, 0, 3), (0..4, 3, 3)] {
        let mut file = Vec::new();
        assert_eq!(chain.export(range, &mut file).unwrap(), count);
        assert_eq!(copy.import_archive(file.as_slice(), NOW).unwrap(), count);
        assert_eq!(copy.height(), height);
        assert_prefix(&copy, &chain);
    }
}

#[test]
fn a_range_whose_beginning_is_missing_waits_for_it() {
    let (chain, mut copy) = (small(), empty());
    let mut file = Vec::new();
    assert_eq!(chain.export(3.., &mut file).unwrap(), 1);
    let error = copy.import_archive(file.as_slice(), NOW).unwrap_err();
    let expected = *chain.block_at(2).unwrap().unwrap().hash();
    assert!(
        matches!(error, ImportError::MissingParent { height: 3, missing, .. } if missing == expected),
        "{error}"
    );
    assert_eq!((copy.height(), copy.orphan_count()), (0, 0));
}

#[test]
fn a_chain_of_genesis_alone_is_an_archive_without_blocks() {
    let file = exported(&empty());
    let mut importer = Importer::new(&empty(), file.as_slice()).unwrap();
    assert!(!importer.progress().is_complete);
    assert!(importer.step(&mut empty(), 0, NOW).unwrap().is_complete);
}

#[test]
fn a_branch_with_more_work_becomes_the_best_chain() {
    let mut chain = small();
    let mut other = empty();
    for data in ["1", "2", "3", "4"] {
        extend(&mut other, &[data]);
    }
    let file = exported(&chain);
    assert_eq!(copy_of(&other).import_archive(file.as_slice(), NOW).unwrap(), 3);
    assert_eq!(chain.import_archive(exported(&other).as_slice(), NOW).unwrap(), 4);
    assert_eq!(blocks(&chain), blocks(&other));
}

#[test]
fn a_block_ahead_of_the_clock_is_imported_later() {
    let (chain, mut copy) = (small(), empty());
    let file = exported(&chain);
    let early = chain.spec().genesis_time();
    let error = copy.import_archive(file.as_slice(), early).unwrap_err();
    assert!(matches!(error, ImportError::Block { height: 1, .. }), "{error}");
    assert_eq!(copy.import_archive(file.as_slice(), NOW).unwrap(), 3);
    assert_eq!(blocks(&copy), blocks(&chain));
}

#[test]
fn an_export_notices_that_its_blocks_left_the_best_chain() {
    let mut chain = small();
    let mut other = empty();
    for data in ["1", "2", "3", "4"] {
        extend(&mut other, &[data]);
    }
    let mut exporter = Exporter::new(&chain, .., Vec::new()).unwrap();
    assert_eq!(exporter.step(&chain, 2).unwrap().done, 2);
    let _ = chain.import_archive(exported(&other).as_slice(), NOW).unwrap();
    let error = exporter.step(&chain, 1).unwrap_err();
    assert!(matches!(error, ExportError::Reorganised { height: 2 }), "{error}");
    assert!(matches!(exporter.step(&chain, 1), Err(ExportError::Failed)));
    let (copy, result) = imported(&exporter.into_inner());
    assert!(matches!(result, Err(ImportError::Truncated { .. })), "{result:?}");
    assert_eq!(copy.height(), 2);
}

/// A disk with this many free bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_wherever_it_fills() {
    let chain = small();
    let len = exported(&chain).len();
    for room in 0..len {
        let error = chain.export(.., Full(room)).unwrap_err();
        let kind = if let ExportError::Io(error) = &error { Some(error.kind()) } else { None };
        assert_eq!(kind, Some(io::ErrorKind::StorageFull), "{error}");
    }
    assert_eq!(chain.export(.., Full(len)).unwrap(), 3);
}

/// Two chains that fork after the blocks of `common`.
fn forked(common: &[String], ends: &[Vec<String>; 2]) -> [Blockchain; 2] {
    let mut trunk = empty();
    for data in common {
        extend(&mut trunk, &[data]);
    }
    ends.each_ref().map(|end| {
        let mut chain = copy_of(&trunk);
        for data in end {
            extend(&mut chain, &[data, "end"]);
        }
        chain
    })
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(".{0,20}", 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chain_comes_back(
        common in texts(),
        ends in [texts(), texts()],
        pace in 1..4_u64,
        stop in 0..12_u64,
    ) {
        let chains = forked(&common, &ends);
        let files = chains.each_ref().map(|chain| {
            let mut file = Vec::new();
            let mut exporter = Exporter::new(chain, .., &mut file).unwrap();
            while !exporter.step(chain, pace).unwrap().is_complete {}
            assert_eq!(file, exported(chain), "the pace does not show in the file");
            file
        });
        let mut copy = empty();
        for (file, chain) in files.iter().zip(&chains) {
            // The first import is abandoned after `stop` blocks, and another importer resumes it.
            let mut importer = Importer::new(&copy, file.as_slice()).unwrap();
            let progress = importer.step(&mut copy, stop, NOW).unwrap();
            prop_assert_eq!((progress.done, progress.total), (stop.min(chain.height()), chain.height()));
            let mut importer = Importer::new(&copy, file.as_slice()).unwrap();
            while !importer.step(&mut copy, pace, NOW).unwrap().is_complete {}
            prop_assert_eq!(copy.block(chain.tip().hash()), Ok(Some(chain.tip().clone())));
            prop_assert!(copy.work() >= chain.work());
        }
        // Of branches with equal work the first one seen stays the best chain, as for blocks from peers.
        let longest = if chains[1].work() > chains[0].work() { &chains[1] } else { &chains[0] };
        prop_assert_eq!(blocks(&copy), blocks(longest));
        prop_assert_eq!(copy.verify(..), Ok(()));
    }
}
