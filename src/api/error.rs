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

/// What is wrong with a request, or with the node: the codes of errors, each of which has one status of HTTP. The
/// documentation of the module `http` lists them by their status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The request is not valid HTTP, or a value in its body is out of range.
    BadRequest,
    /// The body is not the JSON that the route takes.
    BadJson,
    /// A parameter of the query is unknown, is there twice or has no valid value.
    BadQuery,
    /// The path has neither a height nor a hash.
    BadBlockId,
    /// A text is not the address of a peer.
    BadAddress,
    /// The path has no number of a peer.
    BadPeerId,
    /// The path has no id of a transaction.
    BadTransactionId,
    /// A text is not a host that can be banned.
    BadHost,
    /// The body is no checkpoint for a witness.
    BadCheckpoint,
    /// The token is missing or wrong.
    Unauthorized,
    /// The `Host` is not one of the node's.
    HostNotAllowed,
    /// The page that sends the request is of an origin that may change nothing.
    CrossOrigin,
    /// The checkpoint has no signature of its log.
    CheckpointNotSigned,
    /// No route has this path, or the operator has not switched the route on.
    NotFound,
    /// The node has no such block.
    BlockNotFound,
    /// No such peer is connected.
    PeerNotFound,
    /// The node knows no such transaction.
    TransactionNotFound,
    /// The address is not known.
    AddressNotFound,
    /// The host is not banned.
    BanNotFound,
    /// The application's state has no such entry.
    StateKeyNotFound,
    /// The node has signed no checkpoint.
    CheckpointNotFound,
    /// The node is no witness, or not of this log.
    LogNotWitnessed,
    /// No signed checkpoint has the block of the transaction.
    NotYetSigned,
    /// The log has no such tile.
    TileNotFound,
    /// The path has no route with this method.
    MethodNotAllowed,
    /// The body took too long to arrive.
    RequestTimeout,
    /// The transaction is pending.
    AlreadyPending,
    /// The transaction is in a block.
    AlreadyMined,
    /// The address is dialled or connected.
    AlreadyConnected,
    /// The host of the peer is banned.
    PeerBanned,
    /// The checkpoint has another root than the one that the witness has signed.
    CheckpointConflict,
    /// The body exceeds the limit.
    BodyTooLarge,
    /// The body has no JSON content type.
    UnsupportedMediaType,
    /// The application refuses the transaction.
    TransactionRejected,
    /// The transaction has no canonical bytes, or a wire format cannot carry it.
    TransactionNotEncodable,
    /// The application's code panicked for the transaction.
    TransactionPanicked,
    /// The transaction does not fit into a block.
    TransactionTooLarge,
    /// The transactions do not fit into one block.
    BlockTooLarge,
    /// The proof does not show that the checkpoint extends the one before.
    CheckpointInconsistent,
    /// The address makes more requests than the node admits.
    TooManyRequests,
    /// The node failed to answer, because of a fault of its own or of the application.
    Internal,
    /// The server changes no protocol.
    UpgradeUnsupported,
    /// The node has no transport for the address.
    NoTransport,
    /// Too many requests are under way.
    Busy,
    /// The mempool is full.
    MempoolFull,
    /// No block was found in time.
    MiningTimeout,
    /// The node's clock is behind the chain.
    ClockBehind,
    /// The node dials as many addresses as it may.
    TooManyPeers,
    /// The node signs no checkpoints, because its chain contradicts one that it has signed.
    SigningStopped,
    /// The store cannot be read or written.
    StoreFailed,
    /// The node has ended because of an error.
    NodeFailed,
    /// The node is shutting down.
    ShuttingDown,
}
