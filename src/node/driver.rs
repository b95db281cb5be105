//! The driver: one task that passes inputs to the protocol and performs its outputs. The driver never waits
//! for a peer, a miner or a handle.

use core::sync::atomic::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};

use super::command::Command;
use super::connection::{self, MAX_QUEUE_BYTES, PeerSender, Queued};
use super::end::NodeFailure;
use super::error::{PeerError, SubmitError};
use super::inbox::Waiting;
use super::incoming::Incoming;
use super::log::{EventLog, warn_once};
use super::mining::{JobEnded, Mining, MiningConfig};
use super::shared::{Shared, blocking};
use crate::primitives::{Hash, Transaction};
use crate::protocol::{CloseReason, Event, Input, Message, Output, PeerAddr, PeerId, Protocol, limits};
use crate::transport::{Listener, Outgoing, Transport, TransportError};

#[derive(Debug)]
pub(super) struct Driver<T: Transaction> {
    shared: Arc<Shared<T>>,
    transport: Option<Arc<dyn Transport<T>>>,
    mining: Mining<T>,
    mining_ended: mpsc::UnboundedReceiver<JobEnded<T>>,
    incoming: mpsc::Sender<Incoming<T>>,
    senders: BTreeMap<PeerId, PeerSender<T>>,
    next_peer: u64,
    event_log: EventLog,
    /// One task per connection.
    connections: JoinSet<()>,
    /// The task that accepts connections, if the node listens. The node ends with this task.
    accepting: JoinSet<TransportError>,
    /// Tasks that dial, and tasks that queue an input of the driver's own.
    background_tasks: JoinSet<()>,
    /// Last, so that it is dropped after all other fields.
    notifier: Notifier<T>,
}

/// Notifies handles and subscribers. Dropping it signals that the node has stopped.
#[derive(Debug)]
pub(super) struct Notifier<T> {
    pub(super) events: broadcast::Sender<Event<T>>,
    pub(super) changes: watch::Sender<()>,
}

/// How long a shutdown waits until peers have read the goodbye.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

impl<T: Transaction> Driver<T> {
    pub(super) fn new(
        shared: Arc<Shared<T>>,
        notifier: Notifier<T>,
        transport: Option<Arc<dyn Transport<T>>>,
        mining: MiningConfig,
        incoming: mpsc::Sender<Incoming<T>>,
    ) -> Self {
        // Unbounded, but a job sends at most one message and only one job runs at a time.
        let (ended, mining_ended) = mpsc::unbounded_channel();
        let chain = shared.read().chain().spec().name().to_owned();
        Self {
            mining: Mining::new(mining, ended, transport.clone()),
            mining_ended,
            shared,
            transport,
            incoming,
            senders: BTreeMap::new(),
            next_peer: 0,
            event_log: EventLog::new(chain),
            connections: JoinSet::new(),
            accepting: JoinSet::new(),
            background_tasks: JoinSet::new(),
            notifier,
        }
    }

    /// Accepts connections. The protocol admits up to `max_inbound` of them.
    pub(super) fn accept(&mut self, listener: Box<dyn Listener<T>>, max_inbound: usize) {
        self.accepting.spawn(connection::accept(listener, max_inbound, self.incoming.clone()));
    }

    pub(super) async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Incoming<T>>,
        mut commands: mpsc::Receiver<Command<T>>,
    ) -> Result<(), NodeFailure> {
        // Performs the outputs of the start: the first dials, and events about what was restored from the
        // store.
        self.handle(Input::Timeout);
        let mut prefers_commands = false;
        let mut store_checks = interval(limits::STORE_CHECK);
        store_checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = loop {
            prefers_commands = !prefers_commands;
            self.mining.pump(&self.shared);
            self.report_mining();
            if self.mining.take_outputs() {
                self.with_protocol(|_, _| ());
            }
            let deadline = self.shared.read().poll_timeout().into_iter().chain(self.mining.deadline()).min();
            let deadline = deadline.map(|elapsed| self.shared.clock.at(elapsed));
            // In a fixed order, so that a simulation is repeatable: rare events first, then commands and
            // inputs in turns, because either can arrive without a pause.
            tokio::select! {
                biased;
                () = sleep_until(deadline.unwrap_or_else(|| self.shared.clock.at(Duration::ZERO))),
                    if deadline.is_some() => self.handle(Input::Timeout),
                Some(ended) = self.mining_ended.recv() => self.mined(ended),
                () = self.mining.cancelled() => self.mining.cancel(&self.shared),
                Some(ended) = self.connections.join_next_with_id() => {
                    if let Err(error) = ended {
                        self.connection_failed(error);
                    }
                }
                Some(ended) = self.accepting.join_next() => break Err(match ended {
                    Ok(error) => NodeFailure::Listener(Arc::new(error)),
                    Err(error) => error.into(),
                }),
                Some(_) = self.background_tasks.join_next() => {}
                _ = store_checks.tick(), if self.shared.waits_for_disk => {
                    self.on_disk(|driver| driver.with_protocol(Protocol::check_store));
                }
                turn = next_turn(&mut commands, &mut inputs, prefers_commands) => match turn {
                    Turn::Command(Some(Command::Shutdown) | None) => break Ok(()),
                    Turn::Command(Some(command)) => self.command(command),
                    Turn::Input(input) => self.input(input),
                },
            }
        };
        // Handles and connection tasks see at once that the driver accepts nothing more.
        drop((commands, inputs));
        self.stop().await;
        ended
    }

    async fn stop(mut self) {
        self.mining.stop(&self.shared);
        self.report_mining();
        // Releases the port.
        self.accepting.shutdown().await;
        self.background_tasks.shutdown().await;
        // Queues the goodbyes and updates the store.
        self.on_disk(|driver| driver.with_protocol(Protocol::shutdown));
        // A connection whose `PeerSender` is dropped writes what is queued and closes.
        self.senders.clear();
        let goodbyes = async { while self.connections.join_next().await.is_some() {} };
        // A peer that does not read in time loses only the goodbye.
        let _ = timeout(SHUTDOWN_TIMEOUT, goodbyes).await;
        self.connections.shutdown().await;
    }

    /// Handles a connection task that was aborted, of which the protocol knows already, or that panicked in a
    /// transport or in the application's type. After a panic the peer is reported as disconnected.
    fn connection_failed(&mut self, error: JoinError) {
        let is_ended = |sender: &PeerSender<T>| sender.is_of(error.id());
        let Some(peer) = self.senders.iter().find(|(_, sender)| is_ended(sender)).map(|(peer, _)| *peer)
        else {
            return;
        };
        self.handle(Input::Disconnected { peer, reason: CloseReason::Lost(Arc::new(error)) });
    }

    fn input(&mut self, input: Incoming<T>) {
        match input {
            Incoming::Opened { direction, address, connection, place } => {
                let format = connection.format();
                let peer = PeerId(self.next_peer);
                self.next_peer += 1;
                let sender = connection::open(
                    peer,
                    connection,
                    place,
                    self.transport.clone(),
                    &self.shared,
                    &self.incoming,
                    &mut self.connections,
                );
                self.senders.insert(peer, sender);
                self.handle(Input::Connected { peer, direction, address, format });
            }
            Incoming::Received(inbox) => {
                // Lets the connection read the next message while the driver handles this one.
                let Some(Waiting { mut input, unsendable }) = inbox.take() else { return };
                if let Input::Received { message, .. } = &mut input {
                    self.drop_foreign_addresses(message);
                }
                for (id, error) in unsendable {
                    self.with_protocol(|protocol, _| protocol.refuse_transaction(id, error));
                }
                self.handle(input);
            }
            Incoming::Input(input) => self.handle(input),
            Incoming::ReadFailed(error) => self.with_protocol(|protocol, _| protocol.read_failed(error)),
            Incoming::Unsendable(error) => {
                let is_first = !core::mem::replace(&mut self.event_log.unsendable, true);
                warn_once(
                    is_first,
                    &error,
                    "a message cannot be encoded for a peer, which is sent a substitute",
                );
            }
        }
    }

    fn command(&mut self, command: Command<T>) {
        // If the caller has dropped its future, the reply is not needed.
        match command {
            Command::Submit { transaction, reply } => {
                let _ = reply.send(self.submit(transaction));
            }
            Command::RemoveTransaction { id, reply } => {
                let _ = reply.send(self.with_protocol(|protocol, now| protocol.remove_transaction(&id, now)));
            }
            #[cfg(feature = "evidence")]
            Command::SignCheckpoint { reply } => {
                let signed =
                    self.on_disk(|driver| driver.with_protocol(|protocol, _| protocol.sign_checkpoint()));
                let _ = reply.send(signed);
            }
            #[cfg(feature = "evidence")]
            Command::AddCheckpoint { request, reply } => {
                let cosigned = self.on_disk(|driver| {
                    driver.with_protocol(|protocol, now| protocol.add_checkpoint(&request, now))
                });
                let _ = reply.send(cosigned);
            }
            Command::Mine { data, reply } => self.mining.request(data, reply),
            Command::MineContinuously(continuously) => self.mining.set_continuous(continuously, &self.shared),
            Command::Connect { address, reply } => {
                let _ = reply.send(self.connect(address));
            }
            Command::Disconnect { peer } => {
                self.with_protocol(|protocol, now| protocol.disconnect(peer, CloseReason::Requested, now));
            }
            Command::Remove { peer, reply } => {
                let _ = reply.send(self.with_protocol(|protocol, now| protocol.remove(peer, now)));
            }
            Command::ForgetAddress { address, reply } => {
                let _ =
                    reply.send(self.with_protocol(|protocol, now| protocol.forget_address(&address, now)));
            }
            Command::Ban { host, duration, reply } => {
                self.with_protocol(|protocol, now| protocol.ban(&host, duration, now));
                let _ = reply.send(());
            }
            Command::Unban { host, reply } => {
                let _ = reply.send(self.with_protocol(|protocol, now| protocol.unban(&host, now)));
            }
            Command::ReadFailed(error) => self.with_protocol(|protocol, _| protocol.read_failed(error)),
            Command::Shutdown => {}
        }
    }

    fn submit(&mut self, transaction: T) -> Result<Hash, SubmitError> {
        let Some(transport) = &self.transport else {
            return Ok(self.with_protocol(|protocol, now| protocol.submit(transaction, now))?);
        };
        let message = Outgoing::new(Message::Transactions(vec![transaction.clone()]));
        transport.check_message(&message).map_err(SubmitError::Unsendable)?;
        Ok(self.with_protocol(|protocol, now| protocol.submit(transaction, now))?)
    }

    fn connect(&mut self, address: PeerAddr) -> Result<(), PeerError> {
        let transport = self.transport.as_ref().ok_or(PeerError::NoTransport)?;
        transport.check_address(&address)?;
        Ok(self.with_protocol(|protocol, now| protocol.connect(address, now))?)
    }

    /// Drops advertised addresses that the transport cannot dial: the protocol does not know the transport,
    /// and would keep and dial them. A message with too many addresses is left alone, so that the protocol
    /// refuses it.
    fn drop_foreign_addresses(&self, message: &mut Message<T>) {
        let Some(transport) = &self.transport else { return };
        let is_ours = |address: &PeerAddr| transport.check_address(address).is_ok();
        match message {
            Message::Peers { addresses } if addresses.len() <= limits::MAX_PEERS_PER_MESSAGE => {
                addresses.retain(is_ours);
            }
            Message::Hello(hello) => hello.listen = hello.listen.take().filter(is_ours),
            _ => {}
        }
    }

    fn mined(&mut self, ended: JobEnded<T>) {
        let Some(found) = self.mining.found(ended, &self.shared) else { return };
        self.report_mining();
        let block = &found.block;
        let outcome = self.on_disk(|driver| driver.with_protocol(|protocol, now| protocol.mined(block, now)));
        #[cfg(feature = "metrics")]
        if outcome.is_ok() {
            self.shared.counts.mined.inc();
        }
        self.mining.delivered(found, outcome, &self.shared);
    }

    fn report_mining(&mut self) {
        for event in self.mining.take_events() {
            self.perform(Output::Event(event));
        }
    }

    fn handle(&mut self, input: Input<T>) {
        if let Input::Disconnected { peer, .. } = &input {
            self.senders.remove(peer);
        }
        // These inputs write to the store, or read many rows. Other inputs read about twenty rows at most,
        // which costs less than moving the other tasks of this thread. Only `Headers` may need more: one row
        // for each header that is known already and far below the tip.
        let is_on_disk = match &input {
            Input::Timeout | Input::ReceivedBlocks { .. } => true,
            Input::Received { message, .. } => {
                matches!(message, Message::NewBlock(_) | Message::GetHeaders { .. })
            }
            _ => false,
        };
        let handle = |driver: &mut Self| driver.with_protocol(|protocol, now| protocol.handle(input, now));
        if is_on_disk {
            self.on_disk(handle);
        } else {
            handle(self);
        }
    }

    /// Runs a call that may block on disk I/O.
    fn on_disk<R>(&mut self, call: impl FnOnce(&mut Self) -> R) -> R {
        if self.shared.waits_for_disk { blocking(|| call(self)) } else { call(self) }
    }

    /// Calls the protocol under the write lock, and performs its outputs after releasing the lock.
    fn with_protocol<R>(&mut self, call: impl FnOnce(&mut Protocol<T>, crate::protocol::Now) -> R) -> R {
        let now = self.shared.clock.now();
        let mut outputs = Vec::new();
        let result = {
            let mut protocol = self.shared.write();
            let result = call(&mut protocol, now);
            while let Some(output) = protocol.poll_output() {
                outputs.push(output);
            }
            self.shared.has_pending.store(!protocol.mempool().is_empty(), Ordering::Relaxed);
            result
        };
        for output in outputs {
            self.perform(output);
        }
        self.event_log.flush();
        self.notifier.changes.send_replace(());
        result
    }

    fn perform(&mut self, output: Output<T>) {
        match output {
            Output::Send { peers, message } => {
                let message = Outgoing::new(message);
                for peer in peers {
                    self.send(peer, Queued::Message(message.clone()));
                }
            }
            Output::SendBlocks { peer, answer } => self.send(peer, Queued::Blocks(answer)),
            Output::Dial { address, reach } => {
                if let Some(transport) = &self.transport {
                    let dial = connection::dial(Arc::clone(transport), address, reach, self.incoming.clone());
                    self.background_tasks.spawn(dial);
                }
            }
            Output::Close { peer, .. } => {
                self.senders.remove(&peer);
            }
            Output::Event(event) => {
                #[cfg(feature = "metrics")]
                self.shared.counts.on_event(&event);
                self.event_log.log(&event);
                // An error means that there is no subscriber.
                let _ = self.notifier.events.send(event);
            }
        }
    }

    fn send(&mut self, peer: PeerId, queued: Queued<T>) {
        let Some(sender) = self.senders.get(&peer) else { return };
        if !sender.send(queued) {
            sender.abort();
            self.senders.remove(&peer);
            let reason = CloseReason::QueueFull { limit: MAX_QUEUE_BYTES };
            let incoming = self.incoming.clone();
            // Queued and not handled here, because the driver is in the middle of performing the protocol's
            // outputs.
            self.background_tasks.spawn(async move {
                let _ = incoming.send(Incoming::Input(Input::Disconnected { peer, reason })).await;
            });
        }
    }
}

/// What the driver processes next.
enum Turn<T: Transaction> {
    /// `None` if the last handle was dropped.
    Command(Option<Command<T>>),
    Input(Incoming<T>),
}

/// Waits for the next command or input. The driver alternates `prefers_commands`, so that neither handles nor
/// peers starve the other. Cancel-safe.
async fn next_turn<T: Transaction>(
    commands: &mut mpsc::Receiver<Command<T>>,
    inputs: &mut mpsc::Receiver<Incoming<T>>,
    prefers_commands: bool,
) -> Turn<T> {
    if prefers_commands {
        tokio::select! {
            biased;
            command = commands.recv() => Turn::Command(command),
            Some(input) = inputs.recv() => Turn::Input(input),
        }
    } else {
        tokio::select! {
            biased;
            Some(input) = inputs.recv() => Turn::Input(input),
            command = commands.recv() => Turn::Command(command),
        }
    }
}
