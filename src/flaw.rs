//! Bugs that such a program has had or could have, put back in one at a time by the tests of this crate, to see that
//! the simulator catches each of them. Everywhere else `flaw!` is the constant `false`: neither the bugs nor a
//! switch for them exist.

/// Whether a test wants this bug here.
#[cfg(not(all(test, feature = "test-utils")))]
macro_rules! flaw {
    ($flaw:ident) => {
        false
    };
}

/// Whether a test wants this bug here.
#[cfg(all(test, feature = "test-utils"))]
macro_rules! flaw {
    ($flaw:ident) => {
        $crate::flaw::Flaw::$flaw.is_planted()
    };
}

#[cfg(all(test, feature = "test-utils"))]
pub(crate) use planted::{Flaw, plant};

#[cfg(all(test, feature = "test-utils"))]
mod planted {
    use core::cell::Cell;

    thread_local! {
        /// A simulation runs in the thread of its test, so that tests do not see each other's bugs.
        static PLANTED: Cell<Option<Flaw>> = const { Cell::new(None) };
    }

    /// A bug, named by what a node that has it does.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Flaw {
        /// Takes headers and blocks that cost no work.
        TakesFreeBlocks,
        /// Takes blocks from the far future.
        TakesAnyTime,
        /// Remembers a block as bad whose header came with another block's transactions.
        CondemnsByBody,
        /// Follows the chain with the most blocks, not with the most work.
        FollowsLength,
        /// Gives up its chain for another one with the same work.
        FollowsTheLast,
        /// Applies a branch to the state of the tip, not to that of the fork.
        KeepsState,
        /// Keeps every block whose parent is missing.
        KeepsOrphans,
        /// Tells peers of a block that its store does not have yet.
        TellsFirst,
        /// Drops the transactions of a branch that lost.
        LosesTransactions,
        /// Keeps the transactions of a branch that lost to itself.
        HoardsTransactions,
        /// Mines a transaction again that a peer offers late.
        MinesTwice,
        /// Asks nobody else for a block that one peer does not have.
        TakesNoForAnAnswer,
        /// Asks nobody else for the blocks that a peer was asked for which is gone.
        ForgetsDownloads,
        /// Does not ask for what lies between its chain and a block that stands on an unknown one.
        IgnoresOrphans,
        /// Closes whoever sends a block that stands on an unknown one.
        BlamesForOrphans,
        /// Waits for the blocks that it asked for as long as it takes.
        WaitsForEver,
        /// Takes blocks that it got for blocks that are still to come.
        CountsWhatCame,
        /// Asks several peers for the same block at once.
        AsksEverybody,
        /// Tells peers what it has from them.
        Echoes,
        /// Tells nobody of a new tip on another branch.
        HidesReorganisations,
        /// Never learns that a peer has what it said it has, where the headers came from another.
        ForgetsClaims,
        /// Does not ask again for a block whose time had not come.
        ForgetsTheFuture,
        /// Talks to itself.
        MeetsItself,
        /// Takes calls from hosts that it has banned.
        LiftsBans,
        /// Keeps connections on which nothing comes, not even an answer to a ping.
        KeepsTheSilent,
        /// Keeps connections on which nobody has introduced himself.
        KeepsTheNameless,
    }

    impl Flaw {
        pub(crate) fn is_planted(self) -> bool {
            PLANTED.get() == Some(self)
        }
    }

    /// Lets the nodes of this thread have a bug for as long as the guard lives.
    #[must_use]
    pub(crate) fn plant(flaw: Flaw) -> Planted {
        PLANTED.set(Some(flaw));
        Planted(())
    }

    #[derive(Debug)]
    pub(crate) struct Planted(());

    impl Drop for Planted {
        fn drop(&mut self) {
            PLANTED.set(None);
        }
    }
}
