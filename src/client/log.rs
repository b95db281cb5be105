//! What a log and a witness answer, as <https://c2sp.org/tlog-tiles> and <https://c2sp.org/tlog-witness> have it.

use hyper::Method;

use super::exchange::{Answer, Body};
use super::{Client, ClientError};
use crate::evidence::{AddCheckpoint, NoteSignature, Receipt, SignedNote, Tile, TileTree, TileTreeError};
use crate::primitives::Hash;
use crate::primitives::merkle::ConsistencyProof;

/// The proof that a log extends itself, computed from its tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Consistency {
    /// The proof.
    pub proof: ConsistencyProof,
    /// The root at the old size, as the tiles have it now. A path omits it if the old size is a power of two, and only with
    /// it a log can be shown to have been rewritten.
    pub old_root: Hash,
}

/// Why the consistency of a log cannot be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A tile cannot be fetched.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A tile is not as it must be, or the sizes are in the wrong order.
    #[error(transparent)]
    Tree(#[from] TileTreeError),
}

/// The answer of a witness that was asked for a cosignature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cosigned {
    /// Its signatures, which are not verified.
    Signatures(Vec<NoteSignature>),
    /// It has cosigned a checkpoint of another size than the proof begins with: ask again from this size.
    Outdated {
        /// The size of the last checkpoint that it cosigned.
        size: u64,
    },
}

/// Requests to a log or a witness. The URL of the client is the prefix of the log or witness: for a node of this crate,
/// `/log` and `/witness` at the end of its own.
impl Client {
    /// The checkpoint of a log. Its signatures are not verified.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn checkpoint(&self) -> Result<SignedNote, ClientError> {
        self.0.ask(Method::GET, "/checkpoint", None).await?.success()?.text()
    }

    /// The bytes of a tile of a log. If the log has no partial tile of this width any more, they are taken from the full
    /// one.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn tile(&self, tile: Tile) -> Result<Vec<u8>, ClientError> {
        let path = format!("/{tile}");
        let answer = self.0.ask(Method::GET, &path, None).await?;
        let Some((full, _)) = path.split_once(".p/").filter(|_| answer.status == 404) else {
            return Ok(answer.success()?.body);
        };
        let mut bytes = self.0.ask(Method::GET, full, None).await?.success()?.body;
        bytes.truncate(usize::from(tile.width()) * bytes.len() / usize::from(Tile::FULL_WIDTH));
        Ok(bytes)
    }

    /// Proves that a log of `new_size` entries extends that of `old_size`, from its tiles: at most three for each 256-fold of
    /// the size. The proof shows something only if it verifies against signed roots.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`LogError`].
    pub async fn consistency(&self, old_size: u64, new_size: u64) -> Result<Consistency, LogError> {
        let mut tree = TileTree::new(new_size);
        loop {
            let computed = tree
                .prove_consistency(old_size, new_size)
                .and_then(|proof| Ok(Consistency { proof, old_root: tree.root(old_size)? }));
            match computed {
                Err(TileTreeError::Missing { tile }) => tree.add(tile, &self.tile(tile).await?)?,
                computed => return Ok(computed?),
            }
        }
    }

    /// Asks a witness to cosign a checkpoint.
    ///
    /// Cancel-safe, but the witness may have cosigned.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<Cosigned, ClientError> {
        let body = Body { media_type: "text/plain; charset=utf-8", bytes: request.to_string().into() };
        let answer = self.0.ask(Method::POST, "/add-checkpoint", Some(body)).await?;
        if answer.status == 409
            && let Ok(size) = size_in(&answer)
        {
            return Ok(Cosigned::Outdated { size });
        }
        let answer = answer.success()?;
        let text = str::from_utf8(&answer.body);
        let text = text.map_err(|error| ClientError::Unexpected { problem: error.to_string() })?;
        let lines = text.lines().take(SignedNote::MAX_SIGNATURES).map(str::parse);
        let signatures = lines.collect::<Result<_, _>>();
        signatures
            .map(Cosigned::Signatures)
            .map_err(|error| ClientError::Unexpected { problem: error.to_string() })
    }

    /// The receipt of a transaction, from a node. It is not verified.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn receipt(&self, id: &Hash) -> Result<Receipt, ClientError> {
        self.get(&format!("/receipts/{id}")).await
    }
}

/// The size in the answer of a witness that has cosigned another checkpoint.
fn size_in(answer: &Answer) -> Result<u64, ClientError> {
    let text = str::from_utf8(&answer.body).unwrap_or_default();
    let digits = text.strip_suffix('\n').unwrap_or(text);
    digits.parse().map_err(|_| ClientError::Unexpected { problem: format!("{digits:?} is no size") })
}
