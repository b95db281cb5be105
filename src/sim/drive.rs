//! One step of the network: a planned action becomes an input of a node, and the node's outputs are planned
//! as actions.

use core::time::Duration;
use std::sync::Arc;

use super::byzantine::{Byzantine, Said, swapped};
use super::disk::Disk;
use super::invariants::{Breach, Cause, Observation};
use super::latency::index;
use super::links::Place;
use super::node::{Role, address, listener};
use super::queue::Action;
use super::record::Record;
use super::{Simulation, Violation};
use crate::chain::{BlockError, Blockchain};
use crate::consensus::RuleError;
use crate::primitives::{Address, Header};
use crate::protocol::{CloseReason, Direction, Input, Message, Output, PeerAddr, Protocol};

/// How long a node waits for the answer of an unreachable node.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The errors of the simulated transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum TransportError {
    #[error("nobody listens there")]
    Refused,
    #[error("connection reset")]
    Reset,
    #[error("these bytes are no message")]
    Garbage,
}

impl Simulation {
    pub(super) fn act(&mut self, action: Action) -> Result<(), Violation> {
        match action {
            Action::Deliver { to, message } => self.deliver(to, message),
            Action::Garbage { to } => self.garbage(to),
            Action::Dialled { from, epoch, address } => self.dialled(from, epoch, address),
            Action::Accepted { at, from, epoch, address } => self.accepted(at, from, epoch, address),
            Action::DialFailed { from, epoch, address } => {
                self.dial_failed(from, epoch, address, TransportError::Refused)
            }
            Action::Ended { at, is_lost } => self.ended(at, is_lost),
            Action::Timer { node, epoch } => self.timer(node, epoch),
            Action::Mine { round } => self.mine_next(round),
            Action::Submit { round } => self.submit_next(round),
            Action::Attack { node, epoch } => {
                if self.nodes[node].epoch == epoch && self.nodes[node].is_up() {
                    self.plan_after(Some(self.config.attack_interval), Action::Attack { node, epoch });
                    let next = self.any_template();
                    self.lie(node, |liar, honest| liar.attack(next, honest));
                }
                Ok(())
            }
            Action::Fault(fault) => self.apply(fault),
        }
    }

    /// Starts a node that is down. No effect on a node that is up.
    pub(super) fn start(&mut self, node: usize, keeps_store: bool) -> Result<(), Violation> {
        let now = self.now(node);
        let seed = self.rng.u64(..);
        let Some(starting) = self.nodes.get_mut(node).filter(|node| !node.is_up()) else { return Ok(()) };
        starting.epoch += 1;
        let epoch = starting.epoch;
        if (self.config.nodes..self.config.nodes + self.config.byzantine).contains(&node) {
            starting.role = Role::Byzantine(Box::new(Byzantine::new(seed, &self.config.spec, now.wall)));
            self.plan_after(Some(self.config.attack_interval), Action::Attack { node, epoch });
            return Ok(());
        }
        starting.disk = if keeps_store { starting.disk.copy() } else { Disk::default() };
        let (disk, dials) = (starting.disk.clone(), starting.dials.clone());
        let config = self.config.protocol.clone().with_seed(seed).with_listen(Some(address(node)));
        let spec = self.config.spec.clone();
        let opened = Blockchain::open(spec, config.chain.clone(), Box::new(disk))
            .map_err(|error| Breach::Open { error: error.to_string() })
            .and_then(|chain| {
                Protocol::with_chain(chain, config, now.wall)
                    .map_err(|error| Breach::Open { error: error.to_string() })
            });
        let mut protocol = Box::new(opened.map_err(|breach| self.violation(Some(node), breach))?);
        for address in dials {
            // The configured limit may be lower than the number of addresses.
            let _ = protocol.connect(address, now);
        }
        let is_honest = node < self.config.nodes;
        self.nodes[node].role = if is_honest { Role::Honest(protocol) } else { Role::Withholding(protocol) };
        self.settle(node, &Cause::Started { keeps_store })
    }

    pub(super) fn crash(&mut self, node: usize) {
        for place in self.links.of_node(node) {
            self.hang_up(place);
        }
        let Some(crashing) = self.nodes.get_mut(node) else { return };
        crashing.role = Role::Down;
        crashing.timer = None;
        self.count_tip(node);
    }

    fn deliver(&mut self, to: Place, message: Message<Record>) -> Result<(), Violation> {
        let Some(node) = self.links.node(to) else { return Ok(()) };
        if !self.links.is_open(to) {
            // A sender on a closed connection is notified that the connection has ended.
            let latency = self.config.latency.sample(&mut self.rng);
            if let Some(at) = self.links.send_end(to, self.elapsed, latency) {
                self.queue.plan(at, Action::Ended { at: to.other(), is_lost: true });
            }
            return Ok(());
        }
        #[expect(clippy::expect_used, reason = "a record is two integers, which postcard can write")]
        let bytes = postcard::to_allocvec(&message).expect("a message has a form in postcard");
        self.record(Some(node), self.links.node(to.other()), message.kind(), &bytes);
        if let Role::Byzantine(_) = self.nodes[node].role {
            self.lie(node, |liar, _| liar.received(to.peer(), message));
            return Ok(());
        }
        let blocks = match &message {
            Message::Blocks(blocks) => blocks.as_slice(),
            Message::NewBlock(block) => core::slice::from_ref(block),
            _ => &[],
        };
        for block in blocks {
            self.measurements.received(block.hash(), node, self.elapsed);
        }
        self.handle(node, Input::Received { peer: to.peer(), message })
    }

    fn garbage(&mut self, to: Place) -> Result<(), Violation> {
        let Some(node) = self.links.node(to).filter(|_| self.links.is_open(to)) else { return Ok(()) };
        self.record(Some(node), self.links.node(to.other()), "garbage", &[]);
        self.handle(node, Input::Malformed { peer: to.peer(), error: Arc::new(TransportError::Garbage) })
    }

    fn dialled(&mut self, from: usize, epoch: u64, address: PeerAddr) -> Result<(), Violation> {
        if self.nodes[from].epoch != epoch || !self.nodes[from].is_up() {
            return Ok(());
        }
        let latency = self.config.latency.sample(&mut self.rng);
        let listening = listener(&address).filter(|node| *node < self.nodes.len());
        let is_cut = listening.is_some_and(|to| self.links.is_cut(from, to) || self.links.is_cut(to, from));
        let Some(to) = listening.filter(|node| !is_cut && self.nodes[*node].is_up()) else {
            let after = if is_cut { CONNECT_TIMEOUT } else { latency };
            self.queue.plan(self.elapsed + after, Action::DialFailed { from, epoch, address });
            return Ok(());
        };
        let dialling = self.links.open(from, to, self.elapsed);
        let accepting = dialling.other();
        if let Some(at) = self.links.send(accepting, self.elapsed, latency) {
            self.queue.plan(at, Action::Accepted { at: dialling, from, epoch, address });
        }
        self.connected(accepting, Direction::Inbound, caller(from))
    }

    fn accepted(&mut self, at: Place, from: usize, epoch: u64, address: PeerAddr) -> Result<(), Violation> {
        if self.links.is_open(at) {
            return self.connected(at, Direction::Outbound, address);
        }
        // The connection broke before the dialling node was notified. Every dial must have an outcome, or the
        // address would never be dialled again.
        self.dial_failed(from, epoch, address, TransportError::Reset)
    }

    fn dial_failed(
        &mut self,
        from: usize,
        epoch: u64,
        address: PeerAddr,
        error: TransportError,
    ) -> Result<(), Violation> {
        if self.nodes[from].epoch != epoch {
            return Ok(());
        }
        self.record(Some(from), None, "dial failed", address.as_str().as_bytes());
        self.handle(from, Input::DialFailed { address, error: Arc::new(error) })
    }

    fn connected(&mut self, at: Place, direction: Direction, address: PeerAddr) -> Result<(), Violation> {
        let Some(node) = self.links.node(at) else { return Ok(()) };
        self.record(Some(node), self.links.node(at.other()), "connected", &at.peer().0.to_be_bytes());
        self.lie(node, |liar, _| liar.connected(at.peer()));
        self.handle(node, Input::Connected { peer: at.peer(), direction, address, format: "none" })
    }

    fn ended(&mut self, at: Place, is_lost: bool) -> Result<(), Violation> {
        let Some(node) = self.links.node(at).filter(|_| self.links.is_open(at)) else { return Ok(()) };
        self.record(Some(node), self.links.node(at.other()), "ended", &[is_lost.into()]);
        self.links.close(at);
        self.lie(node, |liar, _| liar.ended(at.peer()));
        let reason =
            if is_lost { CloseReason::Lost(Arc::new(TransportError::Reset)) } else { CloseReason::Ended };
        self.handle(node, Input::Disconnected { peer: at.peer(), reason })
    }

    fn timer(&mut self, node: usize, epoch: u64) -> Result<(), Violation> {
        let owner = &mut self.nodes[node];
        // An earlier timer has replaced this one, or the node has crashed since.
        if owner.epoch != epoch || owner.timer != Some(self.elapsed) {
            return Ok(());
        }
        owner.timer = None;
        let deadline = owner.running().and_then(|protocol| protocol.poll_timeout());
        if deadline.is_none_or(|at| at > self.elapsed) {
            self.arm(node);
            return Ok(());
        }
        self.record(Some(node), None, "timeout", &[]);
        let now = self.now(node);
        if let Some(protocol) = self.nodes[node].running() {
            protocol.handle(Input::Timeout, now);
        }
        self.settle(node, &Cause::Timeout)
    }

    fn mine_next(&mut self, round: u64) -> Result<(), Violation> {
        let sum = self.hash_rates.last().copied().unwrap_or(0);
        if round != self.mining_round || sum == 0 {
            return Ok(());
        }
        self.plan_after(self.config.block_interval, Action::Mine { round });
        let drawn = self.rng.u64(..sum);
        // The hash rate of a node that is down is lost.
        self.mine(self.hash_rates.partition_point(|up_to| *up_to <= drawn))
    }

    /// Lets an honest node find a block now, if it is up.
    ///
    /// # Errors
    ///
    /// [`Violation`], if a node breaks an invariant.
    pub fn mine(&mut self, node: usize) -> Result<(), Violation> {
        let now = self.now(node);
        let Some(Role::Honest(protocol)) = self.nodes.get_mut(node).map(|node| &mut node.role) else {
            return Ok(());
        };
        let mut miner = [0; Address::LEN];
        miner[Address::LEN - 8..].copy_from_slice(&(node as u64).to_be_bytes());
        let found = match protocol.template(None, Address::from_bytes(miner), now.wall) {
            // The node's clock is too far behind the chain to mine.
            Err(BlockError::Rule(RuleError::TimestampTooLate { .. })) => Ok(None),
            Err(error) => Err(error.to_string()),
            Ok(template) => template.mine().map_err(|error| error.to_string()).and_then(|block| {
                let block = Arc::new(block);
                let outcome = protocol.mined(&block, now).map_err(|error| error.to_string());
                outcome.map(|is_best| Some((block, is_best)))
            }),
        };
        match found {
            Ok(Some((block, true))) => {
                self.measurements.mined(&block, node, self.elapsed);
                self.record(Some(node), None, "mined", block.hash().as_bytes());
                self.settle(node, &Cause::Input)
            }
            Ok(None) => self.settle(node, &Cause::Input),
            Ok(Some((_, false))) => {
                Err(self.violation(Some(node), Breach::OwnBlock { error: "not best".into() }))
            }
            Err(error) => Err(self.violation(Some(node), Breach::OwnBlock { error })),
        }
    }

    fn submit_next(&mut self, round: u64) -> Result<(), Violation> {
        if round != self.submit_round || self.config.nodes == 0 {
            return Ok(());
        }
        self.plan_after(self.config.transaction_interval, Action::Submit { round });
        let node = index(&mut self.rng, self.config.nodes);
        self.submit(node)
    }

    /// Submits a transaction to an honest node now, if it is up.
    ///
    /// # Errors
    ///
    /// [`Violation`], if a node breaks an invariant.
    pub fn submit(&mut self, node: usize) -> Result<(), Violation> {
        let now = self.now(node);
        let Some(Role::Honest(protocol)) = self.nodes.get_mut(node).map(|node| &mut node.role) else {
            return Ok(());
        };
        let number = self.submitted;
        self.submitted += 1;
        // A full mempool may refuse the transaction, which is no violation.
        let _ = protocol.submit(Record { author: node as u64, number }, now);
        self.record(Some(node), None, "submitted", &number.to_be_bytes());
        self.settle(node, &Cause::Input)
    }

    fn handle(&mut self, node: usize, input: Input<Record>) -> Result<(), Violation> {
        let now = self.now(node);
        let Some(protocol) = self.nodes[node].running() else { return Ok(()) };
        let cause = match &input {
            Input::Received { peer, message } => Cause::Received { peer: *peer, message: message.clone() },
            _ => Cause::Input,
        };
        protocol.handle(input, now);
        self.settle(node, &cause)
    }

    /// Checks the invariants of an honest node after an input, and then performs its outputs.
    fn settle(&mut self, node: usize, cause: &Cause) -> Result<(), Violation> {
        let Some(protocol) = self.nodes[node].running() else { return Ok(()) };
        let outputs: Vec<Output<Record>> = protocol.drain_outputs();
        let mut invariants = core::mem::take(&mut self.invariants);
        let observed = Observation::new(self, node, cause, protocol_of(&self.nodes[node].role), &outputs);
        let checked = observed.map_or(Ok(()), |observed| {
            invariants.iter_mut().try_for_each(|invariant| invariant.check(&observed))
        });
        self.invariants = invariants;
        checked.map_err(|breach| self.violation(Some(node), breach))?;
        for output in outputs {
            self.carry_out(node, output);
        }
        self.count_tip(node);
        if let Some(tip) = self.counted.get(node).copied().flatten() {
            self.trace.result(&tip);
        }
        self.arm(node);
        Ok(())
    }

    fn carry_out(&mut self, node: usize, output: Output<Record>) {
        match output {
            Output::Send { peers, message } => {
                let Some(message) = self.unless_withheld(node, message) else { return };
                for peer in peers {
                    self.send(Place::of(peer), |to| Action::Deliver { to, message: message.clone() });
                }
            }
            Output::Dial { address, .. } => self.dial(node, address),
            Output::Close { peer, .. } => self.hang_up(Place::of(peer)),
            Output::SendBlocks { .. } | Output::Event(_) => {}
        }
    }

    /// Returns the message that a node sends instead of `message`. A withholding node replaces or suppresses
    /// a delivery.
    fn unless_withheld(&mut self, node: usize, message: Message<Record>) -> Option<Message<Record>> {
        let Role::Withholding(_) = self.nodes[node].role else { return Some(message) };
        match message {
            Message::NewBlock(block) => Some(Message::Announce(*block.header())),
            Message::Blocks(blocks) => match self.rng.u8(0..5) {
                0 | 1 => {
                    Some(Message::NotFound { hashes: blocks.iter().map(|block| *block.hash()).collect() })
                }
                2 => Some(Message::Blocks(blocks.iter().map(|block| swapped(block)).collect())),
                _ => None,
            },
            Message::Transactions(_) => self.rng.bool().then(|| Message::Transactions(Vec::new())),
            message => Some(message),
        }
    }

    /// Returns the header of an empty template on the chain of a random honest node.
    fn any_template(&mut self) -> Option<Header> {
        let node = index(&mut self.rng, self.config.nodes);
        let wall = self.now(node).wall;
        let chain = self.nodes.get(node)?.protocol()?.chain();
        chain.template(Vec::new(), wall).ok().map(|template| *template.header())
    }

    /// Lets a Byzantine node act. `says` receives the number of honest nodes.
    fn lie(&mut self, node: usize, says: impl FnOnce(&mut Byzantine, usize) -> Vec<Said>) {
        let honest = self.config.nodes;
        let Role::Byzantine(liar) = &mut self.nodes[node].role else { return };
        for said in says(liar, honest) {
            match said {
                Said::Message(peer, message) => {
                    self.send(Place::of(peer), |to| Action::Deliver { to, message });
                }
                Said::Garbage(peer) => self.send(Place::of(peer), |to| Action::Garbage { to }),
                Said::Close(peer) => self.hang_up(Place::of(peer)),
                Said::Dial(to) => self.dial(node, address(to)),
            }
        }
    }

    fn send(&mut self, from: Place, arrival: impl FnOnce(Place) -> Action) {
        if !self.links.is_open(from) {
            return;
        }
        let breaks = self.config.breaks_per_million;
        if breaks > 0 && self.rng.u32(..1_000_000) < breaks {
            self.break_off(from);
            return;
        }
        let latency = self.config.latency.sample(&mut self.rng);
        if let Some(at) = self.links.send(from, self.elapsed, latency) {
            self.queue.plan(at, arrival(from.other()));
        }
    }

    fn dial(&mut self, from: usize, address: PeerAddr) {
        let latency = self.config.latency.sample(&mut self.rng);
        let epoch = self.nodes[from].epoch;
        self.queue.plan(self.elapsed + latency, Action::Dialled { from, epoch, address });
    }

    fn hang_up(&mut self, place: Place) {
        let latency = self.config.latency.sample(&mut self.rng);
        if let Some(at) = self.links.send_end(place, self.elapsed, latency) {
            self.queue.plan(at, Action::Ended { at: place.other(), is_lost: false });
        }
        self.links.close(place);
    }

    /// Plans the node's next timer. An earlier timer that is already planned is kept, and plans the next one
    /// when it fires. A deadline that each message moves back thus needs one entry in the queue, and not one
    /// for each message.
    fn arm(&mut self, node: usize) {
        let owner = &mut self.nodes[node];
        let Some(deadline) = owner.running().and_then(|protocol| protocol.poll_timeout()) else { return };
        let at = deadline.max(self.elapsed);
        if owner.timer.is_none_or(|planned| planned > at) {
            owner.timer = Some(at);
            self.queue.plan(at, Action::Timer { node, epoch: owner.epoch });
        }
    }

    /// Updates the counts of the different tips, so that checking for agreement need not visit every node.
    fn count_tip(&mut self, node: usize) {
        let tip = self.nodes[node].protocol().map(|protocol| *protocol.chain().tip().hash());
        let Some(counted) = self.counted.get_mut(node) else { return };
        let before = core::mem::replace(counted, tip);
        if before == tip {
            return;
        }
        if let Some(tip) = tip {
            *self.tips.entry(tip).or_default() += 1;
        }
        let Some(before) = before else { return };
        if let Some(count) = self.tips.get_mut(&before) {
            *count -= 1;
            if *count == 0 {
                self.tips.remove(&before);
            }
        }
    }
}

const fn protocol_of(role: &Role) -> Option<&Protocol<Record>> {
    match role {
        Role::Honest(protocol) => Some(protocol),
        Role::Down | Role::Byzantine(_) | Role::Withholding(_) => None,
    }
}

/// Returns the remote address of an inbound connection, at which no node listens.
#[expect(clippy::expect_used, reason = "printable, not empty and short")]
fn caller(node: usize) -> PeerAddr {
    format!("sim://caller-{node}").parse().expect("a valid address")
}
