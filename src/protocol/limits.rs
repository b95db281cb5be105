//! All limits on what a peer may send or make a node store. All nodes apply these limits, so an honest peer
//! never exceeds one.

use core::time::Duration;

/// The version of the peer protocol. A peer with another version is disconnected with a reason that says so.
pub const PROTOCOL_VERSION: u32 = 1;

/// Maximum hashes in the locator of a `GetHeaders`. With exponentially growing gaps, 101 hashes cover 2^90
/// blocks.
pub const MAX_LOCATOR_HASHES: usize = 101;

/// Maximum headers in one `Headers`: 360 kB of binary, about a megabyte of JSON.
pub const MAX_HEADERS: usize = 2_000;

/// Maximum peers with an outstanding request for headers at one time.
pub const MAX_HEADER_REQUESTS: usize = 2;

/// Maximum peers among [`MAX_HEADER_REQUESTS`] that have not delivered a block, while other peers deliver
/// blocks.
pub const MAX_THROTTLED_HEADER_REQUESTS: usize = 1;

/// The minimum interval between header requests to peers that have not delivered a block, while other peers
/// deliver blocks.
pub const THROTTLED_HEADER_INTERVAL: Duration = Duration::from_secs(1);

/// How far ahead of the tip, in blocks, headers are accepted from a peer that has not delivered a block while
/// other peers deliver blocks. The actual window is at most
/// [`ChainConfig::max_side_headers`](crate::ChainConfig::max_side_headers) divided by this number. With the
/// defaults, the headers of all peers together then take up half of the headers that are kept.
pub const THROTTLED_HEADER_WINDOW: usize = 256;

/// Maximum hashes in one `GetBlocks` or `NotFound`, and maximum blocks in one `Blocks`.
pub const MAX_BLOCKS: usize = 64;

/// Maximum bodies in flight from one peer: several requests, so that the peer reads and sends blocks while this
/// node imports those before. Fewer if so many peers share a download that they would exceed the
/// [`DOWNLOAD_WINDOW`]. Bodies in flight take no memory: of a peer's messages, a node has those in memory that it
/// imports, one more, and small ones of 256 KiB in all that wait for it.
pub const MAX_BLOCKS_IN_FLIGHT: usize = 256;

/// Usual number of hashes in a `GetBlocks` that this node sends.
pub const BLOCKS_PER_REQUEST: usize = 32;

/// Maximum canonical bytes of the blocks in one `Blocks`; a larger block is sent alone.
pub const MAX_BLOCKS_BYTES: usize = 1 << 20;

/// Maximum transactions of one message that are hashed and [checked](crate::Transaction::check) right after decoding,
/// before it is known whether the message was requested: some milliseconds of work, or half a second if each has a
/// signature. The remaining transactions are hashed and checked later, when the chain is locked.
pub const MAX_DIGESTED_AHEAD: usize = 10_000;

/// How far ahead of the tip, in blocks, bodies are requested. The window is smaller if blocks may be so large
/// that this many do not fit into the side branch storage. Bodies that arrive out of order are kept in
/// memory.
pub const DOWNLOAD_WINDOW: usize = 512;

/// How far ahead of the tip, in blocks, headers are requested from one peer before bodies have to catch up.
pub const HEADER_WINDOW: usize = 20_000;

/// Maximum ids in one `Offer` or `GetTransactions`, and maximum transactions in one `Transactions`.
pub const MAX_TRANSACTIONS: usize = 1_000;

/// Maximum canonical bytes of the transactions in one `Transactions`; a larger transaction is sent alone.
pub const MAX_TRANSACTIONS_BYTES: usize = 1 << 20;

/// Maximum ids that one peer offered and that are not requested yet; further ids are ignored. Also the
/// maximum number of ids that a new peer is offered. Equals the default capacity of a mempool.
pub const MAX_OFFERED: usize = 10_000;

/// The interval at which transactions that a reorganisation returned to the mempool are offered, at most
/// [`MAX_TRANSACTIONS`] each time. Without this limit, repeated reorganisations between two branches would
/// offer the transactions of both again and again.
pub const RETURNED_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum ids and hashes remembered per peer, so that a peer is not sent what it already has.
pub const MAX_KNOWN_PER_PEER: usize = 10_000;

/// Maximum bytes of the software name in a `Hello`.
pub const MAX_AGENT_BYTES: usize = 64;

/// Maximum bytes of the reason in a `Bye`.
pub const MAX_REASON_BYTES: usize = 256;

/// Maximum inbound connections.
pub const MAX_INBOUND: usize = 64;

/// Maximum inbound connections from one host, which is the first 64 bits of an IPv6 address.
pub const MAX_INBOUND_PER_HOST: usize = 16;

/// Score at which a host is banned: [`CloseReason::penalty`](crate::protocol::CloseReason::penalty).
pub const BAN_SCORE: u32 = 100;

/// The time in which a host's score decreases by one point.
pub const FORGIVENESS: Duration = Duration::from_secs(60);

/// The default duration of a ban for misbehaviour.
pub const BAN_DURATION: Duration = Duration::from_secs(60 * 60);

/// Maximum hosts with a score. The host with the fewest points is evicted first.
pub const MAX_SCORED_HOSTS: usize = 1_000;

/// Maximum banned hosts. The ban that would end first is evicted first.
pub const MAX_BANS: usize = 1_000;

/// Maximum addresses that a node keeps a connection to.
pub const MAX_OUTBOUND: usize = 32;

/// The timeout from the start of a connection to the peer's `Hello`.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The timeout from a request to its answer. A peer that does not answer a request for blocks or headers is
/// disconnected, and another peer is asked.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The minimum download rate, in canonical bytes of blocks per second. A peer with outstanding blocks is
/// disconnected if it delivers more slowly, unless it delivers [`BLOCKS_PER_REQUEST`] blocks in
/// [`REQUEST_TIMEOUT`], because the delivery time of small blocks is dominated by latency. Each delivered
/// block extends the deadline by the time that the block takes at this rate, up to [`REQUEST_TIMEOUT`] from
/// that moment. About a third of the rate that delivers a `Blocks` of [`MAX_BLOCKS_BYTES`] within that time,
/// because JSON may be longer.
pub const MIN_DOWNLOAD_RATE: u32 = 16 << 10;

/// The minimum wait before a header is requested again whose timestamp was too far ahead of the clock.
pub const MIN_RETRY: Duration = Duration::from_secs(1);

/// How often the wall clock is checked while blocks or headers wait for it. It may be set at any moment.
pub const CLOCK_CHECK: Duration = Duration::from_secs(1);

/// The minimum interval between two events that report that the clock is behind, or that a branch is refused.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(600);

/// How long nothing is requested from a peer after its branch has exceeded the storage for side branches, or
/// after a failure of the store.
pub const FULL_PAUSE: Duration = Duration::from_secs(20);

/// The delay from a change of transactions or addresses to its write. A crash may lose this much.
pub const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// The wait before a store that could not be written to is tried again.
pub const STORE_RETRY: Duration = Duration::from_secs(5);

/// How often a node checks that its store is still at the place from which the next run opens it.
pub const STORE_CHECK: Duration = Duration::from_secs(2);

/// The silence after which a peer is sent a `Ping`.
pub const PING_INTERVAL: Duration = Duration::from_secs(30);

/// A connection that ends sooner counts as a failed attempt when the wait before the next dial is chosen.
pub const LASTING_CONNECTION: Duration = Duration::from_secs(10);

/// The first wait before an address is dialled again; it doubles with each failure.
pub const MIN_BACKOFF: Duration = Duration::from_millis(500);

/// The longest wait before an address is dialled again.
pub const MAX_BACKOFF: Duration = Duration::from_secs(15);

/// The wait before an address is dialled again where a node of another chain answered, less up to a half at
/// random. A retry succeeds only after one of the two nodes was started with other rules.
pub const OTHER_CHAIN_BACKOFF: Duration = Duration::from_secs(5 * 60);

/// Maximum addresses in one `Peers`. It bounds what a `GetPeers` of a few bytes can cost, once in
/// [`ANSWER_PEERS_INTERVAL`]: less than 10 kB in a binary format and 20 kB in JSON, in which every character
/// may need an escape; usually a few hundred bytes.
pub const MAX_PEERS_PER_MESSAGE: usize = 32;

/// The interval at which one of the peers that this node chose is asked for addresses again.
pub const ASK_PEERS_INTERVAL: Duration = Duration::from_secs(2 * 60);

/// The minimum interval between answers to a peer's `GetPeers`; requests in between are ignored. Half of the
/// interval at which an honest peer asks.
pub const ANSWER_PEERS_INTERVAL: Duration = Duration::from_secs(60);

/// Maximum connections that discovery opens to addresses learnt from peers, in addition to the addresses that
/// the node keeps a connection to.
pub const MAX_DISCOVERED: usize = 8;

/// The interval between two dials of addresses learnt from peers.
pub const DISCOVERED_DIAL_INTERVAL: Duration = Duration::from_millis(500);

/// The first wait before an address learnt from a peer is dialled again after a failure; it doubles with each
/// failure.
pub const MIN_DISCOVERED_BACKOFF: Duration = Duration::from_secs(10);

/// The longest wait before an address learnt from a peer is dialled again after a failure.
pub const MAX_DISCOVERED_BACKOFF: Duration = Duration::from_secs(60 * 60);

/// How long an address is not dialled after it turned out to be another address of a connected peer.
pub const ALIAS_PAUSE: Duration = Duration::from_secs(10 * 60);

/// Failures in a row after which an address is removed at which no peer has ever answered.
pub const MAX_FAILURES_OF_NEW: u32 = 3;

/// Failures in a row after which an address is removed at which a peer has answered before.
pub const MAX_FAILURES_OF_TRIED: u32 = 10;

/// How long an address is valid without being reached or advertised again. An older address is not
/// advertised, and any other address may evict it.
pub const MAX_ADDRESS_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Buckets for addresses that were only advertised by peers.
pub const NEW_BUCKETS: u64 = 64;

/// New buckets that the addresses from one source can occupy: a sixteenth of all.
pub const NEW_BUCKETS_PER_SOURCE: u64 = 4;

/// Buckets for addresses at which this node has reached a peer.
pub const TRIED_BUCKETS: u64 = 16;

/// Tried buckets that the addresses of one group can occupy: an eighth of all.
pub const TRIED_BUCKETS_PER_GROUP: u64 = 2;

/// Maximum addresses in one bucket.
pub const BUCKET_SIZE: usize = 16;

/// Maximum known addresses: the capacity of all buckets.
#[expect(clippy::cast_possible_truncation, reason = "far below 2^32")]
pub const MAX_ADDRESSES: usize = (NEW_BUCKETS + TRIED_BUCKETS) as usize * BUCKET_SIZE;

/// Maximum transactions that left the mempool without being mined and whose reasons are remembered.
pub const MAX_DROPPED_TRANSACTIONS: usize = 1_000;

/// Maximum bytes of a remembered reason; a longer one is cut.
pub const MAX_DROP_REASON_BYTES: usize = 256;

/// Maximum addresses that are remembered as this node's own. The oldest is evicted first.
pub const MAX_OWN_ADDRESSES: usize = 16;

/// Maximum bytes that a format needs for one byte of text: JSON writes a control character as `\u001b`.
pub const TEXT_EXPANSION: usize = 6;

/// Maximum bytes of a `Hello`, and thus of the first message of a connection, in every format: 4 KiB. The
/// largest valid `Hello` takes up to 1,500 bytes in JSON.
pub const MAX_HELLO_BYTES: usize = 4 << 10;
