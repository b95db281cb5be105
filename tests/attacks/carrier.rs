//! The transports over which the rows run. A new transport is one more entry of [`CARRIERS`].

use std::sync::Arc;

use hashloom::transport::{Memory, Transport, WsMulti};
use hashloom::wire::{Bincode, Frame, Json, Postcard};
use hashloom::{Message, PeerAddr, WireFormat, WsBincode, WsJson, WsPostcard};

use crate::chain::Entry;
use crate::table::Over;

/// A transport under attack.
#[derive(Debug)]
pub(crate) struct Carrier {
    /// The name of the transport in the name of a trial.
    pub(crate) name: &'static str,
    /// Creates the transport, which the node, its honest peer and the attacker share.
    pub(crate) make: fn() -> Arc<dyn Transport<Entry>>,
    /// An address at which a listener gets any free port.
    pub(crate) anywhere: &'static str,
    /// Bytes in flight that count as memory of the process. The operating system's buffers do not count.
    pub(crate) on_the_way: usize,
    /// The format of the frames, if there is only one and an attacker can write bytes to a plain socket.
    pub(crate) format: Option<Format>,
    /// The kinds of rows that run over the transport.
    pub(crate) plays: &'static [Over],
}

const ANY_PORT: &str = "ws://127.0.0.1:0";

pub(crate) const CARRIERS: &[Carrier] = &[
    // A connection queues 64 messages, few of which are larger than an offer of 1,000 transactions.
    Carrier {
        name: "memory",
        make: || Arc::new(Memory::new()),
        anywhere: "memory://",
        on_the_way: 64 * (32 << 10),
        format: None,
        plays: &[Over::All, Over::Memory],
    },
    Carrier {
        name: "ws_json",
        make: || Arc::new(WsJson::default()),
        anywhere: ANY_PORT,
        on_the_way: 0,
        format: Some(Format::Json),
        plays: &[Over::All, Over::Sockets, Over::Json],
    },
    Carrier {
        name: "ws_bincode",
        make: || Arc::new(WsBincode::default()),
        anywhere: ANY_PORT,
        on_the_way: 0,
        format: Some(Format::Bincode),
        plays: &[Over::All, Over::Sockets, Over::Binary],
    },
    Carrier {
        name: "ws_postcard",
        make: || Arc::new(WsPostcard::default()),
        anywhere: ANY_PORT,
        on_the_way: 0,
        format: Some(Format::Postcard),
        plays: &[Over::All, Over::Sockets, Over::Binary],
    },
    // Attacks below the messages run over plain sockets only.
    #[cfg(feature = "tls")]
    Carrier {
        name: "wss_json",
        make: || Arc::new(WsJson::default().with_config(with_tls())),
        anywhere: "wss://127.0.0.1:0",
        on_the_way: 0,
        format: None,
        plays: &[Over::All],
    },
    // Attacks with messages run in each format on its own.
    Carrier {
        name: "ws_two",
        make: || Arc::new(WsMulti::new(Bincode).and(Json)),
        anywhere: ANY_PORT,
        on_the_way: 0,
        format: None,
        plays: &[Over::TwoFormats],
    },
];

/// A certificate for this machine, which all parties with this configuration share.
#[cfg(feature = "tls")]
fn with_tls() -> hashloom::transport::WebSocketConfig {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let tls = hashloom::transport::Tls::builder().identity(certificate.as_str(), key).trust(certificate);
    hashloom::transport::WebSocketConfig::default().with_tls(tls.build().unwrap())
}

/// The format in which an attacker writes to a plain socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Bincode,
    Postcard,
}

impl Carrier {
    /// An address to listen at.
    pub(crate) fn anywhere(&self) -> PeerAddr {
        self.anywhere.parse().unwrap()
    }

    /// The format. Only for rows that run over sockets.
    pub(crate) fn format(&self) -> Format {
        self.format.expect("this row is for transports with frames")
    }

    /// Whether the transport encodes and decodes messages. In memory, messages are moved as values.
    pub(crate) fn parses(&self) -> bool {
        !self.anywhere.starts_with("memory")
    }
}

impl Format {
    pub(crate) const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => Json::SUBPROTOCOL,
            Self::Bincode => Bincode::SUBPROTOCOL,
            Self::Postcard => Postcard::SUBPROTOCOL,
        }
    }

    pub(crate) fn encode(self, message: &Message<Entry>) -> Vec<u8> {
        match self {
            Self::Json => Json.encode(message),
            Self::Bincode => Bincode.encode(message),
            Self::Postcard => Postcard.encode(message),
        }
        .unwrap()
        .as_bytes()
        .to_vec()
    }

    pub(crate) fn decode(self, bytes: &[u8]) -> Message<Entry> {
        let binary = || Frame::from(bytes.to_vec());
        match self {
            Self::Json => Json.decode(&Frame::from(String::from_utf8(bytes.to_vec()).unwrap())),
            Self::Bincode => Bincode.decode(&binary()),
            Self::Postcard => Postcard.decode(&binary()),
        }
        .unwrap()
    }

    /// The WebSocket opcode of frames in this format.
    pub(crate) const fn opcode(self) -> u8 {
        match self {
            Self::Json => TEXT,
            Self::Bincode | Self::Postcard => BINARY,
        }
    }

    /// The opcode of the other frame type.
    pub(crate) const fn wrong_opcode(self) -> u8 {
        match self {
            Self::Json => BINARY,
            Self::Bincode | Self::Postcard => TEXT,
        }
    }
}

/// Opcodes of RFC 6455, section 11.8.
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
