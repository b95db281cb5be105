//! The events of a node, as they happen.

mod parser;

use core::time::Duration;

use http_body_util::BodyExt;
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::exchange::{Opened, Server, unexpected};
use super::{ApiError, ClientError};
use crate::api::NodeEvent;
use parser::{Message, Parser};

/// The events of a node from `GET /events`, in their order.
///
/// Connects when the first event is asked for. When a connection ends, the next one continues after the last event; a node that
/// does not have all events any more says with [`NodeEvent::Missed`] how many are missing. Events that the caller has not asked
/// for stay at the node and in the buffers of the connection: a value of this type has at most 32 KiB, and one event within
/// [the limit of a body](super::Client::with_max_body_bytes).
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use hashloom::api::NodeEvent;
/// use hashloom::client::Client;
///
/// let mut events = Client::new("http://localhost:3001")?.node::<String>().events();
/// loop {
///     match events.next().await {
///         Ok(next) => match next.event {
///             NodeEvent::BlockConnected { block, .. } => println!("{}: {}", block.height, block.hash),
///             NodeEvent::Missed { .. } => println!("events are missing: read the chain again"),
///             _ => {}
///         },
///         // The next call connects again.
///         Err(error) => println!("{error}"),
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct NodeEvents {
    server: Server,
    /// The id of the last event, after which a connection continues.
    last_id: Option<String>,
    connection: Option<Connection>,
    /// The time between the end of a connection and the next one.
    retry: Duration,
    /// When the next connection may be opened.
    retry_at: Option<Instant>,
    /// How long a connection may be silent.
    idle_limit: Duration,
}

/// An event of a node, with its id.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EventWithId {
    /// The id, from which [`NodeEvents::after`] continues.
    pub id: String,
    /// The event.
    pub event: NodeEvent,
}

#[derive(Debug)]
struct Connection {
    opened: Opened,
    parser: Parser,
    /// When the connection counts as broken, unless bytes arrive before.
    idle_until: Instant,
}

/// A node sends a comment after 15 seconds without an event.
const IDLE_LIMIT: Duration = Duration::from_secs(45);

/// The time between the end of a connection and the next one, unless the node asks for another.
const RETRY: Duration = Duration::from_secs(1);

/// The longest such time that a node may ask for.
const MAX_RETRY: Duration = Duration::from_secs(60);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

impl NodeEvents {
    pub(super) const fn new(server: Server) -> Self {
        let (last_id, connection, retry_at) = (None, None, None);
        Self { server, last_id, connection, retry: RETRY, retry_at, idle_limit: IDLE_LIMIT }
    }

    /// Continues after the event with this id, which the caller has from an earlier run. If the node has restarted since, its
    /// first events are [`NodeEvent::Missed`] and [`NodeEvent::Open`].
    #[must_use]
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.last_id = Some(id.into());
        self
    }

    /// The next event. Waits for it as long as it takes, and connects again when the node ends the answer. After an error the
    /// next call connects again, not before a second has passed, or another time that the node has asked for, up to a minute.
    ///
    /// Cancel-safe: an event is returned by the next call if this one is dropped.
    ///
    /// # Errors
    ///
    /// [`ClientError`]: the node cannot be reached or refuses the request, a connection breaks or is silent for 45 seconds, or
    /// an event exceeds the limit of a body. One that is not an event is reported as [`ClientError::Unexpected`] and skipped.
    pub async fn next(&mut self) -> Result<EventWithId, ClientError> {
        loop {
            let Some(connection) = &mut self.connection else {
                let connected = self.connect().await;
                self.connection = Some(connected.inspect_err(|_| self.disconnect())?);
                continue;
            };
            if let Some(Message { id, data }) = connection.parser.next() {
                self.last_id = Some(id.clone());
                let event = serde_json::from_slice(&data).map_err(|error| unexpected(&error))?;
                return Ok(EventWithId { id, event });
            }
            self.retry = connection.parser.retry.map_or(self.retry, |retry| retry.min(MAX_RETRY));
            match connection.read(&self.server, self.idle_limit).await {
                Ok(true) => {}
                // No error: the node asks the client to come back.
                Ok(false) => self.disconnect(),
                Err(error) => {
                    self.disconnect();
                    return Err(error);
                }
            }
        }
    }

    /// Ends a connection. The next one is opened later.
    fn disconnect(&mut self) {
        self.connection = None;
        self.retry_at = Some(Instant::now() + self.retry);
    }

    async fn connect(&self) -> Result<Connection, ClientError> {
        if let Some(retry_at) = self.retry_at {
            sleep_until(retry_at).await;
        }
        let last_id = self.last_id.as_deref().map(HeaderValue::from_str).transpose();
        let last_id = last_id.map_err(|error| unexpected(&error))?.map(|id| (LAST_EVENT_ID, id));
        let server = &self.server;
        let opened = server.in_time(async {
            let opened = server.open(Method::GET, "/events", None, last_id).await?;
            if opened.response.status().is_success() {
                return Ok(opened);
            }
            let answer = server.read(opened).await?;
            Err(ApiError::of(answer.status, &answer.body).into())
        });
        Ok(Connection {
            opened: opened.await?,
            parser: Parser::new(self.last_id.clone().unwrap_or_default()),
            idle_until: Instant::now() + self.idle_limit,
        })
    }
}

impl Connection {
    /// Reads some bytes of the answer; `false` at its end.
    async fn read(&mut self, server: &Server, idle_limit: Duration) -> Result<bool, ClientError> {
        let max_bytes = server.max_body_bytes;
        if self.parser.len() > max_bytes {
            return Err(ClientError::TooLarge { limit: max_bytes });
        }
        let frame = timeout_at(self.idle_until, self.opened.response.frame()).await;
        let frame = frame.map_err(|_| server.timed_out(idle_limit))?;
        let Some(frame) = frame.transpose().map_err(|error| server.failed(error))? else { return Ok(false) };
        self.idle_until = Instant::now() + idle_limit;
        // A node sends no trailers.
        if let Some(bytes) = frame.data_ref() {
            self.parser.push(bytes);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::client::Client;

    #[tokio::test]
    async fn a_silent_connection_counts_as_broken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let mut events = client.node::<String>().events();
        events.idle_limit = Duration::from_millis(1);
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            stream.writable().await.unwrap();
            stream.try_write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n: hello\n").unwrap();
            stream
        };
        let (next, _stream) = tokio::join!(events.next(), server);
        assert!(matches!(next, Err(ClientError::Timeout { limit, .. }) if limit == events.idle_limit));
    }
}
