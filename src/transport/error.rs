//! The errors of transports, one variant per cause.

use core::error::Error;
use core::net::IpAddr;
use core::time::Duration;
use std::io;

use crate::primitives::Span;
use crate::protocol::{HostError, PeerAddr};
use crate::wire::WireError;

/// Why a transport could not perform an operation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The address is not valid for this transport.
    #[error("bad address {address}: {problem}")]
    BadAddress {
        /// The address.
        address: PeerAddr,
        /// The bad part of the address, and what is expected there.
        #[source]
        problem: AddressProblem,
    },
    /// Another socket listens at the address already.
    #[error("address {address} is already in use; choose another port, or port 0 for any that is free")]
    AddressInUse {
        /// The address.
        address: PeerAddr,
    },
    /// The operating system does not permit listening at the address.
    #[error("cannot listen at {address}: {source}")]
    Bind {
        /// The address.
        address: PeerAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The host name cannot be resolved.
    #[error("cannot resolve the host of {address}: {source}")]
    Resolve {
        /// The address.
        address: PeerAddr,
        /// The error of the resolver.
        source: io::Error,
    },
    /// A peer advertised the address, and its host resolves to a network closer to this node than its text
    /// says: a public name that leads to a private network or to this machine.
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
        /// The error of the last attempt.
        source: io::Error,
    },
    /// No listener exists at an address of [`Memory`](super::Memory).
    #[error("nobody listens at {address}")]
    NobodyListens {
        /// The address.
        address: PeerAddr,
    },
    /// A step took too long.
    #[error("{step} with {address} took longer than {}", Span(*.after))]
    Timeout {
        /// The peer's address.
        address: PeerAddr,
        /// The step that took too long.
        step: &'static str,
        /// The time limit of the step.
        after: Duration,
    },
    /// The two ends have no wire format in common.
    #[error("no wire format in common with {address}: ours {}, theirs {}", list(.ours), list(.theirs))]
    NoSharedFormat {
        /// The peer's address.
        address: PeerAddr,
        /// The subprotocols of this side.
        ours: Vec<String>,
        /// The subprotocols of the peer, if it listed any.
        theirs: Vec<String>,
    },
    /// A browser connects on behalf of a web page whose origin is not allowed.
    #[error("refused {address}: a web page of {origin:?} may not connect here")]
    ForeignOrigin {
        /// The browser's address.
        address: PeerAddr,
        /// The page's origin.
        origin: String,
    },
    /// The peer speaks TLS at a port that does not.
    #[error("{address} speaks TLS where ws:// is listened at")]
    UnexpectedTls {
        /// The peer's address.
        address: PeerAddr,
    },
    /// The port at the address speaks only TLS.
    #[error("{address} speaks TLS only, dial it as wss://")]
    TlsRequired {
        /// The address.
        address: PeerAddr,
    },
    /// The TLS handshake failed, or one end does not trust the other.
    #[cfg(feature = "tls")]
    #[error("TLS with {address}: {problem}")]
    Tls {
        /// The peer's address.
        address: PeerAddr,
        /// The cause.
        #[source]
        problem: super::TlsProblem,
    },
    /// The server at the address refuses to open a WebSocket connection.
    #[error("{address} answered with HTTP status {status}: {body:?}")]
    Refused {
        /// The address.
        address: PeerAddr,
        /// The HTTP status code.
        status: u16,
        /// The beginning of the response body.
        body: String,
    },
    /// The other end violates HTTP or WebSocket in the handshake.
    #[error("WebSocket handshake with {address} failed: {source}")]
    Handshake {
        /// The peer's address.
        address: PeerAddr,
        /// The error of the WebSocket library.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The peer sent something that is not a valid message. The connection can still be written to.
    #[error("malformed message: {0}")]
    Malformed(#[source] WireError),
    /// A message of this side cannot be encoded for this connection. Nothing was sent; the connection is not
    /// affected.
    #[error("cannot send the message: {0}")]
    Unsendable(#[source] WireError),
    /// The peer violated the protocol of the transport, below the messages.
    #[error("the peer broke the transport's rules: {0}")]
    Violation(#[source] Box<dyn Error + Send + Sync>),
    /// The network lost the connection.
    #[error("connection lost: {0}")]
    Io(#[source] io::Error),
    /// The connection ended without having been closed by the peer.
    #[error("the peer vanished without closing the connection")]
    Vanished,
    /// The connection is closed.
    #[error("the connection is closed")]
    Closed,
    /// A [`Switch`](crate::testing::Switch) has cut the node off.
    #[cfg(any(feature = "test-utils", test))]
    #[error("cut off from the network by a switch")]
    Cut,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressProblem {
    /// The scheme is not one of the transport's.
    #[error("expected it to begin with {expected}")]
    Scheme {
        /// The scheme of the transport.
        expected: &'static str,
    },
    /// The address asks for TLS, which is not configured.
    #[error(
        "wss:// needs TLS to be set up (`WebSocketConfig::tls`, with the feature tls), expected ws://host:port"
    )]
    Tls,
    /// The address is not encrypted, but peers have to authenticate, which requires TLS.
    #[error("peers have to prove who they are, which nobody can over ws://, expected wss://host:port")]
    Plain,
    /// The host is missing or invalid.
    #[error("{0}, expected ws://host:port, with an IPv6 host in brackets")]
    Host(#[source] HostError),
    /// The part after the port is not a valid path.
    #[error("no valid path, expected ws://host:port or ws://host:port/path")]
    Path,
    /// The port is not a number from 0 to 65535.
    #[error("no valid port, expected ws://host:port with a port from 0 to 65535")]
    Port,
    /// The port is 0, which is valid for listening at any free port but not for dialling.
    #[error("no peer is reached at port 0, expected ws://host:port with a port from 1 to 65535")]
    PortZero,
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
