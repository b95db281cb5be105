//! The commands that handles send to the driver.

use core::time::Duration;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::error::{MineError, PeerError, SubmitError};
#[cfg(feature = "evidence")]
use crate::evidence::{AddCheckpoint, NoteSignature, SignError, SignedNote, WitnessError};
use crate::primitives::{Block, Hash};
use crate::protocol::{PeerAddr, PeerHost, PeerId};
use crate::store::StoreError;

/// A command of a handle.
#[derive(Debug)]
pub(super) enum Command<T> {
    Submit {
        transaction: T,
        reply: oneshot::Sender<Result<Hash, SubmitError>>,
    },
    RemoveTransaction {
        id: Hash,
        reply: oneshot::Sender<bool>,
    },
    Mine {
        data: Option<Vec<T>>,
        reply: oneshot::Sender<Result<Arc<Block<T>>, MineError>>,
    },
    MineContinuously(bool),
    Connect {
        address: PeerAddr,
        reply: oneshot::Sender<Result<(), PeerError>>,
    },
    Disconnect {
        peer: PeerId,
    },
    Remove {
        peer: PeerId,
        reply: oneshot::Sender<bool>,
    },
    ForgetAddress {
        address: PeerAddr,
        reply: oneshot::Sender<bool>,
    },
    Ban {
        host: PeerHost,
        duration: Duration,
        reply: oneshot::Sender<()>,
    },
    Unban {
        host: PeerHost,
        reply: oneshot::Sender<bool>,
    },
    #[cfg(feature = "evidence")]
    SignCheckpoint {
        reply: oneshot::Sender<Option<Result<SignedNote, SignError>>>,
    },
    #[cfg(feature = "evidence")]
    AddCheckpoint {
        request: Box<AddCheckpoint>,
        reply: oneshot::Sender<Option<Result<NoteSignature, WitnessError>>>,
    },
    /// A read by a handle failed.
    ReadFailed(StoreError),
    Shutdown,
}
