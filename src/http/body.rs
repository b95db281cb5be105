//! Request bodies: limited in size, JSON, and parsed directly into the transaction type. There is no generic
//! JSON value in between, so a transaction from HTTP is exactly what the client sent.

use core::ops::RangeInclusive;
use core::time::Duration;

use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::error::{ApiError, Code};
use super::header::text;
use crate::PeerAddr;
use crate::api::{BanRequest, ConnectRequest, MineRequest, SubmitRequest};
use crate::protocol::{HostError, PeerAddrError, PeerHost};

/// The permitted duration of a ban, in seconds. A longer one is taken for a mistake, and a ban of zero
/// seconds would have no effect.
pub(super) const BAN_SECONDS: RangeInclusive<u64> = 1..=100 * 8_766 * 3_600;

/// The body of a `POST`, whose size and type are checked, before parsing.
#[derive(Debug)]
pub(super) struct Body(Bytes);

impl Body {
    /// Checks the body of a request with these headers. An empty body needs no content type.
    pub(super) fn new(headers: &HeaderMap, bytes: Bytes, max_bytes: usize) -> Result<Self, ApiError> {
        let content_type = text(headers, &CONTENT_TYPE);
        if let Some(got) = content_type.as_ref().filter(|value| !is_json(value)) {
            return Err(unsupported(&format!("{got:?}")));
        }
        if bytes.len() > max_bytes {
            return Err(ApiError::body_too_large(max_bytes));
        }
        if content_type.is_none() && !bytes.is_empty() {
            return Err(unsupported("missing"));
        }
        Ok(Self(bytes))
    }

    /// The number of bytes.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// `{"data": [..]}` or `{"data": value}`; `None` if the body is empty or has no `data`.
    pub(super) fn into_transactions<T: DeserializeOwned>(self) -> Result<Option<Vec<T>>, ApiError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let Some(data) = self.parse::<MineRequest<&RawValue>>()?.data else { return Ok(None) };
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(data.get()) else {
            return Ok(Some(vec![value(data, "`data`")?]));
        };
        let list = items.iter().enumerate().map(|(index, item)| value(item, &format!("`data[{index}]`")));
        match list.collect() {
            Ok(list) => Ok(Some(list)),
            // The list may be a single transaction that is an array itself.
            Err(error) => value(data, "`data`").map(|single| Some(vec![single])).map_err(|_| error),
        }
    }

    /// `{"data": value}`.
    pub(super) fn into_transaction<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        value(self.parse::<SubmitRequest<&RawValue>>()?.data, "`data`")
    }

    /// `{"address": "ws://host:port"}`.
    pub(super) fn into_address(self) -> Result<PeerAddr, ApiError> {
        let ConnectRequest { address } = self.parse()?;
        address_in(&address)
    }

    /// `{"host": "10.0.0.1"}`, with optional `"seconds"`.
    pub(super) fn into_ban(self) -> Result<(PeerHost, Option<Duration>), ApiError> {
        let BanRequest { host, seconds } = self.parse()?;
        if let Some(got) = seconds.filter(|seconds| !BAN_SECONDS.contains(seconds)) {
            let (least, most) = (BAN_SECONDS.start(), BAN_SECONDS.end());
            let message = format!("`seconds` is {got}, expected {least} to {most}, which is a hundred years");
            return Err(ApiError::new(Code::BadRequest, message));
        }
        Ok((host_in(&host)?, seconds.map(Duration::from_secs)))
    }

    fn parse<'a, V: Deserialize<'a>>(&'a self) -> Result<V, ApiError> {
        // serde_json would accept an array for a struct, by the order of the fields.
        if !self.0.trim_ascii_start().starts_with(b"{") {
            return Err(ApiError::new(Code::BadJson, "body: expected a JSON object at line 1 column 1"));
        }
        serde_json::from_slice(&self.0)
            .map_err(|error| ApiError::new(Code::BadJson, format!("body: {error}")))
    }
}

/// Parses an address from a request.
pub(super) fn address_in(text: &str) -> Result<PeerAddr, ApiError> {
    text.parse().map_err(|error: PeerAddrError| ApiError::new(Code::BadAddress, error.to_string()))
}

/// Parses a host from a request.
pub(super) fn host_in(text: &str) -> Result<PeerHost, ApiError> {
    text.parse().map_err(|error: HostError| ApiError::new(Code::BadHost, error.to_string()))
}

/// Parses one transaction. The position in an error counts from the start of that transaction.
fn value<T: DeserializeOwned>(raw: &RawValue, place: &str) -> Result<T, ApiError> {
    serde_json::from_str(raw.get())
        .map_err(|error| ApiError::new(Code::BadJson, format!("in {place}: {error}")))
}

/// Whether the type is `application/json`, with or without parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn unsupported(got: &str) -> ApiError {
    let message = format!("the content type is {got}, expected application/json");
    ApiError::new(Code::UnsupportedMediaType, message)
}
