//! The power fails at every possible moment of a run: operations since the last synchronisation are lost in
//! part or applied out of order.

use core::mem;

use fastrand::Rng;

use super::disk::{Disk, Operation};
use super::{contents, open, workload};
use crate::store::{Batch, Store, Table};
use crate::testing::store::{Model, pattern};

const SEED: u64 = 1;
const BATCHES: usize = 24;

/// A whole run, with the moments at which commits were acknowledged.
struct Run {
    log: Vec<Operation>,
    /// For each batch, the length of the log when its commit began and when it returned.
    commits: Vec<(usize, usize)>,
    states: Vec<Model>,
}

#[test]
fn a_power_loss_costs_nothing_that_was_acknowledged() {
    let run = run();
    let mut rng = Rng::with_seed(SEED);
    let mut images = 0;
    let mut image = Vec::new();
    let mut durable = Vec::new();
    let mut pending: Vec<&Operation> = Vec::new();
    for (moment, operation) in run.log.iter().enumerate() {
        pending.push(operation);
        for (loss, survivors) in losses(&pending, &mut rng) {
            image.clone_from(&durable);
            for operation in &survivors {
                operation.apply(&mut image);
            }
            image = run.check(moment, image, &format!("seed {SEED}, operation {moment}, {loss}"));
            images += 1;
        }
        if matches!(operation, Operation::Sync) {
            pending.drain(..).for_each(|operation| operation.apply(&mut durable));
        }
    }
    assert!(run.log.len() > 500 && images > 3_000, "{} operations, {images} images", run.log.len());
}

#[test]
fn opening_after_a_kill_does_not_read_the_file() {
    let disk = Disk::default();
    let mut store = open(&disk).unwrap();
    let mut read = Vec::new();
    for round in 0..3_u8 {
        for number in 0..20_u8 {
            let mut batch = Batch::new();
            batch.put(Table::Chain, [round, number], pattern(200));
            batch.put(Table::Blocks, [round, number], pattern(100_000));
            store.commit(&batch).unwrap();
        }
        mem::forget(store);
        let before = disk.bytes_read();
        store = open(&disk).unwrap();
        read.push(disk.bytes_read() - before);
    }
    let len = disk.bytes().len();
    assert!(len > 6_000_000 && read.iter().all(|&read| read < 50_000), "{read:?} bytes of {len}");
}

/// Opens a store, commits, closes it or kills it, and reopens it, several times.
fn run() -> Run {
    let (batches, states) = workload(SEED, BATCHES);
    let disk = Disk::recording();
    let mut commits = Vec::new();
    for (phase, batches) in batches.chunks(BATCHES / 3).enumerate() {
        let mut store = open(&disk).unwrap();
        for batch in batches {
            let began = disk.log_len();
            store.commit(batch).unwrap();
            commits.push((began, disk.log_len()));
        }
        if phase == 1 {
            mem::forget(store);
        }
    }
    Run { log: disk.log(), commits, states }
}

/// The operations that a disk may have applied when it lost power during the last of the pending operations,
/// which are those since the last synchronisation.
fn losses(pending: &[&Operation], rng: &mut Rng) -> Vec<(&'static str, Vec<Operation>)> {
    let all: Vec<Operation> = pending.iter().map(|&operation| operation.clone()).collect();
    let Some((last, before)) = all.split_last() else { return Vec::new() };
    let mut torn_last = before.to_vec();
    torn_last.push(torn(last, rng));
    let some = all.iter().filter(|_| rng.bool()).cloned().collect::<Vec<_>>();
    vec![
        ("all is lost", Vec::new()),
        ("nothing is lost", all.clone()),
        ("the last is torn", torn_last),
        ("the last is all that is left", vec![last.clone()]),
        ("the last ones are lost", before[..rng.usize(..=before.len())].to_vec()),
        ("some are lost and some are torn", some.iter().map(|operation| torn(operation, rng)).collect()),
    ]
}

/// In half of the cases, a write of which only the beginning or the end was applied.
fn torn(operation: &Operation, rng: &mut Rng) -> Operation {
    let Operation::Write { offset, data } = operation else { return operation.clone() };
    let cut = rng.usize(..=data.len());
    match rng.u8(..4) {
        0 => Operation::Write { offset: *offset, data: data[..cut].to_vec() },
        1 => Operation::Write { offset: offset + cut, data: data[cut..].to_vec() },
        _ => operation.clone(),
    }
}

impl Run {
    /// Opens a store on an image of the disk and checks its content. Returns the image, to reuse its memory.
    fn check(&self, moment: usize, image: Vec<u8>, context: &str) -> Vec<u8> {
        let disk = Disk::with_bytes(image);
        let mut store = open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
        let found = contents(&store).unwrap_or_else(|error| panic!("{context}: {error}"));
        // The operation with this number is in progress; all before it are complete.
        let acknowledged = self.commits.iter().filter(|(_, end)| *end <= moment).count();
        let begun = self.commits.iter().filter(|(begin, _)| *begin <= moment).count();
        let state = (acknowledged..=begun).find(|&number| self.states[number] == found);
        let Some(state) = state else { panic!("{context}: neither state {acknowledged} nor {begun}") };

        let mut model = self.states[state].clone();
        let mut batch = Batch::new();
        batch.put(Table::Meta, *b"after the crash", moment.to_be_bytes());
        store.commit(&batch).unwrap_or_else(|error| panic!("{context}: {error}"));
        model.apply(&batch);
        drop(store);
        if !moment.is_multiple_of(4) {
            return disk.take_bytes();
        }
        let store = open(&disk).unwrap_or_else(|error| panic!("{context}, opened again: {error}"));
        assert!(contents(&store).unwrap() == model, "{context}, opened again");
        drop(store);
        disk.take_bytes()
    }
}
