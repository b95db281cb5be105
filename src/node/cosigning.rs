//! Asks witnesses to cosign the checkpoints that this node signs, as <https://c2sp.org/tlog-witness> has it. Nothing
//! waits for a witness: outsiders get the checkpoint of the last round with the cosignatures that arrived.

use core::time::Duration;
use std::sync::{Arc, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::command::Command;
use super::shared::{Shared, blocking};
use crate::client::{Client, ClientError, Cosigned};
use crate::evidence::{
    AddCheckpoint, Checkpoint, NoteError, NoteSignature, NoteVerifier, PathTooLong, SignedNote, VerifyError,
};
use crate::primitives::Transaction;

/// The least time between two rounds.
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
    /// Failures in a row.
    failures: u32,
    /// When it is asked again after a failure.
    retry_at: Option<Instant>,
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
        Self { client, key, size: 0, failures: 0, retry_at: None }
    }

    pub(super) const fn key(&self) -> &NoteVerifier {
        &self.key
    }

    fn has_cosigned(&self, note: &SignedNote) -> bool {
        note.signatures().iter().any(|signature| self.is_from_it(signature))
    }

    fn is_from_it(&self, signature: &NoteSignature) -> bool {
        signature.name() == self.key.name() && signature.key_id() == self.key.key_id()
    }

    /// Asks for a cosignature, unless the witness failed a short time ago.
    async fn ask<T: Transaction>(
        mut self,
        shared: Arc<Shared<T>>,
        note: SignedNote,
        size: u64,
        interval: Duration,
    ) -> (Self, Option<NoteSignature>) {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return (self, None);
        }
        match self.cosignature(&shared, &note, size).await {
            Ok(signature) => {
                if self.failures > 0 {
                    tracing::info!(witness = self.key.name(), "the witness cosigns again");
                }
                (self.failures, self.retry_at) = (0, None);
                (self, Some(signature))
            }
            Err(error) => {
                if self.failures == 0 {
                    tracing::warn!(witness = self.key.name(), %error, "a checkpoint was not cosigned, trying again");
                }
                let wait = interval.saturating_mul(1 << self.failures.min(16)).min(MAX_BACKOFF);
                self.failures = self.failures.saturating_add(1);
                self.retry_at = Some(Instant::now() + wait);
                (self, None)
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
                return Err(AskError::Ahead { ahead: old_size, size });
            }
            let proof = blocking(|| shared.read().chain().consistency_proof(old_size, size));
            let proof =
                proof.map_err(|error| AskError::Proof { old_size, size, problem: error.to_string() })?;
            let request = AddCheckpoint::new(old_size, proof.path, note.clone())?;
            match self.client.add_checkpoint(&request).await? {
                Cosigned::Outdated { size } => self.size = size,
                Cosigned::Signatures(signatures) => {
                    let signature = signatures.into_iter().find(|signature| self.is_from_it(signature));
                    let signature = signature.ok_or(AskError::NoSignature)?;
                    SignedNote::new(note.text(), signature.clone())?.verify([&self.key])?;
                    self.size = size;
                    return Ok(signature);
                }
            }
        }
        Err(AskError::NoSignature)
    }
}

/// Asks the witnesses whenever there is a larger checkpoint, until the node ends.
pub(super) async fn run<T: Transaction>(
    mut witnesses: Vec<AskedWitness>,
    interval: Duration,
    shared: Arc<Shared<T>>,
    commands: mpsc::WeakSender<Command<T>>,
    mut changes: watch::Receiver<()>,
) {
    loop {
        if let Some(signed) = sign(&commands).await
            && let Ok(checkpoint) = signed.text().parse::<Checkpoint>()
        {
            let again = shared.published().filter(|published| published.text() == signed.text());
            let mut note = again.unwrap_or(signed);
            let mut asked = JoinSet::new();
            for witness in witnesses.extract_if(.., |witness| !witness.has_cosigned(&note)) {
                asked.spawn(witness.ask(Arc::clone(&shared), note.clone(), checkpoint.size(), interval));
            }
            for (witness, signature) in asked.join_all().await {
                if let Some(signature) = signature
                    && let Err(error) = note.add(signature)
                {
                    tracing::warn!(witness = witness.key.name(), %error, "a cosignature does not fit into the note");
                }
                witnesses.push(witness);
            }
            shared.publish(note);
        }
        sleep(interval).await;
        let retry_at = witnesses.iter().filter_map(|witness| witness.retry_at).min();
        let retry = async {
            match retry_at {
                Some(at) => sleep_until(at).await,
                None => core::future::pending().await,
            }
        };
        tokio::select! {
            node_lives = changes.changed() => {
                if node_lives.is_err() {
                    return;
                }
            }
            () = retry => {}
        }
    }
}

/// Has the node sign its largest checkpoint. `None` if it signs nothing now, or has ended.
async fn sign<T>(commands: &mpsc::WeakSender<Command<T>>) -> Option<SignedNote> {
    let (reply, signed) = oneshot::channel();
    commands.upgrade()?.send(Command::SignCheckpoint { reply }).await.ok()?;
    signed.await.ok()??.ok()
}

impl<T: Transaction> Shared<T> {
    fn publish(&self, note: SignedNote) {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
    }

    /// The checkpoint of the last round, with its cosignatures.
    pub(super) fn published(&self) -> Option<SignedNote> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
