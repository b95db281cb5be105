//! Random chains with reorganisations: what is buried stays proven.

use hashloom::Hash;
use hashloom::evidence::{Auditor, Receipt, Verdict};
use proptest::prelude::*;

use crate::log::Log;

/// The number of blocks on top of the last block of a checkpoint.
const BURIED: u64 = 3;

/// What happens to a chain.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The chain grows by this many blocks.
    Extend(u64),
    /// A branch that leaves out this many blocks, and has this many more, becomes the best chain.
    Reorganise(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..4_u64).prop_map(Step::Extend),
        (1..=BURIED, 1..3_u64).prop_map(|(depth, more)| Step::Reorganise(depth, more)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// An auditor sees each checkpoint of the chain. Every receipt stays valid, and its block has one with each later
    /// checkpoint.
    #[test]
    fn a_receipt_for_a_buried_block_stays_valid(steps in prop::collection::vec(step(), 1..12)) {
        let mut log = Log::of(BURIED + 1);
        let policy = log.policy();
        let mut auditor = Auditor::new();
        let mut issued: Vec<(Hash, usize, Receipt)> = Vec::new();
        let mut held = 0;
        for (number, step) in steps.into_iter().enumerate() {
            let text = format!("step {number}");
            match step {
                Step::Extend(blocks) => log.extend(blocks, &text),
                Step::Reorganise(depth, more) => {
                    let mut branch = log.fork_at(log.chain.height() - depth);
                    branch.extend(depth + more, &text);
                    log.reorganise(&branch);
                }
            }

            let size = log.chain.height() + 1 - BURIED;
            let note = log.checkpoint(size);
            let verdict = auditor.audit(&policy, &note, &log.path(held, size)).unwrap();
            prop_assert!(matches!(verdict, Verdict::First | Verdict::Consistent), "{:?}", verdict);
            for (hash, index, old) in &issued {
                let id = old.verify(&policy).unwrap().id;
                let new = Receipt::issue(&log.chain, hash, *index, note.clone()).unwrap();
                let proven = new.verify(&policy).unwrap();
                prop_assert_eq!((proven.id, proven.block_hash), (id, *hash));
            }
            let height = size - 1;
            issued.push((log.hash(height), number % 3, log.receipt(height, number % 3, size)));
            held = size;
        }
    }
}
