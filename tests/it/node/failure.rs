//! A node that ends by itself reports that to all callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use hashloom::http::{HttpConfig, RoutesConfig, serve_node};
use hashloom::node::NodeFailure;
use hashloom::protocol::Reach;
use hashloom::transport::{Connection, Listener, TransportError};
use hashloom::{MineError, Node, PeerAddr, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::kit::{clock_that_panics, easy_spec, within};

async fn http_status(address: std::net::SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_driver_that_panics_is_seen_by_handles_and_over_http() {
    let panics = Arc::new(AtomicBool::new(false));
    let node = Node::<String>::builder(easy_spec("failure"))
        .wall_clock(clock_that_panics(&panics))
        .start()
        .await
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = serve_node(listener, node.clone(), RoutesConfig::default(), HttpConfig::default()).unwrap();
    assert!(within(http_status(server.local_addr())).await.starts_with("HTTP/1.1 200 "));

    panics.store(true, Ordering::Relaxed);
    let refused = within(node.mine(Vec::new())).await.unwrap_err();
    assert!(matches!(refused, MineError::Stopped(_)), "{refused}");
    let failure = within(node.closed()).await.unwrap_err();
    assert!(matches!(&failure, NodeFailure::Panicked { message } if message == "no clock"), "{failure}");
    let answer = within(http_status(server.local_addr())).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("node_failed"), "{answer}");
    within(node.shutdown()).await;
    within(server.shutdown()).await;
}

#[tokio::test]
async fn a_node_that_was_shut_down_has_not_failed() {
    let node = Node::<String>::builder(easy_spec("no failure")).start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = serve_node(listener, node.clone(), RoutesConfig::default(), HttpConfig::default()).unwrap();
    within(node.shutdown()).await;
    assert!(within(node.closed()).await.is_ok());
    let answer = within(http_status(server.local_addr())).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("shutting_down"), "{answer}");
}

/// A listener whose `accept` fails at once, with an error or with a panic.
#[derive(Debug)]
struct Deaf {
    address: PeerAddr,
    panics: bool,
}

#[async_trait]
impl Listener<String> for Deaf {
    fn local_addr(&self) -> &PeerAddr {
        &self.address
    }

    async fn accept(&mut self) -> Result<Box<dyn Connection<String>>, TransportError> {
        assert!(!self.panics, "no ears");
        Err(TransportError::NobodyListens { address: self.address.clone() })
    }
}

#[derive(Debug)]
struct DeafTransport {
    panics: bool,
}

#[async_trait]
impl Transport<String> for DeafTransport {
    fn check_address(&self, _: &PeerAddr) -> Result<(), TransportError> {
        Ok(())
    }

    async fn listen(&self, address: &PeerAddr) -> Result<Box<dyn Listener<String>>, TransportError> {
        Ok(Box::new(Deaf { address: address.clone(), panics: self.panics }))
    }

    async fn dial(
        &self,
        address: &PeerAddr,
        _: Reach,
    ) -> Result<Box<dyn Connection<String>>, TransportError> {
        assert!(!self.panics, "no hands");
        Err(TransportError::NobodyListens { address: address.clone() })
    }
}

#[tokio::test]
async fn a_node_that_cannot_accept_any_more_ends_and_says_why() {
    for panics in [false, true] {
        let node = Node::<String>::builder(easy_spec("deaf")).transport(DeafTransport { panics });
        let node = node.listen("memory://deaf".parse().unwrap()).start().await.unwrap();
        let failure = within(node.closed()).await.unwrap_err();
        match failure {
            NodeFailure::Listener(error) if !panics => {
                assert_eq!(error.to_string(), "nobody listens at memory://deaf");
            }
            NodeFailure::Panicked { message } if panics => assert_eq!(message, "no ears"),
            failure => panic!("{failure}"),
        }
    }
}
