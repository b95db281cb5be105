//! Writes JSON: one value, or a list within a limit in bytes.

use std::io;

use hyper::http::StatusCode;
use serde::Serialize;

use super::error::{ApiError, Code};
use super::response::{Response, json_body};

/// A response with one value as JSON.
pub(super) fn json<V: Serialize>(status: StatusCode, value: &V) -> Result<Response, ApiError> {
    Ok(json_body(status, to_json(value)?))
}

/// Serializes one value as JSON.
pub(super) fn to_json<V: Serialize>(value: &V) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value).map_err(not_json)
}

/// Serializes one value as JSON of at most `max_bytes`. Stops at the limit, so that a larger value takes no more memory.
pub(super) fn to_json_within<V: Serialize>(value: &V, max_bytes: usize) -> Result<Vec<u8>, ApiError> {
    let mut json = Within { bytes: Vec::new(), max_bytes };
    match serde_json::to_writer(&mut json, value) {
        Ok(()) => Ok(json.bytes),
        Err(error) if error.is_io() => {
            let message = format!("the answer has more than {max_bytes} bytes");
            Err(ApiError::new(Code::Internal, message))
        }
        Err(error) => Err(not_json(error)),
    }
}

/// Bytes up to a limit. A write beyond it fails.
struct Within {
    bytes: Vec<u8>,
    max_bytes: usize,
}

impl io::Write for Within {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.max_bytes - self.bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Serializes a list up to the item that reaches `max_bytes`. Returns the JSON and the number of items.
pub(super) fn to_json_list<V: Serialize>(
    items: impl IntoIterator<Item = V>,
    max_bytes: usize,
) -> Result<(Vec<u8>, usize), ApiError> {
    list(items, max_bytes, |item, json| serde_json::to_writer(json, &item).map_err(not_json))
}

/// Writes a list in JSON up to the item that reaches `max_bytes`; `write` appends one item. Returns the JSON and the
/// number of items.
pub(super) fn list<V>(
    items: impl IntoIterator<Item = V>,
    max_bytes: usize,
    write: impl Fn(V, &mut Vec<u8>) -> Result<(), ApiError>,
) -> Result<(Vec<u8>, usize), ApiError> {
    let (mut json, mut count) = (vec![b'['], 0);
    for item in items {
        if count > 0 {
            json.push(b',');
        }
        write(item, &mut json)?;
        count += 1;
        if json.len() >= max_bytes {
            break;
        }
    }
    json.push(b']');
    // It may be kept for long.
    json.shrink_to_fit();
    Ok((json, count))
}

/// Only the application's transaction type can fail, for example a map whose keys are not strings.
#[expect(clippy::needless_pass_by_value, reason = "the shape of `map_err`")]
pub(super) fn not_json(error: serde_json::Error) -> ApiError {
    ApiError::new(Code::Internal, format!("a value has no JSON form: {error}"))
}
