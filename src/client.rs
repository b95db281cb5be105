//! L4: an HTTP client for what nodes, logs and witnesses answer. It follows no redirect, and has a limit on the
//! time and the bytes of every answer. It speaks `http://` only: for a node behind TLS, use a proxy on this machine.

mod error;
mod events;
mod exchange;
#[cfg(feature = "evidence")]
mod log;
mod node;
mod url;

use core::time::Duration;

use hyper::Method;
use hyper::header::HeaderValue;

pub use error::{ApiError, ClientError, TokenError};
pub use events::{EventWithId, NodeEvents};
#[cfg(feature = "evidence")]
pub use log::{Consistency, Cosigned, LogError};
pub use node::{NodeClient, Page, PageQuery};
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
/// let client = Client::new("http://localhost:3001")?;
/// println!("height {}", client.node::<String>().status().await?.height);
/// // A route of the application.
/// let stock: serde_json::Value = client.get("/stock").await?;
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
            token: None,
        }))
    }

    /// Sends a token with every request, as `Authorization: Bearer` (RFC 6750), which a node may ask for before it changes
    /// something. The connection is not encrypted: a reader of the traffic can use the token.
    ///
    /// # Errors
    ///
    /// [`TokenError`] if the token is empty or has a character that a header cannot have.
    pub fn with_token(mut self, token: &str) -> Result<Self, TokenError> {
        let is_valid = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let header = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| is_valid);
        let mut header = header.ok_or(TokenError)?;
        // So that it is not shown.
        header.set_sensitive(true);
        self.0.token = Some(header);
        Ok(self)
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
        self.0.ask(Method::GET, path, None).await?.success()?.json()
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
        let body = Body { media_type: "application/json", bytes: json };
        self.0.ask(Method::POST, path, Some(body)).await?.success()?.json()
    }

    /// A client of what is below a path of this one.
    #[cfg(feature = "evidence")]
    fn below(&self, path: &str) -> Self {
        let mut client = self.clone();
        client.0.base = client.0.base.below(path);
        client
    }
}
