//! Parses the query of a URL. Unknown parameters are refused, so that a misspelt one is noticed.

use super::error::{ApiError, Code};

/// The query parameters of the routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) from: Option<u64>,
    pub(super) limit: Option<u64>,
}

impl Paging {
    /// Parses a query that may contain each of the `allowed` parameters once.
    pub(super) fn parse(query: &str, allowed: &[&str]) -> Result<Self, ApiError> {
        let mut paging = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "from" if allowed.contains(&name) => &mut paging.from,
                "limit" if allowed.contains(&name) => &mut paging.limit,
                _ => return Err(unknown(name, allowed)),
            };
            let number = decimal(value).ok_or_else(|| {
                let message = format!("query parameter `{name}` is {value:?}, expected a decimal number");
                ApiError::new(Code::BadQuery, message)
            })?;
            if slot.replace(number).is_some() {
                return Err(ApiError::new(Code::BadQuery, format!("query parameter `{name}` stands twice")));
            }
        }
        if paging.limit == Some(0) {
            return Err(ApiError::new(Code::BadQuery, "query parameter `limit` is 0, expected at least 1"));
        }
        Ok(paging)
    }
}

fn unknown(name: &str, allowed: &[&str]) -> ApiError {
    let message = format!("unknown query parameter {name:?}, expected {}", allowed.join(" or "));
    ApiError::new(Code::BadQuery, message)
}

/// Parses decimal digits, without the sign that `u64::from_str` accepts.
pub(super) fn decimal(text: &str) -> Option<u64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
