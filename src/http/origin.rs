//! Origins of web pages, as the browser writes them in the header `Origin` (RFC 6454, section 6.2).

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use crate::protocol::HostError;
use crate::protocol::host::{Authority, AuthorityError, Host};

/// The origin of web pages: `scheme://host`, or `scheme://host:port` if the port is not the scheme's own.
///
/// ```
/// use hashloom::http::{Origin, OriginError};
///
/// let origin: Origin = "https://App.example:443".parse()?;
/// assert_eq!(origin.as_str(), "https://app.example");
/// assert_eq!("*".parse::<Origin>(), Err(OriginError::Any));
/// # Ok::<(), OriginError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

/// Why a text is no [`Origin`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// `*` would let every page in the browser of a user read this node, also one that no other machine can reach.
    #[error("`*` would let every web page use this node: name each origin")]
    Any,
    /// `null` is what the browser sends for each page in a sandbox and each local file, of any maker.
    #[error("`null` is the origin of pages that anyone can make: name each origin")]
    Null,
    /// The text does not begin with a scheme and `://`.
    #[error("{got:?} has no scheme, expected scheme://host or scheme://host:port")]
    Scheme {
        /// The text.
        got: String,
    },
    /// There is a path, a query, a fragment or the name of a user.
    #[error("{got:?} has {part:?}, and an origin ends after scheme://host:port")]
    Excess {
        /// The text.
        got: String,
        /// The character that no origin has in this place.
        part: char,
    },
    /// The host is none.
    #[error("{got:?}: {source}")]
    Host {
        /// The text.
        got: String,
        /// What is wrong with the host.
        source: HostError,
    },
}

impl Origin {
    /// The origin as the browser sends it: in lower case, and without the port that is the scheme's own.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let got = || text.to_owned();
        match text {
            "*" => return Err(OriginError::Any),
            "null" => return Err(OriginError::Null),
            _ => {}
        }
        let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
            return Err(OriginError::Scheme { got: got() });
        };
        if let Some(part) = rest.chars().find(|c| "/?#@\\".contains(*c)) {
            return Err(OriginError::Excess { got: got(), part });
        }
        let bad_host = |source| OriginError::Host { got: got(), source };
        let authority = Authority::parse(rest).map_err(|error| match error {
            AuthorityError::Host(error) => bad_host(error),
            AuthorityError::Port => bad_host(HostError::Port),
        })?;
        let written = authority.written_host;
        let host = match authority.host {
            Host::Numeric(_) => return Err(bad_host(HostError::Number)),
            Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
            // An IPv4 address within IPv6, which the browser writes in hex.
            Host::Ip(IpAddr::V4(ip)) if written.starts_with('[') => {
                let [a, b, c, d] = ip.octets().map(u16::from);
                format!("[::ffff:{:x}:{:x}]", a << 8 | b, c << 8 | d)
            }
            Host::Ip(_) | Host::Name(_) => written.to_ascii_lowercase(),
        };
        let scheme = scheme.to_ascii_lowercase();
        let own_port = match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        Ok(Self(match authority.port.filter(|port| Some(*port) != own_port) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}
