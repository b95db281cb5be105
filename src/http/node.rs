//! A node's handle as the backend of the routes.

use core::time::Duration;
use std::sync::Arc;

use serde::Serialize;

use super::backend::{Backend, Page};
use super::error::{ApiError, Code};
use crate::consensus::BlockError;
use crate::node::{MineError, NodeHandle, PeerError, SubmitError};
use crate::primitives::{Block, CompactTarget, Hash, Transaction};
use crate::protocol::{ConnectError, PeerAddr};

impl<T: Transaction> Backend<T> for NodeHandle<T> {
    fn easiest_target(&self) -> CompactTarget {
        self.chain().spec().easiest_target()
    }

    fn blocks(&self, from: u64, limit: usize) -> Page<T> {
        let chain = self.chain();
        let blocks = chain.blocks(from..).take(limit).cloned().collect();
        Page { height: chain.height(), blocks }
    }

    fn block_at(&self, height: u64) -> Option<Arc<Block<T>>> {
        Self::block_at(self, height)
    }

    fn block(&self, hash: &Hash) -> Option<Arc<Block<T>>> {
        Self::block(self, hash)
    }

    fn pending(&self, limit: usize) -> Vec<(Hash, T)> {
        Self::pending(self, limit)
    }

    fn submit(&self, transaction: T) -> Result<Hash, ApiError> {
        Ok(self.submit_blocking(transaction)?)
    }

    fn mine(&self, data: Option<Vec<T>>, timeout: Duration) -> Result<Arc<Block<T>>, ApiError> {
        let mine = async {
            match data {
                Some(data) => Self::mine(self, data).await,
                None => self.mine_pending().await,
            }
        };
        // Dropped when the time is up, which stops the search.
        let outcome = self.runtime().block_on(async { tokio::time::timeout(timeout, mine).await });
        let Ok(outcome) = outcome else {
            let message =
                format!("no block was found within {} s; the search is given up", timeout.as_secs());
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

    fn status(&self) -> impl Serialize {
        Self::status(self)
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Mempool(error) => error.into(),
            SubmitError::Stopped(_) => Self::new(Code::ShuttingDown, error.to_string()),
        }
    }
}

impl From<PeerError> for ApiError {
    fn from(error: PeerError) -> Self {
        let code = match &error {
            PeerError::Connect(ConnectError::AlreadyAdded { .. }) => Code::AlreadyConnected,
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
            MineError::Refused(BlockError::Transaction { .. }) => Code::TransactionRejected,
            MineError::Refused(BlockError::Size { .. } | BlockError::Count { .. }) => Code::BlockTooLarge,
            MineError::Refused(BlockError::Encode(_)) => Code::TransactionNotEncodable,
            MineError::Refused(_) | MineError::Threads(_) => Code::Internal,
            MineError::Busy { .. } => Code::Busy,
            MineError::Stopped(_) => Code::ShuttingDown,
        };
        Self::new(code, error.to_string())
    }
}
