//! What has become of a transaction, and the proof that it is in the log.

use hyper::StatusCode;
#[cfg(feature = "evidence")]
use hyper::header::{HeaderMap, VARY};

use crate::api::TransactionView;
use crate::chain::{FindError, TransactionPlace};
#[cfg(feature = "evidence")]
use crate::evidence::{IssueReceiptError, Receipt, SignedNote};
#[cfg(feature = "evidence")]
use crate::http::accept;
use crate::http::error::{ApiError, Code};
use crate::http::json::json;
use crate::http::response::Response;
#[cfg(feature = "evidence")]
use crate::http::response::{plain, with_header};
use crate::node::{NodeHandle, TransactionStatus};
use crate::primitives::{Hash, Transaction};

/// Answers what has become of a transaction.
pub(super) fn transaction<T: Transaction>(node: &NodeHandle<T>, id: &Hash) -> Result<Response, ApiError> {
    let status = node.find(id).map_err(|error| find_error(id, error))?;
    let id = *id;
    let view = match &status {
        TransactionStatus::Pending(data) => TransactionView::Pending { id, data },
        TransactionStatus::Mined { place, depth, block } => {
            let TransactionPlace { block: hash, height, index, .. } = place;
            let data = block.as_ref().and_then(|block| block.data().get(*index));
            TransactionView::Mined { id, block: *hash, height: *height, index: *index, depth: *depth, data }
        }
        TransactionStatus::Dropped { reason } => TransactionView::Dropped { id, reason: reason.clone() },
        TransactionStatus::Unknown => {
            let message = format!("transaction {id} is not pending, and in no block of the best chain");
            return Err(ApiError::new(Code::TransactionNotFound, message));
        }
    };
    json(StatusCode::OK, &view)
}

/// The proof that a transaction is in the log of a signed checkpoint: JSON, or the text of a
/// [`.tlog-proof`](Receipt) file for a client that prefers `text/plain`.
#[cfg(feature = "evidence")]
pub(super) fn receipt<T: Transaction>(
    node: &NodeHandle<T>,
    id: &Hash,
    checkpoint: SignedNote,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let chain = node.chain();
    let found = chain.find_transaction(id).map_err(|error| match error {
        FindError::Store(error) => error.into(),
        FindError::NotIndexed => {
            let message = "this node keeps no index of mined transactions, by which it would find this one";
            ApiError::new(Code::TransactionNotFound, message)
        }
    })?;
    let place = found.ok_or_else(|| {
        ApiError::new(Code::TransactionNotFound, format!("transaction {id} is in no block of the best chain"))
    })?;
    let receipt = Receipt::issue(&chain, &place.block, place.index, checkpoint).map_err(receipt_error)?;
    let response = if accept::prefers(headers, "text/plain", "application/json") {
        plain(StatusCode::OK, receipt.to_string(), "text/plain; charset=utf-8")
    } else {
        json(StatusCode::OK, &receipt)?
    };
    Ok(with_header(response, VARY, "accept"))
}

fn find_error(id: &Hash, error: FindError) -> ApiError {
    match error {
        FindError::Store(error) => error.into(),
        FindError::NotIndexed => {
            let message =
                format!("transaction {id} is not pending, and this node keeps no index of mined ones");
            ApiError::new(Code::TransactionNotFound, message)
        }
    }
}

#[cfg(feature = "evidence")]
fn receipt_error(error: IssueReceiptError) -> ApiError {
    match error {
        IssueReceiptError::Store(error) => error.into(),
        IssueReceiptError::NotCovered { height, size } => {
            // Each further block on top puts one more into the next checkpoint.
            let missing = height.saturating_add(1).saturating_sub(size);
            let message = format!(
                "the transaction is in block {height}, and the last signed checkpoint has {size} blocks: ask again \
                 when the chain has {missing} more"
            );
            ApiError::new(Code::NotYetSigned, message)
        }
        error @ IssueReceiptError::Pruned { .. } => ApiError::new(Code::BlockNotFound, error.to_string()),
        // A reorganisation after the checkpoint was signed.
        error @ (IssueReceiptError::SideBranch { .. }
        | IssueReceiptError::BeyondTip { .. }
        | IssueReceiptError::OtherHistory { .. }) => ApiError::new(Code::SigningStopped, error.to_string()),
        error => ApiError::new(Code::Internal, error.to_string()),
    }
}
