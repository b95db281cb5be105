//! Implements the backend of the routes for a node's handle.

use core::time::Duration;
use std::sync::Arc;

use serde::Serialize;

use super::backend::{Backend, Page};
use super::client::Client;
use super::error::{ApiError, Code};
use crate::chain::BlockError;
use crate::consensus::RuleError;
use crate::node::{MineError, NodeHandle, PeerError, Stopped, SubmitError};
use crate::primitives::{Block, CompactTarget, Hash, Span, Transaction};
use crate::protocol::{Ban, ConnectError, PeerAddr, PeerHost, PeerId};
use crate::store::StoreError;

impl<T: Transaction> Backend<T> for NodeHandle<T> {
    fn easiest_target(&self) -> CompactTarget {
        self.chain().spec().easiest_target()
    }

    fn blocks(&self, from: u64, limit: usize, max_bytes: usize) -> Result<Page<T>, ApiError> {
        Ok(self.read(|chain| {
            let (mut blocks, mut bytes) = (Vec::new(), 0);
            for height in from.max(chain.first_body())..=chain.height() {
                if blocks.len() >= limit || bytes >= max_bytes {
                    break;
                }
                let Some(header) = chain.header_at(height)? else { break };
                let Some(block) = chain.block(&header.hash())? else { break };
                bytes += block.memory_size();
                blocks.push(block);
            }
            Ok(Page { height: chain.height(), blocks })
        })?)
    }

    fn block_at(&self, height: u64) -> Result<Option<Arc<Block<T>>>, ApiError> {
        Ok(Self::block_at(self, height)?)
    }

    fn block(&self, hash: &Hash) -> Result<Option<Arc<Block<T>>>, ApiError> {
        Ok(Self::block(self, hash)?)
    }

    fn block_at_if_at_hand(&self, height: u64) -> Option<Arc<Block<T>>> {
        self.try_chain()?.cached_block_at(height, MAX_BYTES_AT_HAND)
    }

    fn block_if_at_hand(&self, hash: &Hash) -> Option<Arc<Block<T>>> {
        self.try_chain()?.cached_block(hash, MAX_BYTES_AT_HAND)
    }

    fn pending(&self, limit: usize) -> Vec<(Hash, T)> {
        Self::pending(self, limit)
    }

    fn transaction(&self, id: &Hash) -> Option<T> {
        Self::transaction(self, id)
    }

    fn remove_transaction(&self, id: Hash) -> Result<bool, ApiError> {
        Ok(self.remove_transaction_blocking(id)?)
    }

    fn submit(&self, transaction: T) -> Result<Hash, ApiError> {
        Ok(self.submit_blocking(transaction)?)
    }

    fn mine(
        &self,
        data: Option<Vec<T>>,
        timeout: Duration,
        client: &Client,
    ) -> Result<Arc<Block<T>>, ApiError> {
        let mine = async {
            match data {
                Some(data) => Self::mine(self, data).await,
                None => self.mine_pending().await,
            }
        };
        // Dropped after the timeout or when the client disconnects, which stops the search.
        let outcome = self.runtime().block_on(async {
            tokio::select! {
                outcome = tokio::time::timeout(timeout, mine) => Some(outcome),
                () = client.gone() => None,
            }
        });
        let outcome = outcome.ok_or_else(ApiError::client_gone)?;
        let Ok(outcome) = outcome else {
            let message = format!("no block was found within {}; the search has ended", Span(timeout));
            return Err(ApiError::new(Code::MiningTimeout, message));
        };
        Ok(outcome?)
    }

    fn peers(&self) -> Vec<impl Serialize> {
        Self::peers(self)
    }

    fn connect(&self, address: PeerAddr) -> Result<(), ApiError> {
        Ok(self.connect_blocking(address)?)
    }

    fn remove(&self, peer: PeerId) -> Result<bool, ApiError> {
        Ok(self.remove_blocking(peer)?)
    }

    fn addresses(&self) -> Vec<impl Serialize> {
        Self::addresses(self)
    }

    fn forget_address(&self, address: PeerAddr) -> Result<bool, ApiError> {
        Ok(self.forget_address_blocking(address)?)
    }

    fn bans(&self) -> Vec<Ban> {
        Self::bans(self)
    }

    fn ban(&self, host: PeerHost, duration: Duration) -> Result<(), ApiError> {
        Ok(self.ban_blocking(host, duration)?)
    }

    fn unban(&self, host: PeerHost) -> Result<bool, ApiError> {
        Ok(self.unban_blocking(host)?)
    }

    fn status(&self) -> Result<impl Serialize, ApiError> {
        match self.ended() {
            None => Ok(Self::status(self)),
            Some(Ok(())) => Err(Stopped.into()),
            Some(Err(failure)) => Err(ApiError::new(Code::NodeFailed, failure.to_string())),
        }
    }

    fn status_if_at_hand(&self) -> Option<impl Serialize> {
        if self.ended().is_some() {
            return None;
        }
        self.try_status()
    }
}

/// The canonical size, in bytes, of the largest block that is serialized on the task of a connection, which
/// delays other tasks by some tens of microseconds.
const MAX_BYTES_AT_HAND: usize = 16 << 10;

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // A node closes its store shortly before it reports that it has ended.
        let code = if error == StoreError::Closed { Code::ShuttingDown } else { Code::StoreFailed };
        Self::new(code, error.to_string())
    }
}

impl From<Stopped> for ApiError {
    fn from(error: Stopped) -> Self {
        Self::new(Code::ShuttingDown, error.to_string())
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Mempool(error) => error.into(),
            SubmitError::Unsendable(_) => Self::new(Code::TransactionNotEncodable, error.to_string()),
            SubmitError::Stopped(_) => Self::new(Code::ShuttingDown, error.to_string()),
        }
    }
}

impl From<PeerError> for ApiError {
    fn from(error: PeerError) -> Self {
        let code = match &error {
            PeerError::Connect(ConnectError::AlreadyAdded { .. }) => Code::AlreadyConnected,
            PeerError::Connect(ConnectError::Banned { .. }) => Code::PeerBanned,
            PeerError::Connect(ConnectError::TooMany { .. }) => Code::TooManyPeers,
            PeerError::Address(_) => Code::BadAddress,
            PeerError::NoTransport => Code::NoTransport,
            PeerError::Stopped(_) => Code::ShuttingDown,
        };
        Self::new(code, error.to_string())
    }
}

impl From<MineError> for ApiError {
    fn from(error: MineError) -> Self {
        let code = match &error {
            MineError::Refused(BlockError::Rule(RuleError::Transaction { .. })) => Code::TransactionRejected,
            MineError::Refused(BlockError::Rule(RuleError::Size { .. } | RuleError::Count { .. }))
            | MineError::Unsendable(_) => Code::BlockTooLarge,
            MineError::Refused(BlockError::Rule(
                RuleError::ApplyPanicked { .. } | RuleError::StateRootPanicked(_),
            )) => Code::TransactionPanicked,
            MineError::Refused(BlockError::Rule(RuleError::Encode(_))) => Code::TransactionNotEncodable,
            MineError::Refused(BlockError::Store(_)) => Code::StoreFailed,
            MineError::Refused(_) | MineError::Threads(_) => Code::Internal,
            MineError::ClockBehind { retry_in } => {
                let message = error.to_string();
                return Self::new(Code::ClockBehind, message).with_retry_after(*retry_in);
            }
            MineError::Busy { .. } => Code::Busy,
            MineError::Stopped(_) => Code::ShuttingDown,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{ApiError, Backend, MAX_BYTES_AT_HAND, MineError, StoreError};
    use crate::chain::ChainConfig;
    use crate::{ChainSpec, CompactTarget, Hash, Node, NodeHandle, ProtocolConfig, Retarget};

    async fn start(config: ChainConfig) -> NodeHandle {
        let every_second_hash = CompactTarget::from_bits(0x207f_ffff);
        let spec = ChainSpec::builder("pages").easiest_target(every_second_hash).retarget(Retarget::Fixed);
        let protocol = ProtocolConfig { chain: config, ..ProtocolConfig::default() };
        Node::builder(spec.build().unwrap()).protocol(protocol).start().await.unwrap()
    }

    #[rstest::rstest]
    #[case(Duration::from_millis(1), "1")]
    #[case(Duration::from_millis(90_001), "91")]
    #[case(Duration::from_secs(1_800_000_000), "3600")]
    fn a_clock_that_is_behind_has_its_own_code_and_says_when_to_come_back(
        #[case] retry_in: Duration,
        #[case] expected: &str,
    ) {
        let error = ApiError::from(MineError::ClockBehind { retry_in });
        assert_eq!(serde_json::to_value(error.code).unwrap(), "clock_behind");
        assert!(error.message.starts_with("the clock is behind the chain: "), "{}", error.message);
        let response = rouille::Response::from(error.into_answer());
        let retry_after = response.headers.iter().find(|(name, _)| name == "Retry-After");
        assert_eq!((response.status_code, retry_after.map(|(_, value)| &**value)), (503, Some(expected)));
    }

    #[tokio::test]
    async fn a_node_that_has_closed_its_store_is_shutting_down() {
        let node = start(ChainConfig::default()).await;
        node.shutdown().await;
        let error = ApiError::from(node.block(&Hash::ZERO).unwrap_err());
        assert_eq!(serde_json::to_value(error.code).unwrap(), "shutting_down");
        let error = ApiError::from(StoreError::ReadOnly { path: "chain.redb".into() });
        assert_eq!(serde_json::to_value(error.code).unwrap(), "store_failed");
    }

    #[tokio::test]
    async fn at_hand_is_what_is_small_and_in_memory() {
        let node = start(ChainConfig::default()).await;
        // A header of 180 bytes and a string with a length prefix of two.
        let texts =
            ["small".to_owned(), "x".repeat(MAX_BYTES_AT_HAND - 182), "x".repeat(MAX_BYTES_AT_HAND - 181)];
        for (text, fits) in texts.into_iter().zip([true, true, false]) {
            let block = node.mine(vec![text]).await.unwrap();
            let expected = fits.then_some(&block);
            assert_eq!(node.block_at_if_at_hand(block.height()).as_ref(), expected);
            assert_eq!(node.block_if_at_hand(block.hash()).as_ref(), expected);
        }
        assert_eq!(node.block_at_if_at_hand(0), node.block_at(0).unwrap());
        assert_eq!(node.block_at_if_at_hand(4), None);
        assert_eq!(node.block_if_at_hand(&Hash::ZERO), None);
        assert_eq!(node.try_status(), Some(node.status()));

        let without_cache = start(ChainConfig::default().with_max_cached_bytes(0)).await;
        let block = without_cache.mine(vec!["small".to_owned()]).await.unwrap();
        assert_eq!(without_cache.block_at_if_at_hand(1), None);
        assert_eq!(without_cache.block_if_at_hand(block.hash()), None);
    }

    #[tokio::test]
    async fn a_page_is_not_read_beyond_its_bytes() {
        let node = start(ChainConfig::default()).await;
        for _ in 1..=4 {
            node.mine(vec!["x".repeat(1_000)]).await.unwrap();
        }
        let heights = |from, limit, max_bytes| {
            let page = Backend::blocks(&node, from, limit, max_bytes).unwrap();
            assert_eq!(page.height, 4);
            page.blocks.iter().map(|block| block.height()).collect::<Vec<_>>()
        };
        let memory = node.block_at(1).unwrap().unwrap().memory_size();
        assert_eq!(heights(0, 9, usize::MAX), [0, 1, 2, 3, 4]);
        assert_eq!(heights(0, 3, usize::MAX), [0, 1, 2]);
        assert_eq!(heights(1, 9, 2 * memory), [1, 2]);
        assert_eq!(heights(1, 9, 2 * memory + 1), [1, 2, 3]);
        assert_eq!(heights(3, 9, 1), [3]);
        assert!(heights(5, 9, usize::MAX).is_empty());
    }
}
