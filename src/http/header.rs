//! Headers as text. Bytes that are not UTF-8 are replaced, so that such a value equals no valid one.

use std::borrow::Cow;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// The first header of this name, as text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    headers.get(name).map(lossy)
}

/// A value as text.
pub(super) fn lossy(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}
