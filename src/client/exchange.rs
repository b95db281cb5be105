//! One request and its answer.

use core::fmt::Display;
#[cfg(feature = "evidence")]
use core::str::FromStr;
use core::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::error::{ApiError, ClientError};
use super::url::Base;

/// A server, and the limits of an exchange with it.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) base: Base,
    pub(super) timeout: Duration,
    /// The most bytes of an answer's body.
    pub(super) max_body_bytes: usize,
    /// The value of `Authorization`.
    pub(super) token: Option<HeaderValue>,
}

/// The body of a `POST`.
pub(super) struct Body {
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// An answer whose body has not been read. Its connection ends with it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) response: Response<Incoming>,
    _task: JoinSet<hyper::Result<()>>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The most bytes of the head of an answer, and of what is read ahead of its body.
const MAX_HEAD_BYTES: usize = 32 << 10;

impl Server {
    /// Sends a request, and reads the answer, whatever its status.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Body>,
    ) -> Result<Answer, ClientError> {
        self.in_time(async { self.read(self.open(method, path, body, None).await?).await }).await
    }

    /// The result of a future, which has to be ready within the time limit.
    pub(super) async fn in_time<A>(
        &self,
        future: impl Future<Output = Result<A, ClientError>>,
    ) -> Result<A, ClientError> {
        timeout(self.timeout, future).await.unwrap_or_else(|_| Err(self.timed_out(self.timeout)))
    }

    /// Sends a request on a connection of its own, and reads the head of the answer.
    pub(super) async fn open(
        &self,
        method: Method,
        path: &str,
        body: Option<Body>,
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Opened, ClientError> {
        let mut request = self.request(method, path, body)?;
        request.headers_mut().extend(header);
        let tcp = TcpStream::connect((self.base.name(), self.base.port)).await;
        let tcp = tcp.map_err(|error| ClientError::Connect { host: self.base.to_string(), error })?;
        let mut connection = http1::Builder::new();
        connection.max_buf_size(MAX_HEAD_BYTES);
        let (mut sender, connection) =
            connection.handshake(TokioIo::new(tcp)).await.map_err(|error| self.failed(error))?;
        // An error of the connection is that of the exchange, too.
        let mut task = JoinSet::new();
        task.spawn(connection);
        let response = sender.send_request(request).await.map_err(|error| self.failed(error))?;
        Ok(Opened { response, _task: task })
    }

    /// Reads the body of an answer.
    pub(super) async fn read(&self, opened: Opened) -> Result<Answer, ClientError> {
        let (head, body) = opened.response.into_parts();
        let body = Limited::new(body, self.max_body_bytes).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => self.failed(*error),
            Err(error) if error.is::<LengthLimitError>() => {
                ClientError::TooLarge { limit: self.max_body_bytes }
            }
            Err(error) => unexpected(&error),
        })?;
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes().into() })
    }

    /// The error for an answer that took longer than this.
    pub(super) fn timed_out(&self, limit: Duration) -> ClientError {
        ClientError::Timeout { host: self.base.to_string(), limit }
    }

    /// The error for a broken exchange with this server.
    pub(super) fn failed(&self, error: hyper::Error) -> ClientError {
        ClientError::Http { host: self.base.to_string(), error }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Body>,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let path = self.base.path(path);
        let host = self.base.to_string();
        let agent = concat!("hashloom/", env!("CARGO_PKG_VERSION"));
        let mut request =
            Request::builder().method(method).uri(&path).header(HOST, host).header(USER_AGENT, agent);
        if let Some(body) = &body {
            request = request.header(CONTENT_TYPE, body.media_type);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        let bytes = body.map(|body| body.bytes).unwrap_or_default();
        request.body(Full::new(bytes.into())).map_err(|_| ClientError::Path { path })
    }
}

impl Answer {
    /// The answer, if its status is 200 to 299.
    pub(super) fn success(self) -> Result<Self, ClientError> {
        if (200..300).contains(&self.status) {
            Ok(self)
        } else {
            Err(ApiError::of(self.status, &self.body).into())
        }
    }

    /// The first header of this name, if it is ASCII.
    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn json<A: DeserializeOwned>(&self) -> Result<A, ClientError> {
        serde_json::from_slice(&self.body).map_err(|error| unexpected(&error))
    }

    /// Parses the body as a text.
    #[cfg(feature = "evidence")]
    pub(super) fn text<A: FromStr<Err: Display>>(&self) -> Result<A, ClientError> {
        let text = str::from_utf8(&self.body).map_err(|error| unexpected(&error))?;
        text.parse().map_err(|error| unexpected(&error))
    }
}

pub(super) fn unexpected(error: &dyn Display) -> ClientError {
    ClientError::Unexpected { problem: error.to_string() }
}
