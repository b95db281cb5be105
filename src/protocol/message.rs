//! The messages between peers and their kinds. The messages' serde derives mean the same in every wire
//! format. Every collection is bounded while it is parsed. Decoding is strict: every field is required, and
//! unknown fields are rejected.

use core::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::address::PeerAddr;
use super::limits;
#[cfg(feature = "node")]
use crate::mempool::Mempool;
#[cfg(feature = "node")]
use crate::primitives::encode_and_measure;
use crate::primitives::{Block, Hash, Header, Transaction, Work, bounded_by_weight, bounded_vec};

/// Declares [`Message`], [`MessageKind`], the names and the limits on frames together, so that a kind of
/// message is added in one place. Each row is a variant of the message, the name that self-describing formats
/// write, and the maximum bytes of a frame; the number of a kind is its position.
macro_rules! messages {
    ($(
        $(#[$attribute:meta])*
        $kind:ident $(($($unnamed:tt)*))? $({$($named:tt)*})? = $name:literal, $max_frame_bytes:expr;
    )*) => {
        /// One message between two peers.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, bound(deserialize = "T: Deserialize<'de>"))]
        #[non_exhaustive]
        pub enum Message<T = String> {
            $(
                $(#[$attribute])*
                #[serde(rename = $name)]
                $kind $(($($unnamed)*))? $({$($named)*})?,
            )*
        }

        /// The kind of a [`Message`], which a format can determine from the first bytes of a frame.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum MessageKind {
            $(
                #[doc = concat!("[`Message::", stringify!($kind), "`].")]
                $kind,
            )*
        }

        impl MessageKind {
            /// All kinds, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Returns the name, which self-describing formats write.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// Returns the maximum bytes of a frame with a message of this kind, in every format. A transport
            /// enforces the limits on both sides: before it parses a received frame and before it sends one.
            ///
            /// Each limit is the size that JSON, the most verbose format of this crate, needs for the largest
            /// message that the limits on items allow, with room for a space behind each comma and colon.
            /// Binary formats take about half. `None` for the kinds that carry transactions, whose size on
            /// the wire depends on the transaction type: for them only the transport's own limit applies,
            /// which holds for every kind.
            pub const fn max_frame_bytes(self) -> Option<usize> {
                match self {
                    $(Self::$kind => $max_frame_bytes,)*
                }
            }
        }

        impl<T> From<&Message<T>> for MessageKind {
            fn from(message: &Message<T>) -> Self {
                match message {
                    $(Message::$kind { .. } => Self::$kind,)*
                }
            }
        }
    };
}

messages! {
    /// The first message in both directions; a second `Hello` is an error.
    Hello(Hello) = "hello", Some(limits::MAX_HELLO_BYTES);
    /// Asks the peer to prove that it still responds.
    Ping(u64) = "ping", Some(ENVELOPE_BYTES);
    /// Answers a `Ping` with the number of that `Ping`.
    Pong(u64) = "pong", Some(ENVELOPE_BYTES);
    /// Requests headers of the receiver's best chain after the first locator hash that the receiver knows.
    GetHeaders {
        /// Hashes from the requesting node's tip back to genesis, with growing gaps.
        #[serde(deserialize_with = "hashes::<_, { limits::MAX_LOCATOR_HASHES }>")]
        locator: Vec<Hash>,
        /// The maximum number of headers in the answer.
        limit: u32,
    } = "get_headers", Some(ENVELOPE_BYTES + limits::MAX_LOCATOR_HASHES * HASH_BYTES);
    /// Answers `GetHeaders`: consecutive headers in ascending height; empty if there are none.
    Headers(#[serde(deserialize_with = "headers")] Vec<Header>) =
        "headers", Some(ENVELOPE_BYTES + limits::MAX_HEADERS * HEADER_BYTES);
    /// Requests blocks.
    GetBlocks {
        /// The blocks' hashes.
        #[serde(deserialize_with = "hashes::<_, { limits::MAX_BLOCKS }>")]
        hashes: Vec<Hash>,
    } = "get_blocks", Some(ENVELOPE_BYTES + limits::MAX_BLOCKS * HASH_BYTES);
    /// Answers `GetBlocks`, in one or more messages, in the order of the request.
    Blocks(#[serde(deserialize_with = "blocks")] Vec<Arc<Block<T>>>) = "blocks", None;
    /// Answers `GetBlocks` for the blocks that the sender does not have.
    NotFound {
        /// The blocks' hashes.
        #[serde(deserialize_with = "hashes::<_, { limits::MAX_BLOCKS }>")]
        hashes: Vec<Hash>,
    } = "not_found", Some(ENVELOPE_BYTES + limits::MAX_BLOCKS * HASH_BYTES);
    /// Announces the new tip of the sender's best chain.
    Announce(Header) = "announce", Some(ENVELOPE_BYTES + HEADER_BYTES);
    /// Delivers a block that the sender mined, in full and without a request, to peers whose `Hello` wants
    /// that.
    NewBlock(#[serde(deserialize_with = "shared")] Arc<Block<T>>) = "new_block", None;
    /// Offers pending transactions.
    Offer {
        /// The transactions' ids.
        #[serde(deserialize_with = "hashes::<_, { limits::MAX_TRANSACTIONS }>")]
        ids: Vec<Hash>,
    } = "offer", Some(ENVELOPE_BYTES + limits::MAX_TRANSACTIONS * HASH_BYTES);
    /// Requests transactions that were offered.
    GetTransactions {
        /// The transactions' ids.
        #[serde(deserialize_with = "hashes::<_, { limits::MAX_TRANSACTIONS }>")]
        ids: Vec<Hash>,
    } = "get_transactions", Some(ENVELOPE_BYTES + limits::MAX_TRANSACTIONS * HASH_BYTES);
    /// Answers `GetTransactions`, in the order of the request, without the transactions that are not pending
    /// any more. The answer may be cut short by its size limit.
    Transactions(#[serde(deserialize_with = "transactions")] Vec<T>) = "transactions", None;
    /// The last message before the sender closes the connection.
    Bye {
        /// Why the sender closes the connection, for the log of the receiver; cut to
        /// [`limits::MAX_REASON_BYTES`].
        reason: String,
    } = "bye", Some(ENVELOPE_BYTES + limits::MAX_REASON_BYTES * limits::TEXT_EXPANSION);
    /// Requests addresses of other peers.
    GetPeers {
        /// The maximum number of addresses in the answer.
        limit: u32,
    } = "get_peers", Some(ENVELOPE_BYTES);
    /// Answers `GetPeers` with addresses of peers of this chain that the sender has reached or is connected
    /// to; empty if the sender advertises none.
    Peers {
        /// The addresses, in no particular order.
        #[serde(deserialize_with = "addresses")]
        addresses: Vec<PeerAddr>,
    } = "peers", Some(ENVELOPE_BYTES + limits::MAX_PEERS_PER_MESSAGE * ADDRESS_BYTES);
}

/// The bytes of a message around its items.
const ENVELOPE_BYTES: usize = 96;

/// A hash with its quotes and comma.
const HASH_BYTES: usize = 72;

/// An address with its quotes and comma, every character of it escaped: a quote and a backslash take two
/// bytes.
const ADDRESS_BYTES: usize = 2 * PeerAddr::MAX_LEN + 4;

/// A header with the names of its fields.
const HEADER_BYTES: usize = 640;

// The largest texts of a `Hello` must fit. An escape adds at most one byte to a character of an address.
const _: () = assert!(
    limits::MAX_HELLO_BYTES > limits::MAX_AGENT_BYTES * limits::TEXT_EXPANSION + PeerAddr::MAX_LEN * 2
);

impl MessageKind {
    /// Returns the number, which formats without names write.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// Returns the kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Returns the kind with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl<T> Message<T> {
    /// Returns the name of the message kind, for logs and errors.
    pub fn kind(&self) -> &'static str {
        MessageKind::from(self).name()
    }

    /// The number of items of a message that is a list, and the limit on them; both are 0 for any other
    /// message.
    pub(super) const fn items(&self) -> (usize, usize) {
        match self {
            Self::GetHeaders { locator, .. } => (locator.len(), limits::MAX_LOCATOR_HASHES),
            Self::Headers(headers) => (headers.len(), limits::MAX_HEADERS),
            Self::GetBlocks { hashes } | Self::NotFound { hashes } => (hashes.len(), limits::MAX_BLOCKS),
            Self::Blocks(blocks) => (blocks.len(), limits::MAX_BLOCKS),
            Self::Offer { ids } | Self::GetTransactions { ids } => (ids.len(), limits::MAX_TRANSACTIONS),
            Self::Transactions(transactions) => (transactions.len(), limits::MAX_TRANSACTIONS),
            Self::Peers { addresses } => (addresses.len(), limits::MAX_PEERS_PER_MESSAGE),
            Self::Hello(_)
            | Self::Ping(_)
            | Self::Pong(_)
            | Self::Announce(_)
            | Self::NewBlock(_)
            | Self::GetPeers { .. }
            | Self::Bye { .. } => (0, 0),
        }
    }
}

impl<T: Transaction> Message<T> {
    /// Returns the size of the message in memory in bytes, as [`Block::memory_size`] counts it. A block
    /// counts in full, even if the chain shares it.
    #[cfg(feature = "node")]
    pub(crate) fn memory_size(&self) -> usize {
        let held = match self {
            Self::Ping(_) | Self::Pong(_) | Self::Announce(_) | Self::GetPeers { .. } => 0,
            Self::Hello(hello) => {
                hello.agent.len() + hello.listen.as_ref().map_or(0, |address| address.as_str().len())
            }
            Self::GetHeaders { locator: hashes, .. }
            | Self::GetBlocks { hashes }
            | Self::NotFound { hashes }
            | Self::Offer { ids: hashes }
            | Self::GetTransactions { ids: hashes } => size_of_val(hashes.as_slice()),
            Self::Headers(headers) => size_of_val(headers.as_slice()),
            Self::Blocks(blocks) => blocks.iter().map(|block| block.memory_size()).sum(),
            Self::NewBlock(block) => block.memory_size(),
            Self::Transactions(transactions) => {
                let mut bytes = Vec::new();
                let held = transactions.iter().map(|transaction| {
                    bytes.clear();
                    // A transaction without an encoding is never sent.
                    size_of::<T>().saturating_add(encode_and_measure(transaction, &mut bytes).unwrap_or(0))
                });
                held.fold(0, usize::saturating_add)
            }
            Self::Bye { reason } => reason.len(),
            Self::Peers { addresses } => {
                addresses.iter().map(|address| size_of_val(address) + address.as_str().len()).sum()
            }
        };
        size_of::<Self>() + held
    }

    /// Computes the digests of the blocks in this message on the thread that decoded it, so that the driver
    /// does not have to. Whether they were requested is not known yet, so the work is bounded by
    /// [`limits::MAX_DIGESTED_AHEAD`] transactions.
    #[cfg(feature = "node")]
    pub(crate) fn digest_ahead(&self) {
        let mut transactions = 0;
        let fits = |block: &&Arc<Block<T>>| {
            transactions += block.data().len();
            transactions <= limits::MAX_DIGESTED_AHEAD
        };
        Block::digest_all_ahead(self.blocks().iter().take_while(fits).map(|block| &**block));
    }

    /// Lets the blocks in this message [adopt](Block::adopt) the pending transactions that they contain.
    #[cfg(feature = "node")]
    pub(crate) fn adopt(&mut self, pending: &Mempool<T>) {
        let blocks = match self {
            Self::Blocks(blocks) => &mut **blocks,
            Self::NewBlock(block) => core::slice::from_mut(block),
            _ => return,
        };
        if pending.is_empty() {
            return;
        }
        for block in blocks.iter_mut().filter_map(Arc::get_mut) {
            block.adopt(|id| pending.transaction(id));
        }
    }

    /// The transactions in this message, for the application's checks before the message is handled; at most
    /// [`limits::MAX_DIGESTED_AHEAD`]. The chain and the mempool check the remaining ones.
    #[cfg(feature = "node")]
    pub(crate) fn checked_ahead(&self) -> impl Iterator<Item = &T> {
        let transactions: &[T] = if let Self::Transactions(transactions) = self { transactions } else { &[] };
        let in_blocks = self.blocks().iter().flat_map(|block| block.data());
        in_blocks.chain(transactions).take(limits::MAX_DIGESTED_AHEAD)
    }

    #[cfg(feature = "node")]
    pub(crate) fn has_blocks(&self) -> bool {
        !self.blocks().is_empty()
    }

    #[cfg(feature = "node")]
    fn blocks(&self) -> &[Arc<Block<T>>] {
        match self {
            Self::Blocks(blocks) => blocks,
            Self::NewBlock(block) => core::slice::from_ref(block),
            _ => &[],
        }
    }
}

/// The handshake message, which each side sends first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The version of the protocol, [`limits::PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The hash of the genesis block, which commits to every consensus rule of the chain.
    pub genesis: Hash,
    /// A number that the sender chooses, by which it recognises a connection to itself.
    pub nonce: u64,
    /// The tip of the sender's best chain.
    pub tip: Tip,
    /// The sender's software and version; at most [`limits::MAX_AGENT_BYTES`].
    pub agent: String,
    /// The address at which the sender accepts connections, if it wants the address advertised.
    // The attribute makes the field required: serde's derive would read a missing field as `None`.
    #[serde(deserialize_with = "Option::deserialize")]
    pub listen: Option<PeerAddr>,
    /// Whether the sender wants the receiver to send each block that it mines at once, without a request.
    pub wants_new_blocks: bool,
    /// The number of most recent blocks whose bodies the sender keeps; `None` if it keeps all bodies.
    #[serde(deserialize_with = "Option::deserialize")]
    pub keeps_bodies: Option<u64>,
}

/// The tip of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tip {
    /// The hash of the block.
    pub hash: Hash,
    /// The height of the block.
    pub height: u64,
    /// The total work of the chain: a claim of the peer until its headers prove it.
    pub work: Work,
}

fn hashes<'de, D: Deserializer<'de>, const LIMIT: usize>(deserializer: D) -> Result<Vec<Hash>, D::Error> {
    bounded_vec(deserializer, LIMIT)
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Header>, D::Error> {
    bounded_vec(deserializer, limits::MAX_HEADERS)
}

fn blocks<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<Arc<Block<T>>>, D::Error> {
    let transactions = |Shared(block): &Shared<T>| block.data().len();
    let limit = limits::MAX_BLOCKS;
    let blocks = bounded_by_weight(deserializer, limit, transactions, Block::<T>::MAX_TRANSACTIONS)?;
    // Reuses the allocation, because `Shared` and `Arc` have the same layout.
    Ok(blocks.into_iter().map(|Shared(block)| block).collect())
}

fn shared<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Arc<Block<T>>, D::Error> {
    Block::deserialize(deserializer).map(Arc::new)
}

/// A block that is deserialised into its `Arc`. The `Deserialize` of an `Arc` allocates a `Box` first and
/// copies out of it.
struct Shared<T>(Arc<Block<T>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        shared(deserializer).map(Self)
    }
}

fn transactions<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    bounded_vec(deserializer, limits::MAX_TRANSACTIONS)
}

fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PeerAddr>, D::Error> {
    bounded_vec(deserializer, limits::MAX_PEERS_PER_MESSAGE)
}

#[cfg(all(test, feature = "node"))]
mod tests {
    use super::*;

    /// Checks a claim of `docs/threat-model.md` about transactions that are texts.
    #[cfg(feature = "ws-postcard")]
    #[test]
    fn a_byte_takes_at_most_25_bytes_of_memory() {
        use crate::wire::{Postcard, WireFormat as _};

        let header = Header::from_bytes(&[7; Header::LEN]);
        let block = || Arc::new(Block::new(header, vec![String::new(); 10_000]));
        let messages: [Message; 6] = [
            Message::Transactions(vec![String::new(); limits::MAX_TRANSACTIONS]),
            Message::Transactions(vec!["x".to_owned(); limits::MAX_TRANSACTIONS]),
            Message::Blocks(vec![block()]),
            Message::NewBlock(block()),
            Message::Headers(vec![header; limits::MAX_HEADERS]),
            Message::Offer { ids: vec![Hash::ZERO; limits::MAX_TRANSACTIONS] },
        ];
        for message in messages {
            message.digest_ahead();
            let bytes = Postcard.encode(&message).unwrap().as_bytes().len();
            let memory = message.memory_size() - size_of::<Message>();
            assert!(memory <= 25 * bytes, "{memory} for {bytes} bytes of {}", message.kind());
        }
    }

    #[test]
    fn what_is_hashed_ahead_is_bounded() {
        let block = |transactions| {
            Arc::new(Block::new(Header::from_bytes(&[7; Header::LEN]), vec!["x".repeat(31); transactions]))
        };
        let digested = |sizes: &[usize]| {
            let blocks: Vec<_> = sizes.iter().map(|size| block(*size)).collect();
            Message::Blocks(blocks.clone()).digest_ahead();
            blocks.iter().map(|block| block.is_digested()).collect::<Vec<_>>()
        };
        assert_eq!(digested(&[4_000, 6_000, 1]), [true, true, false]);
        assert_eq!(digested(&[10_001]), [false]);
    }
}
