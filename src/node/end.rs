//! How a node ends: by a request, or by the failure of one of its tasks.

use core::any::Any;
use std::sync::Arc;

use tokio::task::JoinError;

use crate::transport::TransportError;

/// Why a node ended without a request. Data that was only in memory is lost. Restarting the node from its
/// store is safe.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeFailure {
    /// An essential task of the node has panicked.
    #[error("a task of the node panicked: {message}")]
    Panicked {
        /// The panic message.
        message: String,
    },
    /// The transport accepts no more connections.
    #[error("the node can no longer accept connections: {0}")]
    Listener(#[source] Arc<TransportError>),
    /// The tokio runtime that the node was started on has ended before the node did.
    #[error("the runtime ended before the node")]
    Runtime,
}

impl From<JoinError> for NodeFailure {
    fn from(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => Self::Panicked { message: message(&*panic) },
            Err(_) => Self::Runtime,
        }
    }
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref().map(String::as_str));
    text.unwrap_or("no reason given").to_owned()
}
