//! How a node ends: because it was asked to, or because one of its tasks did.

use core::any::Any;
use std::sync::Arc;

use tokio::task::JoinError;

use crate::transport::TransportError;

/// Why a node ended that was not asked to. Whatever it kept in memory alone is lost; to start it again from its store
/// is safe.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeFailure {
    /// A task that the node cannot do without has panicked.
    #[error("a task of the node panicked: {message}")]
    Panicked {
        /// What the panic said.
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

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref().map(String::as_str));
    text.unwrap_or("no reason given").to_owned()
}
