//! What a connection waits for: the head of a request, within a time limit, or the end of an answer.
//!
//! hyper has such a limit, too, but sets a timer for each request, and polls the connection once more to do so. Here a
//! connection has one timer, which is only set again when it ends.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Instant, sleep};

use crate::http::response::ResponseBody;

/// The requests of one connection, one after the other.
#[derive(Debug)]
pub(super) struct Requests(Mutex<Phase>);

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first head, since the connection was accepted.
    New(Instant),
    /// The end of an answer.
    Answering,
    /// The operating system, which has not accepted all of an answer yet.
    Sending,
    /// Another head, since the end of the last answer.
    Idle(Instant),
}

/// The shortest limit, which is the precision of the timer.
const SHORTEST_LIMIT: Duration = Duration::from_millis(1);

impl Requests {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Phase::New(Instant::now())))
    }

    /// Notes that the head of a request has been read.
    pub(super) fn begin(self: &Arc<Self>) -> Underway {
        *self.phase() = Phase::Answering;
        Underway(Arc::clone(self))
    }

    /// Notes that the operating system has accepted all that was written.
    pub(super) fn flushed(&self) {
        let mut phase = self.phase();
        if *phase == Phase::Sending {
            *phase = Phase::Idle(Instant::now());
        }
    }

    /// Whether there was no request yet.
    pub(super) fn is_new(&self) -> bool {
        matches!(*self.phase(), Phase::New(_))
    }

    /// Ends when the connection has waited for a head for longer than `limit`.
    pub(super) async fn overdue(&self, limit: Duration) {
        let limit = limit.max(SHORTEST_LIMIT);
        let mut rest = limit;
        while !rest.is_zero() {
            sleep(rest).await;
            rest = match *self.phase() {
                Phase::New(since) | Phase::Idle(since) => limit.saturating_sub(since.elapsed()),
                Phase::Answering | Phase::Sending => limit,
            };
        }
    }

    /// A poisoned lock is used as it is: a phase is written at once.
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request whose answer has not been read to its end by hyper, which then sends what is left of it.
#[derive(Debug)]
pub(super) struct Underway(Arc<Requests>);

impl Drop for Underway {
    fn drop(&mut self) {
        *self.0.phase() = Phase::Sending;
    }
}

/// The body of an answer. hyper drops it when it has been read to its end.
#[derive(Debug)]
pub(super) struct AnswerBody {
    pub(super) body: ResponseBody,
    pub(super) _underway: Underway,
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use tokio::time::timeout;

    const SECOND: Duration = Duration::from_secs(1);

    #[rstest]
    // The client sends nothing.
    #[case(None, 5)]
    // The answer to a request after three seconds is sent before the timer of five seconds ends, or long after it.
    #[case(Some([0, 1]), 9)]
    #[case(Some([1, 0]), 9)]
    #[case(Some([20, 0]), 28)]
    #[case(Some([0, 20]), 28)]
    #[tokio::test(start_paused = true)]
    async fn the_limit_counts_from_the_start_and_from_the_end_of_an_answer(
        #[case] answer: Option<[u32; 2]>,
        #[case] overdue: u32,
    ) {
        let (requests, start) = (Arc::new(Requests::new()), Instant::now());
        let client = async {
            let Some([answering, sending]) = answer else { return };
            sleep(3 * SECOND).await;
            assert!(requests.is_new());
            let underway = requests.begin();
            assert!(!requests.is_new());
            requests.flushed();
            sleep(answering * SECOND).await;
            drop(underway);
            sleep(sending * SECOND).await;
            requests.flushed();
        };
        let watch = async {
            requests.overdue(5 * SECOND).await;
            start.elapsed().as_secs()
        };
        assert_eq!(tokio::join!(watch, client).0, u64::from(overdue));
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_ends_a_request_that_is_answered() {
        let requests = Arc::new(Requests::new());
        let underway = requests.begin();
        timeout(SECOND, requests.overdue(Duration::ZERO)).await.unwrap_err();
        drop(underway);
        requests.flushed();
        timeout(SECOND, requests.overdue(Duration::ZERO)).await.unwrap();
        assert!(timeout(SECOND, requests.overdue(Duration::MAX)).await.is_err());
    }
}
