//! Measures `AuthenticatedMap` for states of growing size: changes, roots, clones, look-ups, memory and proofs.
//!
//! ```sh
//! cargo bench --no-default-features --bench state
//! cargo bench --no-default-features --bench state -- --quick
//! ```
//!
//! Each turn measures one kind of operation on the map, then on a `BTreeMap` with the same entries, then the bare SHA-256
//! of as many bytes, in close succession, so that other load on the machine affects all three. Keys are 20 random bytes,
//! values are `u64`, as accounts and balances. Prints Markdown tables.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(clippy::disallowed_methods, reason = "measures time")]

#[path = "common/environment.rs"]
mod environment;
#[path = "state/memory.rs"]
mod memory;
#[path = "common/table.rs"]
mod table;
#[path = "common/turns.rs"]
mod turns;

use core::hint::black_box;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use fastrand::Rng;
use hashloom::{Address, AuthenticatedMap, Hash, MapProof};

use memory::Kind;
use table::{Table, figure};
use turns::{median, quartiles};

/// Measures states.
#[derive(Debug, Parser)]
struct Options {
    /// The entries of the largest state. The others are a thousand and powers of 32 times as many.
    #[arg(long, default_value_t = 1_000_000)]
    largest: usize,

    /// Turns of each kind for each state; an odd number has a median.
    #[arg(long, default_value_t = 101)]
    rounds: usize,

    /// The seed of the keys.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Measures so little that it takes seconds.
    #[arg(long)]
    quick: bool,

    /// Passed by Cargo to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,

    /// Builds the largest state of this kind, and reports on its memory, as a process of its own.
    #[arg(long, hide = true)]
    resident: Option<Kind>,
}

/// The entries of the smallest state.
const SMALLEST: usize = 1_000;
/// How much larger the next state is.
const STEP: usize = 32;
/// The operations of a turn: as many as the changes of a block of 500 transfers.
const TURN: usize = 1_000;

fn main() -> Result<()> {
    let mut options = Options::parse();
    if options.quick {
        options = Options { largest: 4_000, rounds: 3, ..options };
    }
    if let Some(kind) = options.resident {
        return memory::report(kind, options.largest, options.seed);
    }
    ensure!(options.largest >= SMALLEST, "the largest state has at least {SMALLEST} entries");
    println!("{}", environment::describe(&["sha2", "postcard"]));
    let sizes = core::iter::successors(Some(SMALLEST), |size| size.checked_mul(STEP));
    let sizes = sizes.take_while(|size| *size < options.largest).chain([options.largest]);
    let mut states = sizes.map(|size| State::new(size, options.seed)).collect::<Result<Vec<_>>>()?;
    for _ in 0..options.rounds {
        for state in &mut states {
            state.take_turn()?;
        }
    }
    for kind in 0..KINDS.len() {
        println!("{}", table_of(kind, &states).markdown());
    }
    println!("{}", proofs(&states).markdown());
    println!("{}", memory::measure(options.largest, options.seed)?.markdown());
    Ok(())
}

/// Random keys and balances.
pub(crate) fn entries(count: usize, seed: u64) -> impl Iterator<Item = (Address, u64)> {
    let mut rng = Rng::with_seed(seed);
    core::iter::repeat_with(move || (random_key(&mut rng), rng.u64(..))).take(count)
}

fn random_key(rng: &mut Rng) -> Address {
    let mut key = [0; 20];
    rng.fill(&mut key);
    Address::from_bytes(key)
}

const GET: usize = 0;
const INSERT: usize = 1;
const BLOCK: usize = 2;
const PROVE: usize = 3;
const VERIFY: usize = 4;
const CLONE: usize = 5;
const ROOT: usize = 6;
const WRITE: usize = 7;
const READ: usize = 8;

/// The turns that measure what takes long for a large state.
const FEW: usize = 9;

/// The kinds of operations: a title, and what a reader has to know.
const KINDS: [(&str, &str); 9] = [
    ("Look-up of an entry that is there", "SHA-256 of the key."),
    (
        "Change of a value, without a root",
        "As the mempool does it. SHA-256 of the key and of the value. No other map shares the nodes.",
    ),
    (
        "Change of a value in a block, with the root",
        "A clone, 1,000 changes, and one root, while the state before the block is kept. SHA-256 of the keys, the values, \
         the leaves and all branches on their ways, each once. The `BTreeMap` changes in place, keeps nothing and has no \
         root.",
    ),
    ("Proof, issued", "SHA-256 of the key. The root is known."),
    ("Proof, checked", "From its bytes. SHA-256 of the key, the value, the leaf and the branches."),
    ("Clone", "All entries of the state are one operation. No hash is needed."),
    ("Root of a state that was just read, each entry", "SHA-256 of a leaf and of a branch."),
    ("State written in postcard, each entry", "As the store has it. No hash is needed."),
    ("State read from postcard, each entry", "SHA-256 of the key and of the value."),
];

/// Nanoseconds for each operation, turn by turn.
#[derive(Default)]
struct Figures {
    map: Vec<f64>,
    model: Vec<f64>,
    floor: Vec<f64>,
}

/// A state, and what was measured on it.
struct State {
    size: usize,
    rng: Rng,
    keys: Vec<Address>,
    map: AuthenticatedMap<Address, u64>,
    model: BTreeMap<Address, u64>,
    figures: [Figures; KINDS.len()],
    proof_bytes: Vec<f64>,
}

/// The time of a call for each of `operations`, in nanoseconds.
fn time<R>(operations: usize, run: impl FnOnce() -> R) -> f64 {
    let start = Instant::now();
    black_box(run());
    1e9 * start.elapsed().as_secs_f64() / operations as f64
}

/// SHA-256 of so many inputs of these lengths.
fn hashes(inputs: &[(usize, usize)]) {
    let bytes = black_box([7; 66]);
    for (count, length) in inputs {
        for _ in 0..*count {
            black_box(Hash::digest(&bytes[..*length]));
        }
    }
}

/// What is hashed for an entry: its key, its value and its leaf.
const ENTRY: [usize; 3] = [Address::LEN, 9, 65];
/// What is hashed for a branch.
const BRANCH: usize = 66;

impl State {
    fn new(size: usize, seed: u64) -> Result<Self> {
        let mut map = AuthenticatedMap::new();
        for (key, value) in entries(size, seed) {
            map.insert(key, value)?;
        }
        map.root();
        let model: BTreeMap<_, _> = entries(size, seed).collect();
        let keys = model.keys().copied().collect();
        Ok(Self {
            size,
            rng: Rng::with_seed(seed),
            keys,
            map,
            model,
            figures: Default::default(),
            proof_bytes: Vec::new(),
        })
    }

    fn note(&mut self, kind: usize, [map, model, floor]: [Option<f64>; 3]) {
        self.figures[kind].map.extend(map);
        self.figures[kind].model.extend(model);
        self.figures[kind].floor.extend(floor);
    }

    fn take_turn(&mut self) -> Result<()> {
        let keys: Vec<_> = (0..TURN)
            .map(|_| self.rng.choice(&self.keys).copied())
            .collect::<Option<_>>()
            .context("no keys")?;
        let value = self.rng.u64(1 << 62..);

        let got = time(TURN, || keys.iter().filter(|key| self.map.get(key).is_some()).count());
        let model = time(TURN, || keys.iter().filter(|key| self.model.contains_key(key)).count());
        let floor = time(TURN, || hashes(&[(TURN, ENTRY[0])]));
        self.note(GET, [Some(got), Some(model), Some(floor)]);

        let map = &mut self.map;
        let changed = time(TURN, || keys.iter().try_for_each(|key| map.insert(*key, value).map(drop)));
        let model = time(TURN, || self.model.extend(keys.iter().map(|key| (*key, value))));
        let floor = time(TURN, || hashes(&[(TURN, ENTRY[0]), (TURN, ENTRY[1])]));
        self.note(INSERT, [Some(changed), Some(model), Some(floor)]);
        self.map.root();

        let proofs = keys.iter().map(|key| self.map.prove(key)).collect::<Result<Vec<_>, _>>()?;
        let branches = branches(&keys, &proofs)?;
        let mut next = None;
        let block = time(TURN, || {
            let mut map = self.map.clone();
            let changed = keys.iter().try_for_each(|key| map.insert(*key, value + 1).map(drop));
            let root = map.root();
            next = Some(map);
            (changed, root)
        });
        let model = time(TURN, || self.model.extend(keys.iter().map(|key| (*key, value + 1))));
        let floor = time(TURN, || {
            hashes(&[(TURN, ENTRY[0]), (TURN, ENTRY[1]), (TURN, ENTRY[2]), (branches, BRANCH)]);
        });
        self.note(BLOCK, [Some(block), Some(model), Some(floor)]);
        self.map = next.context("no state")?;

        let root = self.map.root();
        let mut bytes = Vec::new();
        let issued = time(TURN, || {
            bytes = keys.iter().filter_map(|key| Some(self.map.prove(key).ok()?.to_bytes())).collect();
        });
        let floor = time(TURN, || hashes(&[(TURN, ENTRY[0])]));
        self.note(PROVE, [Some(issued), None, Some(floor)]);
        let mut shown = 0;
        let checked = time(TURN, || {
            for (key, proof) in keys.iter().zip(&bytes) {
                let proof = MapProof::from_bytes(proof);
                shown += u64::from(proof.is_ok_and(|proof| proof.verify(key, &root) == Ok(Some(value + 1))));
            }
        });
        ensure!(shown == TURN as u64, "{shown} of {TURN} proofs hold");
        let steps = proofs.iter().map(steps).sum();
        let floor = time(TURN, || {
            hashes(&[(TURN, ENTRY[0]), (TURN, ENTRY[1]), (TURN, ENTRY[2]), (steps, BRANCH)]);
        });
        self.note(VERIFY, [Some(checked), None, Some(floor)]);
        self.proof_bytes.push(bytes.iter().map(|proof| proof.len() as f64).sum::<f64>() / TURN as f64);

        let cloned = time(TURN, || (0..TURN).for_each(|_| drop(black_box(self.map.clone()))));
        let is_one_of_few = self.figures[CLONE].model.len() < FEW;
        let model = is_one_of_few.then(|| time(1, || self.model.clone()));
        self.note(CLONE, [Some(cloned), model, None]);
        if is_one_of_few { self.store() } else { Ok(()) }
    }

    /// Writes and reads the whole state.
    fn store(&mut self) -> Result<()> {
        let size = self.size;
        let mut stored = Vec::new();
        let written = time(size, || stored = postcard::to_stdvec(&self.map).unwrap_or_default());
        let model = time(size, || postcard::to_stdvec(&self.model));
        self.note(WRITE, [Some(written), Some(model), None]);
        let mut map = AuthenticatedMap::<Address, u64>::new();
        let read = time(size, || map = postcard::from_bytes(&stored).unwrap_or_default());
        let stored = postcard::to_stdvec(&self.model)?;
        let model = time(size, || postcard::from_bytes::<BTreeMap<Address, u64>>(&stored));
        let floor = time(size, || hashes(&[(size, ENTRY[0]), (size, ENTRY[1])]));
        self.note(READ, [Some(read), Some(model), Some(floor)]);
        let root = time(size, || map.root());
        let floor = time(size, || hashes(&[(size, ENTRY[2]), (size, BRANCH)]));
        self.note(ROOT, [Some(root), None, Some(floor)]);
        ensure!(map == self.map, "the state reads back as another one");
        Ok(())
    }
}

/// The number of branches of a proof.
fn steps(proof: &MapProof) -> usize {
    let bytes = proof.to_bytes();
    usize::from(u16::from_be_bytes([bytes[1], bytes[2]]))
}

/// The number of branches on the ways to these keys, each counted once: a branch is its bit and the bits before it.
fn branches(keys: &[Address], proofs: &[MapProof]) -> Result<usize> {
    let mut seen = BTreeSet::new();
    for (key, proof) in keys.iter().zip(proofs) {
        let path = Hash::digest(key.as_bytes());
        let (words, _) = path.as_bytes().as_chunks();
        // The ways of random keys part within 128 bits.
        let head = u128::from_be_bytes(*words.first().context("a hash has two words")?);
        let bytes = proof.to_bytes();
        for [bit, ..] in bytes[3..].as_chunks::<33>().0.iter().take(steps(proof)) {
            seen.insert((*bit, head & !u128::MAX.checked_shr((*bit).into()).unwrap_or(0)));
        }
    }
    Ok(seen.len())
}

/// The figures of one kind for all states.
fn table_of(kind: usize, states: &[State]) -> Table {
    let (title, note) = KINDS[kind];
    let columns = [
        "entries",
        "ns",
        "`BTreeMap`, ns",
        "ratio",
        "middle half",
        "bare SHA-256, ns",
        "ratio",
        "middle half",
    ];
    let mut table = Table::new(title, columns).note(note);
    for state in states {
        let Figures { map, model, floor } = &state.figures[kind];
        let mut cells = vec![figure(state.size as f64), figure(median(map.iter().copied()))];
        for other in [model, floor] {
            if other.is_empty() {
                cells.extend(["", "", ""].map(str::to_owned));
                continue;
            }
            let [low, middle, high] = quartiles(map.iter().zip(other).map(|(map, other)| map / other));
            cells.push(figure(median(other.iter().copied())));
            cells.extend([figure(middle), format!("{} to {}", figure(low), figure(high))]);
        }
        table.row(cells);
    }
    table
}

/// The bytes of proofs.
fn proofs(states: &[State]) -> Table {
    let mut table = Table::new("Bytes of a proof", ["entries", "bytes", "branches", "log2 of the entries"])
        .note("Of an entry that is there, with its value.");
    for state in states {
        let bytes = median(state.proof_bytes.iter().copied());
        let log = (state.size as f64).log2();
        table.row([state.size as f64, bytes, (bytes - 12.0) / 33.0, log].map(figure));
    }
    table
}
