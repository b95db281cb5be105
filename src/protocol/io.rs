//! The inputs and outputs of the protocol.

use core::error::Error;
use std::sync::Arc;

use super::address::PeerAddr;
use super::answer::BlocksAnswer;
use super::close::CloseReason;
use super::event::Event;
use super::message::Message;
use super::peer::{Direction, PeerId};
use super::scope::Reach;
use crate::primitives::Block;

/// A network event or a timeout, which the driver passes to the protocol.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input<T = String> {
    /// A connection is open: one that a peer opened, or the result of an [`Output::Dial`].
    Connected {
        /// The number that the driver assigned to the connection.
        peer: PeerId,
        /// Which side opened the connection.
        direction: Direction,
        /// The address that was dialled, or the remote address of an inbound connection.
        address: PeerAddr,
        /// The name of the wire format, for people.
        format: &'static str,
    },
    /// An [`Output::Dial`] failed.
    DialFailed {
        /// The address that was dialled.
        address: PeerAddr,
        /// The error of the transport.
        error: Arc<dyn Error + Send + Sync>,
    },
    /// A connection ended for any reason other than an [`Output::Close`].
    Disconnected {
        /// The connection.
        peer: PeerId,
        /// The reason that the transport gives.
        reason: CloseReason,
    },
    /// Bytes arrived that are not a valid message or that violate the rules of the transport. The peer is at
    /// fault, and the connection may still be writable.
    Malformed {
        /// The connection.
        peer: PeerId,
        /// The error of the wire format.
        error: Arc<dyn Error + Send + Sync>,
    },
    /// A message arrived.
    Received {
        /// The connection.
        peer: PeerId,
        /// The message.
        message: Message<T>,
    },
    /// Several messages with blocks arrived. Their blocks are imported together, so that the store makes them
    /// durable in one commit.
    ReceivedBlocks {
        /// The connection.
        peer: PeerId,
        /// The blocks of each message.
        messages: Vec<Vec<Arc<Block<T>>>>,
    },
    /// The deadline of [`Protocol::poll_timeout`](super::Protocol::poll_timeout) has passed. An early timeout
    /// is harmless.
    Timeout,
}

/// What the driver must do, in the order of the outputs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output<T = String> {
    /// Send one message to these peers. The driver must never wait for a peer whose queue is full: it drops
    /// the connection and reports an [`Input::Disconnected`].
    Send {
        /// The connections.
        peers: Vec<PeerId>,
        /// The message.
        message: Message<T>,
    },
    /// Send this peer the messages of [`Protocol::next_blocks`](super::Protocol::next_blocks), reading each
    /// one after the previous one was written, because together they may hold 64 blocks in memory. Later
    /// messages to this peer must follow the answer.
    SendBlocks {
        /// The connection.
        peer: PeerId,
        /// The blocks.
        answer: BlocksAnswer<T>,
    },
    /// Open a connection and answer with [`Input::Connected`] or [`Input::DialFailed`].
    Dial {
        /// The address to dial.
        address: PeerAddr,
        /// Which network addresses the connection may lead to.
        reach: Reach,
    },
    /// Close a connection after the queued messages are sent. The protocol has already removed the peer.
    Close {
        /// The connection.
        peer: PeerId,
        /// The reason. If the protocol sent the peer a `Bye`, that message precedes this output.
        reason: CloseReason,
    },
    /// Report an event to the application.
    Event(Event<T>),
}
