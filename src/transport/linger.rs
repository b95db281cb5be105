//! The end of a connection after a last answer.

use core::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// How long a connection stays open after its last answer while the other side still sends.
const MAX_LINGER: Duration = Duration::from_secs(1);

/// Writes a last answer, shuts down this direction, and reads and discards the input of the other side, up to
/// `max_bytes`: if a socket is closed with unread input, the connection is reset, and the operating system may
/// discard data that the other side has not read yet.
pub(crate) async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8], max_bytes: usize) {
    let last = async {
        // Failures do not matter, because the connection ends in any case.
        let _ = stream.write_all(answer).await;
        if stream.shutdown().await.is_err() {
            return;
        }
        let mut discarded = 0;
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut bytes).await {
            discarded += read;
            if discarded > max_bytes {
                return;
            }
        }
    };
    // On a timeout this side closes the connection.
    let _ = timeout(MAX_LINGER, last).await;
}
