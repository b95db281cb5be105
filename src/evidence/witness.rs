//! Witnesses, which cosign the checkpoints of other logs, as <https://c2sp.org/tlog-witness> has them.

mod error;
mod request;

pub use error::{ParseAddCheckpointError, PathTooLong, WitnessError};
pub use request::AddCheckpoint;

use super::{Checkpoint, Cosigner, NoteSignature, NoteVerifier, SignedNote, stored};
use crate::chain::Blockchain;
use crate::primitives::merkle::{self, ConsistencyProof};
use crate::primitives::{Timestamp, Transaction};
use crate::store::StoreError;

/// Cosigns checkpoints of the logs that it was configured with: each only if it extends the last one of its log.
///
/// The last checkpoint of each log is in the store of a chain, which need not be one of the logs, and durable before
/// [`add_checkpoint`](Self::add_checkpoint) returns a cosignature. So the store has at most one signed note for each log.
#[derive(Clone, Debug)]
pub struct Witness {
    key: Cosigner,
    logs: Vec<Log>,
}

/// A log that is witnessed.
#[derive(Clone, Debug)]
struct Log {
    origin: String,
    /// One of these must have signed.
    keys: Vec<NoteVerifier>,
}

impl Witness {
    /// A witness with this key, of no log.
    pub const fn new(key: Cosigner) -> Self {
        Self { key, logs: Vec::new() }
    }

    /// Adds a log whose origin is the name of its key.
    #[must_use]
    pub fn with_log(self, key: NoteVerifier) -> Self {
        let origin = key.name().to_owned();
        self.with_log_of_origin(origin, key)
    }

    /// Adds a log, or another key of a log: a checkpoint needs the signature of one of its keys.
    #[must_use]
    pub fn with_log_of_origin(mut self, origin: impl Into<String>, key: NoteVerifier) -> Self {
        let origin = origin.into();
        match self.logs.iter_mut().find(|log| log.origin == origin) {
            Some(log) => log.keys.push(key),
            None => self.logs.push(Log { origin, keys: vec![key] }),
        }
        self
    }

    /// The public key.
    pub fn verifier(&self) -> NoteVerifier {
        self.key.verifier()
    }

    /// The last checkpoint of a log that was cosigned; `None` if none was.
    ///
    /// # Errors
    ///
    /// [`StoreError`], if the store fails or the checkpoint in it is damaged.
    pub fn last<T: Transaction>(
        chain: &Blockchain<T>,
        origin: &str,
    ) -> Result<Option<(Checkpoint, SignedNote)>, StoreError> {
        stored::read(chain, &key_of(origin))
    }

    /// Cosigns a checkpoint that extends the last one of its log.
    ///
    /// Reads a value from the store, and commits one for each new checkpoint. `now` is the time of the cosignature.
    ///
    /// # Errors
    ///
    /// [`WitnessError`], the first rule of the specification that the request breaks, in its order; or
    /// [`WitnessError::InMemory`] if the chain forgets what was cosigned when it is closed; or an error of the store.
    /// Nothing changes.
    pub fn add_checkpoint<T: Transaction>(
        &self,
        chain: &mut Blockchain<T>,
        request: &AddCheckpoint,
        now: Timestamp,
    ) -> Result<NoteSignature, WitnessError> {
        if chain.store().is_in_memory() {
            return Err(WitnessError::InMemory);
        }
        let new: Checkpoint = request.note().text().parse()?;
        let log = self.logs.iter().find(|log| log.origin == new.origin());
        let log = log.ok_or_else(|| WitnessError::UnknownLog { origin: new.origin().to_owned() })?;
        request.note().verify(&log.keys)?;

        let (old_size, size) = (request.old_size(), new.size());
        if old_size > size {
            return Err(WitnessError::OldSize { old_size, size });
        }
        let last = Self::last(chain, new.origin())?.map(|(checkpoint, _)| checkpoint);
        let (last_size, last_root) =
            last.map_or_else(|| (0, merkle::root(&[])), |last| (last.size(), last.root()));
        if old_size != last_size {
            return Err(WitnessError::Outdated { got: old_size, expected: last_size });
        }
        if size == last_size && new.root() != last_root {
            return Err(WitnessError::OtherRoot { size, got: new.root(), expected: last_root });
        }
        let proof = ConsistencyProof { old_size, new_size: size, path: request.path().to_vec() };
        proof.verify(&last_root, &new.root()).map_err(WitnessError::Inconsistent)?;

        if size > last_size {
            stored::write(chain, &key_of(new.origin()), request.note())?;
        }
        Ok(self.key.cosign(&new, now))
    }
}

/// The key of the last checkpoint of a log in the store.
fn key_of(origin: &str) -> Vec<u8> {
    [b"witnessed ", origin.as_bytes()].concat()
}
