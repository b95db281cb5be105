//! Mining on OS threads: one lane per thread, one outcome for all. The only file of the core that starts
//! threads. Has no clock: a caller that wants a hash rate divides the number of hashes by the time that it
//! measured.

use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::kernel::MiningKernel;
use super::search::{Miner, SearchOutcome};
use crate::Block;

/// A search that runs on threads of its own until it finds a block, is exhausted, or is stopped.
///
/// Dropping the job stops it. Neither [`stop`](Self::stop) nor the drop waits for the threads, so both may be
/// called from asynchronous code; the threads end by themselves within about a millisecond.
#[derive(Debug)]
#[must_use = "dropping the job stops it"]
pub struct MiningJob {
    progress: Arc<Progress>,
    kernel: MiningKernel,
}

/// How a [`MiningJob`] ended.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "it is matched where it is returned, and kept nowhere")]
#[non_exhaustive]
pub enum MiningOutcome<T = String> {
    /// The first block that a thread found. The other threads end within about a millisecond.
    Found(Block<T>),
    /// The job was stopped, and all its threads have ended their search.
    Stopped,
    /// All threads exhausted their lanes; see [`SearchOutcome::Exhausted`].
    Exhausted,
}

/// The operating system refused to start a mining thread.
#[derive(Debug, thiserror::Error)]
#[error("could start {started} of {threads} mining threads: {source}")]
#[non_exhaustive]
pub struct MiningThreadError {
    /// The number of threads that were started, and stopped again.
    pub started: usize,
    /// The number of threads that were requested.
    pub threads: NonZeroUsize,
    /// The error of the operating system.
    pub source: io::Error,
}

impl MiningJob {
    /// Starts a search on `threads` threads, each with a lane of `miner` (see [`Miner::split`]).
    ///
    /// `on_end` is called once, on one of the threads, and should only forward the outcome, for example to
    /// the sender of a channel. A block that is found at the moment of [`stop`](Self::stop) is still
    /// delivered. If this function fails, `on_end` is dropped without a call. A panic while a transaction is
    /// cloned ends the thread in which it happens, and `on_end` may then be dropped without a call.
    ///
    /// # Errors
    ///
    /// [`MiningThreadError`] if a thread cannot be started. Threads that were started are stopped.
    pub fn start<T, F>(miner: Miner<T>, threads: NonZeroUsize, on_end: F) -> Result<Self, MiningThreadError>
    where
        T: Clone + Send + Sync + 'static,
        F: FnOnce(MiningOutcome<T>) + Send + 'static,
    {
        Self::start_on(spawn_thread, miner, threads, on_end)
    }

    /// The number of attempts of all threads so far, as of about a millisecond ago at most.
    pub fn hashes(&self) -> u64 {
        self.progress.hashes.load(Ordering::Relaxed)
    }

    /// The kernel that makes the attempts; see [`Miner::kernel`].
    pub const fn kernel(&self) -> MiningKernel {
        self.kernel
    }

    /// Signals the threads to stop, without waiting for them. [`MiningOutcome::Stopped`] reports that all of
    /// them have. Has no effect if the job has ended.
    pub fn stop(&self) {
        self.progress.stop();
    }

    fn start_on<T, F>(
        mut spawn: impl FnMut(usize, Box<dyn FnOnce() + Send>) -> io::Result<()>,
        miner: Miner<T>,
        threads: NonZeroUsize,
        on_end: F,
    ) -> Result<Self, MiningThreadError>
    where
        T: Clone + Send + Sync + 'static,
        F: FnOnce(MiningOutcome<T>) + Send + 'static,
    {
        let ending = Ending { running: threads.get(), stopped: false, on_end: Some(on_end) };
        let lanes = Arc::new(Lanes { progress: Arc::default(), ending: Mutex::new(ending) });
        // On failure the job is dropped here, which stops the threads that were started.
        let job = Self { progress: Arc::clone(&lanes.progress), kernel: miner.kernel() };
        // The lock is held until all threads have been started: a thread that ends its search earlier blocks,
        // so that no outcome is reported for a job that fails to start.
        let mut ending = lanes.lock();
        for (index, miner) in miner.split(threads).enumerate() {
            let lane = Arc::clone(&lanes);
            if let Err(source) = spawn(index, Box::new(move || lane.run(miner))) {
                // The callback is the caller's code, so it is dropped without the lock.
                let uncalled = ending.on_end.take();
                drop(ending);
                drop(uncalled);
                return Err(MiningThreadError { started: index, threads, source });
            }
        }
        drop(ending);
        Ok(job)
    }
}

impl Drop for MiningJob {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The state that the job and its threads share while they run.
#[derive(Debug, Default)]
struct Progress {
    stop: AtomicBool,
    hashes: AtomicU64,
}

impl Progress {
    /// Relaxed, because the flag publishes no other data: the outcome of a job goes through the mutex.
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The shared state of the threads of one job.
struct Lanes<F> {
    progress: Arc<Progress>,
    ending: Mutex<Ending<F>>,
}

/// The lanes of a job that have ended, and the callback for its outcome.
struct Ending<F> {
    /// The lanes that have not ended yet.
    running: usize,
    /// Whether a lane was stopped before its end.
    stopped: bool,
    on_end: Option<F>,
}

impl<F> Lanes<F> {
    fn run<T: Clone>(&self, mut miner: Miner<T>)
    where
        F: FnOnce(MiningOutcome<T>),
    {
        while !self.progress.is_stopping() {
            let before = miner.hashes();
            let search = miner.search(HASHES_BETWEEN_LOOKS);
            self.progress.hashes.fetch_add(miner.hashes() - before, Ordering::Relaxed);
            match search {
                SearchOutcome::Found(block) => return self.end(MiningOutcome::Found(block)),
                SearchOutcome::Continue { .. } => {}
                SearchOutcome::Exhausted => return self.end(MiningOutcome::Exhausted),
            }
        }
        self.end(MiningOutcome::Stopped);
    }

    /// Ends one lane. The first block ends the job; without a block, the last lane does.
    fn end<T>(&self, outcome: MiningOutcome<T>)
    where
        F: FnOnce(MiningOutcome<T>),
    {
        let mut ending = self.lock();
        ending.running -= 1;
        ending.stopped |= matches!(outcome, MiningOutcome::Stopped);
        let outcome = match outcome {
            MiningOutcome::Found(_) => outcome,
            _ if ending.running > 0 => return,
            _ if ending.stopped => MiningOutcome::Stopped,
            _ => outcome,
        };
        self.progress.stop();
        let on_end = ending.on_end.take();
        // The callback is the caller's code, so it runs without the lock.
        drop(ending);
        if let Some(on_end) = on_end {
            on_end(outcome);
        }
    }

    /// Ignores poisoning: no code of the caller runs under this lock, so its data is always consistent.
    fn lock(&self) -> MutexGuard<'_, Ending<F>> {
        self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Spawns a thread that ends by itself and is not joined.
fn spawn_thread(index: usize, run: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    thread::Builder::new().name(format!("miner-{index}")).spawn(run).map(drop)
}

/// The number of attempts between two checks of the stop flag. They take about one millisecond without
/// SHA-256 instructions, and less than a tenth of a millisecond with the fastest kernel. Each check restarts
/// the kernel, at a cost that must stay negligible.
const HASHES_BETWEEN_LOOKS: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::super::testing::{EVERY_SECOND, IMPOSSIBLE, ONE_IN_64, template};
    use super::*;
    use core::time::Duration;
    use std::sync::mpsc::{self, Receiver, RecvError};

    /// A timeout for failing tests only: every test ends by an event.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn threads(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    fn miner(target: u32, timestamp: u64) -> Miner {
        Miner::new(template(target, timestamp)).unwrap()
    }

    fn start(miner: Miner, count: usize) -> (MiningJob, Receiver<MiningOutcome>) {
        let (sender, receiver) = mpsc::channel();
        let job = MiningJob::start(miner, threads(count), move |outcome| sender.send(outcome).unwrap());
        (job.unwrap(), receiver)
    }

    #[test]
    fn one_block_is_found_in_some_lane() {
        let (job, receiver) = start(miner(ONE_IN_64, 1), 3);
        let MiningOutcome::Found(block) = receiver.recv_timeout(PATIENCE).unwrap() else {
            panic!("stopped by nobody, exhausted by nothing");
        };
        let lanes = miner(ONE_IN_64, 1).split(threads(3));
        let firsts = lanes.filter_map(|mut lane| match lane.search(u64::MAX) {
            SearchOutcome::Found(block) => Some(block),
            _ => None,
        });
        assert!(firsts.collect::<Vec<_>>().contains(&block), "{block:?}");
        // The callback was dropped with its sender: it is not called for the other lanes.
        assert_eq!(receiver.recv(), Err(RecvError));
        assert!(job.hashes() > 0);
    }

    #[test]
    fn a_stopped_job_says_so() {
        let (job, receiver) = start(miner(IMPOSSIBLE, 1), 2);
        while job.hashes() == 0 {
            thread::yield_now();
        }
        job.stop();
        job.stop();
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(MiningOutcome::Stopped));
        let hashes = job.hashes();
        assert_eq!(hashes % HASHES_BETWEEN_LOOKS, 0);
        assert_eq!(receiver.recv(), Err(RecvError));
        assert_eq!(job.hashes(), hashes);
    }

    #[test]
    fn a_dropped_job_is_stopped() {
        let (job, receiver) = start(miner(IMPOSSIBLE, 1), 2);
        drop(job);
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(MiningOutcome::Stopped));
    }

    /// With more threads than nonces, so that some lanes are empty.
    #[test]
    fn an_exhausted_job_has_tried_everything_once() {
        let (job, receiver) = start(miner(IMPOSSIBLE, u64::MAX - 4).with_nonces(0..3), 5);
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(MiningOutcome::Exhausted));
        assert_eq!(job.hashes(), 3 * 5);
    }

    #[test]
    fn a_job_with_one_stopped_lane_is_not_exhausted() {
        let (sender, receiver) = mpsc::channel();
        let on_end = move |outcome: MiningOutcome| sender.send(outcome).unwrap();
        let ending = Ending { running: 2, stopped: false, on_end: Some(on_end) };
        let lanes = Lanes { progress: Arc::default(), ending: Mutex::new(ending) };
        lanes.end(MiningOutcome::Stopped);
        assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Empty));
        lanes.end(MiningOutcome::Exhausted);
        assert_eq!(receiver.recv(), Ok(MiningOutcome::Stopped));
    }

    #[test]
    fn a_job_that_cannot_start_leaves_nothing_behind() {
        let (sender, receiver) = mpsc::channel::<MiningOutcome>();
        let (ended, ends) = mpsc::channel::<()>();
        let spawn = |index, run: Box<dyn FnOnce() + Send>| {
            if index == 2 {
                return Err(io::Error::from(io::ErrorKind::WouldBlock));
            }
            let ended = ended.clone();
            spawn_thread(
                index,
                Box::new(move || {
                    run();
                    drop(ended);
                }),
            )
        };
        let on_end = move |outcome| sender.send(outcome).unwrap();
        // An easy target: the threads that were started find a block at once, and must not report it.
        let error = MiningJob::start_on(spawn, miner(EVERY_SECOND, 1), threads(4), on_end).unwrap_err();
        assert_eq!((error.started, error.threads.get()), (2, 4));
        assert_eq!(error.source.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(receiver.recv(), Err(RecvError));
        drop(ended);
        assert_eq!(ends.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
