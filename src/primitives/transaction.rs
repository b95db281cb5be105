//! Transactions: the trait that an embedding application implements.

use core::fmt::Debug;
use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::hash::Hash;
use super::public_key::PublicKey;
use super::serde_form::SerdeFlaw;
use super::units::{Address, Timestamp};

/// The content of a block: a transaction of the application.
///
/// Implement it for your own type, or use `String` for plain text.
///
/// # The serde form
///
/// The serde form must keep the value: a value written in any format has to read back as an equal one. The
/// store and peers use formats without field names (postcard, bincode), in which several attributes of serde
/// do not work:
///
/// | in the type | what happens in such a format |
/// | --- | --- |
/// | `#[serde(tag = "..")]`, `#[serde(untagged)]`, a `serde_json::Value` | the value cannot be read |
/// | `#[serde(flatten)]` | the value can be neither written nor read |
/// | `#[serde(skip_serializing_if = "..")]` | the field is left out, and the next one is read in its place |
///
/// Not every format can represent every value: JSON writes a NaN as `null`, and accepts only texts, numbers
/// and booleans as map keys. A node refuses a value that does not read back, with an error that names the
/// cause, when the value is submitted, and does not accept it from a peer. Test your type with
/// `hashloom::testing::transaction` (feature `test-utils`), with one value for each variant and shape.
///
/// # Equal transactions
///
/// The id of a transaction is the hash of its canonical bytes, so equal transactions have one id. A node
/// refuses to submit or relay a transaction if an equal one is pending or was [mined
/// recently](crate::mempool::MempoolConfig::max_mined_ids): the node cannot distinguish a second record from a late
/// relay of the first. If a record may occur twice, give it a field that differs: the author's sequence
/// number, an order number, a time, or random bytes. Consensus does not forbid equal transactions: `apply`
/// may, and `NodeHandle::mine` with data of your own mines one again.
///
/// # Panics in your code
///
/// If the program is built to unwind, a panic in one of the methods below or in serde code is caught, and the
/// transaction or the block is refused with an error that contains the panic's message. The state that the
/// call was changing is discarded. A panic therefore rejects a transaction like a [`Rejected`] and has to be
/// as deterministic: a node whose code panics on a block that other nodes accept splits from their chain. A
/// panic in `clone`, `eq` or `drop` of the state is not caught and stops the node.
pub trait Transaction:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The application's state, the result of all transactions (balances, an index), or `()`.
    ///
    /// A node clones the state about once per block and once per pending transaction, so the clones of a
    /// large state should share structure: use an `Arc` or a persistent collection. In an
    /// [`AuthenticatedMap`](crate::AuthenticatedMap) a clone takes constant time, and its root is a state root that
    /// proves single entries.
    ///
    /// A store keeps the state in postcard, so the rules for the [serde form](#the-serde-form) of a
    /// transaction hold for the state too: no `skip_serializing_if`, for example. Opening a chain fails if
    /// its first state does not read back; a later state that does not is refused when it is written
    /// ([`StoreError::Unwritable`](crate::StoreError::Unwritable)).
    type State: Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Checks what depends on neither the state nor the block, such as a signature, and is costly. `genesis` is the hash of
    /// the chain's genesis block, as in [`Context`].
    ///
    /// A node calls this function before [`apply`](Self::apply), for each transaction that a peer, a client or an
    /// archive delivers; for those of peers on the task of the connection, before the chain is locked. It does not call
    /// the function when it replays blocks from its store. A peer that delivers what is refused here is at fault,
    /// whatever its chain is, and its host's score rises; a refusal by `apply` of a transaction that is not in a block
    /// costs a peer nothing.
    ///
    /// The function may be called more than once for a value, so one that is costly keeps its verdict in the value. Like
    /// `apply`, it must be deterministic.
    ///
    /// Provided: accepts.
    ///
    /// # Errors
    ///
    /// [`Rejected`], which names the application's rule.
    fn check(&self, genesis: &Hash) -> Result<(), Rejected> {
        let _ = genesis;
        Ok(())
    }

    /// Applies the transaction to the state, or returns why it must not be in this block.
    ///
    /// `apply` must be deterministic: equal states and contexts give equal results on every node, today and
    /// in ten years. Use no clock, no randomness, no iteration over unordered maps, and no floating point
    /// that differs between platforms. After an error, the caller discards the state.
    ///
    /// # Errors
    ///
    /// [`Rejected`], which names the application's rule.
    fn apply(&self, state: &mut Self::State, context: &Context<'_>) -> Result<(), Rejected>;

    /// Acts once for each block, after its transactions, and for a block without transactions too: pays the miner,
    /// lets entries expire. An error refuses the block.
    ///
    /// The end of a block sees what its transactions left, so it can pay out their fees; the transactions of the next block
    /// see what the end left. The state root is that of the state after the end. The genesis block has no end, because
    /// [`genesis_state`](Self::genesis_state) makes its state.
    ///
    /// A template includes the end of its block. The mempool tries pending transactions on the state after the end
    /// of the last block, one after the other, and does not end the block that they may be in. If the end refuses a block
    /// because of a transaction, mining without own data finds and removes that transaction. If the end refuses
    /// a block without transactions too, this miner cannot extend the tip.
    ///
    /// Like [`apply`](Self::apply), this function must be deterministic. It runs for every block that is mined, imported
    /// or replayed, so its cost should not grow with the state: keep entries that expire in the order of their expiry.
    /// After an error, the caller discards the state.
    ///
    /// Provided: does nothing.
    ///
    /// # Errors
    ///
    /// [`Rejected`], which names the application's rule.
    fn end_block(state: &mut Self::State, context: &Context<'_>) -> Result<(), Rejected> {
        let _ = (state, context);
        Ok(())
    }

    /// The state before the first transaction, made from the [genesis
    /// data](crate::consensus::ChainSpecBuilder::genesis_data) of the chain's spec, such as the keys that may write or
    /// opening balances. The application defines the format of the data. Like [`apply`](Self::apply), this
    /// function must be deterministic.
    ///
    /// Provided: the default state if there is no data, and otherwise an error, because the data would be
    /// ignored.
    ///
    /// # Errors
    ///
    /// [`Rejected`], if the application cannot use the data. The chain does not open then.
    fn genesis_state(data: &[u8]) -> Result<Self::State, Rejected> {
        if data.is_empty() {
            return Ok(Self::State::default());
        }
        Err(Rejected::new("genesis_data", format!("{} bytes of genesis data, expected none", data.len())))
    }

    /// Appends the canonical bytes, which are hashed into the Merkle tree and counted against the block size.
    /// Canonical bytes do not depend on the wire format and are never parsed. Two different values must have
    /// different canonical bytes.
    ///
    /// Provided: the type's serde form in [postcard](https://postcard.jamesmunns.com/wire-format).
    ///
    /// # Errors
    ///
    /// [`EncodeError`], for a value that has no canonical bytes. The content of `bytes` is then unspecified.
    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        *bytes = postcard::to_extend(self, core::mem::take(bytes))
            .map_err(|error| EncodeError::of_postcard(&error))?;
        Ok(())
    }

    /// The number of bytes that the value holds on the heap, beyond its `size_of::<Self>()`. `encoded_len` is
    /// the number of its canonical bytes.
    ///
    /// Every limit in bytes of memory ([`ChainConfig`](crate::ChainConfig),
    /// [`MempoolConfig`](crate::mempool::MempoolConfig)) counts `size_of::<Self>()` and the heap size of a
    /// transaction. The result need not be exact: one that is too small by a factor makes those limits too
    /// large by that factor. This function must be cheap, and its result must not change unless the value
    /// does.
    ///
    /// Provided: `encoded_len`, which suits numbers, and texts and byte strings in fields of the type.
    /// Implement it for a type that takes more heap than canonical bytes: a list, a map or a box of values. A
    /// `Vec<u64>` of zeros takes eight times its encoding, a `Vec<String>` of empty texts 24 times.
    fn heap_size(&self, encoded_len: usize) -> usize {
        encoded_len
    }

    /// How much a miner prefers the transaction, such as its fee: a template takes transactions with a higher priority
    /// first, and among equals those that arrived first. In a full mempool it evicts those with a lower one, so it must
    /// cost the sender something, or be limited by [`apply`](Self::apply). Not part of consensus.
    ///
    /// Provided: zero.
    fn priority(&self) -> u64 {
        0
    }

    /// Whose transaction it is, for its order: a template takes the transactions of one sender in the order in which
    /// they arrived, whatever their priorities are. Not part of consensus.
    ///
    /// Provided: none, so that the transaction depends on no other.
    fn sender(&self) -> Option<PublicKey> {
        None
    }

    /// A hash of the state, to which every header commits. Nodes whose `apply` computes different states
    /// refuse each other's blocks with an error about the state root, instead of diverging without notice.
    ///
    /// Provided: zeros, which mean "not committed".
    fn state_root(state: &Self::State) -> Hash {
        let _ = state;
        Hash::ZERO
    }

    /// What shows to an outsider, who has only a header with the [state root](Self::state_root), which value the state has at
    /// a key, or that it has none: what a node answers to `GET /state/{key}` (feature `http`). Not part of consensus.
    ///
    /// The application defines the texts of its keys and the bytes of its proofs. If the state is one
    /// [`AuthenticatedMap`](crate::AuthenticatedMap), its state root that of the map and its keys are texts, the body is
    /// `state.prove(&key.to_owned()).ok().map(|proof| proof.to_bytes())`. `None` means that the text is no key.
    ///
    /// Any HTTP client may ask, so the cost should not grow with the state by more than its logarithm.
    ///
    /// Provided: no text is a key.
    fn prove(state: &Self::State, key: &str) -> Option<Vec<u8>> {
        let _ = (state, key);
        None
    }
}

/// Plain text without rules.
impl Transaction for String {
    type State = ();

    fn apply(&self, (): &mut (), _context: &Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }
}

/// The block in which a transaction is applied. All fields are from the block's header and the chain's spec, so all
/// nodes have equal contexts. [`Header::context`](crate::Header::context) makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The hash of the chain's genesis block, which differs between chains with different rules. What is signed with
    /// it is valid on one chain only.
    pub genesis: &'a Hash,
    /// The block's height.
    pub height: u64,
    /// The block's timestamp.
    pub timestamp: Timestamp,
    /// The address of the block's miner.
    pub miner: Address,
    /// The hash of the block's parent.
    pub previous_hash: &'a Hash,
    /// The author of the transaction, if it is in a `Signed` (feature `signed`).
    pub author: Option<Author>,
}

impl Context<'_> {
    /// The author, for a transaction that only a `Signed` may contain.
    ///
    /// # Errors
    ///
    /// [`Rejected`] with the rule `unsigned`, if there is none.
    pub fn require_author(&self) -> Result<Author, Rejected> {
        self.author
            .ok_or_else(|| Rejected::new("unsigned", "the transaction has no author, expected a signed one"))
    }
}

/// Who signed a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Author {
    /// The public key that verified the signature.
    pub key: PublicKey,
    /// The sequence number of the transaction: how many of the author's are before it on the chain. With the key, it
    /// names the transaction.
    pub sequence: u64,
}

impl Author {
    /// The author with this key, and the transaction with this number.
    pub const fn new(key: PublicKey, sequence: u64) -> Self {
        Self { key, sequence }
    }
}

/// Why an application refuses a transaction or genesis data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {detail}")]
pub struct Rejected {
    rule: Cow<'static, str>,
    detail: String,
}

impl Rejected {
    /// An error with the name of the rule, short and stable, for programs, and the details of the violation,
    /// for people.
    pub fn new(rule: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { rule: rule.into(), detail: detail.into() }
    }

    /// The name of the rule.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The details of the violation, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

/// So that `?` in [`Transaction::apply`] refuses what has no canonical bytes, as a key of an
/// [`AuthenticatedMap`](crate::AuthenticatedMap) may. The rule is `canonical_encoding`.
impl From<EncodeError> for Rejected {
    fn from(error: EncodeError) -> Self {
        Self::new("canonical_encoding", error.reason)
    }
}

/// Why a transaction, or a key or value of an [`AuthenticatedMap`](crate::AuthenticatedMap), has no canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no canonical encoding: {reason}")]
pub struct EncodeError {
    reason: Cow<'static, str>,
}

impl EncodeError {
    /// An error with this reason, for people. For types that implement [`Transaction::encode`].
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into() }
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Converts an error of postcard; names the likely cause in the type if it is known.
    pub(crate) fn of_postcard(error: &postcard::Error) -> Self {
        Self::new(SerdeFlaw::of_postcard(error).map_or_else(|| error.to_string(), |flaw| flaw.to_string()))
    }
}
