//! An answer on its way to the socket. The server moves the body from here into hyper's answer; rouille has it
//! behind a reader, out of which it can only be copied.

use std::borrow::Cow;

use rouille::{Response, ResponseBody};

/// A status, headers and a body that is in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// An answer in JSON that is neither sniffed for another type nor kept by a cache, unless somebody says that it
    /// may be.
    pub(super) fn json(status: u16, body: Vec<u8>) -> Self {
        // Room for what the routes add.
        let mut headers = Vec::with_capacity(6);
        headers.extend([
            ("Content-Type".into(), "application/json".into()),
            ("Cache-Control".into(), "no-store".into()),
            ("X-Content-Type-Options".into(), "nosniff".into()),
        ]);
        Self { status, headers, body }
    }

    /// Done, and nothing to say of it.
    pub(super) const fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: Vec::new() }
    }

    /// With one more header.
    #[must_use]
    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Without any header of this name.
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
