//! States in the store: opening replays the blocks after the last state, and a reorganisation after opening
//! can go back to any height.

use core::cell::Cell;
use std::sync::Arc;

use rstest::rstest;
use serde::{Deserialize, Serialize};

use super::forge::{NOW, builder, outcome};
use super::stored::{Disk, assert_same, blocks_above, copy_of, disk, open, try_open};
use crate::chain::Verdict;
use crate::store::Table;
use crate::{Block, Blockchain, ChainConfig, ChainSpec, Context, Hash, OpenError, Rejected, Transaction};

type Counted = Blockchain<Entry>;

/// An entry that changes a [`Tally`]. Every application of an entry is counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    bytes: Vec<u8>,
    /// How many bytes the entry adds to the state.
    grows: u32,
}

/// A state that differs for every order of entries, and grows as the entries say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tally {
    hash: Hash,
    ballast: Vec<u8>,
}

thread_local! {
    static APPLIED: Cell<u64> = const { Cell::new(0) };
}

impl Transaction for Entry {
    type State = Tally;

    fn apply(&self, tally: &mut Tally, context: &Context<'_>) -> Result<(), Rejected> {
        APPLIED.set(APPLIED.get() + 1);
        let height = context.height.to_be_bytes();
        tally.hash = Hash::digest(&[&height, &tally.hash.as_bytes()[..], &self.bytes].concat());
        let len = tally.ballast.len() + usize::try_from(self.grows).unwrap();
        tally.ballast.resize(len, tally.hash.as_bytes()[0]);
        Ok(())
    }

    fn state_root(tally: &Tally) -> Hash {
        tally.hash
    }
}

fn entry(number: u64, size: usize, grows: u32) -> Entry {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.resize(8 + size, 0);
    Entry { bytes, grows }
}

/// The result of `work`, and how many entries it applied.
fn counted<R>(work: impl FnOnce() -> R) -> (R, u64) {
    let before = APPLIED.get();
    let result = work();
    (result, APPLIED.get() - before)
}

fn spec() -> ChainSpec {
    builder().build().unwrap()
}

fn config() -> ChainConfig {
    ChainConfig::default()
}

/// Blocks on genesis with one entry each, of `size` bytes and a number.
fn blocks(label: u64, len: u64, size: usize, grows: u32) -> Vec<Arc<Block<Entry>>> {
    blocks_above(&Counted::new(spec()), len, |height| vec![entry(label * 1_000_000 + height, size, grows)])
}

fn import_all(chain: &mut Counted, blocks: &[Arc<Block<Entry>>]) {
    for batch in blocks.chunks(100) {
        let imported = chain.import_all(batch.iter().cloned(), NOW).unwrap();
        assert!(imported.verdicts.iter().all(Result::is_ok));
    }
}

fn opened(disk: &Disk) -> (Counted, u64) {
    counted(|| open(&spec(), &config(), disk))
}

/// A chain writes its state after this many canonical bytes of blocks, or after as many bytes as the state
/// has, if that is more.
const MAX_REPLAY: u64 = 1 << 20;

#[rstest]
#[case::ten_thousand_small_blocks(10_000, 0)]
#[case::three_thousand_blocks_of_a_kilobyte(3_000, 1_000)]
fn opening_replays_the_tail_alone(#[case] len: u64, #[case] size: usize) {
    let disk = disk();
    let mut chain: Counted = open(&spec(), &config(), &disk);
    let blocks = blocks(1, len, size, 0);
    import_all(&mut chain, &blocks);
    let block_bytes = u64::try_from(blocks[0].digest().unwrap().size).unwrap();
    let last = *chain.checkpoints.states.last().unwrap();

    let (mut reopened, applied) = opened(&disk);
    assert_eq!(applied, len - last);
    // A batch of a hundred blocks is committed at once, with at most one state.
    assert!(applied * block_bytes < MAX_REPLAY + 100 * block_bytes, "{applied} blocks are replayed");
    assert_eq!(applied * block_bytes, u64::try_from(reopened.checkpoints.replay_bytes).unwrap());
    assert_eq!(reopened.state(), chain.state());
    reopened.check_store();

    reopened.checkpoint().unwrap();
    assert_eq!(reopened.checkpoints.states.last(), Some(&len));
    let (mut clean, applied) = opened(&disk);
    assert_eq!(applied, 0, "after a clean stop there is nothing to replay");
    assert_eq!(clean.state(), chain.state());
    let commits = disk.commits();
    clean.checkpoint().unwrap();
    assert_eq!(disk.commits(), commits, "nothing has changed since the last one");
    clean.check_store();
}

#[test]
fn states_in_the_store_are_few_and_thin_out_towards_genesis() {
    let disk = disk();
    let mut chain: Counted = open(&spec(), &config(), &disk);
    import_all(&mut chain, &blocks(1, 2_000, 30_000, 0));
    let states = &chain.checkpoints.states;
    assert!((6..20).contains(&states.len()), "{states:?}");
    for pair in states.windows(2) {
        // The depth of each state is at most twice that of the next higher one, plus one batch of blocks.
        let [old, new] = [2_000 - pair[0], 2_000 - pair[1]];
        assert!(old <= 2 * new + 100, "{states:?}");
    }
    chain.check_store();
}

/// A large state is written after blocks of as many bytes as the state has, and not after each `MAX_REPLAY`.
#[test]
fn a_large_state_is_written_as_seldom_as_its_size_says() {
    let disk = disk();
    let mut chain: Counted = open(&spec(), &config(), &disk);
    // The first forty blocks grow the state to 4 MB. Each block has 20 kB.
    let blocks = blocks_above(&chain, 700, |height| {
        vec![entry(height, 20_000, if height <= 40 { 100_000 } else { 0 })]
    });
    let mut written = Vec::new();
    for block in &blocks {
        let _ = chain.import(Arc::clone(block), NOW).unwrap();
        let last = chain.checkpoints.states.last().copied();
        if written.last().copied() != last {
            written.extend(last);
        }
    }
    let gaps: Vec<u64> = written.windows(2).map(|pair| (pair[1] - pair[0]) * 20_200).collect();
    assert!(gaps.len() >= 2 && gaps.iter().all(|gap| (4_000_000..4_100_000).contains(gap)), "{written:?}");
    let (reopened, applied) = opened(&disk);
    assert_eq!(applied, 700 - written.last().unwrap());
    assert_same(&reopened, &chain);
}

#[test]
fn a_damaged_state_costs_a_longer_replay_and_nothing_else() {
    let disk = disk();
    let mut chain: Counted = open(&spec(), &config(), &disk);
    let all = blocks(1, 300, 0, 0);
    for part in all.chunks(100) {
        import_all(&mut chain, part);
        chain.checkpoint().unwrap();
    }
    let heights = chain.checkpoints.states.clone();
    assert_eq!(heights.last(), Some(&300));
    let mut expected: Vec<u64> = heights.iter().rev().skip(1).map(|height| 300 - height).collect();
    expected.push(300);
    for (height, expected) in heights.iter().rev().zip(expected) {
        disk.flip_bit(Table::States, &height.to_be_bytes(), 3 * 8).unwrap();
        let (reopened, applied) = opened(&disk);
        assert_eq!(applied, expected, "without the state at {height}");
        assert_same(&reopened, &chain);
    }
    // The chain continues, and writes undamaged states.
    let (mut chain, _) = opened(&disk);
    let more = blocks_above(&chain, 100, |height| vec![entry(height, 0, 0)]);
    import_all(&mut chain, &more);
    chain.checkpoint().unwrap();
    assert_eq!(opened(&disk).1, 0);
}

/// A branch that forks below, at, between or above the stored states becomes the best chain after opening.
#[rstest]
#[case::at_genesis(0)]
#[case::below_the_first_state(500)]
#[case::at_a_state(1_000)]
#[case::between_states(1_700)]
#[case::above_the_last_state(2_950)]
fn a_reorganisation_after_opening_goes_as_deep_as_it_has_to(#[case] fork: u64) {
    let disk = disk();
    let mut chain: Counted = open(&spec(), &config(), &disk);
    let main = blocks(1, 3_000, 0, 0);
    for part in main.chunks(100) {
        import_all(&mut chain, part);
        if [1_000, 2_000, 2_900].contains(&chain.height()) {
            chain.checkpoint().unwrap();
        }
    }
    assert_eq!(chain.checkpoints.states.last(), Some(&2_900));
    let at = usize::try_from(fork).unwrap();
    let mut rival = Counted::new(spec());
    import_all(&mut rival, &main[..at]);
    let branch = blocks_above(&rival, 3_001 - fork, |height| vec![entry(7_000_000 + height, 0, 0)]);
    import_all(&mut rival, &branch);

    let mut chain = opened(&disk).0;
    let (last, others) = branch.split_last().unwrap();
    import_all(&mut chain, others);
    assert_eq!(chain.tip(), &main[2_999], "the first seen of equals stays");
    let mut chain = opened(&disk).0;
    let (imported, applied) = counted(|| chain.import(Arc::clone(last), NOW).unwrap());
    assert_eq!(imported, outcome(Verdict::Kept, &main[at..], &branch));
    assert!(applied <= 3_001, "{applied}");
    assert_eq!(chain.state(), rival.state());
    chain.check_store();
    assert_eq!(chain.verify(..), Ok(()));
    let reopened = opened(&disk).0;
    assert_eq!((reopened.state(), reopened.tip()), (rival.state(), last));

    // A reorganisation back to the first branch.
    let mut longer = Counted::new(spec());
    import_all(&mut longer, &main);
    let back = blocks_above(&longer, 2, |height| vec![entry(height, 0, 0)]);
    import_all(&mut longer, &back);
    import_all(&mut chain, &back);
    assert_eq!((chain.tip(), chain.state()), (&back[1], longer.state()));
    chain.check_store();
}

#[test]
fn a_state_that_cannot_be_written_is_refused_with_what_came_with_it() {
    /// A number that fails to serialise if it is odd.
    #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
    struct Odd(u64);

    impl Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.0 % 2 == 1 { Err(serde::ser::Error::custom("odd")) } else { self.0.serialize(serializer) }
        }
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct One;

    impl Transaction for One {
        type State = Odd;

        fn apply(&self, state: &mut Odd, _: &Context<'_>) -> Result<(), Rejected> {
            state.0 += 1;
            Ok(())
        }
    }

    let disk = disk();
    let mut chain: Blockchain<One> = open(&spec(), &config(), &disk);
    let mined = blocks_above(&chain, 2, |_| vec![One]);
    let _ = chain.import(Arc::clone(&mined[0]), NOW).unwrap();
    let error = chain.checkpoint().unwrap_err();
    let form = format!("the serde form of `{}` in postcard", core::any::type_name::<Odd>());
    assert_eq!(error.to_string(), format!("the state cannot be written: {form}: Serde Serialization Error"));
    assert_eq!((chain.height(), chain.state()), (1, &Odd(1)), "the chain is as it was");
    chain.check_store();
    let _ = chain.import(Arc::clone(&mined[1]), NOW).unwrap();
    chain.checkpoint().unwrap();
    assert_eq!(open::<One>(&spec(), &config(), &disk).state(), &Odd(2));
}

/// The rules of the application were changed, so that a stored block is invalid.
#[test]
fn a_block_that_does_not_apply_any_more_is_named() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Strict(Entry);

    impl Transaction for Strict {
        type State = Tally;

        fn apply(&self, _: &mut Tally, context: &Context<'_>) -> Result<(), Rejected> {
            if context.height < 3 { Ok(()) } else { Err(Rejected::new("late", "height 3")) }
        }

        fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), crate::primitives::EncodeError> {
            self.0.encode(bytes)
        }
    }

    // Without a state root, only `apply` can reject the block.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Lax(Entry);

    impl Transaction for Lax {
        type State = Tally;

        fn apply(&self, _: &mut Tally, _: &Context<'_>) -> Result<(), Rejected> {
            Ok(())
        }
    }

    let disk = disk();
    let mut chain: Blockchain<Lax> = open(&spec(), &config(), &disk);
    for block in blocks_above(&chain, 5, |height| vec![Lax(entry(height, 0, 0))]) {
        let _ = chain.import(block, NOW).unwrap();
    }
    let copy = copy_of(&disk);
    let error = try_open::<Strict>(&spec(), &config(), &disk).unwrap_err();
    assert!(matches!(&error, OpenError::Replay { height: 3, .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "block 3 cannot be applied again: transaction 0 is rejected: late: height 3"
    );
    assert_eq!(disk.with_inner(|memory| memory.clone()), copy.with_inner(|memory| memory.clone()));
    let (chain, found) = Blockchain::<Strict>::repair(spec(), config(), Box::new(disk)).unwrap();
    assert_eq!((chain.height(), found), (2, Some(error)));
    chain.check_store();
}
