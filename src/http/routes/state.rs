//! The application's state, and proofs of its entries.

use std::sync::Arc;

use hyper::header::HeaderMap;

use super::Routes;
use crate::api::{StateProof, StateView};
use crate::http::error::{ApiError, Code};
use crate::http::json::to_json_within;
use crate::http::response::{Lifetime, Response, cacheable, entity_tag};
use crate::primitives::{Hash, Transaction, application};

impl<T: Transaction> Routes<T> {
    /// Answers with the application's state, if the operator has it served.
    pub(super) async fn state(self: &Arc<Self>, headers: &HeaderMap) -> Result<Response, ApiError> {
        if !self.config.state {
            let message = "this node does not serve the application's state; its operator can switch that on";
            return Err(ApiError::new(Code::NotFound, message));
        }
        let headers = headers.clone();
        self.on_thread(move |routes| {
            let (height, block, state) = routes.tip_state();
            cacheable(&headers, entity_tag(&block.to_string()), Lifetime::Revalidated, || {
                to_json_within(&StateView { height, block, state }, routes.config.max_state_bytes)
            })
        })
        .await
    }

    /// Answers with the application's proof of what its state has at a key.
    pub(super) async fn state_proof(
        self: &Arc<Self>,
        key: &str,
        headers: &HeaderMap,
    ) -> Result<Response, ApiError> {
        let (key, headers) = (key.to_owned(), headers.clone());
        self.on_thread(move |routes| {
            let (height, block, state) = routes.tip_state();
            cacheable(&headers, entity_tag(&block.to_string()), Lifetime::Revalidated, || {
                let proof = application::prove::<T>(&state, &key);
                let proof = proof.map_err(|panic| ApiError::new(Code::Internal, panic.to_string()))?;
                let missing = || {
                    let message =
                        format!("the application's state has no key {key:?}, and proves nothing about it");
                    ApiError::new(Code::StateKeyNotFound, message)
                };
                let proof = proof.ok_or_else(missing)?;
                to_json_within(&StateProof { height, block, proof }, routes.config.max_state_bytes)
            })
        })
        .await
    }

    /// The state after the last block, with the height and the hash of the block. A copy, so that the chain goes on while
    /// it is used.
    fn tip_state(&self) -> (u64, Hash, T::State) {
        let chain = self.node.chain();
        (chain.height(), *chain.tip().hash(), chain.state().clone())
    }
}
