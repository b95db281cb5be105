//! L1: transactions that their authors sign.
//!
//! [`Signed<T>`](Signed) wraps any [`Transaction`] with the public key of its author, a sequence number and an Ed25519
//! signature. The signature is over the canonical bytes of the inner transaction, the sequence number and the hash of the
//! genesis block, so it is valid on one chain only, and once. `apply` of the inner transaction has the author in
//! [`Context::author`]. `docs/signed.md` has the bytes.
//!
//! Signatures are verified strictly, with one verdict on every platform: public keys and R of small order, an S that is not
//! reduced, and points that are not in canonical form are refused, and there are no batches, whose verdict would
//! differ.

mod key;
#[cfg(feature = "keyfile")]
mod key_file;
mod proof;
mod signature;
mod state;

use core::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

pub use key::SecretKey;
#[cfg(feature = "keyfile")]
pub use key_file::KeyFileError;
#[cfg(feature = "ledger")]
pub(crate) use proof::split_hash;
pub use proof::{SequenceProof, StateProofError};
pub use signature::{Signature, SignatureError};
pub use state::SignedState;

use crate::primitives::{Author, Context, EncodeError, Hash, PublicKey, Rejected, Transaction};

/// A transaction with its author's signature.
///
/// ```
/// use hashloom::signed::{SecretKey, Signed};
/// use hashloom::{Blockchain, ChainSpec, Timestamp};
///
/// let spec = ChainSpec::builder("notes").build()?;
/// let mut chain: Blockchain<Signed<String>> = Blockchain::new(spec);
/// // The seed is from the random source of the operating system.
/// let alice = SecretKey::from_seed(&[1; 32]);
/// let genesis = *chain.genesis().hash();
/// let sequence = chain.state().next_sequence(&alice.public_key());
/// let note = Signed::sign("Alice was here".to_owned(), sequence, &alice, &genesis)?;
///
/// // A node does this: mining checks the signature, and so does each node that receives the block.
/// let now = Timestamp::from_millis(1_800_000_000_000);
/// let block = chain.template(vec![note.clone()], now)?.into_block(0);
/// assert_eq!(block.data()[0].transaction(), "Alice was here");
///
/// // Of a change by anybody else, nothing is accepted.
/// let forged =
///     Signed::from_parts(*note.author(), sequence, *note.signature(), "Alice owes me 5".to_owned());
/// let refused = chain.template(vec![forged], now).unwrap_err();
/// assert!(refused.to_string().contains("signature"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Rules
///
/// | rule of the [`Rejected`] | what is refused |
/// | --- | --- |
/// | `author_key` | the author is not a public key: no point, not in canonical form, or of small order |
/// | `signature` | the signature is not the author's of this transaction, this number and this chain |
/// | `sequence_used` | the author has a transaction with this number on the chain: a replay |
/// | `sequence_gap` | the author's transactions before this one are not on the chain |
///
/// The first two are checked by [`check`](Transaction::check), once for each value: the verdict is kept, and clones
/// have it. `apply` has the other two, and does not verify the signature again.
///
/// # Form
///
/// In JSON, `{"author": "..", "sequence": 0, "signature": "..", "transaction": ..}`, with the key and the signature in
/// hex. The canonical bytes are the key, the sequence number in 8 big-endian bytes, the signature, and the canonical
/// bytes of the inner transaction.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed<T> {
    author: PublicKey,
    sequence: u64,
    signature: Signature,
    transaction: T,
    /// The genesis hash of the chain for which the signature was verified, and the verdict.
    #[serde(skip)]
    verdict: OnceLock<(Hash, Result<(), SignatureError>)>,
}

/// What the signed bytes begin with, so that a key signs nothing else in this form.
const DOMAIN: &[u8] = b"hashloom signed v1\0";

impl<T> Signed<T> {
    /// The number of canonical bytes before those of the inner transaction.
    pub const OVERHEAD: usize = PublicKey::LEN + size_of::<u64>() + Signature::LEN;

    /// Combines the parts, as they were received from elsewhere. The signature is not verified.
    pub const fn from_parts(author: PublicKey, sequence: u64, signature: Signature, transaction: T) -> Self {
        Self { author, sequence, signature, transaction, verdict: OnceLock::new() }
    }

    /// The author's public key.
    pub const fn author(&self) -> &PublicKey {
        &self.author
    }

    /// The number of the author's transactions before this one on the chain.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The signature.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The inner transaction.
    pub const fn transaction(&self) -> &T {
        &self.transaction
    }

    /// The inner transaction, without author and signature.
    pub fn into_transaction(self) -> T {
        self.transaction
    }
}

impl<T: Transaction> Signed<T> {
    /// Signs a transaction for the chain with this genesis hash. `sequence` is the number of the author's transactions
    /// before this one on the chain, or pending: [`SignedState::next_sequence`].
    ///
    /// Two transactions with one number never are on one chain: the first that is mined excludes the other.
    ///
    /// # Errors
    ///
    /// [`EncodeError`], if the transaction has no canonical bytes.
    pub fn sign(transaction: T, sequence: u64, key: &SecretKey, genesis: &Hash) -> Result<Self, EncodeError> {
        let signature = key.sign(&signed_bytes(&transaction, sequence, genesis)?);
        Ok(Self::from_parts(key.public_key(), sequence, signature, transaction))
    }

    /// The bytes that are signed: `hashloom signed v1` and a zero byte, the hash of the genesis block, the sequence number
    /// in 8 big-endian bytes, and the canonical bytes of the inner transaction.
    ///
    /// # Errors
    ///
    /// [`EncodeError`], if the inner transaction has no canonical bytes.
    pub fn signed_bytes(&self, genesis: &Hash) -> Result<Vec<u8>, EncodeError> {
        signed_bytes(&self.transaction, self.sequence, genesis)
    }

    /// Verifies the signature for the chain with this genesis hash, unless that was done before.
    fn verify(&self, genesis: &Hash) -> Result<(), Rejected> {
        let verdict = match self.verdict.get() {
            Some((of, verdict)) if of == genesis => *verdict,
            _ => {
                let verdict = self.author.verify(&self.signed_bytes(genesis)?, &self.signature);
                // Another chain may have set it, or another thread the same.
                let _ = self.verdict.set((*genesis, verdict));
                verdict
            }
        };
        verdict.map_err(Rejected::from)
    }
}

fn signed_bytes<T: Transaction>(
    transaction: &T,
    sequence: u64,
    genesis: &Hash,
) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = [DOMAIN, genesis.as_ref(), &sequence.to_be_bytes()].concat();
    transaction.encode(&mut bytes)?;
    Ok(bytes)
}

impl<T: Transaction> Transaction for Signed<T> {
    type State = SignedState<T::State>;

    fn check(&self, genesis: &Hash) -> Result<(), Rejected> {
        self.verify(genesis)?;
        self.transaction.check(genesis)
    }

    fn apply(&self, state: &mut Self::State, context: &Context<'_>) -> Result<(), Rejected> {
        state.take_sequence(self.author, self.sequence)?;
        let author = Some(Author::new(self.author, self.sequence));
        self.transaction.apply(&mut state.application, &Context { author, ..*context })
    }

    fn end_block(state: &mut Self::State, context: &Context<'_>) -> Result<(), Rejected> {
        T::end_block(&mut state.application, context)
    }

    fn genesis_state(data: &[u8]) -> Result<Self::State, Rejected> {
        T::genesis_state(data).map(SignedState::new)
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        bytes.extend_from_slice(self.author.as_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(self.signature.as_bytes());
        self.transaction.encode(bytes)
    }

    fn heap_size(&self, encoded_len: usize) -> usize {
        self.transaction.heap_size(encoded_len.saturating_sub(Self::OVERHEAD))
    }

    fn priority(&self) -> u64 {
        self.transaction.priority()
    }

    fn sender(&self) -> Option<PublicKey> {
        Some(self.author)
    }

    fn state_root(state: &Self::State) -> Hash {
        state.root(&T::state_root(&state.application))
    }

    /// The key `sequences/{author}`, with the author in hex, has the [bytes](SequenceProof) of a proof of the author's next
    /// sequence number. Each other key is one of the application, whose bytes follow the 32 of the root of the sequence
    /// numbers.
    fn prove(state: &Self::State, key: &str) -> Option<Vec<u8>> {
        if let Some(author) = key.strip_prefix("sequences/") {
            let application_root = T::state_root(&state.application);
            return Some(SequenceProof::new(state, &author.parse().ok()?, application_root).ok()?.to_bytes());
        }
        let proof = T::prove(&state.application, key)?;
        Some([state.sequences().root().as_ref(), &proof].concat())
    }
}

/// Compares what is signed, and the signatures.
impl<T: PartialEq> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        let head = |signed: &Self| (signed.author, signed.sequence, signed.signature);
        head(self) == head(other) && self.transaction == other.transaction
    }
}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { author, sequence, signature, transaction, verdict: _ } = self;
        f.debug_struct("Signed")
            .field("author", author)
            .field("sequence", sequence)
            .field("signature", signature)
            .field("transaction", transaction)
            .finish()
    }
}
