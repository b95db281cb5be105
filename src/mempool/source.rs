//! Where a transaction comes from.

/// The source of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source<'a> {
    /// The application itself. Its transactions are never evicted in favour of transactions from peers.
    Local,
    /// The store, from before a restart: the original source is unknown.
    Store,
    /// A peer.
    Peer {
        /// The host of the peer. In a full mempool, transactions of the host with the largest share are
        /// evicted in favour of hosts with smaller shares.
        host: &'a str,
    },
}
