//! Accidental damage: flipped bytes, truncated files, and files of another kind.

use std::io::{self, Read};

use rstest::rstest;

use super::*;
use crate::archive::format::MAGIC;
use crate::archive::{ArchivePosition, Importer};

/// The length in bytes of the head of the archives that these tests export.
const HEAD_LEN: usize = 8 + 4 + 49 + "test".len() + 8;

#[rstest]
#[case::all_bits(0xff)]
#[case::lowest_bit(0x01)]
#[case::highest_bit(0x80)]
fn a_flipped_byte_is_noticed_before_its_block_gets_in(#[case] mask: u8) {
    let chain = small();
    let file = exported(&chain);
    for index in 0..file.len() {
        let mut damaged = file.clone();
        damaged[index] ^= mask;
        let (copy, result) = imported(&damaged);
        let error = result.expect_err("no byte is idle");
        assert_prefix(&copy, &chain);
        let at_fault = match error {
            ImportError::Magic { .. } => index < 8,
            ImportError::Version { .. } => (8..12).contains(&index),
            ImportError::Checksum { at }
            | ImportError::Truncated { at }
            | ImportError::RecordLength { at, .. }
            | ImportError::Count { at, .. } => {
                assert_eq!(copy.height(), at.record.saturating_sub(1));
                usize::try_from(at.offset).unwrap() <= index
            }
            _ => false,
        };
        assert!(at_fault, "byte {index}: {error}");
    }
}

#[test]
fn a_truncated_file_is_noticed_and_its_whole_blocks_kept() {
    let chain = small();
    let file = exported(&chain);
    for len in 0..file.len() {
        let (copy, result) = imported(&file[..len]);
        let error = result.unwrap_err();
        let ImportError::Truncated { at } = error else { panic!("{len} bytes: {error}") };
        assert!(at.offset <= len as u64);
        assert_eq!(copy.height(), at.record.saturating_sub(1), "{len} bytes");
        assert_prefix(&copy, &chain);
    }
}

#[test]
fn a_file_that_goes_on_is_noticed() {
    let chain = small();
    let mut file = exported(&chain);
    let offset = file.len() as u64;
    file.push(0);
    let (copy, result) = imported(&file);
    assert!(matches!(result, Err(ImportError::TrailingBytes { offset: got }) if got == offset), "{result:?}");
    assert_eq!(blocks(&copy), blocks(&chain));
}

#[test]
fn a_file_of_something_else_is_refused_by_its_first_bytes() {
    let (_, result) = imported(b"{\"header\": {}}");
    let text = result.unwrap_err().to_string();
    assert_eq!(text, "not an archive of a chain: it begins with 7b22686561646572");
}

#[test]
fn a_newer_format_is_refused_by_its_version() {
    let file = [&MAGIC[..], &[0, 0, 0, 2], b"laid out in a way that is not known yet"].concat();
    let text = imported(&file).1.unwrap_err().to_string();
    assert_eq!(text, "archive has format version 2, expected 1");
}

#[test]
fn an_archive_of_another_chain_is_refused_by_its_genesis() {
    let other: Blockchain = Blockchain::new(builder("other").build().unwrap());
    let error = imported(&exported(&other)).1.unwrap_err();
    let genesis = *empty().genesis().hash();
    assert!(
        matches!(&error, ImportError::OtherChain { name, got, expected }
            if name == "other" && got == other.genesis().hash() && *expected == genesis),
        "{error}"
    );
}

#[test]
fn a_reader_that_fails_is_an_error_and_the_importer_stays_where_it_is() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let chain = small();
    let file = exported(&chain);
    let mut copy = empty();
    let mut importer = Importer::new(&copy, file[..HEAD_LEN + 9].chain(Broken)).unwrap();
    let error = importer.step(&mut copy, 1, NOW).unwrap_err();
    assert!(matches!(&error, ImportError::Io(error) if error.kind() == io::ErrorKind::ConnectionReset));
    assert!(matches!(importer.step(&mut copy, 1, NOW), Err(ImportError::Failed)));
    assert_eq!(copy.height(), 0);
}

#[test]
fn a_position_is_told_by_record_and_byte() {
    let file = exported(&small());
    let Err(ImportError::Truncated { at }) = imported(&file[..=HEAD_LEN]).1 else { panic!("it is cut off") };
    assert_eq!(at, ArchivePosition { record: 1, offset: HEAD_LEN as u64 });
    assert_eq!(at.to_string(), format!("record 1 at byte {HEAD_LEN}"));
}
