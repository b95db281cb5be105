//! Checks the sweep: each of these bugs, if enabled in the nodes, breaks the invariant that is meant to
//! detect it.

use super::*;
use crate::flaw::{Flaw, plant};
use rstest::rstest;

/// A bug that this many runs do not reveal counts as undetected. The first few runs reveal most bugs.
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
    // The run passes without the bug.
    checked(random_faults(seed, ""));
}
