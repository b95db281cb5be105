//! What the sweep is worth: each of these bugs, put back into the nodes, breaks the rule that is there for it.

use super::*;
use crate::flaw::{Flaw, plant};
use rstest::rstest;

/// A bug that so many runs do not show is not caught. Most show in the first few.
const MAX_SEEDS: u64 = 1_000;

#[rstest]
#[case(Flaw::TakesFreeBlocks, "HeadersCostWork")]
#[case(Flaw::TakesAnyTime, "NothingIsFromTheFuture")]
#[case(Flaw::CondemnsByBody, "HonestPeersStay")]
#[case(Flaw::FollowsLength, "agreement")]
#[case(Flaw::FollowsTheLast, "WorkGrows")]
#[case(Flaw::KeepsState, "HonestPeersStay")]
#[case(Flaw::KeepsOrphans, "MemoryIsBounded")]
#[case(Flaw::TellsFirst, "WorkGrows")]
#[case(Flaw::LosesTransactions, "TransactionsStay")]
#[case(Flaw::HoardsTransactions, "equal mempools")]
#[case(Flaw::MinesTwice, "TransactionsStay")]
#[case(Flaw::TakesNoForAnAnswer, "agreement")]
#[case(Flaw::ForgetsDownloads, "agreement")]
#[case(Flaw::IgnoresOrphans, "agreement")]
#[case(Flaw::BlamesForOrphans, "HonestPeersStay")]
#[case(Flaw::WaitsForEver, "RequestsEnd")]
#[case(Flaw::CountsWhatCame, "RequestsEnd")]
#[case(Flaw::AsksEverybody, "BlocksAreAskedForOnce")]
#[case(Flaw::Echoes, "NothingIsToldTwice")]
#[case(Flaw::HidesReorganisations, "agreement")]
#[case(Flaw::ForgetsClaims, "agreement")]
#[case(Flaw::ForgetsTheFuture, "agreement")]
#[case(Flaw::MeetsItself, "PeersAreOthers")]
#[case(Flaw::LiftsBans, "BansHold")]
#[case(Flaw::KeepsTheSilent, "SilentPeersGo")]
#[case(Flaw::KeepsTheNameless, "SilentPeersGo")]
fn a_known_bug_is_caught(#[case] flaw: Flaw, #[case] rule: &str) {
    let seed = {
        let _planted = plant(flaw);
        let breaks = |seed: &u64| random_faults(*seed, "").is_err_and(|found| found.breach().rule() == rule);
        (0..MAX_SEEDS).find(breaks)
    };
    let seed = seed.unwrap_or_else(|| panic!("{flaw:?} breaks {rule} in none of {MAX_SEEDS} runs"));
    println!("{flaw:?} breaks {rule} in run {seed}");
    // It is the bug, not the run.
    checked(random_faults(seed, ""));
}
