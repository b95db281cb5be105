//! Errors.

use serde::{Deserialize, Serialize};

/// The body of every answer with a status of 400 or more, except from a server that has found no HTTP in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ErrorBody<C = String> {
    /// What is wrong.
    pub error: ErrorFields<C>,
}

/// What is wrong with a request, or with the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct ErrorFields<C = String> {
    /// A stable name, for programs. A client takes any text, because a server may have more codes than it knows.
    pub code: C,
    /// A sentence, for people, which may change.
    pub message: String,
}
