//! The log of signed checkpoints, as <https://c2sp.org/tlog-tiles> asks for.

use core::fmt;

use hyper::StatusCode;
use hyper::header::HeaderMap;

use crate::api::LogConsistency;
use crate::chain::ProveError;
use crate::evidence::{AddCheckpoint, ParseAddCheckpointError, Tile, TileError, WitnessError};
use crate::http::error::{ApiError, Code};
use crate::http::json::json;
use crate::http::response::{Lifetime, Response, cacheable, entity_tag, of_type, plain};
use crate::node::{CosignError, NodeHandle};
use crate::primitives::Transaction;
use crate::primitives::merkle::ConsistencyProof;

/// The largest signed checkpoint, as a signed note.
pub(super) async fn checkpoint<T: Transaction>(node: &NodeHandle<T>) -> Result<Response, ApiError> {
    let signed = node.checkpoint().await?;
    Ok(plain(StatusCode::OK, signed.to_string(), "text/plain; charset=utf-8"))
}

/// Parses the path of a tile below `/log/tile/`.
pub(super) fn tile_in(argument: &str) -> Result<Tile, ApiError> {
    let parsed = format!("tile/{argument}").parse();
    parsed.map_err(|error| ApiError::new(Code::TileNotFound, format!("/log/tile/{argument}: {error}")))
}

/// A tile of the log of the last signed checkpoint. Blocks above that may still be replaced.
pub(super) fn tile<T: Transaction>(
    node: &NodeHandle<T>,
    tile: Tile,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let chain = node.chain();
    // Read even for a client that has the tile: `If-None-Match: *` must not make one of a tile that is not there.
    let bytes = tile.bytes(&chain, chain.signed_size()).map_err(tile_error)?;
    // A tile with this path never has other bytes.
    let body = || Ok::<_, ApiError>(bytes);
    let response = cacheable(headers, entity_tag(&tile.to_string()), Lifetime::Immutable, body)?;
    Ok(if response.status() == StatusCode::OK {
        of_type(response, "application/octet-stream")
    } else {
        response
    })
}

/// The proof that the log of `new` blocks extends the log of `old` blocks, with both roots: a path of RFC 6962 omits the old
/// root if the old size is a power of two, without which a client could not prove that the log was rewritten.
pub(super) fn consistency<T: Transaction>(
    node: &NodeHandle<T>,
    [old, new]: [Option<u64>; 2],
) -> Result<Response, ApiError> {
    let (Some(old), Some(new)) = (old, new) else {
        return Err(ApiError::new(Code::BadQuery, "the query needs `old` and `new`, two sizes of the log"));
    };
    let chain = node.chain();
    let ConsistencyProof { old_size, new_size, path } =
        chain.consistency_proof(old, new).map_err(prove_error)?;
    let root = |size| match chain.header_at(size)? {
        Some(header) => Ok(header.history_root),
        None => Err(ApiError::new(Code::BadQuery, format!("the chain has no header at height {size}"))),
    };
    let (old_root, new_root) = (root(old_size)?, root(new_size)?);
    json(StatusCode::OK, &LogConsistency { old_size, old_root, new_size, new_root, path })
}

/// Cosigns a checkpoint of another log, as <https://c2sp.org/tlog-witness> has it.
pub(super) async fn add_checkpoint<T: Transaction>(
    node: &NodeHandle<T>,
    body: &[u8],
    max_bytes: usize,
) -> Result<Response, ApiError> {
    if body.len() > max_bytes {
        return Err(ApiError::body_too_large(max_bytes));
    }
    let malformed = |error: &dyn fmt::Display| ApiError::new(Code::BadCheckpoint, error.to_string());
    let text = str::from_utf8(body).map_err(|error| malformed(&error))?;
    let request: AddCheckpoint = text.parse().map_err(|error: ParseAddCheckpointError| malformed(&error))?;
    match node.add_checkpoint(request).await {
        Ok(signature) => Ok(plain(StatusCode::OK, format!("{signature}\n"), "text/plain; charset=utf-8")),
        // The client continues from this size.
        Err(CosignError::Witness(WitnessError::Outdated { expected, .. })) => {
            Ok(plain(StatusCode::CONFLICT, format!("{expected}\n"), "text/x.tlog.size"))
        }
        Err(error) => Err(error.into()),
    }
}

fn prove_error(error: ProveError) -> ApiError {
    match error {
        ProveError::Store(error) => error.into(),
        error => ApiError::new(Code::BadQuery, error.to_string()),
    }
}

fn tile_error(error: TileError) -> ApiError {
    match error {
        TileError::Chain(ProveError::Store(error)) => error.into(),
        error => ApiError::new(Code::TileNotFound, error.to_string()),
    }
}
