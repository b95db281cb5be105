//! The system's sockets behind a seam as narrow as can be, so that tests put a simulated network in their place.
//! Knows bytes and network addresses only.

#[cfg(test)]
mod simulated;

use core::fmt::Debug;
use core::net::SocketAddr;
use core::time::Duration;
use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::time::timeout;

/// Bytes of a peer that are read and forgotten after an answer in another protocol than its own.
const MAX_LINGER_BYTES: usize = 64 << 10;

/// How long a peer is waited for after such an answer.
const MAX_LINGER: Duration = Duration::from_secs(1);

/// Bytes to and from a peer, whatever carries them.
pub(super) trait Io: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Debug + Send + Unpin> Io for S {}

/// An open TCP connection.
#[async_trait]
pub(super) trait Socket: Io {
    /// Waits for the first byte and leaves it where it is; `None` where the peer has closed.
    async fn first_byte(&mut self) -> io::Result<Option<u8>>;
}

#[async_trait]
impl Socket for TcpStream {
    async fn first_byte(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        Ok((self.peek(&mut byte).await? > 0).then_some(byte[0]))
    }
}

/// Where sockets come from.
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

/// Takes TCP connections.
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

    /// Cancel-safe, as the system's is.
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

/// An announcement is small and must not wait for more to come.
fn send_at_once(tcp: &TcpStream) {
    // A connection that is gone already fails when it is used.
    let _ = tcp.set_nodelay(true);
}

/// Writes the last that is said on a socket, and reads and forgets what the peer still says: whoever closes a socket
/// with unread input makes the system throw away what the peer has not read yet.
pub(super) async fn part_with(mut socket: impl Io, answer: &[u8]) {
    let last = async {
        // Whether the peer hears it is its own affair.
        let _ = socket.write_all(answer).await;
        let _ = socket.shutdown().await;
        let mut forgotten = 0;
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = socket.read(&mut bytes).await {
            forgotten += read;
            if forgotten > MAX_LINGER_BYTES {
                return;
            }
        }
    };
    // Where the peer does not close within the time, this side does.
    let _ = timeout(MAX_LINGER, last).await;
}
