//! Schedules mining: requests first, one at a time in the order of their arrival, then block after block if
//! continuous mining is on. The search runs on threads of its own, and stops as soon as the tip changes.

use core::num::NonZeroUsize;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::error::MineError;
use super::shared::{Running, Shared};
use crate::chain::BlockError;
use crate::consensus::RuleError;
use crate::miner::{Miner, MiningJob, MiningOutcome, Template};
use crate::primitives::{Address, Block, Hash, Target, Transaction, Work};
use crate::protocol::{Event, MiningStatus, Now, TemplateError, check_sendable};
use crate::transport::{Outgoing, Transport};

/// How many requests may be queued.
pub(super) const MAX_REQUESTS: usize = 64;

/// The pause after continuous mining has failed; doubled after each further failure.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause of continuous mining.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// When a search is first reported to go on. Reported again after twice the time each, up to [`MAX_REPORT_INTERVAL`].
const FIRST_REPORT: Duration = Duration::from_secs(10);
/// The longest time between two reports of a search.
const MAX_REPORT_INTERVAL: Duration = Duration::from_secs(600);

/// The pause of continuous mining after a failure.
#[derive(Debug)]
struct Pause {
    error: String,
    wait: Duration,
    until: Duration,
    /// Whether `until` has passed, so that continuous mining is tried again.
    is_over: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct MiningConfig {
    pub(super) threads: NonZeroUsize,
    pub(super) miner: Address,
    pub(super) continuously: bool,
}

impl Default for MiningConfig {
    fn default() -> Self {
        Self { threads: NonZeroUsize::MIN, miner: Address::ZERO, continuously: false }
    }
}

type Reply<T> = oneshot::Sender<Result<Arc<Block<T>>, MineError>>;

/// A caller that waits for a block.
#[derive(Debug)]
pub(super) struct Request<T> {
    /// The transactions of the block; `None` for the pending ones.
    data: Option<Vec<T>>,
    reply: Reply<T>,
}

/// The end of a mining job.
#[derive(Debug)]
pub(super) struct JobEnded<T> {
    number: u64,
    outcome: MiningOutcome<T>,
}

/// A mined block, and the request that it answers.
#[derive(Debug)]
pub(super) struct Found<T> {
    pub(super) block: Arc<Block<T>>,
    request: Option<Request<T>>,
}

#[derive(Debug)]
struct Job<T> {
    number: u64,
    threads: Arc<MiningJob>,
    /// The hash of the block that this job extends.
    parent: Hash,
    request: Option<Request<T>>,
    report: Report,
}

/// When a search is reported next, and how long after the last report that is.
#[derive(Clone, Copy, Debug)]
struct Report {
    due: Duration,
    after: Duration,
}

#[derive(Debug)]
pub(super) struct Mining<T> {
    config: MiningConfig,
    queue: VecDeque<Request<T>>,
    job: Option<Job<T>>,
    jobs: u64,
    /// Whether pending transactions were removed, because no block could be mined with them, or the clock was
    /// found to be behind.
    has_outputs: bool,
    /// What the driver has to report: at most the end of one search and the start of the next, for each request.
    events: Vec<Event<T>>,
    /// Set when continuous mining fails, until it finds a block.
    pause: Option<Pause>,
    ended: mpsc::UnboundedSender<JobEnded<T>>,
    /// The transport that must be able to encode the blocks.
    transport: Option<Arc<dyn Transport<T>>>,
}

impl<T: Transaction> Mining<T> {
    pub(super) const fn new(
        config: MiningConfig,
        ended: mpsc::UnboundedSender<JobEnded<T>>,
        transport: Option<Arc<dyn Transport<T>>>,
    ) -> Self {
        Self {
            config,
            queue: VecDeque::new(),
            job: None,
            jobs: 0,
            has_outputs: false,
            events: Vec::new(),
            pause: None,
            ended,
            transport,
        }
    }

    pub(super) fn request(&mut self, data: Option<Vec<T>>, reply: Reply<T>) {
        self.queue.retain(|request| !request.reply.is_closed());
        if self.queue.len() >= MAX_REQUESTS {
            // If the caller has dropped its future, the reply is not needed.
            let _ = reply.send(Err(MineError::Busy { limit: MAX_REQUESTS }));
            return;
        }
        self.queue.push_back(Request { data, reply });
    }

    pub(super) fn set_continuous(&mut self, continuously: bool, shared: &Shared<T>) {
        self.config.continuously = continuously;
        if !continuously && self.job.as_ref().is_some_and(|job| job.request.is_none()) {
            self.interrupt(shared);
        }
    }

    /// Starts or replaces the mining job, so that what should be mined is being mined on top of the current
    /// tip.
    pub(super) fn pump(&mut self, shared: &Shared<T>) {
        let (tip, is_halted) = {
            let protocol = shared.read();
            (*protocol.chain().tip().hash(), protocol.is_halted())
        };
        self.report_progress(shared);
        if let Some(job) = &self.job {
            // A block that cannot be stored is not worth searching for.
            let is_stale = job.parent != tip || is_halted;
            let is_preempted = job.request.is_none() && !self.queue.is_empty();
            if !is_stale && !is_preempted {
                return;
            }
            self.interrupt(shared);
        }
        while self.job.is_none() {
            let request = self.queue.pop_front();
            if request.as_ref().is_some_and(|request| request.reply.is_closed()) {
                continue;
            }
            let may_continue = self.config.continuously && !self.is_pausing(shared);
            if request.is_none() && (is_halted || !may_continue) {
                return;
            }
            if let Err((request, error)) = self.start(request, shared) {
                if matches!(error, MineError::ClockBehind { .. }) {
                    shared.write().watch_clock(shared.clock.now());
                    self.has_outputs = true;
                }
                let Some(request) = request else {
                    self.failed(&error, shared);
                    return;
                };
                // If the caller has dropped its future, the reply is not needed.
                let _ = request.reply.send(Err(error));
            }
        }
    }

    fn start(
        &mut self,
        request: Option<Request<T>>,
        shared: &Shared<T>,
    ) -> Result<(), (Option<Request<T>>, MineError)> {
        let now = shared.clock.now();
        let data = request.as_ref().and_then(|request| request.data.clone());
        let template = match self.template(data, now, shared) {
            Ok(template) => template,
            Err(error) => return Err((request, error)),
        };
        let header = template.header();
        let (parent, target) = (header.previous_hash, header.target);
        let work = Target::try_from(target).map_or(Work::default(), Work::from);
        let search = MiningStatus::new(header.height, shared.read().chain().difficulty(target), work);
        match self.spawn(template) {
            Ok(threads) => {
                let threads = Arc::new(threads);
                shared.set_mining(Some(Running {
                    threads: Arc::clone(&threads),
                    search,
                    since: now.elapsed,
                }));
                let report = Report { due: now.elapsed.saturating_add(FIRST_REPORT), after: FIRST_REPORT };
                self.job = Some(Job { number: self.jobs, threads, parent, request, report });
                self.events.push(Event::MiningStarted(search));
                Ok(())
            }
            Err(error) => Err((request, error)),
        }
    }

    /// The template of the next block, with these transactions or with the pending ones. A pending
    /// transaction that prevents mining is removed.
    fn template(
        &mut self,
        data: Option<Vec<T>>,
        now: Now,
        shared: &Shared<T>,
    ) -> Result<Template<T>, MineError> {
        let is_pending = data.is_none();
        let transport = self.transport.as_deref();
        let check =
            |message| transport.map_or(Ok(()), |transport| transport.check_message(&Outgoing::new(message)));
        let template = shared.read().template(data, self.config.miner, now.wall);
        let checked = template.map_err(TemplateError::Refused).and_then(|template| {
            check_sendable(template.clone(), check).map_err(TemplateError::Unsendable)?;
            Ok(template)
        });
        match checked {
            Err(error) if is_pending && error.blames_body() => {
                self.has_outputs = true;
                Ok(shared.write().minable_template(self.config.miner, now, check)?)
            }
            checked => Ok(checked?),
        }
    }

    /// Whether the protocol may have outputs that the driver must perform, since the last call of this
    /// method.
    pub(super) const fn take_outputs(&mut self) -> bool {
        core::mem::replace(&mut self.has_outputs, false)
    }

    /// The events since the last call.
    pub(super) fn take_events(&mut self) -> Vec<Event<T>> {
        core::mem::take(&mut self.events)
    }

    /// Reports a search that has been going on for long.
    fn report_progress(&mut self, shared: &Shared<T>) {
        let now = shared.clock.now().elapsed;
        let Some(job) = self.job.as_mut().filter(|job| job.report.due <= now) else { return };
        let after = (job.report.after * 2).min(MAX_REPORT_INTERVAL);
        job.report = Report { due: now.saturating_add(after), after };
        self.events.extend(shared.mining_status().map(Event::MiningContinues));
    }

    /// Reports the end of the current search.
    fn report_end(&mut self, found: Option<Hash>, shared: &Shared<T>) {
        let search = shared.mining_status();
        shared.set_mining(None);
        self.events.extend(search.map(|search| Event::MiningEnded { search, found }));
    }

    fn spawn(&mut self, template: Template<T>) -> Result<MiningJob, MineError> {
        self.jobs += 1;
        let number = self.jobs;
        let ended = self.ended.clone();
        let miner =
            Miner::new(template).map_err(|error| MineError::Refused(RuleError::from(error).into()))?;
        Ok(MiningJob::start(miner, self.config.threads, move |outcome| {
            // If the driver has ended, the block is not needed.
            let _ = ended.send(JobEnded { number, outcome });
        })?)
    }

    /// The result of the current job: a block, and its request. `None` if the outcome is of an earlier job,
    /// if the caller has dropped its request, or if the job found no block.
    pub(super) fn found(&mut self, ended: JobEnded<T>, shared: &Shared<T>) -> Option<Found<T>> {
        let job = self.job.as_ref()?;
        if job.number != ended.number {
            return None;
        }
        if job.request.as_ref().is_some_and(|request| request.reply.is_closed()) {
            self.cancel(shared);
            return None;
        }
        if let MiningOutcome::Found(block) = ended.outcome {
            self.report_end(Some(*block.hash()), shared);
            return Some(Found { block: Arc::new(block), request: self.job.take()?.request });
        }
        // The search ended without a block, so the request is queued again.
        self.interrupt(shared);
        None
    }

    /// Handles the import of a mined block. A requested block that did not become the tip is mined again.
    pub(super) fn delivered(
        &mut self,
        found: Found<T>,
        outcome: Result<bool, BlockError>,
        shared: &Shared<T>,
    ) {
        let Found { block, request } = found;
        if outcome.is_ok() && self.pause.take().is_some() {
            shared.set_mining_error(None);
            tracing::info!("a block is mined again");
        }
        match (outcome, request) {
            // The timestamp is too late only if the clock was set back during the search.
            (Ok(false) | Err(BlockError::Rule(RuleError::TimestampTooLate { .. })), Some(request)) => {
                self.queue.push_front(request);
            }
            // If the caller has dropped its future, the reply is not needed.
            (Ok(true), Some(request)) => drop(request.reply.send(Ok(block))),
            (Err(error), Some(request)) => drop(request.reply.send(Err(MineError::Refused(error)))),
            (Err(error), None) => self.failed(&MineError::Refused(error), shared),
            (Ok(_), None) => {}
        }
    }

    /// When continuous mining is tried again after a failure, or the search is reported next.
    pub(super) fn deadline(&self) -> Option<Duration> {
        if let Some(job) = &self.job {
            return Some(job.report.due);
        }
        let pause = self.pause.as_ref().filter(|_| self.config.continuously)?;
        (!pause.is_over).then_some(pause.until)
    }

    fn is_pausing(&mut self, shared: &Shared<T>) -> bool {
        let now = shared.clock.now().elapsed;
        let Some(pause) = &mut self.pause else { return false };
        pause.is_over |= pause.until <= now;
        !pause.is_over
    }

    /// Pauses continuous mining. Each further failure doubles the pause, until a block is found. Logs the
    /// error if it differs from the last one. An error of the clock is not logged here and causes no pause:
    /// the protocol reports when the clock is behind, and wakes the driver when it has caught up.
    fn failed(&mut self, error: &MineError, shared: &Shared<T>) {
        if matches!(
            error,
            MineError::ClockBehind { .. }
                | MineError::Refused(BlockError::Rule(RuleError::TimestampTooLate { .. }))
        ) {
            return;
        }
        let text = error.to_string();
        let last = self.pause.take();
        if last.as_ref().is_none_or(|last| last.error != text) {
            tracing::error!(%error, "cannot mine, trying again later");
            shared.set_mining_error(Some(text.clone()));
        }
        let wait = last.map_or(MIN_PAUSE, |last| (last.wait * 2).min(MAX_PAUSE));
        let until = shared.clock.now().elapsed + wait;
        self.pause = Some(Pause { error: text, wait, until, is_over: false });
    }

    /// Waits until the caller of the current job has dropped its request.
    pub(super) async fn cancelled(&mut self) {
        match self.job.as_mut().and_then(|job| job.request.as_mut()) {
            Some(request) => request.reply.closed().await,
            None => core::future::pending().await,
        }
    }

    /// Stops the current job, and drops the requests whose callers have dropped their futures.
    pub(super) fn cancel(&mut self, shared: &Shared<T>) {
        self.interrupt(shared);
        self.queue.retain(|request| !request.reply.is_closed());
    }

    pub(super) fn stop(&mut self, shared: &Shared<T>) {
        self.config.continuously = false;
        self.interrupt(shared);
        self.queue.clear();
    }

    /// Stops the current job and puts its request back at the front of the queue.
    fn interrupt(&mut self, shared: &Shared<T>) {
        let Some(job) = self.job.take() else { return };
        job.threads.stop();
        self.report_end(None, shared);
        if let Some(request) = job.request {
            self.queue.push_front(request);
        }
    }
}
