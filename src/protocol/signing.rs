//! Signs checkpoints of the chain, and reports when the chain contradicts the last one.

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::outbox::Outbox;
use crate::chain::Blockchain;
use crate::evidence::{Checkpoint, LogSigner, SignError, SignedNote, check_extends};
use crate::primitives::Transaction;

/// What this node signs, and has signed.
#[derive(Debug)]
pub(super) struct Signing {
    signer: LogSigner,
    /// The last signed checkpoint, which the store has, too.
    last: Option<Checkpoint>,
    /// The last checkpoint with its signature, if it was signed or asked for since the start.
    note: Option<SignedNote>,
    /// Why nothing is signed, if the chain does not contain the last signed checkpoint.
    stopped: Option<SignError>,
}

/// What a node signs of its chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct SigningStatus {
    /// The origin of the log.
    pub origin: String,
    /// The number of blocks in the last signed checkpoint; `None` before the first.
    pub size: Option<u64>,
    /// Why nothing is signed, while the chain does not contain the last signed checkpoint.
    pub stopped: Option<String>,
}

impl Signing {
    /// Continues after the last signed checkpoint in the chain's store.
    pub(super) fn new<T: Transaction>(
        signer: LogSigner,
        chain: &Blockchain<T>,
        outbox: &mut Outbox<T>,
    ) -> Result<Self, SignError> {
        if chain.store().is_in_memory() {
            return Err(SignError::InMemory);
        }
        let last = LogSigner::last(chain)?.map(|(checkpoint, _)| checkpoint);
        let mut signing = Self { signer, last, note: None, stopped: None };
        signing.follow(chain, outbox);
        Ok(signing)
    }

    pub(super) fn sign<T: Transaction>(
        &mut self,
        chain: &mut Blockchain<T>,
    ) -> Result<SignedNote, SignError> {
        if let (Some(last), Some(note)) = (&self.last, &self.note)
            && last.size() >= self.signer.size_under(chain.height())
        {
            check_extends(last, chain)?;
            return Ok(note.clone());
        }
        let note = self.signer.sign(chain)?;
        // What was signed is a checkpoint.
        self.last = note.text().parse().ok();
        self.note = Some(note.clone());
        Ok(note)
    }

    /// The number of blocks in the last signed checkpoint; 0 before the first.
    pub(super) fn size(&self) -> u64 {
        self.last.as_ref().map_or(0, Checkpoint::size)
    }

    pub(super) fn status(&self) -> SigningStatus {
        SigningStatus {
            origin: self.signer.origin().to_owned(),
            size: self.last.as_ref().map(Checkpoint::size),
            stopped: self.stopped.as_ref().map(ToString::to_string),
        }
    }

    /// Compares the last signed checkpoint with a chain that has changed.
    pub(super) fn follow<T: Transaction>(&mut self, chain: &Blockchain<T>, outbox: &mut Outbox<T>) {
        let Some(last) = &self.last else { return };
        match check_extends(last, chain) {
            Ok(()) => {
                if self.stopped.take().is_some() {
                    outbox.event(Event::SigningResumed);
                }
            }
            // A failure of the store is reported by what needs the store.
            Err(SignError::Store(_)) => {}
            Err(error) => {
                if self.stopped.replace(error.clone()).is_none() {
                    outbox.event(Event::SigningStopped { error });
                }
            }
        }
    }
}
