//! The routes of a node, over the types of [`api`](crate::api).

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;
use std::fmt::Write as _;

use hyper::Method;
use hyper::header::{HeaderName, LINK};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::events::NodeEvents;
use super::exchange::Answer;
use super::{Client, ClientError};
#[cfg(feature = "evidence")]
use crate::api::LogConsistency;
use crate::api::{
    Ban, BanRequest, BlockView, ConnectRequest, Dialling, HeaderView, Health, KnownAddress, MineRequest,
    PeerInfo, PendingTransaction, SideBlockView, StateProof, StateView, Status, SubmitRequest, Submitted,
    TransactionView,
};
#[cfg(feature = "evidence")]
use crate::evidence::Receipt;
use crate::primitives::Hash;
use crate::protocol::{PeerAddr, PeerHost, PeerId};

/// A client of the routes of one node, whose transactions are of the type `T`.
///
/// It believes the node: to check what it says, convert a [`BlockView`] into a [`Block`](crate::Block), and verify receipts
/// and checkpoints with the feature `evidence`. It has one function for each route, except for the explorer, the metrics
/// and the description of the routes. Every answer but [`events`](Self::events) has to be complete within the limits of the
/// [`Client`].
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use hashloom::Block;
/// use hashloom::api::ErrorCode;
/// use hashloom::client::{Client, ClientError, PageQuery};
///
/// let client = Client::new("http://localhost:3001")?.with_token("0123456789abcdef")?;
/// let node = client.node::<String>();
/// let mined = node.mine(vec!["hello".to_owned()]).await?;
/// println!("block {} at height {}", mined.header.hash, mined.header.height);
///
/// let newest = node.blocks(PageQuery::default().descending().limit(10)).await?;
/// for view in newest.items {
///     let block = Block::try_from(view)?;   // computes the hash and compares it
///     println!("{}: {:?}", block.height(), block.data());
/// }
/// match node.block_at(1_000_000).await {
///     Err(ClientError::Refused(error)) if error.code() == Some(ErrorCode::BlockNotFound) => println!("not yet"),
///     other => println!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
pub struct NodeClient<T> {
    client: Client,
    transaction: PhantomData<fn() -> T>,
}

/// Which part of the chain a page has. By default, the node begins at its lowest block, and decides on the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageQuery {
    from: Option<u64>,
    limit: Option<u64>,
    is_descending: bool,
}

/// A page of the best chain.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Page<I> {
    /// The blocks or headers, in the order that was asked for.
    pub items: Vec<I>,
    /// The number of blocks of the best chain.
    pub total: Option<u64>,
    /// The query for the next page, if there is one.
    pub next: Option<PageQuery>,
}

impl PageQuery {
    /// Begins at this height.
    #[must_use]
    pub const fn from_height(mut self, height: u64) -> Self {
        self.from = Some(height);
        self
    }

    /// Has at most this many items, at least 1; a node has a maximum of its own.
    #[must_use]
    pub const fn limit(mut self, items: u64) -> Self {
        self.limit = Some(items);
        self
    }

    /// Has the highest item first.
    #[must_use]
    pub const fn descending(mut self) -> Self {
        self.is_descending = true;
        self
    }

    fn path(self, path: &str) -> String {
        let order = self.is_descending.then_some("desc");
        let numbers = [("from", self.from), ("limit", self.limit)];
        let mut query: Vec<String> =
            numbers.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect();
        query.extend(order.map(|order| format!("order={order}")));
        format!("{path}?{}", query.join("&"))
    }
}

impl Client {
    /// The routes of a node whose transactions are of the type `T`. The URL of this client is that of the node.
    pub fn node<T>(&self) -> NodeClient<T> {
        NodeClient { client: self.clone(), transaction: PhantomData }
    }
}

/// The chain. All functions are cancel-safe: a dropped future closes its connection, but what changes the node may have
/// been done. Each fails with [`ClientError`].
impl<T: DeserializeOwned> NodeClient<T> {
    /// Blocks of the best chain.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn blocks(&self, query: PageQuery) -> Result<Page<BlockView<T>>, ClientError> {
        self.page("/blocks", query, |block: &BlockView<T>| block.header.height).await
    }

    /// The block of the best chain at this height.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn block_at(&self, height: u64) -> Result<BlockView<T>, ClientError> {
        self.client.get(&format!("/blocks/{height}")).await
    }

    /// The block with this hash, on any branch.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn block(&self, hash: &Hash) -> Result<BlockView<T>, ClientError> {
        self.client.get(&format!("/blocks/{hash}")).await
    }

    /// The last block of the best chain.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn latest_block(&self) -> Result<BlockView<T>, ClientError> {
        self.client.get("/blocks/latest").await
    }

    /// Mines the pending transactions. Takes as long as it takes, so set [`Client::with_timeout`] accordingly.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn mine_pending(&self) -> Result<BlockView<T>, ClientError> {
        self.client.post("/mine", &MineRequest::<()> { data: None }).await
    }

    /// Pending transactions, at most `limit`; a node has a maximum of its own.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn transactions(&self, limit: u64) -> Result<Vec<PendingTransaction<T>>, ClientError> {
        self.client.get(&format!("/transactions?limit={limit}")).await
    }

    /// What has become of a transaction.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn transaction(&self, id: &Hash) -> Result<TransactionView<T>, ClientError> {
        self.client.get(&format!("/transactions/{id}")).await
    }
}

/// Transactions that are sent.
impl<T: Serialize + DeserializeOwned> NodeClient<T> {
    /// Mines a block with these transactions; without any, an empty one. Takes as long as it takes, so set
    /// [`Client::with_timeout`] accordingly.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn mine(&self, data: Vec<T>) -> Result<BlockView<T>, ClientError> {
        self.client.post("/mine", &MineRequest { data: Some(data) }).await
    }

    /// Submits a transaction. Returns its id.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn submit(&self, transaction: &T) -> Result<Hash, ClientError> {
        let Submitted { id } =
            self.client.post("/transactions", &SubmitRequest { data: transaction }).await?;
        Ok(id)
    }
}

/// What does not depend on the type of the transactions.
impl<T> NodeClient<T> {
    /// Headers of the best chain, also of blocks that were pruned.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn headers(&self, query: PageQuery) -> Result<Page<HeaderView>, ClientError> {
        self.page("/headers", query, |header: &HeaderView| header.height).await
    }

    /// The header of the best chain at this height.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn header_at(&self, height: u64) -> Result<HeaderView, ClientError> {
        self.client.get(&format!("/headers/{height}")).await
    }

    /// The header with this hash, on any branch.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn header(&self, hash: &Hash) -> Result<HeaderView, ClientError> {
        self.client.get(&format!("/headers/{hash}")).await
    }

    /// Blocks on side branches, the highest first, at most `limit`; a node has a maximum of its own.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn branches(&self, limit: u64) -> Result<Vec<SideBlockView>, ClientError> {
        self.client.get(&format!("/branches?limit={limit}")).await
    }

    /// The application's state, which most nodes do not serve.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn state<S: DeserializeOwned>(&self) -> Result<StateView<S>, ClientError> {
        self.client.get("/state").await
    }

    /// What shows which value the application's state has at a key, which is not verified: the application's types do that.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn state_proof(&self, key: &str) -> Result<StateProof, ClientError> {
        self.client.get(&format!("/state/{}", encoded(key))).await
    }

    /// Removes a pending transaction.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn remove_transaction(&self, id: &Hash) -> Result<(), ClientError> {
        self.delete(&format!("/transactions/{id}")).await
    }

    /// Connected peers.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, ClientError> {
        self.client.get("/peers").await
    }

    /// Adds an address to dial. Returns it as the node has it.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn connect(&self, address: &PeerAddr) -> Result<PeerAddr, ClientError> {
        let request = ConnectRequest { address: address.to_string() };
        let Dialling { address } = self.client.post("/peers", &request).await?;
        Ok(address)
    }

    /// Ends a connection, and stops dialling its address.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn remove_peer(&self, id: PeerId) -> Result<(), ClientError> {
        self.delete(&format!("/peers/{}", id.0)).await
    }

    /// Addresses that discovery knows.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn addresses(&self) -> Result<Vec<KnownAddress>, ClientError> {
        self.client.get("/addresses").await
    }

    /// Forgets an address, and ends the connection to it.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn forget_address(&self, address: &PeerAddr) -> Result<(), ClientError> {
        self.delete(&format!("/addresses/{}", encoded(address.as_str()))).await
    }

    /// Banned hosts.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn bans(&self) -> Result<Vec<Ban>, ClientError> {
        self.client.get("/bans").await
    }

    /// Bans a host, for whole seconds.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn ban(&self, host: &PeerHost, duration: Duration) -> Result<Ban, ClientError> {
        let request = BanRequest { host: host.to_string(), seconds: Some(duration.as_secs()) };
        self.client.post("/bans", &request).await
    }

    /// Lifts a ban.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn unban(&self, host: &PeerHost) -> Result<(), ClientError> {
        self.delete(&format!("/bans/{}", encoded(host.as_str()))).await
    }

    /// A summary of the node's state.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.client.get("/status").await
    }

    /// Whether the node does its work. If it does not, the error has the code `store_failed`, `node_failed` or
    /// `shutting_down`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.client.get("/health").await
    }

    /// What happens on the node from now on.
    pub fn events(&self) -> NodeEvents {
        NodeEvents::new(self.client.0.clone())
    }

    async fn page<I: DeserializeOwned>(
        &self,
        path: &str,
        query: PageQuery,
        height: impl Fn(&I) -> u64,
    ) -> Result<Page<I>, ClientError> {
        let answer = self.client.0.ask(Method::GET, &query.path(path), None).await?.success()?;
        let items: Vec<I> = answer.json()?;
        let step = |last: u64| if query.is_descending { last.checked_sub(1) } else { last.checked_add(1) };
        let next = items.last().filter(|_| has_next(&answer)).and_then(|last| step(height(last)));
        let total = answer.header(&X_TOTAL_COUNT).and_then(|total| total.parse().ok());
        Ok(Page { items, total, next: next.map(|from| query.from_height(from)) })
    }

    async fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.client.0.ask(Method::DELETE, path, None).await?.success()?;
        Ok(())
    }
}

/// Evidence.
#[cfg(feature = "evidence")]
impl<T> NodeClient<T> {
    /// The receipt of a transaction, which is not verified.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn receipt(&self, id: &Hash) -> Result<Receipt, ClientError> {
        self.client.get(&format!("/receipts/{id}")).await
    }

    /// The node's proof that its log of `new_size` blocks extends that of `old_size`. [`Client::consistency`] computes the
    /// proof from tiles instead, which caches and files have as well.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn log_consistency(&self, old_size: u64, new_size: u64) -> Result<LogConsistency, ClientError> {
        self.client.get(&format!("/log/consistency?old={old_size}&new={new_size}")).await
    }

    /// The client of the node's log: its checkpoints and tiles.
    pub fn log(&self) -> Client {
        self.client.below("/log")
    }

    /// The client of the node as a witness.
    pub fn witness(&self) -> Client {
        self.client.below("/witness")
    }
}

impl<T> Clone for NodeClient<T> {
    fn clone(&self) -> Self {
        self.client.node()
    }
}

impl<T> fmt::Debug for NodeClient<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeClient").field(&self.client).finish()
    }
}

/// The number of blocks of the best chain.
const X_TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// Whether there is a next page (RFC 8288).
fn has_next(answer: &Answer) -> bool {
    answer.header(&LINK).is_some_and(|link| link.contains("rel=\"next\""))
}

/// An argument of a path, in which only unreserved characters stay as they are (RFC 3986, section 2.3).
fn encoded(argument: &str) -> String {
    let mut path = String::new();
    for byte in argument.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // A write to a string never fails.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}
