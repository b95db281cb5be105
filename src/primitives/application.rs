//! Calls of the application's code. A panic becomes an error, because it would otherwise end the task that
//! runs the chain while the rest of the node continues.

use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::hash::Hash;
use super::public_key::PublicKey;
use super::serde_form::SerdeFlaw;
use super::transaction::{Context, EncodeError, Rejected, Transaction};

/// The application's code panicked. The value that it was changing is discarded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the application's `{call}` panicked: {message}")]
#[non_exhaustive]
pub struct Panicked {
    /// The method that panicked: one of [`Transaction`] or of its supertraits.
    pub call: &'static str,
    /// The message of the panic, truncated to [`MAX_MESSAGE_BYTES`](Self::MAX_MESSAGE_BYTES), with spaces
    /// instead of control characters.
    pub message: String,
}

impl Panicked {
    /// The longest message that is kept, in bytes. The limit exists because a message may quote data from a
    /// peer.
    pub const MAX_MESSAGE_BYTES: usize = 256;

    fn new(call: &'static str, payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("no message");
        let mut message = String::new();
        for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            if message.len() + c.len_utf8() > Self::MAX_MESSAGE_BYTES {
                break;
            }
            message.push(c);
        }
        Self { call, message }
    }
}

/// Why a transaction cannot be applied, a block cannot be ended, or the genesis state cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ApplyError {
    Rejected(Rejected),
    Panicked(Panicked),
}

/// Calls the application's code and catches a panic. After an error, the caller must discard all values that
/// the call may have changed.
pub(crate) fn guarded<R>(call: &'static str, run: impl FnOnce() -> R) -> Result<R, Panicked> {
    // The payload is dropped outside of `catch_unwind`, so a panic in the drop of a payload is not caught.
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| Panicked::new(call, &*payload))
}

/// [`Transaction::check`].
pub(crate) fn check<T: Transaction>(transaction: &T, genesis: &Hash) -> Result<(), ApplyError> {
    verdict("Transaction::check", || transaction.check(genesis))
}

/// [`Transaction::apply`]. After an error, the caller must discard the state.
pub(crate) fn apply<T: Transaction>(
    transaction: &T,
    state: &mut T::State,
    context: &Context<'_>,
) -> Result<(), ApplyError> {
    verdict("Transaction::apply", || transaction.apply(state, context))
}

/// [`Transaction::end_block`]. After an error, the caller must discard the state.
pub(crate) fn end_block<T: Transaction>(
    state: &mut T::State,
    context: &Context<'_>,
) -> Result<(), ApplyError> {
    verdict("Transaction::end_block", || T::end_block(state, context))
}

/// [`Transaction::genesis_state`].
pub(crate) fn genesis_state<T: Transaction>(data: &[u8]) -> Result<T::State, ApplyError> {
    verdict("Transaction::genesis_state", || T::genesis_state(data))
}

fn verdict<R>(call: &'static str, run: impl FnOnce() -> Result<R, Rejected>) -> Result<R, ApplyError> {
    guarded(call, run).map_err(ApplyError::Panicked)?.map_err(ApplyError::Rejected)
}

/// [`Transaction::encode`]. What `bytes` holds after an error is unspecified.
pub(crate) fn encode<T: Transaction>(transaction: &T, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
    guarded("Transaction::encode", || transaction.encode(bytes))
        .unwrap_or_else(|panic| Err(EncodeError::new(panic.to_string())))
}

/// [`encode`], and returns the [`Transaction::heap_size`].
pub(crate) fn encode_and_measure<T: Transaction>(
    transaction: &T,
    bytes: &mut Vec<u8>,
) -> Result<usize, EncodeError> {
    guarded("Transaction::encode", || transaction.encode(bytes).map(|()| transaction.heap_size(bytes.len())))
        .unwrap_or_else(|panic| Err(EncodeError::new(panic.to_string())))
}

/// [`Transaction::heap_size`], or the canonical size if that panics.
pub(crate) fn heap_size<T: Transaction>(transaction: &T, encoded_len: usize) -> usize {
    guarded("Transaction::heap_size", || transaction.heap_size(encoded_len)).unwrap_or(encoded_len)
}

/// [`Transaction::priority`] and [`Transaction::sender`], or none if they panic.
pub(crate) fn rank<T: Transaction>(transaction: &T) -> (u64, Option<PublicKey>) {
    guarded("Transaction::priority", || (transaction.priority(), transaction.sender())).unwrap_or_default()
}

/// [`Transaction::state_root`].
pub(crate) fn state_root<T: Transaction>(state: &T::State) -> Result<Hash, Panicked> {
    guarded("Transaction::state_root", || T::state_root(state))
}

/// [`Transaction::prove`].
#[cfg(feature = "http")]
pub(crate) fn prove<T: Transaction>(state: &T::State, key: &str) -> Result<Option<Vec<u8>>, Panicked> {
    guarded("Transaction::prove", || T::prove(state, key))
}

/// Checks that a transaction reads back as an equal one from its serde form in postcard, the format of the
/// store.
pub(crate) fn check_serde_form<T: Transaction>(transaction: &T) -> Result<(), EncodeError> {
    let refused = |flaw: SerdeFlaw| EncodeError::new(format!("its serde form in postcard: {flaw}"));
    let panicked = |panic: Panicked| EncodeError::new(panic.to_string());
    let bytes = guarded("Serialize::serialize", || postcard::to_allocvec(transaction)).map_err(panicked)?;
    let bytes = bytes.map_err(|error| EncodeError::of_postcard(&error))?;
    let read = guarded("Deserialize::deserialize", || match postcard::take_from_bytes::<T>(&bytes) {
        Ok((read, [])) if read == *transaction => Ok(()),
        Ok(_) => Err(None),
        Err(error) => Err(SerdeFlaw::of_postcard(&error)),
    });
    read.map_err(panicked)?.map_err(|flaw| refused(flaw.unwrap_or_else(|| SerdeFlaw::of_read(transaction))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_a_message_that_is_cut_and_printable() {
        assert_eq!(guarded("f", || 7), Ok(7));
        let panicked = |message: &str| guarded("f", || panic!("{message}")).unwrap_err();
        assert_eq!(panicked("a\nb").to_string(), "the application's `f` panicked: a b");
        let long = panicked(&"\u{2713}".repeat(100));
        assert_eq!(long.message, "\u{2713}".repeat(85));
        let other = guarded("f", || std::panic::panic_any(7)).unwrap_err();
        assert_eq!(other.message, "no message");
    }
}
