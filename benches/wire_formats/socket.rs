//! Messages over a socket: one end of a connection sends blocks as fast as it can, and the other end reads
//! them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hashloom::protocol::Reach;
use hashloom::transport::{Connection, Outgoing, Receiver, Sender};
use hashloom::{Block, Message, Transport};

use super::format::Format;
use super::traffic::{Traffic, cpu_time};

/// The messages between two flushes: a typical queue of a busy connection.
const IN_A_FLUSH: usize = 64;

/// The throughput of a format, turn by turn.
pub(crate) struct Throughput {
    pub(crate) format: Format,
    /// Messages per second.
    pub(crate) rates: Vec<f64>,
    /// Processor time of both ends, over all turns.
    pub(crate) cpu: Duration,
    /// The number of messages over all turns.
    pub(crate) messages: usize,
}

/// Sends `messages` blocks, each in a message of its own, in every format, for each round.
pub(crate) async fn measure(
    blocks: &[Arc<Block>],
    messages: usize,
    rounds: usize,
    mut tick: impl FnMut(),
) -> Result<Vec<Throughput>> {
    let mut ways = Vec::new();
    for format in Format::ALL {
        let throughput = Throughput { format, rates: Vec::new(), cpu: Duration::ZERO, messages: 0 };
        ways.push((throughput, connect(format).await?));
    }
    for _ in 0..rounds {
        for (throughput, (sender, receiver)) in &mut ways {
            let (start, cpu) = (Instant::now(), cpu_time());
            let receiving = tokio::spawn(receive(receiver.take().context("in use")?, messages));
            let sending = tokio::spawn(send(sender.take().context("in use")?, blocks.to_vec(), messages));
            *receiver = Some(receiving.await??);
            throughput.rates.push(messages as f64 / start.elapsed().as_secs_f64());
            *sender = Some(sending.await??);
            throughput.cpu += cpu_time().saturating_sub(cpu);
            throughput.messages += messages;
        }
        tick();
    }
    Ok(ways.into_iter().map(|(throughput, _)| throughput).collect())
}

/// The sending half of one end and the receiving half of the other. Each is `None` while it is in use.
type Ends = (Option<Box<dyn Sender>>, Option<Box<dyn Receiver>>);

async fn connect(format: Format) -> Result<Ends> {
    let transport = Traffic::default().transport(format);
    let mut listener = transport.listen(&"ws://127.0.0.1:0".parse()?).await?;
    let address = listener.local_addr().clone();
    let (accepted, dialled) = tokio::try_join!(listener.accept(), transport.dial(&address, Reach::ANY))?;
    let (sender, _) = Connection::split(dialled);
    let (_, receiver) = Connection::split(accepted);
    Ok((Some(sender), Some(receiver)))
}

async fn send(
    mut sender: Box<dyn Sender>,
    blocks: Vec<Arc<Block>>,
    messages: usize,
) -> Result<Box<dyn Sender>> {
    for (sent, block) in (1..=messages).zip(blocks.iter().cycle()) {
        // A new message for each block, so that each is encoded.
        sender.feed(&Outgoing::new(Message::NewBlock(Arc::clone(block)))).await?;
        if sent % IN_A_FLUSH == 0 || sent == messages {
            sender.flush().await?;
        }
    }
    Ok(sender)
}

async fn receive(mut receiver: Box<dyn Receiver>, messages: usize) -> Result<Box<dyn Receiver>> {
    for _ in 0..messages {
        match receiver.recv().await? {
            Some(Message::NewBlock(block)) => ensure!(block.data().len() == 4, "another block"),
            other => bail!("not a block: {other:?}"),
        }
    }
    Ok(receiver)
}
