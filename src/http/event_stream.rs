//! Events as text: the last ones, and the body of an answer to one client, which goes on until one side ends it.

mod recent;

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;

pub(super) use recent::Recent;

/// The events from a place on. What a client has not read yet is only a number: the text is copied when the client is ready for
/// it, and what it is too slow for is reported as missed.
pub(super) struct EventStream {
    recent: Arc<Recent>,
    next: u64,
    /// What is sent before the first event.
    greeting: Option<Bytes>,
    /// Whether the server has been told to stop.
    stopped: Option<watch::Receiver<bool>>,
    /// Waits for the next event.
    waiting: Option<Pin<Box<dyn Future<Output = Woken> + Send>>>,
    /// Counts as one of the clients until the answer ends.
    _place: OwnedSemaphorePermit,
}

/// How long a client waits before it asks again.
pub(super) const RETRY: &[u8] = b"retry: 1000\n\n";

/// Why a stream is continued.
enum Woken {
    Event,
    Idle,
    End,
}

/// After how much time without an event a comment is sent, so that the client, the server and proxies see that the connection is
/// alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The size at which a part of the answer ends, in bytes. The server holds about one part for each client.
const PART_BYTES: usize = 16 << 10;

impl EventStream {
    pub(super) fn new(recent: Arc<Recent>, next: u64, greeting: &[u8], place: OwnedSemaphorePermit) -> Self {
        let greeting = Some([RETRY, greeting].concat().into());
        Self { recent, next, greeting, stopped: None, waiting: None, _place: place }
    }

    /// Ends the stream when the server stops.
    pub(super) fn end_with(&mut self, stopped: watch::Receiver<bool>) {
        self.stopped = Some(stopped);
    }

    fn wait(&self) -> Pin<Box<dyn Future<Output = Woken> + Send>> {
        let (mut events, stopped, next) = (self.recent.watch(), self.stopped.clone(), self.next);
        Box::pin(async move {
            let stopped = async move {
                match stopped {
                    // An error means that the server was dropped.
                    Some(mut stopped) => drop(stopped.wait_for(|stopped| *stopped).await),
                    None => core::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stopped => Woken::End,
                changed = events.wait_for(|(last, is_ended)| *last > next || *is_ended) => match changed {
                    Ok(changed) if changed.0 > next => Woken::Event,
                    _ => Woken::End,
                },
                () = sleep(HEARTBEAT) => Woken::Idle,
            }
        })
    }
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = |bytes: Bytes| Poll::Ready(Some(Ok(Frame::data(bytes))));
        if let Some(greeting) = self.greeting.take() {
            return frame(greeting);
        }
        let stream = &mut *self;
        if stream.waiting.is_none() {
            stream.waiting = Some(stream.wait());
        }
        let Some(waiting) = &mut stream.waiting else { return Poll::Ready(None) };
        let woken = ready!(waiting.as_mut().poll(context));
        stream.waiting = None;
        match woken {
            Woken::Event => {
                let (text, next) = stream.recent.read(stream.next, PART_BYTES);
                stream.next = next;
                frame(text.into())
            }
            Woken::Idle => frame(Bytes::from_static(b":\n\n")),
            Woken::End => Poll::Ready(None),
        }
    }
}

impl core::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EventStream").field("next", &self.next).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::sync::Semaphore;
    use tokio::time::Instant;

    use super::*;
    use crate::api::NodeEvent;

    async fn text(stream: &mut EventStream) -> Option<String> {
        let Ok(frame) = stream.frame().await?;
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_and_the_end_of_either_side_ends_the_stream() {
        let recent = Arc::new(Recent::new(0, 1 << 20));
        let places = Arc::new(Semaphore::new(2));
        let open = || {
            let place = Arc::clone(&places).try_acquire_owned().unwrap();
            EventStream::new(Arc::clone(&recent), 1, b"hello\n\n", place)
        };
        let (mut first, mut second) = (open(), open());
        assert_eq!(text(&mut first).await.unwrap(), "retry: 1000\n\nhello\n\n");
        let start = Instant::now();
        assert_eq!(text(&mut first).await.unwrap(), ":\n\n");
        assert_eq!(start.elapsed(), HEARTBEAT);
        recent.push(&NodeEvent::StoreRecovered);
        assert_eq!(
            text(&mut first).await.unwrap(),
            "id: 0000000000000000-1\ndata: {\"type\":\"store_recovered\"}\n\n"
        );

        let (stop, stopped) = watch::channel(false);
        first.end_with(stopped);
        stop.send_replace(true);
        assert_eq!(text(&mut first).await, None);
        drop(first);
        assert_eq!(places.available_permits(), 1);

        // What was to be told is told before the end.
        recent.end();
        assert!(text(&mut second).await.is_some());
        assert!(text(&mut second).await.unwrap().contains("store_recovered"));
        assert_eq!(text(&mut second).await, None);
    }
}
