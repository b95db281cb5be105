//! A test suite for implementations of [`Transport`]. Call [`suite`] from a test:
//!
//! ```
//! use hashloom::testing::transport::suite;
//! use hashloom::transport::Memory;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! suite(&Memory::new(), &"memory://".parse().unwrap()).await;
//! # }
//! ```

#![expect(clippy::expect_used, reason = "a failed check panics, as every assertion does")]

use core::time::Duration;

use tokio::time::timeout;

use crate::primitives::Transaction;
use crate::protocol::{Message, PeerAddr, Reach};
use crate::transport::{Connection, Listener, Outgoing, Receiver, Sender, Transport, TransportError};

/// The time after which the suite assumes that a step hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs every check. `any_address` is an address at which the transport listens on any free port, such as
/// `ws://127.0.0.1:0`; the suite listens there many times.
///
/// # Panics
///
/// If the transport fails a check.
pub async fn suite(transport: &dyn Transport, any_address: &PeerAddr) {
    suite_of(transport, any_address, &["\u{2713} ".repeat(1 << 18)]).await;
}

/// [`suite`] for any transaction type. `large` are transactions that are sent in one message. They should
/// have about a megabyte, since a small message does not show whether a close loses data in flight, and there
/// may be at most [`limits::MAX_TRANSACTIONS`](crate::protocol::limits::MAX_TRANSACTIONS).
///
/// # Panics
///
/// If the transport fails a check.
pub async fn suite_of<T: Transaction>(transport: &dyn Transport<T>, any_address: &PeerAddr, large: &[T]) {
    let large = Message::Transactions(large.to_vec());
    addresses_are_checked(transport, any_address).await;
    both_directions(transport, any_address).await;
    order_of_many_messages(transport, any_address).await;
    a_large_message(transport, any_address, &large).await;
    a_cancelled_receive_loses_nothing(transport, any_address).await;
    an_orderly_close_delivers_everything(transport, any_address, &large).await;
    both_sides_close_at_once(transport, any_address).await;
    a_dropped_connection_ends(transport, any_address).await;
    a_listener_serves_many(transport, any_address).await;
    an_address_is_taken_once(transport, any_address).await;
    a_dropped_listener_is_gone(transport, any_address).await;
}

type Halves<T> = (Box<dyn Sender<T>>, Box<dyn Receiver<T>>);

async fn addresses_are_checked<T: Transaction>(transport: &dyn Transport<T>, any_address: &PeerAddr) {
    let listener = listen(transport, any_address).await;
    let address = listener.local_addr();
    assert!(transport.check_address(address).is_ok(), "{address} is listened at, and can be dialled");
    let foreign: PeerAddr = "nowhere".parse().expect("an address in form");
    let checked = transport.check_address(&foreign);
    assert!(matches!(checked, Err(TransportError::BadAddress { .. })), "{checked:?}");
}

async fn both_directions<T: Transaction>(transport: &dyn Transport<T>, any_address: &PeerAddr) {
    let ((mut a_out, mut a_in), (mut b_out, mut b_in)) = pair(transport, any_address).await;
    send(&mut a_out, Message::Ping(1)).await;
    assert_eq!(recv(&mut b_in).await, Some(Message::Ping(1)));
    send(&mut b_out, Message::Pong(1)).await;
    assert_eq!(recv(&mut a_in).await, Some(Message::Pong(1)));
}

async fn order_of_many_messages<T: Transaction>(transport: &dyn Transport<T>, any_address: &PeerAddr) {
    const COUNT: u64 = 2_000;
    let ((mut a_out, _a_in), (_b_out, mut b_in)) = pair(transport, any_address).await;
    let feed_all = async {
        for number in 0..COUNT {
            a_out.feed(&Outgoing::new(Message::Ping(number))).await.expect("feeding works");
        }
        a_out.flush().await.expect("flushing works");
    };
    let receive_all = async {
        for number in 0..COUNT {
            assert_eq!(recv(&mut b_in).await, Some(Message::Ping(number)), "in order");
        }
    };
    within("many messages", async { tokio::join!(feed_all, receive_all) }).await;
}

async fn a_large_message<T: Transaction>(
    transport: &dyn Transport<T>,
    any_address: &PeerAddr,
    large: &Message<T>,
) {
    let ((mut a_out, _a_in), (_b_out, mut b_in)) = pair(transport, any_address).await;
    // A transport may refuse a first message that is larger than a `Hello` may be.
    send(&mut a_out, Message::Ping(1)).await;
    assert_eq!(recv(&mut b_in).await, Some(Message::Ping(1)));
    let (sent, received) = tokio::join!(send(&mut a_out, large.clone()), recv(&mut b_in));
    assert_eq!((sent, received), ((), Some(large.clone())));
}

async fn a_cancelled_receive_loses_nothing<T: Transaction>(
    transport: &dyn Transport<T>,
    any_address: &PeerAddr,
) {
    let ((mut a_out, _a_in), (_b_out, mut b_in)) = pair(transport, any_address).await;
    for number in 0..100 {
        tokio::select! {
            biased;
            received = b_in.recv() => panic!("nothing was sent, got {received:?}"),
            () = core::future::ready(()) => {}
        }
        send(&mut a_out, Message::Ping(number)).await;
        assert_eq!(recv(&mut b_in).await, Some(Message::Ping(number)));
    }
}

async fn an_orderly_close_delivers_everything<T: Transaction>(
    transport: &dyn Transport<T>,
    any_address: &PeerAddr,
    large: &Message<T>,
) {
    let ((mut a_out, mut a_in), (mut b_out, mut b_in)) = pair(transport, any_address).await;
    // Unread data on the closing side must not make the other side lose data that was sent to it.
    send(&mut b_out, Message::Ping(7)).await;
    send(&mut a_out, Message::Ping(1)).await;
    assert_eq!(recv(&mut b_in).await, Some(Message::Ping(1)));
    // Large, so that its end is still in flight when the closing side closes.
    a_out.feed(&Outgoing::new(large.clone())).await.expect("feeding works");
    let closing = async {
        a_out.close().await;
        assert_eq!(recv(&mut a_in).await, None, "the closing side has closed its receiving half, too");
        drop((a_out, a_in));
    };
    let reading = async {
        assert_eq!(recv(&mut b_in).await, Some(large.clone()), "what was fed before the close arrives");
        assert_eq!(recv(&mut b_in).await, None, "then the orderly end");
        drop((b_out, b_in));
    };
    within("a close", async { tokio::join!(closing, reading) }).await;
}

async fn both_sides_close_at_once<T: Transaction>(transport: &dyn Transport<T>, any_address: &PeerAddr) {
    let ((mut a_out, mut a_in), (mut b_out, mut b_in)) = pair(transport, any_address).await;
    let close_all = async { tokio::join!(a_out.close(), b_out.close()) };
    let ends = async { tokio::join!(recv(&mut a_in), recv(&mut b_in)) };
    let (_, ends) = within("two closes", async { tokio::join!(close_all, ends) }).await;
    assert_eq!(ends, (None, None));
    let late = a_out.send(&Outgoing::new(Message::Ping(1))).await;
    assert!(late.is_err(), "nothing is sent after a close");
}

async fn a_dropped_connection_ends<T: Transaction>(transport: &dyn Transport<T>, any_address: &PeerAddr) {
    let (a, (_b_out, mut b_in)) = pair(transport, any_address).await;
    drop(a);
    let end = within("the end", b_in.recv()).await;
    assert!(matches!(end, Err(_) | Ok(None)), "a dropped connection ends, got {end:?}");
}

async fn a_listener_serves_many<T: Transaction>(transport: &dyn Transport<T>, any_address: &PeerAddr) {
    let mut listener = listen(transport, any_address).await;
    let address = listener.local_addr().clone();
    let mut open = Vec::new();
    for number in 0..8 {
        let (dialled, accepted) = connect(transport, listener.as_mut(), &address).await;
        open.push((number, dialled.split(), accepted.split()));
    }
    for (number, (out, _), _) in &mut open {
        send(out, Message::Ping(*number)).await;
    }
    for (number, _, (_, incoming)) in &mut open {
        assert_eq!(recv(incoming).await, Some(Message::Ping(*number)), "no connection sees another's");
    }
}

async fn an_address_is_taken_once<T: Transaction>(transport: &dyn Transport<T>, any_address: &PeerAddr) {
    let listener = listen(transport, any_address).await;
    let address = listener.local_addr();
    let error = transport.listen(address).await.expect_err("the address is taken");
    assert!(matches!(&error, TransportError::AddressInUse { address: named } if named == address), "{error}");
}

async fn a_dropped_listener_is_gone<T: Transaction>(transport: &dyn Transport<T>, any_address: &PeerAddr) {
    let mut listener = listen(transport, any_address).await;
    let address = listener.local_addr().clone();
    let (dialled, accepted) = connect(transport, listener.as_mut(), &address).await;
    drop(listener);
    let refused = within("a dial", transport.dial(&address, Reach::ANY)).await;
    let error = refused.expect_err("nobody listens any more");
    assert!(error.to_string().contains(address.as_str()), "the error names the address: {error}");
    drop(listen(transport, &address).await);

    let ((mut out, _a_in), (_b_out, mut incoming)) = (dialled.split(), accepted.split());
    send(&mut out, Message::Ping(1)).await;
    assert_eq!(recv(&mut incoming).await, Some(Message::Ping(1)), "open connections outlive their listener");
}

/// The two ends of a new connection, first the one that dialled.
async fn pair<T: Transaction>(
    transport: &dyn Transport<T>,
    any_address: &PeerAddr,
) -> (Halves<T>, Halves<T>) {
    let mut listener = listen(transport, any_address).await;
    let address = listener.local_addr().clone();
    let (dialled, accepted) = connect(transport, listener.as_mut(), &address).await;
    assert_eq!(dialled.remote_addr(), &address, "a connection names the address that was dialled");
    (dialled.split(), accepted.split())
}

async fn listen<T: Transaction>(transport: &dyn Transport<T>, address: &PeerAddr) -> Box<dyn Listener<T>> {
    transport.listen(address).await.expect("listening works")
}

async fn connect<T: Transaction>(
    transport: &dyn Transport<T>,
    listener: &mut dyn Listener<T>,
    address: &PeerAddr,
) -> (Box<dyn Connection<T>>, Box<dyn Connection<T>>) {
    let both = async { tokio::join!(transport.dial(address, Reach::ANY), listener.accept()) };
    let (dialled, accepted) = within("a connection", both).await;
    (dialled.expect("dialling works"), accepted.expect("accepting works"))
}

async fn send<T: Transaction>(sender: &mut Box<dyn Sender<T>>, message: Message<T>) {
    within("sending", sender.send(&Outgoing::new(message))).await.expect("sending works");
}

async fn recv<T: Transaction>(receiver: &mut Box<dyn Receiver<T>>) -> Option<Message<T>> {
    within("receiving", receiver.recv()).await.expect("receiving works")
}

async fn within<R>(step: &str, future: impl Future<Output = R>) -> R {
    let result = timeout(PATIENCE, future).await;
    result.unwrap_or_else(|_| panic!("{step} did not finish within {PATIENCE:?}"))
}
