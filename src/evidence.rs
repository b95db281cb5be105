//! Evidence for outsiders: what an auditor checks offline, with a public key and a file, and without a node.
//!
//! Every header commits to an RFC 6962 tree over the hashes of all blocks before it, so the header at height *n* is
//! the head of a transparency log of *n* entries. The formats are those of [C2SP](https://c2sp.org).
//!
//! # Keys, notes and checkpoints
//!
//! A [`Checkpoint`] says how many blocks a log has and what the root over them is. The log signs it with a
//! [`NoteSigner`], witnesses that follow the log cosign it with a [`Cosigner`], and a [`SignedNote`] has the text and all
//! signatures. Each public key is a [`NoteVerifier`], with which [`SignedNote::verify`] checks the note; so does Go's
//! package `golang.org/x/mod/sumdb/note`. Seeds of keys and times of cosignatures are arguments, because nothing here
//! makes random bytes or reads a clock.
//!
//! Signatures are Ed25519, and verified strictly: public keys of small order, an R of small order, an S that is not
//! reduced, and points that are not in canonical form are refused. Other implementations of Ed25519 accept every
//! signature that is accepted here.
//!
//! The cryptography is that of `ed25519-dalek`, with six crates at run time and four at build time. `ring`, which the
//! feature `tls` has, verifies without the checks of small order, does not wipe secret keys, gives no access to a seed
//! that is to be written to a file, and needs a C compiler.
//!
//! # Receipts and audits
//!
//! A [`Receipt`] proves that a transaction is in the log, to a verifier who has a [`Policy`] with the public key of the
//! log, and neither a node nor the type of the transaction. Whether the log shows all verifiers one history, a receipt
//! alone cannot show: an [`Auditor`] compares each checkpoint with the last one that it accepted, and its [`Verdict`]
//! separates a [`Contradiction`], which proves to others that the log misbehaved, from what may be the fault of the
//! messenger.

mod audit;
mod checkpoint;
mod key;
mod lines;
mod log_signer;
mod note;
mod policy;
mod receipt;
mod stored;
mod tile;
mod witness;

pub use audit::{
    AuditError, Auditor, Contradiction, ContradictionError, ParseAuditorError, ParseContradictionError,
    Verdict,
};
pub use checkpoint::{Checkpoint, CheckpointError, IssueError, OriginError};
pub use key::{
    Cosigner, KeyError, MAX_KEY_NAME_BYTES, NameError, NoteSignature, NoteSigner, NoteVerifier,
    SignatureLineError,
};
pub use lines::LineError;
pub(crate) use log_signer::check_extends;
pub use log_signer::{LogSigner, SignError};
pub use note::{NoteError, SignedNote, VerifiedNote, VerifiedSignature, VerifyError};
pub use policy::{AcceptedCheckpoint, Policy, PolicyError, PolicyKeyError, Witnessed};
pub use receipt::{
    ContentError, DecodeReceiptError, IssueReceiptError, ParseReceiptError, Proven, Receipt,
    VerifyReceiptError,
};
pub use tile::{Tile, TileError, TilePathError, TileTree, TileTreeError};
pub use witness::{AddCheckpoint, ParseAddCheckpointError, PathTooLong, Witness, WitnessError};
