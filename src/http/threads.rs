//! Where a request does what may block, and how many requests may do so at a time.

use core::future::pending;
use core::time::Duration;
use std::panic::resume_unwind;
use std::sync::Arc;

use hyper::Method;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::Span;

use super::config::HttpConfig;
use super::error::{ApiError, Code};
use super::events::Delivery;

/// Where work runs that may wait for a lock or for disk I/O, or that takes long.
#[derive(Debug)]
pub(super) enum Threads {
    /// On the calling thread, without a limit: a rouille application has a thread for each request.
    Calling,
    /// On tokio's blocking threads, for as many requests at a time as there are permits.
    Pool { reads: Arc<Semaphore>, writes: Arc<Semaphore>, queue_timeout: Duration },
}

impl Threads {
    pub(super) fn pool(config: &HttpConfig) -> Self {
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self::Pool {
            reads: permits(config.max_reads),
            writes: permits(config.max_writes),
            queue_timeout: config.queue_timeout,
        }
    }

    /// How a client gets events: a thread of a rouille application is not kept for one.
    pub(super) const fn delivery(&self) -> Delivery {
        match self {
            Self::Calling => Delivery::Poll,
            Self::Pool { .. } => Delivery::Stream,
        }
    }

    /// Waits for a permit for a request with this method.
    pub(super) async fn admit(&self, method: &Method) -> Result<Permit, ApiError> {
        let Self::Pool { reads, writes, queue_timeout } = self else { return Ok(Permit(None)) };
        let permits = if matches!(*method, Method::GET | Method::HEAD) { reads } else { writes };
        match timeout(*queue_timeout, Arc::clone(permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Permit(Some(Arc::new(permit)))),
            _ => Err(ApiError::new(Code::Busy, "too many requests are under way")),
        }
    }
}

/// The permit of one request, until it and all its work are done.
#[derive(Debug)]
pub(super) struct Permit(Option<Arc<OwnedSemaphorePermit>>);

impl Permit {
    /// Runs work that may block. If the future is dropped, work that has not started is skipped, and work
    /// that has started keeps the permit until it ends.
    ///
    /// # Panics
    ///
    /// If the work does.
    pub(super) async fn run<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> R {
        let Some(permit) = self.0.clone() else { return work() };
        let mut thread = JoinSet::new();
        // So that the log lines of the work have the id of the request.
        let span = Span::current();
        thread.spawn_blocking(move || {
            let _permit = permit;
            span.in_scope(work)
        });
        match thread.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime is shutting down, and drops this future.
            _ => pending().await,
        }
    }
}
