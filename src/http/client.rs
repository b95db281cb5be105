//! Whether the client of a request is still connected.

use tokio::sync::watch;

/// The client of one request.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Closed when the connection ends. `None` if the server cannot detect that.
    connection: Option<watch::Receiver<()>>,
}

/// Represents the connection of a [`Client`]; dropped when the connection ends.
#[derive(Debug)]
#[must_use = "dropping it says that the connection has ended"]
pub(super) struct ConnectionGuard {
    _connection: watch::Sender<()>,
}

impl Client {
    /// A client, and the guard to drop when its connection ends.
    pub(super) fn new() -> (ConnectionGuard, Self) {
        let (sender, receiver) = watch::channel(());
        (ConnectionGuard { _connection: sender }, Self { connection: Some(receiver) })
    }

    /// The client of a server that cannot detect the end of a connection. It counts as connected.
    pub(super) const fn unknown() -> Self {
        Self { connection: None }
    }

    /// Whether the connection has ended, so that the answer would not be read.
    pub(super) fn is_gone(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.has_changed().is_err())
    }

    /// Waits for the end of the connection. Cancel-safe.
    pub(super) async fn gone(&self) {
        match self.connection.clone() {
            // No value is ever sent, so this returns when the guard is dropped.
            Some(mut connection) => while connection.changed().await.is_ok() {},
            None => core::future::pending().await,
        }
    }
}
