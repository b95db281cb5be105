//! Counts the bytes that nodes read from the network, and measures the processor time of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hashloom::WireFormat;
use hashloom::transport::WsMulti;
use hashloom::wire::{Bincode, Frame, Json, Postcard, WireError};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::format::Format;

/// A counter of bytes. Clones share the counter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(Arc<AtomicU64>);

impl Traffic {
    /// The bytes of all messages that were read, without the WebSocket frame headers of 2 to 14 bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A transport in one format that counts its bytes here.
    pub(crate) fn transport(&self, format: Format) -> WsMulti {
        let traffic = self.clone();
        match format {
            Format::Json => WsMulti::new(Counted { format: Json, traffic }),
            Format::Bincode => WsMulti::new(Counted { format: Bincode, traffic }),
            Format::Postcard => WsMulti::new(Counted { format: Postcard, traffic }),
        }
    }
}

/// A format that counts the bytes that it decodes.
#[derive(Debug)]
struct Counted<F> {
    format: F,
    traffic: Traffic,
}

impl<F: WireFormat> WireFormat for Counted<F> {
    const SUBPROTOCOL: &'static str = F::SUBPROTOCOL;

    fn encode<M: Serialize>(&self, message: &M) -> Result<Frame, WireError> {
        self.format.encode(message)
    }

    fn decode<M: DeserializeOwned>(&self, frame: &Frame) -> Result<M, WireError> {
        self.traffic.0.fetch_add(frame.as_bytes().len() as u64, Ordering::Relaxed);
        self.format.decode(frame)
    }
}

/// The processor time of this process, over all its threads.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let part = |part: i64| u64::try_from(part).unwrap_or_default();
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}
