//! L4: an HTTP client for what nodes, logs and witnesses answer. It follows no redirect, and has a limit on the
//! time and the bytes of every answer.

mod error;
mod exchange;
#[cfg(feature = "evidence")]
mod log;
mod url;

use core::time::Duration;

pub use error::{ApiError, ClientError};
#[cfg(feature = "evidence")]
pub use log::{Consistency, Cosigned, LogError};
pub use url::UrlError;

use exchange::{Body, Server};
use url::Base;

/// A client of one server.
///
/// Each request opens a connection of its own. A client has no state, and its clones are cheap.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use hashloom::client::Client;
///
/// let node = Client::new("http://localhost:3001")?;
/// let status: serde_json::Value = node.get("/status").await?;
/// println!("height {}", status["height"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client(Server);

impl Client {
    /// The default limit of the time from the look-up of the host to the last byte of the answer: 10 seconds.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

    /// The default limit of an answer's body: 8 MiB, more than the largest receipt and the largest page of a node.
    pub const DEFAULT_MAX_BODY_BYTES: usize = 8 << 20;

    /// A client of the server at this URL, such as `http://localhost:3001`. All paths of requests are below that of the
    /// URL.
    ///
    /// # Errors
    ///
    /// [`UrlError`].
    pub fn new(url: &str) -> Result<Self, UrlError> {
        Ok(Self(Server {
            base: Base::parse(url)?,
            timeout: Self::DEFAULT_TIMEOUT,
            max_body_bytes: Self::DEFAULT_MAX_BODY_BYTES,
        }))
    }

    /// Sets the limit of the time of a request.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = timeout;
        self
    }

    /// Sets the limit of an answer's body, in bytes.
    #[must_use]
    pub const fn with_max_body_bytes(mut self, bytes: usize) -> Self {
        self.0.max_body_bytes = bytes;
        self
    }

    /// Asks for a path, which begins with a slash, and parses the answer from JSON.
    ///
    /// Cancel-safe: a dropped future closes its connection.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn get<A: serde::de::DeserializeOwned>(&self, path: &str) -> Result<A, ClientError> {
        self.0.ask(path, None).await?.success()?.json()
    }

    /// Posts a value as JSON, and parses the answer from JSON.
    ///
    /// Cancel-safe, but the server may have done what it was asked for.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn post<A: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        value: &impl serde::Serialize,
    ) -> Result<A, ClientError> {
        let json = serde_json::to_vec(value).map_err(ClientError::Request)?;
        self.0.ask(path, Some(Body { media_type: "application/json", bytes: json })).await?.success()?.json()
    }
}
