//! The queue of outputs, with one method for each kind of output.

use std::collections::VecDeque;

use super::address::PeerAddr;
use super::answer::BlocksAnswer;
use super::close::CloseReason;
use super::config::printable;
use super::event::Event;
use super::io::Output;
use super::limits;
use super::message::Message;
use super::peer::PeerId;
use super::scope::Reach;

/// The outputs that the driver has not taken yet, in order.
#[derive(Debug)]
pub(super) struct Outbox<T> {
    outputs: VecDeque<Output<T>>,
}

impl<T> Outbox<T> {
    pub(super) const fn new() -> Self {
        Self { outputs: VecDeque::new() }
    }

    pub(super) fn pop(&mut self) -> Option<Output<T>> {
        self.outputs.pop_front()
    }

    /// Sends a message to one peer.
    pub(super) fn send(&mut self, peer: PeerId, message: Message<T>) {
        self.broadcast(vec![peer], message);
    }

    /// Sends one message to several peers; nothing if there are none.
    pub(super) fn broadcast(&mut self, peers: Vec<PeerId>, message: Message<T>) {
        if !peers.is_empty() {
            self.outputs.push_back(Output::Send { peers, message });
        }
    }

    /// Sends the blocks of an answer, which the driver reads.
    pub(super) fn send_blocks(&mut self, peer: PeerId, answer: BlocksAnswer<T>) {
        self.outputs.push_back(Output::SendBlocks { peer, answer });
    }

    pub(super) fn dial(&mut self, address: PeerAddr, reach: Reach) {
        self.outputs.push_back(Output::Dial { address, reach });
    }

    /// Tells the peer the reason, unless the peer has ended the connection, and closes the connection.
    pub(super) fn close(&mut self, peer: PeerId, reason: CloseReason) {
        if !matches!(reason, CloseReason::Bye { .. }) {
            let reason = printable(&reason.to_string(), limits::MAX_REASON_BYTES);
            self.send(peer, Message::Bye { reason });
        }
        self.close_silently(peer, reason);
    }

    /// Closes a connection without a message to the peer.
    pub(super) fn close_silently(&mut self, peer: PeerId, reason: CloseReason) {
        self.outputs.push_back(Output::Close { peer, reason });
    }

    pub(super) fn event(&mut self, event: Event<T>) {
        self.outputs.push_back(Output::Event(event));
    }
}
