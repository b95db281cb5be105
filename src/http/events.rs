//! `GET /events`: what happens on a node, as server-sent events (WHATWG HTML, section 9.2). One task renders each event once,
//! and all clients read the same text.

use std::sync::{Arc, OnceLock};

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::StatusCode;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::config::RoutesConfig;
use super::error::{ApiError, Code};
use super::event_stream::{EventStream, RETRY, Recent};
use super::header::text;
use super::response::{Response, ResponseBody, json_body, of_type, with_header};
use crate::api::NodeEvent;
use crate::node::{EventError, Events, NodeHandle};
use crate::primitives::Transaction;

/// The last events of a node, for its clients.
#[derive(Debug)]
pub(super) struct Feed {
    /// The events, and the task that adds to them. They begin with the first client, so that a node without one pays nothing.
    recent: OnceLock<(Arc<Recent>, JoinSet<()>)>,
    /// One permit for each client.
    clients: Arc<Semaphore>,
    max_clients: usize,
    max_bytes: usize,
}

/// How a client asks for events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The answer goes on until one side ends it.
    Stream,
    /// The answer ends with the last event that there is; the client asks again for what comes after it.
    Poll,
}

impl Feed {
    pub(super) fn new(config: &RoutesConfig) -> Self {
        let max_clients = config.max_event_clients.min(Semaphore::MAX_PERMITS);
        Self {
            recent: OnceLock::new(),
            clients: Arc::new(Semaphore::new(max_clients)),
            max_clients,
            max_bytes: config.max_event_bytes,
        }
    }

    /// The events after the one that the `Last-Event-ID` of a request names, or from now on.
    pub(super) fn answer<T: Transaction>(
        &self,
        node: &NodeHandle<T>,
        headers: &HeaderMap,
        delivery: Delivery,
    ) -> Result<Response, ApiError> {
        let Ok(place) = Arc::clone(&self.clients).try_acquire_owned() else {
            let message = format!("{} clients read events, which is the limit", self.max_clients);
            return Err(ApiError::new(Code::Busy, message));
        };
        let recent = self.recent(node);
        let last = text(headers, &HeaderName::from_static("last-event-id"));
        let continued = last.as_ref().and_then(|id| recent.after(id));
        // The place in the events is read before the tip, so that no block is in neither.
        let next = continued.unwrap_or_else(|| recent.next());
        let mut greeting = Vec::new();
        if continued.is_none() {
            if last.is_some() {
                greeting.extend(recent.text(next - 1, &NodeEvent::Missed { events: None }));
            }
            let tip = node.tip();
            let open = NodeEvent::Open { height: tip.height(), tip: *tip.hash() };
            greeting.extend(recent.text(next - 1, &open));
        }
        let body = match delivery {
            Delivery::Stream => ResponseBody::Events(EventStream::new(recent, next, &greeting, place)),
            Delivery::Poll => {
                let (events, _) = recent.read(next, self.max_bytes);
                ResponseBody::from([RETRY, &greeting, &events].concat())
            }
        };
        let mut response = of_type(json_body(StatusCode::OK, Vec::new()), "text/event-stream");
        *response.body_mut() = body;
        // nginx would hold events back to fill a buffer.
        Ok(with_header(
            response,
            HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ))
    }

    fn recent<T: Transaction>(&self, node: &NodeHandle<T>) -> Arc<Recent> {
        let (recent, _) = self.recent.get_or_init(|| {
            let recent = Arc::new(Recent::new(fastrand::u64(..), self.max_bytes));
            let mut task = JoinSet::new();
            task.spawn_on(follow(node.subscribe(), Arc::clone(&recent)), node.runtime());
            (recent, task)
        });
        Arc::clone(recent)
    }
}

/// Renders the events of a node until it stops.
async fn follow<T: Transaction>(mut events: Events<T>, recent: Arc<Recent>) {
    loop {
        match events.recv().await {
            Ok(event) => recent.push(&NodeEvent::from(&event)),
            Err(EventError::Missed { events }) => recent.push(&NodeEvent::Missed { events: Some(events) }),
            Err(EventError::Stopped) => break,
        }
    }
    recent.end();
}
