//! Asks witnesses to cosign the checkpoints that this node signs, as <https://c2sp.org/tlog-witness> has it. Neither the
//! node nor a witness waits for a witness: each is asked in a task of its own, and outsiders get the last checkpoint that
//! any of them has answered for, with the cosignatures that have arrived.

use core::time::Duration;
use std::sync::{Arc, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::command::Command;
use super::shared::{Shared, blocking};
use crate::client::{Client, ClientError, Cosigned};
use crate::evidence::{
    AddCheckpoint, Checkpoint, NoteError, NoteSignature, NoteVerifier, PathTooLong, SignedNote, VerifyError,
};
use crate::primitives::Transaction;

/// The least time between two checkpoints that witnesses are asked for.
pub(super) const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);

/// The longest time for which a witness that failed is not asked again.
const MAX_BACKOFF: Duration = Duration::from_secs(10 * 60);

/// A witness, and how far it has followed this log.
#[derive(Clone, Debug)]
pub(super) struct AskedWitness {
    client: Client,
    key: NoteVerifier,
    /// The size of the last checkpoint that it cosigned, as far as is known.
    size: u64,
}

/// Why there is no cosignature of a witness.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Request(#[from] PathTooLong),
    #[error("the consistency from {old_size} to {size} blocks cannot be proven: {problem}")]
    Proof { old_size: u64, size: u64, problem: String },
    #[error("the witness has cosigned {ahead} blocks, and this log has {size}")]
    Ahead { ahead: u64, size: u64 },
    #[error("its signature is no cosignature of this checkpoint: {0}")]
    Signature(#[from] VerifyError),
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("the answer has no signature")]
    NoSignature,
}

impl AskedWitness {
    pub(super) const fn new(client: Client, key: NoteVerifier) -> Self {
        Self { client, key, size: 0 }
    }

    pub(super) const fn key(&self) -> &NoteVerifier {
        &self.key
    }

    /// Asks for a cosignature of each checkpoint, until the node ends. After a failure, waits before it asks again.
    pub(super) async fn follow<T: Transaction>(
        mut self,
        interval: Duration,
        shared: Arc<Shared<T>>,
        mut notes: watch::Receiver<Option<(u64, SignedNote)>>,
    ) {
        let mut failures = 0_u32;
        loop {
            let next = notes.borrow_and_update().clone();
            if let Some((size, note)) = next {
                match self.cosignature(&shared, &note, size).await {
                    Ok(signature) => {
                        if failures > 0 {
                            tracing::info!(witness = self.key.name(), "the witness cosigns again");
                        }
                        failures = 0;
                        shared.publish(size, &note, Some(signature));
                    }
                    Err(error) => {
                        if failures == 0 {
                            let witness = self.key.name();
                            tracing::warn!(witness, %error, "a checkpoint was not cosigned, trying again");
                        }
                        shared.publish(size, &note, None);
                        let wait = interval.saturating_mul(1 << failures.min(16)).min(MAX_BACKOFF);
                        failures = failures.saturating_add(1);
                        tokio::select! {
                            () = sleep(wait) => continue,
                            () = ended(&mut notes) => return,
                        }
                    }
                }
            }
            if notes.changed().await.is_err() {
                return;
            }
        }
    }

    async fn cosignature<T: Transaction>(
        &mut self,
        shared: &Shared<T>,
        note: &SignedNote,
        size: u64,
    ) -> Result<NoteSignature, AskError> {
        // The second time from the size that the answer to the first had.
        for _ in 0..2 {
            let old_size = self.size;
            if old_size > size {
                // Its word is not kept, because it may have been wrong.
                self.size = 0;
                return Err(AskError::Ahead { ahead: old_size, size });
            }
            let proof = blocking(|| shared.read().chain().consistency_proof(old_size, size));
            let proof =
                proof.map_err(|error| AskError::Proof { old_size, size, problem: error.to_string() })?;
            let request = AddCheckpoint::new(old_size, proof.path, note.clone())?;
            match self.client.add_checkpoint(&request).await? {
                Cosigned::Outdated { size } => self.size = size,
                Cosigned::Signatures(signatures) => {
                    let is_its_own = |signature: &NoteSignature| {
                        signature.name() == self.key.name() && signature.key_id() == self.key.key_id()
                    };
                    let signature = signatures.into_iter().find(is_its_own).ok_or(AskError::NoSignature)?;
                    SignedNote::new(note.text(), signature.clone())?.verify([&self.key])?;
                    self.size = size;
                    return Ok(signature);
                }
            }
        }
        Err(AskError::NoSignature)
    }
}

/// Has the node sign larger checkpoints as its chain grows, and each witness asked for a cosignature in a task of its own,
/// until the node ends.
pub(super) async fn run<T: Transaction>(
    witnesses: Vec<AskedWitness>,
    interval: Duration,
    shared: Arc<Shared<T>>,
    commands: mpsc::WeakSender<Command<T>>,
    mut changes: watch::Receiver<()>,
) {
    let (notes, seen) = watch::channel(None);
    for witness in witnesses {
        tokio::spawn(witness.follow(interval, Arc::clone(&shared), seen.clone()));
    }
    loop {
        if let Some(note) = sign(&commands).await
            && let Ok(checkpoint) = note.text().parse::<Checkpoint>()
        {
            notes.send_if_modified(|last: &mut Option<(u64, SignedNote)>| {
                let is_new = last.as_ref().is_none_or(|(_, last)| last.text() != note.text());
                if is_new {
                    *last = Some((checkpoint.size(), note));
                }
                is_new
            });
        }
        sleep(interval).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Waits until no more checkpoints come.
async fn ended(notes: &mut watch::Receiver<Option<(u64, SignedNote)>>) {
    while notes.changed().await.is_ok() {}
}

/// Has the node sign its largest checkpoint. `None` if it signs nothing now, or has ended.
async fn sign<T>(commands: &mpsc::WeakSender<Command<T>>) -> Option<SignedNote> {
    let (reply, signed) = oneshot::channel();
    commands.upgrade()?.send(Command::SignCheckpoint { reply }).await.ok()?;
    signed.await.ok()??.ok()
}

impl<T: Transaction> Shared<T> {
    /// Adds a cosignature to the published checkpoint. A larger checkpoint replaces it as soon as one witness has
    /// answered, or failed to.
    fn publish(&self, size: u64, note: &SignedNote, signature: Option<NoteSignature>) {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if published.as_ref().is_none_or(|(last, _)| *last < size) {
            *published = Some((size, note.clone()));
        }
        if let Some(signature) = signature
            && let Some((_, published)) = published.as_mut().filter(|(_, last)| last.text() == note.text())
            && let Err(error) = published.add(signature)
        {
            tracing::warn!(%error, "a cosignature does not fit into the note");
        }
    }

    /// The published checkpoint, with the cosignatures that have arrived.
    pub(super) fn published(&self) -> Option<SignedNote> {
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.as_ref().map(|(_, note)| note.clone())
    }
}
