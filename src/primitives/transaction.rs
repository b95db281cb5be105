//! Transactions: the one trait that an embedding application implements.

use core::fmt::Debug;
use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::hash::Hash;
use super::serde_form::SerdeFlaw;
use super::units::{Address, Timestamp};

/// The content of a block: a transaction of the application.
///
/// Implement it for your own type, or use `String` for plain text.
///
/// # The serde form
///
/// The serde form must keep the value: what is written in any format has to read back equal. The store and peers use
/// formats without names of fields (postcard, bincode), in which several attributes of serde do not work:
///
/// | in the type | what happens in such a format |
/// | --- | --- |
/// | `#[serde(tag = "..")]`, `#[serde(untagged)]`, a `serde_json::Value` | the value cannot be read |
/// | `#[serde(flatten)]` | the value can be neither written nor read |
/// | `#[serde(skip_serializing_if = "..")]` | the field is left out, and the next one is read in its place |
///
/// Not every format can carry every value: JSON writes a NaN as `null`, and accepts only texts, numbers and
/// booleans as the keys of a map. A node refuses such a value with a named error when it is submitted, and
/// does not accept it from a peer. Test your own type with `hashloom::testing::transaction` (feature
/// `test-utils`), with one value for each shape that it has.
///
/// # Equal transactions
///
/// The id of a transaction is the hash of its canonical bytes, so equal transactions have one id. A node
/// refuses to submit or relay a transaction if an equal one is pending or was [mined
/// recently](crate::MempoolConfig::max_mined_ids): it cannot tell a second record from a late relay of the
/// first. If a record may occur twice, give it a field that tells the two apart: the author's sequence
/// number, an order number, a time, or random bytes. Consensus does not forbid equal transactions: `apply`
/// may, and `NodeHandle::mine` with data of your own mines one again.
///
/// # Panics in your code
///
/// A panic in one of the methods below or in serde code is caught, if the program is built to unwind, and the
/// transaction or the block is refused with an error that names the panic. The state that was being changed
/// is discarded. A panic is therefore as much a verdict as a [`Rejected`] and has to be as deterministic:
/// nodes whose code panics on a block that other nodes accept split from their chain. A panic in `clone`,
/// `eq` or `drop` of the state is not caught and stops the node.
pub trait Transaction:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The application's state, the result of all transactions (balances, an index), or `()`.
    ///
    /// It is cloned about once per block and once per pending transaction, so a large one should share
    /// structure between its clones: an `Arc` or a persistent collection.
    ///
    /// A store keeps it in postcard, so its serde form must keep it like that of the [transaction](#the-serde-form): no
    /// `skip_serializing_if`, for example. A chain whose first state does not read back is refused when it is opened, and
    /// a later one when it is written ([`StoreError::Unwritable`](crate::StoreError::Unwritable)).
    type State: Clone + Debug + Default + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// Applies the transaction to the state, or says why it must not stand in this block.
    ///
    /// It must be deterministic: the same state and context give the same result on every node, today and in
    /// ten years. No clock, no randomness, no iteration over unordered maps, no floating point that differs
    /// between platforms. What it leaves in `state` with an error is thrown away.
    ///
    /// # Errors
    ///
    /// [`Rejected`], naming the application's own rule.
    fn apply(&self, state: &mut Self::State, context: &Context<'_>) -> Result<(), Rejected>;

    /// The state before any transaction, made of the [genesis data](crate::ChainSpecBuilder::genesis_data) of the chain's
    /// spec: who may write, an opening balance. The form of the data is the application's own; like
    /// [`apply`](Self::apply) it must be deterministic.
    ///
    /// Provided: the default of the state, and an error if there is data, which this application would ignore.
    ///
    /// # Errors
    ///
    /// [`Rejected`], if the data is not what the application expects. The chain is not opened then.
    fn genesis_state(data: &[u8]) -> Result<Self::State, Rejected> {
        if data.is_empty() {
            return Ok(Self::State::default());
        }
        Err(Rejected::new("genesis_data", format!("{} bytes of genesis data, expected none", data.len())))
    }

    /// Appends the canonical bytes: what is hashed into the Merkle tree and counted against the block size.
    /// They never depend on the wire format, are only ever written, never parsed, and two different values
    /// must give different bytes.
    ///
    /// Provided: the type's serde form in [postcard](https://postcard.jamesmunns.com/wire-format).
    ///
    /// # Errors
    ///
    /// [`EncodeError`], for a value that has no canonical bytes. What `bytes` holds then is unspecified.
    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        *bytes = postcard::to_extend(self, core::mem::take(bytes))
            .map_err(|error| EncodeError::of_postcard(&error))?;
        Ok(())
    }

    /// How many bytes the value holds on the heap, beyond the `size_of::<Self>()` of the value itself. `encoded_len`
    /// is the number of its canonical bytes.
    ///
    /// Every limit in bytes of memory ([`ChainConfig`](crate::ChainConfig), [`MempoolConfig`](crate::MempoolConfig))
    /// charges a transaction `size_of::<Self>()` and this. It need not be exact: a result that is too small by a
    /// factor makes those limits too large by that factor. It must be cheap, and must not change while the value
    /// does not.
    ///
    /// Provided: `encoded_len`, which fits numbers, and texts and byte strings in fields of the type. Replace it
    /// for a type whose heap holds more than it encodes: a list, a map or a box of values that take more memory than
    /// canonical bytes. A `Vec<u64>` of zeros takes eight times its encoding, a `Vec<String>` of empty texts 24 times.
    fn heap_size(&self, encoded_len: usize) -> usize {
        encoded_len
    }

    /// A hash of the state that every header commits to, so that nodes whose `apply` disagree refuse each
    /// other's blocks by name instead of drifting apart.
    ///
    /// Provided: zeros, "not committed".
    fn state_root(state: &Self::State) -> Hash {
        let _ = state;
        Hash::ZERO
    }
}

/// Plain text without rules.
impl Transaction for String {
    type State = ();

    fn apply(&self, (): &mut (), _context: &Context<'_>) -> Result<(), Rejected> {
        Ok(())
    }
}

/// The block in which a transaction is applied. All of it is in the header, so every node sees the same.
/// [`Header::context`](crate::Header::context) makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The block's height.
    pub height: u64,
    /// The block's timestamp.
    pub timestamp: Timestamp,
    /// The address of the block's miner.
    pub miner: Address,
    /// The hash of the block's parent.
    pub previous_hash: &'a Hash,
}

/// Why an application refuses a transaction or genesis data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {detail}")]
pub struct Rejected {
    rule: Cow<'static, str>,
    detail: String,
}

impl Rejected {
    /// The rule's name (short and stable, for programs) and what it found (for people).
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

/// Why a transaction has no canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no canonical encoding: {reason}")]
pub struct EncodeError {
    reason: Cow<'static, str>,
}

impl EncodeError {
    /// The reason, for people; for a type that writes its canonical bytes itself.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into() }
    }

    /// The reason.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The error of postcard, with the likely cause if there is one.
    pub(crate) fn of_postcard(error: &postcard::Error) -> Self {
        Self::new(SerdeFlaw::of_postcard(error).map_or_else(|| error.to_string(), |flaw| flaw.to_string()))
    }
}
