//! The URL of a server.

use core::fmt;

use hyper::Uri;

/// A server, and the path below which it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) host: String,
    pub(super) port: u16,
    /// Without a slash at its end.
    path: String,
}

/// Why a text is not the URL of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The text is no URL.
    #[error("{url:?} is no URL: {problem}")]
    Malformed {
        /// The text.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// The URL does not begin with `http://`.
    #[error("{url:?} does not begin with http://")]
    Scheme {
        /// The URL.
        url: String,
    },
    /// The URL has a user or a query.
    #[error("{url:?} has more than a host, a port and a path")]
    TooMuch {
        /// The URL.
        url: String,
    },
}

impl Base {
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        let malformed = |problem: String| UrlError::Malformed { url: url.to_owned(), problem };
        let uri: Uri =
            url.parse().map_err(|error: hyper::http::uri::InvalidUri| malformed(error.to_string()))?;
        if uri.scheme_str() != Some("http") {
            return Err(UrlError::Scheme { url: url.to_owned() });
        }
        let authority = uri.authority().ok_or_else(|| malformed("it has no host".to_owned()))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(UrlError::TooMuch { url: url.to_owned() });
        }
        // `Authority::port` takes a port above 65,535 for none.
        let digits =
            authority.as_str().strip_prefix(authority.host()).and_then(|rest| rest.strip_prefix(':'));
        let port = match digits {
            None | Some("") => 80,
            Some(digits) => digits.parse().map_err(|_| malformed(format!("{digits:?} is no port")))?,
        };
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { host: authority.host().to_owned(), port, path })
    }

    /// The part of the server below a path.
    #[cfg(feature = "evidence")]
    pub(super) fn below(&self, path: &str) -> Self {
        Self { path: self.path(path), ..self.clone() }
    }

    /// The path of a request.
    pub(super) fn path(&self, below: &str) -> String {
        format!("{}{below}", self.path)
    }

    /// The name or the address to look up: an IPv6 address without its brackets.
    pub(super) fn name(&self) -> &str {
        self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host)
    }
}

/// The value of a `Host` header.
impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            80 => f.write_str(&self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("http://localhost", "localhost", "localhost", "/x")]
    #[case("http://localhost:80/", "localhost", "localhost", "/x")]
    #[case("http://localhost:3001", "localhost:3001", "localhost", "/x")]
    #[case("http://10.0.0.1:3001/log/", "10.0.0.1:3001", "10.0.0.1", "/log/x")]
    #[case("http://[::1]:3001/a/b", "[::1]:3001", "::1", "/a/b/x")]
    fn a_url_has_a_host_and_a_path(
        #[case] url: &str,
        #[case] host: &str,
        #[case] name: &str,
        #[case] path: &str,
    ) {
        let base = Base::parse(url).unwrap();
        assert_eq!((base.to_string().as_str(), base.name(), base.path("/x").as_str()), (host, name, path));
    }

    #[rstest]
    #[case("", "is no URL")]
    #[case("localhost:3001", "does not begin with http://")]
    #[case("ws://localhost", "does not begin with http://")]
    #[case("https://localhost", "does not begin with http://")]
    #[case("http://", "is no URL")]
    #[case("http://localhost:99999", "is no URL")]
    #[case("http://a b", "is no URL")]
    #[case("http://user@localhost", "more than a host, a port and a path")]
    #[case("http://localhost/?x=1", "more than a host, a port and a path")]
    fn what_is_not_the_url_of_a_server(#[case] url: &str, #[case] problem: &str) {
        let error = Base::parse(url).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}
