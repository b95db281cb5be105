//! The address at which a peer listens, an opaque text that only a transport interprets, and the host in it.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::host::{Authority, AuthorityError, Host, HostError, before_path, is_no_host, network};

/// The address of a peer, such as `ws://localhost:5001`. A transport defines its meaning. The protocol
/// compares addresses, and reads the host and the port for bans, limits and discovery. Clones share one text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PeerAddr(Arc<str>);

impl PeerAddr {
    /// The maximum length of an address in bytes. A host name has at most 253.
    pub const MAX_LEN: usize = 300;

    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses the host and the port.
    ///
    /// # Errors
    ///
    /// [`AuthorityError`], if the text between `://` and the path is not a host with an optional port.
    pub(crate) fn authority(&self) -> Result<Authority<'_>, AuthorityError> {
        Authority::parse(self.authority_text())
    }

    /// Returns the text between `://` and the path, or everything before the path if there is no `://`.
    pub(super) fn authority_text(&self) -> &str {
        let text = self.as_str();
        before_path(text.split_once("://").map_or(text, |(_, rest)| rest))
    }

    /// Returns this address with its host replaced by `host`, in the written form of an address. `None` if
    /// this address has no valid host, or if the result is not a valid address.
    pub(super) fn with_host(&self, host: &str) -> Option<Self> {
        let text = self.as_str();
        let written_host = self.authority().ok()?.written_host;
        let scheme = text.find("://").map_or(0, |at| at + 3);
        let (before, rest) = text.split_at(scheme);
        let rest = rest.strip_prefix(written_host)?;
        [before, host, rest].concat().parse().ok()
    }
}

/// Why a text is not a valid address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerAddrError {
    /// The text is empty.
    #[error("a peer's address is empty")]
    Empty,
    /// The text is longer than [`PeerAddr::MAX_LEN`].
    #[error("a peer's address has {got} bytes, at most {} are allowed", PeerAddr::MAX_LEN)]
    TooLong {
        /// The length in bytes.
        got: usize,
    },
    /// A character is not printable ASCII. Other characters could corrupt logs and terminals.
    #[error("a peer's address holds {0:?}, only printable ASCII without spaces is allowed")]
    Character(char),
}

impl FromStr for PeerAddr {
    type Err = PeerAddrError;

    /// Parses an address as users write it. The scheme may be in upper case and is converted to lower case
    /// (RFC 3986, section 3.1).
    fn from_str(text: &str) -> Result<Self, PeerAddrError> {
        check(text)?;
        let mut text = text.to_owned();
        if let Some(end) = text.find("://") {
            text[..end].make_ascii_lowercase();
        }
        Ok(Self(text.into()))
    }
}

fn check(text: &str) -> Result<(), PeerAddrError> {
    if text.is_empty() {
        return Err(PeerAddrError::Empty);
    }
    if text.len() > PeerAddr::MAX_LEN {
        return Err(PeerAddrError::TooLong { got: text.len() });
    }
    text.chars().find(|c| !c.is_ascii_graphic()).map_or(Ok(()), |odd| Err(PeerAddrError::Character(odd)))
}

impl<'de> Deserialize<'de> for PeerAddr {
    /// Keeps the text exactly as the peer wrote it, so that the address encodes to the bytes it was decoded
    /// from.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        check(&text).map_err(serde::de::Error::custom)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The identity of a host for bans and limits: a host name, an IPv4 address, or the first 64 bits of an IPv6
/// address, because one party usually controls all addresses in a /64 network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerHost(Box<str>);

impl PeerHost {
    /// Returns the host as text: `example.org`, `10.0.0.1` or `2001:db8:1:2::/64`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the host is the local machine, which all of its users and programs share.
    pub fn is_loopback(&self) -> bool {
        let is_loopback_address = self.0.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        is_loopback_address || &*self.0 == "localhost" || &*self.0 == "::/64"
    }

    /// Whether the host is a name, which may resolve to any address.
    pub(super) fn is_name(&self) -> bool {
        self.0.strip_suffix("/64").unwrap_or(&self.0).parse::<IpAddr>().is_err()
    }

    /// Creates a host from the text that [`as_str`](Self::as_str) returned for it.
    pub(super) fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    fn of(host: Host<'_>) -> Self {
        let text = match host {
            Host::Ip(ip) => match network(ip) {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("{ip}/64"),
            },
            Host::Name(name) | Host::Numeric(name) => name.to_ascii_lowercase(),
        };
        Self(text.into())
    }

    /// Validates a host from the operator of a node: one that a peer can have.
    fn named(host: Host<'_>) -> Result<Self, HostError> {
        match host {
            Host::Numeric(_) => Err(HostError::Number),
            Host::Ip(ip) if is_no_host(ip) => Err(HostError::NoHost(ip)),
            host => Ok(Self::of(host)),
        }
    }
}

impl From<&PeerAddr> for PeerHost {
    /// Returns the host of an address. If the address has no valid host, as with transports that use none,
    /// returns its text without the scheme and the path.
    fn from(address: &PeerAddr) -> Self {
        match address.authority() {
            Ok(authority) => Self::of(authority.host),
            Err(_) => Self(address.authority_text().to_ascii_lowercase().into()),
        }
    }
}

impl FromStr for PeerHost {
    type Err = HostError;

    /// Parses a name, an IP address with or without brackets, an IPv6 network in the form of
    /// [`as_str`](PeerHost::as_str), or the address of a peer on the host.
    fn from_str(text: &str) -> Result<Self, HostError> {
        if let Some((_, rest)) = text.split_once("://") {
            let authority = Authority::parse(before_path(rest)).map_err(|error| match error {
                AuthorityError::Host(error) => error,
                AuthorityError::Port => HostError::Port,
            })?;
            return Self::named(authority.host);
        }
        if let Some((network, bits)) = text.split_once('/') {
            let ip = network.parse::<Ipv6Addr>().ok().filter(|_| bits == "64").ok_or(HostError::Range)?;
            // The network of `::1` is displayed with the unspecified address, so `named` would reject it.
            return Ok(Self::of(Host::Ip(ip.into())));
        }
        let host = match text.strip_prefix('[') {
            Some(_) => Authority::parse(text).ok().filter(|authority| authority.written_host == text),
            None => return Self::named(Host::parse(text)?),
        };
        Self::named(host.ok_or(HostError::Brackets)?.host)
    }
}

impl fmt::Display for PeerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for PeerHost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PeerHost {
    /// Reads what [`as_str`](Self::as_str) has written, which with some transports is no name of a host, but always
    /// part of an address.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        check(&text).map_err(serde::de::Error::custom)?;
        Ok(Self::from_stored(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", Err(PeerAddrError::Empty))]
    #[case("ws://a b", Err(PeerAddrError::Character(' ')))]
    #[case("ws://\u{1b}[2J", Err(PeerAddrError::Character('\u{1b}')))]
    #[case("ws://localhost:5001", Ok("ws://localhost:5001"))]
    #[case("WSS://Example.org/A://B", Ok("wss://Example.org/A://B"))]
    fn parsing(#[case] text: &str, #[case] expected: Result<&str, PeerAddrError>) {
        assert_eq!(text.parse::<PeerAddr>().as_ref().map(PeerAddr::as_str), expected.as_ref().copied());
    }

    #[rstest]
    #[case("ws://0.0.0.0:5001/p:1", "ws://10.0.0.1:5001/p:1")]
    #[case("ws://[::]:5001", "ws://10.0.0.1:5001")]
    #[case("ws://[::]?x", "ws://10.0.0.1?x")]
    #[case("alone", "10.0.0.1")]
    fn a_host_is_replaced(#[case] text: &str, #[case] replaced: &str) {
        let address: PeerAddr = text.parse().unwrap();
        assert_eq!(address.with_host("10.0.0.1").unwrap().as_str(), replaced);
        assert_eq!(address.with_host(&"x".repeat(PeerAddr::MAX_LEN + 1)), None);
    }

    #[rstest]
    #[case("ws://::")]
    #[case("memory://")]
    fn without_a_host_there_is_none_to_replace(#[case] text: &str) {
        assert_eq!(text.parse::<PeerAddr>().unwrap().with_host("10.0.0.1"), None);
    }

    #[test]
    fn an_address_on_the_wire_keeps_its_text() {
        let address: PeerAddr = serde_json::from_str("\"WS://localhost:1\"").unwrap();
        assert_eq!(serde_json::to_string(&address).unwrap(), "\"WS://localhost:1\"");
    }

    #[test]
    fn length_is_bounded_also_on_the_wire() {
        let longest = "x".repeat(PeerAddr::MAX_LEN);
        assert_eq!(longest.parse::<PeerAddr>().unwrap().as_str(), longest);
        let longer = longest + "x";
        assert_eq!(longer.parse::<PeerAddr>(), Err(PeerAddrError::TooLong { got: 301 }));
        assert!(serde_json::from_value::<PeerAddr>(longer.into()).is_err());
    }
}
