//! Parses the query of a URL. Unknown parameters are refused, so that a misspelt one is noticed.

use super::error::{ApiError, Code};

/// What a page of the chain has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct PageQuery {
    pub(super) from: Option<u64>,
    pub(super) limit: Option<u64>,
    /// The highest block first.
    pub(super) descending: bool,
}

impl PageQuery {
    /// Parses `from`, `limit` and `order`, which is `asc` or `desc`.
    pub(super) fn parse(query: &str) -> Result<Self, ApiError> {
        let (orders, others): (Vec<&str>, Vec<&str>) =
            query.split('&').partition(|pair| pair.split('=').next() == Some("order"));
        let descending = match orders[..] {
            [] | ["order=asc"] => false,
            ["order=desc"] => true,
            _ => {
                let message = "query parameter `order` must be `asc` or `desc`, once";
                return Err(ApiError::new(Code::BadQuery, message));
            }
        };
        let [from, limit] = numbers(&others.join("&"), ["from", "limit"])?;
        check_limit(limit)?;
        Ok(Self { from, limit, descending })
    }
}

/// Parses a query that may have each of these parameters once, all of them decimal numbers.
pub(super) fn numbers<const N: usize>(query: &str, names: [&str; N]) -> Result<[Option<u64>; N], ApiError> {
    let mut numbers = [None; N];
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let slot = numbers.iter_mut().zip(names).find(|(_, known)| *known == name);
        let Some((slot, _)) = slot else { return Err(unknown(name, &names)) };
        let number = decimal(value).ok_or_else(|| {
            let message = format!("query parameter `{name}` is {value:?}, expected a decimal number");
            ApiError::new(Code::BadQuery, message)
        })?;
        if slot.replace(number).is_some() {
            return Err(ApiError::new(Code::BadQuery, format!("query parameter `{name}` stands twice")));
        }
    }
    Ok(numbers)
}

/// Refuses a page without items.
pub(super) fn check_limit(limit: Option<u64>) -> Result<(), ApiError> {
    if limit == Some(0) {
        return Err(ApiError::new(Code::BadQuery, "query parameter `limit` is 0, expected at least 1"));
    }
    Ok(())
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
