//! The sockets of turmoil, which simulates a network and a clock in one thread. A seed determines the
//! simulation.

use core::fmt;
use core::net::SocketAddr;
use std::io;

use async_trait::async_trait;
use turmoil::net::{TcpListener, TcpStream};

use super::super::config::WebSocketConfig;
use super::{Network, Socket};

impl WebSocketConfig {
    /// The default configuration, on the hosts of a simulated network.
    pub(crate) fn simulated() -> Self {
        Self { network: Network::Simulated, ..Self::default() }
    }
}

/// Resolves a host of the simulation, which has one address.
pub(super) fn resolve(host: &str, port: u16) -> Vec<SocketAddr> {
    vec![SocketAddr::new(host.parse().unwrap_or_else(|_| turmoil::lookup(host)), port)]
}

pub(super) async fn connect(remote: SocketAddr) -> io::Result<Box<dyn Socket>> {
    Ok(Box::new(TcpStream::connect(remote).await?))
}

#[async_trait]
impl Socket for TcpStream {
    async fn first_byte(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        Ok((self.peek(&mut byte).await? > 0).then_some(byte[0]))
    }
}

pub(in super::super) struct Listener(TcpListener);

impl Listener {
    pub(super) async fn bind(local: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(local).await.map(Self)
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Socket>, SocketAddr)> {
        let (tcp, remote) = self.0.accept().await?;
        Ok((Box::new(tcp), remote))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.0.local_addr()).finish()
    }
}

#[cfg(all(test, feature = "ws-json"))]
mod tests {
    use core::time::Duration;

    use crate::protocol::{Message, PeerAddr, Reach};
    use crate::transport::{Outgoing, Transport, TransportError, WebSocketConfig, WsJson};

    #[test]
    fn a_message_takes_as_long_as_the_network_says() -> turmoil::Result {
        let latency = Duration::from_millis(100);
        let mut simulation = turmoil::Builder::new()
            .min_message_latency(latency)
            .max_message_latency(latency)
            .rng_seed(1)
            .build();
        let transport = || WsJson::default().with_config(WebSocketConfig::simulated());
        simulation.host("listener", move || async move {
            let transport: &dyn Transport = &transport();
            let mut listener = transport.listen(&"ws://0.0.0.0:5001".parse()?).await?;
            assert_eq!(listener.local_addr().as_str(), "ws://0.0.0.0:5001");
            let (mut out, mut incoming) = listener.accept().await?.split();
            while let Some(message) = incoming.recv().await? {
                out.send(&Outgoing::new(message)).await?;
            }
            Ok(())
        });
        simulation.client("dialer", async move {
            let transport: &dyn Transport = &transport();
            let (mut out, mut incoming) =
                transport.dial(&"ws://listener:5001".parse()?, Reach::ANY).await?.split();
            let sent = turmoil::elapsed();
            out.send(&Outgoing::new(Message::Ping(7))).await?;
            assert_eq!(incoming.recv().await?, Some(Message::Ping(7)));
            let taken = turmoil::elapsed().saturating_sub(sent);
            assert!((2 * latency..3 * latency).contains(&taken), "{taken:?}");
            Ok(())
        });
        simulation.run()
    }

    #[test]
    fn a_public_name_that_a_peer_told_leads_into_no_private_network() -> turmoil::Result {
        let mut simulation = turmoil::Builder::new().rng_seed(1).build();
        let transport = || WsJson::default().with_config(WebSocketConfig::simulated());
        simulation.host("rebound.example.org", move || async move {
            let transport: &dyn Transport = &transport();
            let mut listener = transport.listen(&"ws://0.0.0.0:5001".parse()?).await?;
            listener.accept().await?;
            Ok(())
        });
        simulation.client("dialer", async move {
            let transport: &dyn Transport = &transport();
            let address: PeerAddr = "ws://rebound.example.org:5001".parse()?;
            let resolved = turmoil::lookup("rebound.example.org");
            assert!(resolved.to_string().starts_with("192.168."), "{resolved}");
            let error = transport.dial(&address, Reach::of_unverified(&address)).await.unwrap_err();
            let expected = resolved;
            assert!(
                matches!(error, TransportError::OutOfReach { resolved, .. } if resolved == expected),
                "{error}"
            );
            transport.dial(&address, Reach::ANY).await?;
            Ok(())
        });
        simulation.run()
    }
}
