//! An echo peer over the WebSocket transport of this crate, for the Autobahn test suite: `tests/autobahn/run`.
//!
//! Listener, dialler, connections and limits are those of a node. Only the format is one of its own: it keeps each frame
//! that arrives and makes a `Ping` of it, and of the `Pong` that answers it the same frame again.

use std::collections::BTreeMap;
use std::env;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use hashloom::protocol::Reach;
use hashloom::transport::{Connection, Outgoing, Transport, WebSocket};
use hashloom::wire::{Frame, WireError};
use hashloom::{Message, WireFormat};
use serde::Serialize;
use serde::de::DeserializeOwned;

const USAGE: &str = "usage: autobahn_echo listen <ws://host:port> | dial <ws://host:port> <agent>";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["listen", address] => listen(address).await,
        ["dial", address, agent] => dial_each_case(address, agent).await,
        _ => bail!(USAGE),
    }
}

/// Answers whoever comes, for ever.
async fn listen(address: &str) -> Result<()> {
    let transport = WebSocket::new(Echo::default());
    let mut listener = Transport::<String>::listen(&transport, &address.parse()?).await?;
    println!("listening at {}", listener.local_addr());
    loop {
        let connection = listener.accept().await?;
        tokio::spawn(echo(connection));
    }
}

/// Asks a fuzzing server for each of its cases in turn, and then for its report.
async fn dial_each_case(server: &str, agent: &str) -> Result<()> {
    let count = ask(&format!("{server}/getCaseCount")).await?;
    let count: usize = count.parse().with_context(|| format!("the number of cases is {count:?}"))?;
    for case in 1..=count {
        echo(dial(&format!("{server}/runCase?case={case}&agent={agent}")).await?).await;
    }
    echo(dial(&format!("{server}/updateReports?agent={agent}")).await?).await;
    println!("ran {count} cases");
    Ok(())
}

async fn dial(address: &str) -> Result<Box<dyn Connection>> {
    Ok(WebSocket::new(Echo::default()).dial(&address.parse()?, Reach::ANY).await?)
}

/// The one message that a server sends at this address.
async fn ask(address: &str) -> Result<String> {
    let echo = Echo::default();
    let transport = WebSocket::new(echo.clone());
    let connection: Box<dyn Connection> = transport.dial(&address.parse()?, Reach::ANY).await?;
    let (mut sender, mut receiver) = connection.split();
    let Some(Message::Ping(number)) = receiver.recv().await? else { bail!("{address} says nothing") };
    sender.close().await;
    let frame = echo.take(number).context("a frame is taken once")?;
    Ok(String::from_utf8(frame.as_bytes().to_vec())?)
}

/// Sends back what arrives until the connection ends, and closes it as a node does.
async fn echo(connection: Box<dyn Connection>) {
    let (mut sender, mut receiver) = connection.split();
    while let Ok(Some(Message::Ping(number))) = receiver.recv().await {
        if sender.send(&Outgoing::new(Message::Pong(number))).await.is_err() {
            break;
        }
    }
    sender.close().await;
}

/// A format in which every frame is a message.
#[derive(Clone, Debug, Default)]
struct Echo(Arc<Mutex<Kept>>);

/// The frames that are to be sent back, by the number that their messages carry.
#[derive(Debug, Default)]
struct Kept {
    next: u64,
    frames: BTreeMap<u64, Frame>,
}

impl Echo {
    fn keep(&self, frame: &Frame) -> u64 {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = kept.next;
        kept.next += 1;
        kept.frames.insert(number, frame.clone());
        number
    }

    fn take(&self, number: u64) -> Option<Frame> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).frames.remove(&number)
    }
}

impl WireFormat for Echo {
    const SUBPROTOCOL: &'static str = "hashloom.echo";

    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
        let failed = |reason: &str| WireError::Encode { format: Self::SUBPROTOCOL, source: reason.into() };
        let value = serde_json::to_value(message).map_err(|error| failed(&error.to_string()))?;
        let number = value["pong"].as_u64().ok_or_else(|| failed("only a pong is sent"))?;
        self.take(number).ok_or_else(|| failed("no frame of this number"))
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
        let ping = format!(r#"{{"ping":{}}}"#, self.keep(frame));
        serde_json::from_str(&ping).map_err(|error| WireError::decode(Self::SUBPROTOCOL, &error))
    }
}
