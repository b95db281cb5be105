//! What peers say to each other. Plain serde derives, which mean the same in every format; every collection is
//! bounded while it is parsed. Only what is written is read: every field is there, and no other one.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::address::PeerAddr;
use super::kind::MessageKind;
use super::limits;
#[cfg(feature = "node")]
use crate::primitives::encode_and_measure;
use crate::primitives::{Block, Hash, Header, Transaction, Work, bounded_by_weight, bounded_vec};

/// One message between two peers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, bound(deserialize = "T: Deserialize<'de>"))]
#[non_exhaustive]
pub enum Message<T = String> {
    /// The first message in both directions, and only the first.
    Hello(Hello),
    /// Asks whether the peer is still there.
    Ping(u64),
    /// Answers the `Ping` with the same number.
    Pong(u64),
    /// Asks for headers of the sender's best chain after the first locator hash that it knows.
    GetHeaders {
        /// Hashes from the asker's tip back to genesis, ever further apart.
        #[serde(deserialize_with = "hashes::<_, { limits::MAX_LOCATOR_HASHES }>")]
        locator: Vec<Hash>,
        /// The most headers wanted.
        limit: u32,
    },
    /// Answers `GetHeaders`: consecutive headers, lowest first; empty when there are none.
    Headers(#[serde(deserialize_with = "headers")] Vec<Header>),
    /// Asks for blocks.
    GetBlocks {
        /// The blocks' hashes.
        #[serde(deserialize_with = "hashes::<_, { limits::MAX_BLOCKS_IN_FLIGHT }>")]
        hashes: Vec<Hash>,
    },
    /// Answers `GetBlocks`, in one message or several, in the order in which the blocks were asked for.
    Blocks(#[serde(deserialize_with = "blocks")] Vec<Arc<Block<T>>>),
    /// Answers `GetBlocks` for blocks that the sender does not have.
    NotFound {
        /// The blocks' hashes.
        #[serde(deserialize_with = "hashes::<_, { limits::MAX_BLOCKS_IN_FLIGHT }>")]
        hashes: Vec<Hash>,
    },
    /// The sender's chain has a new tip.
    Announce(Header),
    /// The sender mined a block: the whole of it, unasked, for peers whose `Hello` wants that.
    NewBlock(#[serde(deserialize_with = "shared")] Arc<Block<T>>),
    /// The sender has transactions that wait to be mined.
    Offer {
        /// The transactions' ids.
        #[serde(deserialize_with = "hashes::<_, { limits::MAX_TRANSACTIONS }>")]
        ids: Vec<Hash>,
    },
    /// Asks for transactions that were offered.
    GetTransactions {
        /// The transactions' ids.
        #[serde(deserialize_with = "hashes::<_, { limits::MAX_TRANSACTIONS }>")]
        ids: Vec<Hash>,
    },
    /// Answers `GetTransactions`, in the order in which they were asked for, without those that are gone by
    /// now. May end early for its size.
    Transactions(#[serde(deserialize_with = "transactions")] Vec<T>),
    /// The last message before the sender closes the connection.
    Bye {
        /// Why, for the other side's log; cut to [`limits::MAX_REASON_BYTES`].
        reason: String,
    },
    /// Asks at which other addresses peers are to be found.
    GetPeers {
        /// The most addresses wanted.
        limit: u32,
    },
    /// Answers `GetPeers`: addresses at which the sender has met peers of the chain; empty when it tells of none.
    Peers {
        /// The addresses, in no order.
        #[serde(deserialize_with = "addresses")]
        addresses: Vec<PeerAddr>,
    },
}

impl<T> Message<T> {
    /// The name of the kind, for logs and errors.
    pub fn kind(&self) -> &'static str {
        MessageKind::from(self).name()
    }
}

impl<T: Transaction> Message<T> {
    /// The bytes that the message takes in memory, as [`Block::memory_size`] counts them. A block counts in full, even
    /// if the chain shares it.
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
                    // One without an encoding is never sent.
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

    /// Computes what the checks of its blocks will need, on the thread that has read it instead of the one that takes
    /// all messages in. Nobody knows yet whether the message was asked for, so it may cost no more than reading it did.
    #[cfg(feature = "node")]
    pub(crate) fn digest_ahead(&self) {
        let Self::Blocks(blocks) = self else { return };
        let mut transactions = 0;
        for block in blocks {
            transactions += block.data().len();
            if transactions > limits::MAX_DIGESTED_AHEAD {
                break;
            }
            block.digest_ahead();
        }
    }
}

/// How two peers introduce themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`limits::PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The hash of the genesis block, which commits to every rule of the chain.
    pub genesis: Hash,
    /// A number of the sender's choice, by which it recognises a connection to itself.
    pub nonce: u64,
    /// Where the sender's best chain ends.
    pub tip: Tip,
    /// The sender's software and version; at most [`limits::MAX_AGENT_BYTES`].
    pub agent: String,
    /// Where the sender accepts connections, if others are to be told of it.
    // Named, since serde would read a field that is not there as `None`.
    #[serde(deserialize_with = "Option::deserialize")]
    pub listen: Option<PeerAddr>,
    /// Whether the receiver should send blocks that it mines at once, without being asked.
    pub wants_new_blocks: bool,
    /// Of how many blocks at the end of its chain the sender has the bodies; of all where it does not say.
    #[serde(deserialize_with = "Option::deserialize")]
    pub keeps_bodies: Option<u64>,
}

/// The end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tip {
    /// The hash of the last block.
    pub hash: Hash,
    /// Its height.
    pub height: u64,
    /// The work of the whole chain. A peer's claim until its headers prove it.
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
    let limit = limits::MAX_BLOCKS_IN_FLIGHT;
    let blocks = bounded_by_weight(deserializer, limit, transactions, Block::<T>::MAX_TRANSACTIONS)?;
    // In place: the two are the same in memory.
    Ok(blocks.into_iter().map(|Shared(block)| block).collect())
}

fn shared<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Arc<Block<T>>, D::Error> {
    Block::deserialize(deserializer).map(Arc::new)
}

/// A block that is read into its place. The `Deserialize` of an `Arc` makes a `Box` first and copies out of it.
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

    /// `docs/threat-model.md` says so, for texts.
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
