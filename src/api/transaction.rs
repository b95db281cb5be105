//! Transactions, and what has become of them.

use serde::de::value::{Error as NullError, UnitDeserializer};
use serde::{Deserialize, Serialize};

use crate::primitives::Hash;

/// The answer to `POST /transactions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Submitted {
    /// The id of the transaction.
    pub id: Hash,
}

/// A pending transaction: the items of `GET /transactions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct PendingTransaction<T> {
    /// The id.
    pub id: Hash,
    /// The transaction.
    pub data: T,
}

/// What has become of a transaction: `GET /transactions/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(
    tag = "status",
    rename_all = "snake_case",
    try_from = "Fields<T>",
    bound(deserialize = "T: Deserialize<'de>")
)]
#[non_exhaustive]
pub enum TransactionView<T> {
    /// It is valid, and in no block of the best chain.
    Pending {
        /// The id.
        id: Hash,
        /// The transaction.
        data: T,
    },
    /// It is in a block of the best chain.
    Mined {
        /// The id.
        id: Hash,
        /// The hash of the block.
        block: Hash,
        /// The height of the block.
        height: u64,
        /// The number of transactions before it in the block.
        index: usize,
        /// The number of blocks from this one to the tip: 1 at the tip.
        depth: u64,
        /// The transaction; `None` if the body of the block was pruned.
        data: Option<T>,
    },
    /// It has left the mempool without being mined.
    Dropped {
        /// The id.
        id: Hash,
        /// Why, for people.
        reason: String,
    },
}

impl<T> TransactionView<T> {
    /// The id.
    pub const fn id(&self) -> &Hash {
        match self {
            Self::Pending { id, .. } | Self::Mined { id, .. } | Self::Dropped { id, .. } => id,
        }
    }
}

/// The fields of all statuses. serde's own way to read an enum by a tag keeps the transaction as a generic value, which
/// has no integers beyond 64 bits.
#[derive(Deserialize)]
struct Fields<T> {
    status: Status,
    id: Hash,
    block: Option<Hash>,
    height: Option<u64>,
    index: Option<usize>,
    depth: Option<u64>,
    data: Option<T>,
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Pending,
    Mined,
    Dropped,
}

impl<'de, T: Deserialize<'de>> TryFrom<Fields<T>> for TransactionView<T> {
    type Error = Missing;

    fn try_from(fields: Fields<T>) -> Result<Self, Missing> {
        let Fields { status, id, block, height, index, depth, data, reason } = fields;
        Ok(match status {
            Status::Pending => {
                // A transaction may be `null` in JSON.
                let null = || T::deserialize(UnitDeserializer::<NullError>::new()).ok();
                Self::Pending { id, data: data.or_else(null).ok_or(Missing("data"))? }
            }
            Status::Mined => Self::Mined {
                id,
                block: block.ok_or(Missing("block"))?,
                height: height.ok_or(Missing("height"))?,
                index: index.ok_or(Missing("index"))?,
                depth: depth.ok_or(Missing("depth"))?,
                data,
            },
            Status::Dropped => Self::Dropped { id, reason: reason.ok_or(Missing("reason"))? },
        })
    }
}

/// A field that the status needs is missing.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("missing field `{0}`")]
struct Missing(&'static str);

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(TransactionView::Pending { id: Hash::ZERO, data: Some(u128::MAX) }, "pending")]
    #[case(TransactionView::Pending { id: Hash::ZERO, data: None }, "pending")]
    #[case(
        TransactionView::Mined { id: Hash::ZERO, block: Hash::ZERO, height: 1, index: 2, depth: 3, data: Some(Some(4)) },
        "mined"
    )]
    #[case(
        TransactionView::Mined { id: Hash::ZERO, block: Hash::ZERO, height: 1, index: 2, depth: 3, data: None },
        "mined"
    )]
    #[case(TransactionView::Dropped { id: Hash::ZERO, reason: "x".to_owned() }, "dropped")]
    fn a_status_reads_back(#[case] view: TransactionView<Option<u128>>, #[case] status: &str) {
        let text = serde_json::to_string(&view).unwrap();
        assert!(text.starts_with(&format!("{{\"status\":\"{status}\",\"id\":")), "{text}");
        assert_eq!(serde_json::from_str::<TransactionView<Option<u128>>>(&text).unwrap(), view);
    }

    #[rstest]
    #[case(json!({"status": "pending", "id": Hash::ZERO}), "missing field `data`")]
    #[case(json!({"status": "mined", "id": Hash::ZERO, "block": Hash::ZERO, "height": 1, "index": 2}), "missing field `depth`")]
    #[case(json!({"status": "dropped", "id": Hash::ZERO}), "missing field `reason`")]
    #[case(json!({"status": "lost", "id": Hash::ZERO}), "unknown variant `lost`")]
    fn what_is_no_status(#[case] json: serde_json::Value, #[case] error: &str) {
        let got = serde_json::from_value::<TransactionView<String>>(json).unwrap_err().to_string();
        assert!(got.contains(error), "{got}");
    }
}
