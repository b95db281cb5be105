//! Whether the client of a request still waits for its answer.

use tokio::sync::watch;

/// The client of one request, as far as the server knows of its connection.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Closed when the connection ends. `None` if the server does not say when it does.
    connection: Option<watch::Receiver<()>>,
}

/// Held for as long as the connection of a [`Client`] lasts.
#[derive(Debug)]
#[must_use = "dropping it says that the connection has ended"]
pub(super) struct ConnectionGuard {
    _connection: watch::Sender<()>,
}

impl Client {
    /// A client, and what is to be dropped when its connection ends.
    pub(super) fn new() -> (ConnectionGuard, Self) {
        let (sender, receiver) = watch::channel(());
        (ConnectionGuard { _connection: sender }, Self { connection: Some(receiver) })
    }

    /// The client of a server that does not say when a connection ends. It counts as waiting for good.
    pub(super) const fn unknown() -> Self {
        Self { connection: None }
    }

    /// Whether the connection has ended, so that an answer would not be read.
    pub(super) fn is_gone(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.has_changed().is_err())
    }

    /// Waits for the end of the connection. Cancel-safe.
    pub(super) async fn gone(&self) {
        match self.connection.clone() {
            // Nothing is ever sent, so this returns when the guard is dropped.
            Some(mut connection) => while connection.changed().await.is_ok() {},
            None => core::future::pending().await,
        }
    }
}
