//! Random rewritings: none of them is accepted.

use hashloom::evidence::{Contradiction, Verdict};
use hashloom::primitives::merkle::ProofError;
use proptest::prelude::*;

use super::auditor_of;
use crate::log::Log;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// The log drops the held blocks from a height on, and shows the checkpoint of a branch.
    #[test]
    fn a_rewritten_log_is_never_consistent(
        held in 2..20_u64,
        fork in any::<prop::sample::Index>(),
        next in 1..24_u64,
    ) {
        let log = Log::of(held);
        let fork = fork.index(usize::try_from(held - 1).unwrap()) as u64;
        let mut branch = log.fork_at(fork);
        branch.extend(next.max(held) - fork, "rewritten");
        let mut auditor = auditor_of(&log, held);
        let note = branch.checkpoint(next);

        // A path that ends at the root of the larger checkpoint, which only its signer has.
        let (smaller, larger) = (held.min(next), held.max(next));
        let owner = if next > held { &branch } else { &log };
        let path = owner.path(smaller, larger);
        let verdict = auditor.audit(&log.policy(), &note, &path).unwrap();
        prop_assert!(verdict.is_alarm());
        let is_prefix = next <= fork + 1;
        match verdict {
            Verdict::CutOff { is_prefix: true } => prop_assert!(next < held && is_prefix),
            Verdict::SplitView(found) => {
                prop_assert_eq!(next, held);
                prop_assert_eq!(found.verify(&log.key.verifier()), Ok(()));
            }
            Verdict::Rewritten(found) => {
                prop_assert!(next != held && !is_prefix && !smaller.is_power_of_two());
                prop_assert_eq!(found.verify(&log.key.verifier()), Ok(()));
            }
            // The path does not have the root of the smaller size.
            Verdict::CutOff { is_prefix: false } => {
                prop_assert!(next < held && !is_prefix && smaller.is_power_of_two());
            }
            Verdict::Unproven(ProofError::NewRoot { .. }) => {
                prop_assert!(next > held && smaller.is_power_of_two());
            }
            other => prop_assert!(false, "{:?}", other),
        }
        let unchanged = log.checkpoint(held);
        prop_assert_eq!(auditor.held(), Some(&unchanged));

        // With the root of the larger tree at the smaller size, every rewriting can be proven.
        let root = owner.chain.header_at(smaller).unwrap().unwrap().history_root;
        let both = if next > held { [unchanged, note] } else { [note, unchanged] };
        let [first, second] = both;
        let shown = Contradiction::new(first, second, root, path).verify(&log.key.verifier());
        prop_assert_eq!(shown.is_ok(), !is_prefix, "{:?}", shown);
    }
}
