//! A minimal interface to the operating system's sockets, so that tests can substitute a simulated network.
//! Handles bytes and network addresses only.

#[cfg(test)]
mod simulated;

use core::fmt::Debug;
use core::net::SocketAddr;
use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, lookup_host};

/// How many bytes of a peer are read and discarded after an answer in a protocol that the peer does not
/// speak.
pub(super) const MAX_LINGER_BYTES: usize = 64 << 10;

/// A stream of bytes to and from a peer, over any carrier.
pub(super) trait Io: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Debug + Send + Unpin> Io for S {}

/// An open TCP connection.
#[async_trait]
pub(super) trait Socket: Io {
    /// Waits for the first byte and leaves it in the buffer; `None` if the peer has closed the connection.
    async fn first_byte(&mut self) -> io::Result<Option<u8>>;
}

#[async_trait]
impl Socket for TcpStream {
    async fn first_byte(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        Ok((self.peek(&mut byte).await? > 0).then_some(byte[0]))
    }
}

/// The network that provides the sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Network {
    #[default]
    System,
    #[cfg(test)]
    Simulated,
}

impl Network {
    /// The network addresses of a host.
    pub(super) async fn resolve(self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System => Ok(lookup_host((host, port)).await?.collect()),
            #[cfg(test)]
            Self::Simulated => Ok(simulated::resolve(host, port)),
        }
    }

    pub(super) async fn connect(self, remote: SocketAddr) -> io::Result<Box<dyn Socket>> {
        match self {
            Self::System => {
                let tcp = TcpStream::connect(remote).await?;
                send_at_once(&tcp);
                Ok(Box::new(tcp))
            }
            #[cfg(test)]
            Self::Simulated => simulated::connect(remote).await,
        }
    }

    pub(super) async fn bind(self, local: SocketAddr) -> io::Result<Acceptor> {
        match self {
            Self::System => TcpListener::bind(local).await.map(Acceptor::System),
            #[cfg(test)]
            Self::Simulated => simulated::Listener::bind(local).await.map(Acceptor::Simulated),
        }
    }
}

/// Accepts TCP connections.
#[derive(Debug)]
pub(super) enum Acceptor {
    System(TcpListener),
    #[cfg(test)]
    Simulated(simulated::Listener),
}

impl Acceptor {
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::System(listener) => listener.local_addr(),
            #[cfg(test)]
            Self::Simulated(listener) => listener.local_addr(),
        }
    }

    /// Cancel-safe, like the operating system's listener.
    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Socket>, SocketAddr)> {
        match self {
            Self::System(listener) => {
                let (tcp, remote) = listener.accept().await?;
                send_at_once(&tcp);
                Ok((Box::new(tcp), remote))
            }
            #[cfg(test)]
            Self::Simulated(listener) => listener.accept().await,
        }
    }
}

/// Disables Nagle's algorithm: an announcement is small and must be sent without delay.
fn send_at_once(tcp: &TcpStream) {
    // An error means that the connection is gone; its next use fails as well.
    let _ = tcp.set_nodelay(true);
}
