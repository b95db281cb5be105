//! Tests of the layers between redb and the file, each compared with a plain byte vector.

use std::io::ErrorKind;
use std::path::Path;

use ::redb::StorageBackend;
use fastrand::Rng;

use super::disk::Disk;
use crate::store::redb::backend::Shared;
use crate::store::redb::checked::{Checked, SECTOR};
use crate::store::redb::overlay::Overlay;

const SEED: u64 = 4;

/// More sectors than one sector of checksums covers.
const SECTORS: usize = 1_200;

#[test]
fn a_checked_file_holds_what_is_written() {
    let disk = Disk::default();
    let checked = Checked::open(Path::new("the/disk"), disk.clone()).unwrap();
    let mut rng = Rng::with_seed(SEED);
    let mut model = Vec::new();
    change(&checked, &mut model, &mut rng, 300);
    assert_same(&checked, &model);
    drop(checked);

    let checked = Checked::open(Path::new("the/disk"), disk.clone()).unwrap();
    assert_same(&checked, &model);
    // Any other flipped bit of the last sector is detected, too.
    let mut bytes = disk.bytes();
    *bytes.last_mut().unwrap() ^= 1;
    let damaged = Disk::with_bytes(bytes);
    let checked = Checked::open(Path::new("the/disk"), damaged.clone()).unwrap();
    let last = (model.len() - SECTOR) as u64;
    let error = checked.read(last, &mut [0; SECTOR]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains(&format!("sector {}", model.len() / SECTOR - 1)), "{error}");
    let lenient = Checked::open_lenient(Path::new("the/disk"), damaged).unwrap();
    lenient.read(last, &mut [0; SECTOR]).unwrap();
}

#[test]
fn a_checked_file_has_the_length_that_was_set() {
    let checked = Checked::open(Path::new("the/disk"), Disk::default()).unwrap();
    for sectors in (0..4).chain(510..515).chain(1_022..1_027).chain([1, 0, SECTORS]) {
        let len = (sectors * SECTOR) as u64;
        checked.set_len(len).unwrap();
        assert_eq!(checked.len().unwrap(), len);
    }
}

#[test]
fn what_is_written_above_a_file_is_not_in_it() {
    let disk = Disk::default();
    let below = Shared::new(Checked::open(Path::new("the/disk"), disk.clone()).unwrap());
    let mut rng = Rng::with_seed(SEED);
    let mut model = Vec::new();
    change(&below, &mut model, &mut rng, 50);
    let original = disk.bytes();
    let overlay = Overlay::new(below).unwrap();
    assert_same(&overlay, &model);
    change(&overlay, &mut model, &mut rng, 300);
    assert_same(&overlay, &model);
    assert!(disk.bytes() == original, "the file is as it was");
}

/// Sets lengths, and writes sectors and the header, as redb does. At the end every sector has been written.
fn change(backend: &impl StorageBackend, model: &mut Vec<u8>, rng: &mut Rng, times: usize) {
    for time in 0..times {
        if time % 50 == 0 {
            let len = rng.usize(2..SECTORS) * SECTOR;
            let grown = model.len()..len;
            backend.set_len(len as u64).unwrap();
            model.resize(len, 0);
            if !grown.is_empty() {
                write(backend, model, grown.start, grown.len(), rng);
            }
        }
        let sectors = model.len() / SECTOR;
        let start = rng.usize(1..sectors);
        write(backend, model, start * SECTOR, rng.usize(1..=sectors - start) * SECTOR, rng);
        write(backend, model, 0, rng.usize(1..400), rng);
    }
}

fn write(backend: &impl StorageBackend, model: &mut [u8], mut offset: usize, mut len: usize, rng: &mut Rng) {
    // redb writes the header on its own.
    if offset == 0 && len > SECTOR {
        write(backend, model, 0, SECTOR, rng);
        (offset, len) = (SECTOR, len - SECTOR);
    }
    let mut data = vec![0; len];
    rng.fill(&mut data);
    backend.write(offset as u64, &data).unwrap();
    model[offset..offset + len].copy_from_slice(&data);
}

fn assert_same(backend: &impl StorageBackend, model: &[u8]) {
    assert_eq!(backend.len().unwrap(), model.len() as u64);
    let mut header = vec![0; SECTOR];
    backend.read(0, &mut header).unwrap();
    let mut rest = vec![0; model.len() - SECTOR];
    backend.read(SECTOR as u64, &mut rest).unwrap();
    assert!([header, rest].concat() == model, "seed {SEED}");
    assert!(backend.read(model.len() as u64, &mut [0; SECTOR]).is_err(), "there is nothing behind the end");
}
