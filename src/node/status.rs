//! A summary of a node's state.

use super::shared::Shared;
use crate::api::Status;
use crate::primitives::Transaction;
use crate::protocol::Protocol;

impl Status {
    pub(super) fn of<T: Transaction>(shared: &Shared<T>, protocol: &Protocol<T>) -> Self {
        let chain = protocol.chain();
        let next_target = chain.next_target();
        Self {
            chain: chain.spec().name().to_owned(),
            genesis: *chain.genesis().hash(),
            height: chain.height(),
            tip: *chain.tip().hash(),
            timestamp: chain.tip().header().timestamp,
            work: chain.work(),
            next_target,
            next_difficulty: chain.difficulty(next_target),
            header_height: chain.best_header().1.height,
            pending: protocol.mempool().len(),
            peers: protocol.peer_count(),
            unconnected: protocol.unconnected().cloned().collect(),
            listen: shared.listen.clone(),
            first_body: chain.first_body(),
            store_error: protocol.store_error().map(ToString::to_string),
            halted: protocol.is_halted(),
            clock_behind: protocol.clock_behind(shared.clock.now().wall),
            refused_branch: protocol.refused_branch().map(Into::into),
            #[cfg(feature = "evidence")]
            signing: protocol.signing(),
            mining: shared.mining_status(),
            mining_error: shared
                .mining_error
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .clone(),
        }
    }
}
