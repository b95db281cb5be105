//! Deliberate bugs that such a program has had or could have. The tests of this crate enable them one at a
//! time and check that the simulator detects each. In all other builds `flaw!` is the constant `false`, so
//! neither the bugs nor a switch for them exist.

/// Whether a test has enabled this bug.
#[cfg(not(all(test, feature = "test-utils")))]
macro_rules! flaw {
    ($flaw:ident) => {
        false
    };
}

/// Whether a test has enabled this bug.
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
        /// Thread-local, because a simulation runs in the thread of its test, and tests must not affect each
        /// other.
        static PLANTED: Cell<Option<Flaw>> = const { Cell::new(None) };
    }

    /// A bug, named by the behaviour of a node that has it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Flaw {
        /// Accepts headers and blocks without proof of work.
        TakesFreeBlocks,
        /// Accepts blocks with timestamps in the far future.
        TakesAnyTime,
        /// Marks a block as invalid if its header arrived with the transactions of another block.
        CondemnsByBody,
        /// Follows the chain with the most blocks instead of the chain with the most work.
        FollowsLength,
        /// Switches to a branch with equal work.
        FollowsTheLast,
        /// Applies a branch to the state of the tip instead of the state of the fork.
        KeepsState,
        /// Stores orphans without a limit.
        KeepsOrphans,
        /// Announces a block before its store has the block.
        TellsFirst,
        /// Drops the transactions of a disconnected branch.
        LosesTransactions,
        /// Keeps the transactions of a disconnected branch, but does not offer them.
        HoardsTransactions,
        /// Mines a transaction again that a peer offers late.
        MinesTwice,
        /// Requests a block from no other peer after a `NotFound`.
        TakesNoForAnAnswer,
        /// Requests the outstanding blocks of a disconnected peer from no other peer.
        ForgetsDownloads,
        /// Does not request the headers between its chain and an orphan.
        IgnoresOrphans,
        /// Disconnects a peer that sends an orphan.
        BlamesForOrphans,
        /// Waits for requested blocks without a timeout.
        WaitsForEver,
        /// Counts delivered blocks as still in flight.
        CountsWhatCame,
        /// Requests a block from several peers at once.
        AsksEverybody,
        /// Announces and offers to peers what it received from them.
        Echoes,
        /// Does not announce a new tip after a reorganisation.
        HidesReorganisations,
        /// Never confirms that a peer has the header that it claimed, if another peer delivered that header.
        ForgetsClaims,
        /// Does not request a header again whose timestamp was too far ahead.
        ForgetsTheFuture,
        /// Accepts connections to itself.
        MeetsItself,
        /// Accepts connections from hosts that it has banned.
        LiftsBans,
        /// Keeps connections without any traffic, even if a ping is not answered.
        KeepsTheSilent,
        /// Keeps connections whose handshake is never completed.
        KeepsTheNameless,
    }

    impl Flaw {
        pub(crate) fn is_planted(self) -> bool {
            PLANTED.get() == Some(self)
        }
    }

    /// Enables a bug in the nodes of this thread while the guard lives.
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
