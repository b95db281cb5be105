//! What can go wrong between two nodes, one variant per cause.

use core::error::Error;
use core::net::IpAddr;
use core::time::Duration;
use std::io;

use crate::primitives::Span;
use crate::protocol::{HostError, PeerAddr};
use crate::wire::WireError;

/// Why a transport could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The address is none of this transport's.
    #[error("bad address {address}: {problem}")]
    BadAddress {
        /// The address.
        address: PeerAddr,
        /// Which part of it, and what is expected there.
        #[source]
        problem: AddressProblem,
    },
    /// Somebody listens there already.
    #[error("address {address} is already in use; choose another port, or port 0 for any that is free")]
    AddressInUse {
        /// The address.
        address: PeerAddr,
    },
    /// The system does not let us listen there.
    #[error("cannot listen at {address}: {source}")]
    Bind {
        /// The address.
        address: PeerAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The host has no known network address.
    #[error("cannot resolve the host of {address}: {source}")]
    Resolve {
        /// The address.
        address: PeerAddr,
        /// What the resolver says.
        source: io::Error,
    },
    /// The address came from a peer and leads nearer to this node than a peer's word is taken for: a public name to a
    /// private network or to this machine.
    #[error("refused to connect to {address}, which a peer named: it leads to {resolved}")]
    OutOfReach {
        /// The address.
        address: PeerAddr,
        /// The first network address of the host.
        resolved: IpAddr,
    },
    /// The peer could not be reached.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// The address.
        address: PeerAddr,
        /// What the system says of the last attempt.
        source: io::Error,
    },
    /// Nobody listens at an address of [`Memory`](super::Memory).
    #[error("nobody listens at {address}")]
    NobodyListens {
        /// The address.
        address: PeerAddr,
    },
    /// It took too long.
    #[error("{step} with {address} took longer than {}", Span(*.after))]
    Timeout {
        /// The peer's address.
        address: PeerAddr,
        /// What took too long.
        step: &'static str,
        /// The time that was given to it.
        after: Duration,
    },
    /// The two ends have no wire format in common.
    #[error("no wire format in common with {address}: ours {}, theirs {}", list(.ours), list(.theirs))]
    NoSharedFormat {
        /// The peer's address.
        address: PeerAddr,
        /// The subprotocols of this side.
        ours: Vec<String>,
        /// The subprotocols of the peer, as far as it said.
        theirs: Vec<String>,
    },
    /// A browser connects for a web page that is not allowed to.
    #[error("refused {address}: a web page of {origin:?} may not connect here")]
    ForeignOrigin {
        /// The browser's address.
        address: PeerAddr,
        /// The page's origin.
        origin: String,
    },
    /// A peer speaks TLS where none is spoken.
    #[error("{address} speaks TLS where ws:// is listened at")]
    UnexpectedTls {
        /// The peer's address.
        address: PeerAddr,
    },
    /// Only TLS is spoken at the address.
    #[error("{address} speaks TLS only, dial it as wss://")]
    TlsRequired {
        /// The address.
        address: PeerAddr,
    },
    /// The two ends cannot agree on TLS, or one does not trust the other.
    #[cfg(feature = "tls")]
    #[error("TLS with {address}: {problem}")]
    Tls {
        /// The peer's address.
        address: PeerAddr,
        /// What is wrong.
        #[source]
        problem: super::TlsProblem,
    },
    /// The server at the address does not open WebSocket connections for us.
    #[error("{address} answered with HTTP status {status}: {body:?}")]
    Refused {
        /// The address.
        address: PeerAddr,
        /// The HTTP status code.
        status: u16,
        /// The beginning of what the server says.
        body: String,
    },
    /// The other end does not speak HTTP or WebSocket as it should.
    #[error("WebSocket handshake with {address} failed: {source}")]
    Handshake {
        /// The peer's address.
        address: PeerAddr,
        /// What the WebSocket library says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What arrived is no message. The peer is at fault; the connection can still be written to.
    #[error("malformed message: {0}")]
    Malformed(#[source] WireError),
    /// A message of ours cannot be written on this connection. Nothing was sent; the connection is unharmed.
    #[error("cannot send the message: {0}")]
    Unsendable(#[source] WireError),
    /// The peer broke the rules of the transport itself, below the messages.
    #[error("the peer broke the transport's rules: {0}")]
    Violation(#[source] Box<dyn Error + Send + Sync>),
    /// The network lost the connection.
    #[error("connection lost: {0}")]
    Io(#[source] io::Error),
    /// The peer is gone without having closed the connection.
    #[error("the peer vanished without closing the connection")]
    Vanished,
    /// The connection is closed already.
    #[error("the connection is closed")]
    Closed,
    /// A [`Switch`](super::Switch) is off.
    #[error("cut off from the network by a switch")]
    Cut,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressProblem {
    /// It begins with something else.
    #[error("expected it to begin with {expected}")]
    Scheme {
        /// The scheme of this transport.
        expected: &'static str,
    },
    /// It asks for TLS, which is not set up.
    #[error(
        "wss:// needs TLS to be set up (`WebSocketConfig::tls`, with the feature tls), expected ws://host:port"
    )]
    Tls,
    /// It is not encrypted, and peers have to prove who they are.
    #[error("peers have to prove who they are, which nobody can over ws://, expected wss://host:port")]
    Plain,
    /// It names no host, or one that cannot be.
    #[error("{0}, expected ws://host:port, with an IPv6 host in brackets")]
    Host(#[source] HostError),
    /// What follows the port is no path.
    #[error("no valid path, expected ws://host:port or ws://host:port/path")]
    Path,
    /// The port is no number up to 65535.
    #[error("no valid port, expected ws://host:port with a port from 0 to 65535")]
    Port,
    /// It names port 0, at which a node listens at any free port and no peer is reached.
    #[error("no peer is reached at port 0, expected ws://host:port with a port from 1 to 65535")]
    PortZero,
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
