//! Evidence for outsiders: what an auditor checks offline, with a public key and a file, and without a node.
//!
//! Every header commits to an RFC 6962 tree over the hashes of all blocks before it, so the header at height *n* is
//! the head of a transparency log of *n* entries. The formats are those of [C2SP](https://c2sp.org).

mod audit;
mod checkpoint;
mod key;
mod lines;
mod note;
mod policy;
mod receipt;
mod tile;

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
pub use note::{NoteError, SignedNote, VerifiedNote, VerifiedSignature, VerifyError};
pub use policy::{AcceptedCheckpoint, Policy, PolicyError, WitnessError, Witnessed};
pub use receipt::{
    ContentError, DecodeReceiptError, IssueReceiptError, ParseReceiptError, Proven, Receipt,
    VerifyReceiptError,
};
pub use tile::{Tile, TileError, TilePathError};
