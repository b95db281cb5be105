//! Every bound on what a peer may send or make a node keep, in one place. Both ends follow the same table, so
//! an honest peer never meets one.

mod frames;

use core::time::Duration;

pub use frames::{MAX_HELLO_BYTES, TEXT_EXPANSION, max_frame_bytes};

/// The version of the peer protocol; peers that speak another one are refused by name.
pub const PROTOCOL_VERSION: u32 = 1;

/// Hashes in the locator of a `GetHeaders`. One that thins out exponentially covers 2^90 blocks with 101.
pub const MAX_LOCATOR_HASHES: usize = 101;

/// Headers in one `Headers`: 360 kB of binary, about a megabyte of JSON.
pub const MAX_HEADERS: usize = 2_000;

/// Peers that are asked for headers at the same time.
pub const MAX_HEADER_REQUESTS: usize = 2;

/// Peers among them that have brought no block, while others bring blocks.
pub const MAX_HEADER_TRIALS: usize = 1;

/// How often one of the peers that have brought no block is asked for headers while others bring blocks.
pub const TRIAL_INTERVAL: Duration = Duration::from_secs(1);

/// How far ahead of the tip, in blocks, headers are taken from a peer that has brought no block while others bring
/// blocks; no more than [`ChainConfig::max_side_headers`](crate::ChainConfig::max_side_headers) divided by as many. By
/// default the headers of all peers together then take up half of what is kept.
pub const TRIAL_HEADER_WINDOW: usize = 256;

/// Hashes in one `GetBlocks` or `NotFound`, and so the bodies in flight from one peer.
pub const MAX_BLOCKS_IN_FLIGHT: usize = 64;

/// Hashes in one `GetBlocks` that this node sends, as a rule: half of what may be in flight, so that a peer reads the
/// next blocks while these are taken in.
pub const BLOCKS_PER_REQUEST: usize = MAX_BLOCKS_IN_FLIGHT / 2;

/// Canonical bytes of the blocks in one `Blocks`; a larger block goes alone.
pub const MAX_BLOCKS_BYTES: usize = 1 << 20;

/// Transactions of one `Blocks` that are hashed as soon as it is read, before anybody looks whether it was asked for:
/// some milliseconds. What comes behind them is hashed when it is checked.
pub const MAX_DIGESTED_AHEAD: usize = 10_000;

/// How far ahead of the tip, in blocks, bodies are asked for; less where blocks may be so large that as many do
/// not fit beside the best chain. What arrives out of order waits in memory.
pub const DOWNLOAD_WINDOW: usize = 512;

/// How far ahead of the tip, in blocks, headers are fetched from one peer before bodies have to catch up.
pub const HEADER_WINDOW: usize = 20_000;

/// Ids in one `Offer` or `GetTransactions`, and transactions in one `Transactions`.
pub const MAX_TRANSACTIONS: usize = 1_000;

/// Canonical bytes of the transactions in one `Transactions`; a larger one goes alone.
pub const MAX_TRANSACTIONS_BYTES: usize = 1 << 20;

/// Ids that one peer offered and that are still to be asked for, and ids that a new peer is offered; more are
/// ignored. As many as a mempool holds by default.
pub const MAX_OFFERED: usize = 10_000;

/// How often ids are offered of transactions that came back from a branch that lost, [`MAX_TRANSACTIONS`] of them each
/// time. A chain that flaps between two branches would offer all of both again and again otherwise.
pub const RETURNED_INTERVAL: Duration = Duration::from_secs(1);

/// Ids and hashes remembered per peer, so that nothing is sent to a peer that has it.
pub const MAX_KNOWN_PER_PEER: usize = 10_000;

/// Bytes of the software name in a `Hello`.
pub const MAX_AGENT_BYTES: usize = 64;

/// Bytes of the reason in a `Bye`.
pub const MAX_REASON_BYTES: usize = 256;

/// Connections that peers opened to us.
pub const MAX_INBOUND: usize = 64;

/// Those of them from one host, which is the first 64 bits of an IPv6 address.
pub const MAX_INBOUND_PER_HOST: usize = 16;

/// Points of misbehaviour that get a host banned: [`CloseReason::penalty`](crate::CloseReason::penalty).
pub const BAN_SCORE: u32 = 100;

/// The time in which a host is forgiven one point.
pub const FORGIVENESS: Duration = Duration::from_secs(60);

/// How long a ban for misbehaviour lasts, unless the configuration says otherwise.
pub const BAN_DURATION: Duration = Duration::from_secs(60 * 60);

/// Hosts whose misbehaviour is remembered. The one with the fewest points is forgotten first.
pub const MAX_SCORED_HOSTS: usize = 1_000;

/// Hosts that are banned at the same time. The ban that would end first is lifted first.
pub const MAX_BANS: usize = 1_000;

/// Addresses that we keep a connection to.
pub const MAX_OUTBOUND: usize = 32;

/// From the connection to the peer's `Hello`.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// From a request to its answer. A peer that is asked for blocks or headers and stays silent is closed, and
/// another one asked.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Canonical bytes of blocks in a second below which a peer that still owes blocks does not keep its place, unless it
/// brings [`BLOCKS_PER_REQUEST`] blocks in [`REQUEST_TIMEOUT`]: small ones take the time of the way. What it brings earns
/// it as much time as it would take so, up to [`REQUEST_TIMEOUT`] from then on. A third of what it takes to bring a
/// `Blocks` of [`MAX_BLOCKS_BYTES`] within that time, because JSON may be longer.
pub const MIN_DOWNLOAD_RATE: u32 = 16 << 10;

/// The shortest wait before a header is asked for again whose timestamp was ahead of our clock. It is asked for
/// when its time has come, but not in a hurry.
pub const MIN_RETRY: Duration = Duration::from_secs(1);

/// How often the time of day is looked at while blocks or headers wait for it. It may be set at any moment.
pub const CLOCK_CHECK: Duration = Duration::from_secs(1);

/// The shortest time between two events that say that the clock is behind, or that a branch is refused.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(600);

/// How long nothing is asked of a peer whose branch found no room beside the best chain.
pub const FULL_PAUSE: Duration = Duration::from_secs(20);

/// How soon transactions and addresses are written after they changed. A crash may cost as much.
pub const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// How long a store that could not be written to is left alone before it is tried again.
pub const STORE_RETRY: Duration = Duration::from_secs(5);

/// How often a node checks that its store is still where the next opening looks for it.
pub const STORE_CHECK: Duration = Duration::from_secs(2);

/// Silence after which a peer is asked whether it is still there.
pub const PING_INTERVAL: Duration = Duration::from_secs(30);

/// A connection that ends sooner counts as a failed attempt when the wait before the next one is chosen.
pub const LASTING_CONNECTION: Duration = Duration::from_secs(10);

/// The first wait before an address is dialled again; it doubles with each failure.
pub const MIN_BACKOFF: Duration = Duration::from_millis(500);

/// The longest wait before an address is dialled again.
pub const MAX_BACKOFF: Duration = Duration::from_secs(15);

/// Addresses in one `Peers`, and so what a `GetPeers` of a few bytes can cost: less than 10 kB in a binary format and
/// 20 kB in JSON, where every character may need an escape, and a few hundred bytes as a rule; once in
/// [`ANSWER_PEERS_INTERVAL`].
pub const MAX_PEERS_PER_MESSAGE: usize = 32;

/// How often one of the peers that we chose is asked for addresses, after the first time.
pub const ASK_PEERS_INTERVAL: Duration = Duration::from_secs(2 * 60);

/// How often a peer gets an answer to `GetPeers`; what it asks in between is ignored. Half of the time after which
/// an honest peer asks again.
pub const ANSWER_PEERS_INTERVAL: Duration = Duration::from_secs(60);

/// Connections that a node with discovery opens to addresses that it was told, beyond those that it is to keep.
pub const MAX_DISCOVERED: usize = 8;

/// The wait between two dials of addresses that were told.
pub const DISCOVERED_DIAL_INTERVAL: Duration = Duration::from_millis(500);

/// The first wait before an address is dialled again that was told and failed; it doubles with each failure.
pub const MIN_DISCOVERED_BACKOFF: Duration = Duration::from_secs(10);

/// The longest wait before an address is dialled again that was told and failed.
pub const MAX_DISCOVERED_BACKOFF: Duration = Duration::from_secs(60 * 60);

/// How long an address is left alone that turned out to be another one of a peer that is connected.
pub const ALIAS_PAUSE: Duration = Duration::from_secs(10 * 60);

/// Failures in a row after which an address is forgotten at which nobody ever answered.
pub const MAX_FAILURES_OF_NEW: u32 = 3;

/// Failures in a row after which an address is forgotten at which a peer has answered before.
pub const MAX_FAILURES_OF_TRIED: u32 = 10;

/// How long an address counts that is neither reached nor heard of again. An older one is not told to others, and
/// gives way to any other.
pub const MAX_ADDRESS_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Buckets for addresses that were only heard of.
pub const NEW_BUCKETS: u64 = 64;

/// The buckets among them that what one source tells can get into: a sixteenth of all.
pub const NEW_BUCKETS_PER_SOURCE: u64 = 4;

/// Buckets for addresses at which this node has reached a peer.
pub const TRIED_BUCKETS: u64 = 16;

/// The buckets among them that the addresses of one group can get into: an eighth of all.
pub const TRIED_BUCKETS_PER_GROUP: u64 = 2;

/// Addresses in one bucket.
pub const BUCKET_SIZE: usize = 16;

/// Addresses that are known at the same time: what all buckets hold.
#[expect(clippy::cast_possible_truncation, reason = "far below 2^32")]
pub const MAX_ADDRESSES: usize = (NEW_BUCKETS + TRIED_BUCKETS) as usize * BUCKET_SIZE;

/// Addresses that are remembered as this node's own. The oldest is forgotten first.
pub const MAX_OWN_ADDRESSES: usize = 16;
