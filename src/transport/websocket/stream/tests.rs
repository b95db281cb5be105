//! The limit of the first message, frame by frame, and two tasks that use one stream.

use core::sync::atomic::{AtomicBool, Ordering};

use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tungstenite::client::IntoClientRequest;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::handshake::derive_accept_key;

use super::*;

const LIMIT: usize = MAX_HELLO_BYTES;

const BINARY: u8 = 0x82;
const FIRST_FRAGMENT: u8 = 0x02;
const FRAGMENT: u8 = 0x00;
const LAST_FRAGMENT: u8 = 0x80;
const PING: u8 = 0x89;

/// A frame with a payload of zeros, masked like a client's if `is_masked`.
fn frame(first: u8, len: usize, is_masked: bool) -> Vec<u8> {
    let mask = if is_masked { 0x80 } else { 0 };
    let mut bytes = match (u8::try_from(len), u16::try_from(len)) {
        (Ok(short @ ..=125), _) => vec![first, mask + short],
        (_, Ok(medium)) => [&[first, mask + 126][..], &medium.to_be_bytes()].concat(),
        _ => [&[first, mask + 127][..], &(len as u64).to_be_bytes()].concat(),
    };
    bytes.extend(vec![0; if is_masked { 4 } else { 0 }]);
    bytes.extend(vec![0; len]);
    bytes
}

/// Serves one handshake. The frames follow the answer without a pause.
async fn serve(mut peer: DuplexStream, frames: Vec<u8>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(peer.read_u8().await.unwrap());
    }
    let request = String::from_utf8(request).unwrap();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    send(peer, [answer.into_bytes(), frames].concat()).await;
}

async fn send(mut peer: DuplexStream, bytes: Vec<u8>) {
    // Fails if the other side refuses what it has read.
    let _ = peer.write_all(&bytes).await;
    let _ = peer.shutdown().await;
    // The answers to pings.
    let _ = peer.read_to_end(&mut Vec::new()).await;
}

/// The sizes of the data messages up to the end or the refusal.
async fn receive(stream: &mut WsStream) -> (Vec<usize>, Error) {
    let mut sizes = Vec::new();
    loop {
        match poll_fn(|cx| stream.poll_message(cx)).await {
            Ok(message @ Message::Binary(_)) => sizes.push(message.len()),
            Ok(_) => {}
            Err(error) => return (sizes, error),
        }
    }
}

#[rstest]
#[case::as_large_as_may_be(&[(BINARY, LIMIT)], &[LIMIT], None)]
#[case::one_more(&[(BINARY, LIMIT + 1)], &[], Some(LIMIT + 1))]
#[case::a_length_of_eight_bytes(&[(BINARY, 70_000)], &[], Some(70_000))]
#[case::short(&[(BINARY, 5), (BINARY, 70_000)], &[5, 70_000], None)]
#[case::empty(&[(BINARY, 0), (BINARY, 70_000)], &[0, 70_000], None)]
#[case::fragments(
    &[(FIRST_FRAGMENT, LIMIT - 600), (FRAGMENT, 0), (LAST_FRAGMENT, 600), (BINARY, 70_000)],
    &[LIMIT, 70_000], None
)]
#[case::fragments_count_in_sum(
    &[(FIRST_FRAGMENT, LIMIT - 600), (FRAGMENT, 600), (LAST_FRAGMENT, 1)],
    &[], Some(LIMIT + 1)
)]
#[case::a_ping_between_fragments_does_not_count(
    &[(FIRST_FRAGMENT, LIMIT - 50), (PING, 100), (LAST_FRAGMENT, 50)],
    &[LIMIT], None
)]
#[case::a_ping_is_not_the_first_message(&[(PING, 100), (BINARY, 70_000)], &[], Some(70_000))]
#[case::a_large_ping(&[(PING, 70_000)], &[], Some(70_000))]
#[tokio::test]
async fn the_first_message_is_small(
    #[case] frames: &[(u8, usize)],
    #[case] sizes: &[usize],
    #[case] refused: Option<usize>,
    #[values(true, false)] is_server: bool,
    // Fewer bytes at a time are refused in the handshake.
    #[values(3, 1 << 20)] step: usize,
) {
    let bytes: Vec<u8> = frames.iter().flat_map(|(first, len)| frame(*first, *len, is_server)).collect();
    let (peer, stream) = duplex(step);
    let config = WebSocketConfig::default();
    let mut stream = if is_server {
        tokio::spawn(send(peer, bytes));
        WsStream::accepted(Box::new(stream), &config)
    } else {
        tokio::spawn(serve(peer, bytes));
        let request = "ws://localhost/".into_client_request().unwrap();
        WsStream::dial(Box::new(stream), request, &config).await.unwrap().0
    };
    let (received, error) = receive(&mut stream).await;
    assert_eq!(received, sizes);
    match (refused, error) {
        (None, Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {}
        (Some(got), Error::Capacity(CapacityError::MessageTooLong { size, max_size: LIMIT })) => {
            assert_eq!(size, got);
        }
        (_, error) => panic!("{error}"),
    }
}

/// Remembers that it was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The reading task writes the answer to a ping. The writing task must still be woken.
#[tokio::test]
async fn a_reader_that_writes_does_not_replace_the_writer() {
    let (writer, reader) = (Arc::<Flag>::default(), Arc::<Flag>::default());
    let (writer_waker, reader_waker) = (writer.clone().into(), reader.clone().into());
    let mut writing = Context::from_waker(&writer_waker);
    let mut reading = Context::from_waker(&reader_waker);
    let (mut peer, stream) = duplex(64);
    let mut stream = WsStream::accepted(Box::new(stream), &WebSocketConfig::default());

    let fed = stream.poll_feed(&mut writing, || Message::binary(vec![0; 1_000]));
    assert!(matches!(fed, Poll::Ready(Ok(()))), "{fed:?}");
    assert!(stream.poll_flush(&mut writing).is_pending());
    peer.write_all(&frame(PING, 3, true)).await.unwrap();
    let read = stream.poll_message(&mut reading);
    assert!(matches!(read, Poll::Ready(Ok(Message::Ping(_)))), "{read:?}");
    assert!(stream.poll_message(&mut reading).is_pending());
    assert!(!writer.0.load(Ordering::Relaxed));

    peer.read_exact(&mut [0; 64]).await.unwrap();
    assert!(writer.0.load(Ordering::Relaxed));
    assert!(reader.0.load(Ordering::Relaxed));
}
