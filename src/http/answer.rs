//! A response before it is sent. The server moves its body into hyper's response; rouille wraps a body in a
//! reader, from which it can only be copied.

use std::borrow::Cow;

use rouille::{Response, ResponseBody};

/// A status, headers and a body in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// A JSON answer that must not be sniffed for another type nor, unless the caller changes that, cached.
    pub(super) fn json(status: u16, body: Vec<u8>) -> Self {
        // Capacity for the headers that the routes add.
        let mut headers = Vec::with_capacity(6);
        headers.extend([
            ("Content-Type".into(), "application/json".into()),
            ("Cache-Control".into(), "no-store".into()),
            ("X-Content-Type-Options".into(), "nosniff".into()),
        ]);
        Self { status, headers, body }
    }

    /// An answer without a body, after a successful request.
    pub(super) const fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Removes all headers of this name.
    #[must_use]
    pub(super) fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self
    }
}

impl From<Answer> for Response {
    fn from(Answer { status, headers, body }: Answer) -> Self {
        Self { status_code: status, headers, data: ResponseBody::from_data(body), upgrade: None }
    }
}
