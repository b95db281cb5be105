//! A file with a flipped bit, or a truncated file: everything that can be read is what was committed, and
//! everything else fails with an error that names the damage. No operation panics or hangs.

use core::time::Duration;
use core::{fmt, mem};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use fastrand::Rng;

use super::disk::Disk;
use super::{contents, open};
use crate::store::redb::checked::{Checked, SECTOR};
use crate::store::redb::session::Session;
use crate::store::redb::{Redb, salvage};
use crate::store::{Batch, Store, StoreError, Table};
use crate::testing::store::{Model, pattern};

const SEED: u64 = 3;

/// Far more time than all tests of one image take.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn a_flipped_bit_is_refused_unless_nobody_reads_it() {
    for image in images() {
        let mut rng = Rng::with_seed(SEED);
        let sectors = used_sectors(&image.bytes);
        // Half of the bits are in the header of a page.
        let bits = (0..400).map(|number| {
            let within = if number % 2 == 0 { SECTOR } else { 64 };
            rng.choice(&sectors).unwrap() * SECTOR * 8 + rng.usize(..within * 8)
        });
        let bits: Vec<_> = bits.collect();
        let outcomes = meet(&image, &bits, |bytes, bit| flip(bytes, *bit));
        assert!(outcomes.refused > 200 && outcomes.rolled_back < 2, "{}: {outcomes:?}", image.name);
    }
}

#[test]
fn a_flipped_bit_of_a_header_is_refused_or_repaired() {
    for image in images() {
        let heads = [(0, HEAD), (2 * SECTOR, REDB_HEADER)];
        let bits: Vec<_> = heads.iter().flat_map(|(start, len)| start * 8..(start + len) * 8).collect();
        let outcomes = meet(&image, &bits, |bytes, bit| flip(bytes, *bit));
        // One bit selects which of the last two commits is valid. After a close the flip changes nothing,
        // because the last commit of a close is empty.
        let rolled_back = usize::from(image.name == "killed");
        assert_eq!(outcomes.rolled_back, rolled_back, "{}: {outcomes:?}", image.name);
        assert!(outcomes.refused > HEAD * 8 && outcomes.whole > 200, "{}: {outcomes:?}", image.name);
    }
}

#[test]
fn a_file_without_its_end_is_refused() {
    for image in images() {
        let mut rng = Rng::with_seed(SEED);
        let len = image.bytes.len();
        let mut lens: Vec<_> = (0..200).map(|_| rng.usize(1..len)).collect();
        lens.extend((1..len / SECTOR).map(|sectors| sectors * SECTOR));
        let outcomes = meet(&image, &lens, |bytes, len| bytes.truncate(*len));
        assert_eq!(outcomes.rolled_back, 0, "{}: {outcomes:?}", image.name);
        // After a killed process the file may be longer than necessary.
        assert!(outcomes.refused > 200 && outcomes.whole < 100, "{}: {outcomes:?}", image.name);
    }
}

#[test]
fn a_sector_of_other_bytes_is_refused_unless_nobody_reads_it() {
    for image in images() {
        let sectors = used_sectors(&image.bytes);
        let mut replacements = Vec::new();
        for (number, &sector) in sectors.iter().enumerate() {
            let another = sectors[number * 7 % sectors.len()] * SECTOR;
            let another = image.bytes[another..][..SECTOR].to_vec();
            let others = [vec![0; SECTOR], vec![0xff; SECTOR], pattern(SECTOR), another];
            replacements.extend(others.map(|other| (sector, other)));
        }
        let outcomes = meet(&image, &replacements, |bytes, (sector, other)| {
            bytes[sector * SECTOR..][..SECTOR].copy_from_slice(other);
        });
        assert!(outcomes.refused > 100 && outcomes.rolled_back == 0, "{}: {outcomes:?}", image.name);
    }
}

#[test]
fn a_sector_in_the_wrong_place_is_refused_unless_nobody_reads_it() {
    for image in images() {
        // The sectors that have a checksum in the first group. The checksum moves with its sector.
        let sectors: Vec<_> =
            used_sectors(&image.bytes).into_iter().filter(|&sector| (3..514).contains(&sector)).collect();
        let moves: Vec<_> =
            sectors.iter().zip(sectors.iter().skip(1)).map(|(&from, &to)| (from, to)).collect();
        let outcomes = meet(&image, &moves, |bytes, &(from, to)| {
            bytes.copy_within(from * SECTOR..(from + 1) * SECTOR, to * SECTOR);
            let checksum = |sector| SECTOR + (sector - 2) * 8;
            bytes.copy_within(checksum(from)..checksum(from + 1), checksum(to));
        });
        assert!(outcomes.refused > 20 && outcomes.rolled_back == 0, "{}: {outcomes:?}", image.name);
    }
}

/// The checksums of values and the hashes of blocks notice what is read, and not what is no longer found.
#[test]
fn a_changed_key_is_noticed_by_the_checksums_of_sectors_alone() {
    for image in images() {
        let batches = batches();
        let changes = batches.iter().flat_map(Batch::iter).filter(|(table, ..)| *table == Table::Blocks);
        let (table, key, value) = changes.last().unwrap();
        // Older versions of the page are in the file as well.
        let places = image.bytes.windows(key.len()).enumerate().filter(|(_, bytes)| *bytes == key);
        let places: Vec<_> = places.map(|(at, _)| at + key.len() - 1).collect();
        let mut lost = 0;
        for at in places {
            let mut bytes = image.bytes.clone();
            flip(&mut bytes, at * 8);
            let look_up = |open: fn(&Path, Disk) -> Result<Checked<Disk>, StoreError>| {
                let (path, disk) = (Path::new("the/disk"), Disk::with_bytes(bytes.clone()));
                let session = Session::open_read_only(path, open(path, disk)?, 1 << 20)?;
                Redb::with_session(session).get(table, key)
            };
            if look_up(Checked::open_lenient).unwrap().is_none() {
                assert!(
                    matches!(look_up(Checked::open_begun), Err(StoreError::Damaged(_))),
                    "{}",
                    image.name
                );
                lost += 1;
            } else {
                assert_eq!(look_up(Checked::open_begun).unwrap().as_deref(), value, "{}", image.name);
            }
        }
        assert_eq!(lost, 1, "{}", image.name);
    }
}

#[test]
fn what_can_be_read_is_salvaged() {
    for image in images() {
        let mut rng = Rng::with_seed(SEED);
        let sectors = used_sectors(&image.bytes);
        let (mut refused, mut salvaged) = (0, 0);
        for round in 0..150 {
            let mut bytes = image.bytes.clone();
            flip(&mut bytes, rng.choice(&sectors).unwrap() * SECTOR * 8 + rng.usize(..SECTOR * 8));
            let context = format!("seed {SEED}, {}, round {round}", image.name);
            let new = Disk::default();
            let path = Path::new("the/disk");
            let Some(session) = salvage(path, Disk::with_bytes(bytes), new.clone()).unwrap_or_default()
            else {
                refused += 1;
                continue;
            };
            let found = contents(&Redb::with_session(session)).unwrap();
            let expected = image.contents.len();
            let same = found.shared_with(&image.contents).max(found.shared_with(&image.contents_before));
            assert!(
                found.len() - same <= 1,
                "{context}: {} of {} are wrong",
                found.len() - same,
                found.len()
            );
            salvaged += usize::from(same + 1 >= expected);
            assert!(contents(&open(&new).unwrap()).unwrap() == found, "{context}: opened again");
        }
        assert!(refused < 10 && salvaged > 120, "{}: {refused} refused, {salvaged} salvaged", image.name);
    }
}

/// The used lengths of the file's own head and of redb's header.
const HEAD: usize = 20;
const REDB_HEADER: usize = 320;

/// A file with some hundreds of entries.
#[derive(Clone)]
struct Image {
    name: &'static str,
    bytes: Vec<u8>,
    contents: Model,
    /// The entries without those of the last commit.
    contents_before: Model,
}

impl Image {
    fn had(&self, table: Table, key: &[u8], value: Option<&[u8]>) -> bool {
        [&self.contents, &self.contents_before].iter().any(|model| model.get(table, key) == value)
    }
}

/// The file of a closed store, and the file of a killed process.
fn images() -> [Image; 2] {
    let mut contents = Model::default();
    let mut contents_before = Model::default();
    for batch in batches() {
        contents_before = contents.clone();
        contents.apply(&batch);
    }
    ["closed", "killed"].map(|name| {
        let disk = Disk::default();
        let mut store = open(&disk).unwrap();
        for batch in batches() {
            store.commit(&batch).unwrap();
        }
        if name == "killed" {
            mem::forget(store);
        } else {
            drop(store);
        }
        let (contents, contents_before) = (contents.clone(), contents_before.clone());
        Image { name, bytes: disk.bytes(), contents, contents_before }
    })
}

fn batches() -> Vec<Batch> {
    let mut rng = Rng::with_seed(SEED);
    let mut batches = Vec::new();
    for height in 0..60_u64 {
        let mut batch = Batch::new();
        let hash = pattern(rng.usize(30..34));
        batch.put(Table::Chain, height.to_be_bytes(), pattern(200));
        batch.put(Table::Heights, hash.clone(), height.to_be_bytes());
        batch.put(Table::Blocks, [&height.to_be_bytes()[..], &hash].concat(), pattern(rng.usize(300..3_000)));
        batch.put(Table::Mempool, hash, pattern(rng.usize(..40)));
        batch.put(Table::Meta, *b"tip", height.to_be_bytes());
        batch.delete(Table::Chain, height.wrapping_sub(20).to_be_bytes());
        batches.push(batch);
    }
    batches[30].put(Table::States, *b"large", pattern(50_000));
    batches
}

/// The sectors that are not all zeros.
fn used_sectors(image: &[u8]) -> Vec<usize> {
    let sectors = image.chunks(SECTOR).enumerate();
    sectors.filter(|(_, sector)| sector.iter().any(|&byte| byte != 0)).map(|(number, _)| number).collect()
}

fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}

/// How often damaged files were read in full, rolled back, or refused.
#[derive(Debug, Default)]
struct Outcomes {
    /// All entries were read as committed.
    whole: usize,
    /// All entries were read as they were before the last commit.
    rolled_back: usize,
    refused: usize,
}

enum Outcome {
    Whole,
    RolledBack,
    Refused,
}

/// Applies each damage to a copy of an image, then opens, reads and writes it.
fn meet<D: Clone + fmt::Debug + Send + 'static>(
    image: &Image,
    damages: &[D],
    damage: impl Fn(&mut Vec<u8>, &D) + Send + 'static,
) -> Outcomes {
    let (sender, receiver) = mpsc::channel();
    let (original, ways) = (image.clone(), damages.to_vec());
    let worker = thread::spawn(move || {
        let mut bytes = Vec::new();
        for way in ways {
            bytes.clone_from(&original.bytes);
            damage(&mut bytes, &way);
            let disk = Disk::with_bytes(bytes);
            sender.send(examine(&disk, &original)).unwrap();
            bytes = disk.take_bytes();
        }
    });
    let mut outcomes = Outcomes::default();
    for damage in damages {
        match receiver.recv_timeout(PATIENCE) {
            Ok(Ok(Outcome::Whole)) => outcomes.whole += 1,
            Ok(Ok(Outcome::RolledBack)) => outcomes.rolled_back += 1,
            Ok(Ok(Outcome::Refused)) => outcomes.refused += 1,
            failed => {
                let mut damage = format!("{damage:?}");
                damage.truncate(100);
                panic!("seed {SEED}, {}, damage {damage}: {:?}", image.name, failed.map(Result::err));
            }
        }
    }
    worker.join().unwrap();
    outcomes
}

fn examine(disk: &Disk, image: &Image) -> Result<Outcome, String> {
    let mut store = match open(disk) {
        Ok(store) => store,
        Err(error) => return refused(&error),
    };
    let found = match contents(&store) {
        Ok(found) => found,
        Err(error) => {
            // Undamaged entries can be read and changed.
            for (table, key) in batches().iter().flat_map(Batch::iter).map(|(table, key, _)| (table, key)) {
                match store.get(table, key) {
                    Ok(found) => assert!(image.had(table, key, found.as_deref()), "{table:?} {key:?}"),
                    Err(error) => {
                        refused(&error)?;
                    }
                }
            }
            for batch in &batches()[..3] {
                if let Err(error) = store.commit(batch) {
                    refused(&error)?;
                }
            }
            return refused(&error);
        }
    };
    let outcome = if found == image.contents {
        Outcome::Whole
    } else if found == image.contents_before {
        Outcome::RolledBack
    } else {
        return Err("something was read that was never committed".to_owned());
    };
    for batch in &batches()[..3] {
        if let Err(error) = store.commit(batch) {
            return refused(&error);
        }
    }
    Ok(outcome)
}

fn refused(error: &StoreError) -> Result<Outcome, String> {
    let is_named = error.to_string().contains("the/disk");
    match error {
        StoreError::Damaged(_) if is_named => Ok(Outcome::Refused),
        _ => Err(format!("refused as something else: {error}")),
    }
}
