//! Where a peer listens: an opaque text that only a transport takes apart.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// The address of a peer, such as `ws://localhost:5001`. What it means is up to the transport; the protocol
/// only compares it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PeerAddr(Box<str>);

impl PeerAddr {
    /// The longest address in bytes. A host name has at most 253.
    pub const MAX_LEN: usize = 300;

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands for the host, with the brackets of an IPv6 address, and the port behind it: between `://` and the
    /// path, or all of it where there is neither.
    pub(super) fn host_and_port(&self) -> (&str, Option<&str>) {
        let text = self.as_str();
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let text = text.split_once('/').map_or(text, |(authority, _)| authority);
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        // An IPv6 address without brackets has colons of its own, and no port.
        let with_port = text
            .rsplit_once(':')
            .filter(|(host, port)| is_port(port) && (host.ends_with(']') || !host.contains(':')));
        with_port.map_or((text, None), |(host, port)| (host, Some(port)))
    }

    /// The same place at another host, written as in an address; `None` where that is too long.
    pub(super) fn with_host(&self, host: &str) -> Option<Self> {
        let text = self.as_str();
        let scheme = text.find("://").map_or(0, |at| at + 3);
        let (before, rest) = text.split_at(scheme);
        let rest = rest.strip_prefix(self.host_and_port().0)?;
        [before, host, rest].concat().parse().ok()
    }
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerAddrError {
    /// Nothing there.
    #[error("a peer's address is empty")]
    Empty,
    /// Longer than [`PeerAddr::MAX_LEN`].
    #[error("a peer's address has {got} bytes, at most {} are allowed", PeerAddr::MAX_LEN)]
    TooLong {
        /// The length in bytes.
        got: usize,
    },
    /// A character that is not printable ASCII; it would be trouble in logs and terminals.
    #[error("a peer's address holds {0:?}, only printable ASCII without spaces is allowed")]
    Character(char),
}

impl FromStr for PeerAddr {
    type Err = PeerAddrError;

    fn from_str(text: &str) -> Result<Self, PeerAddrError> {
        if text.is_empty() {
            return Err(PeerAddrError::Empty);
        }
        if text.len() > Self::MAX_LEN {
            return Err(PeerAddrError::TooLong { got: text.len() });
        }
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(PeerAddrError::Character(odd));
        }
        Ok(Self(text.into()))
    }
}

impl<'de> Deserialize<'de> for PeerAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", Err(PeerAddrError::Empty))]
    #[case("ws://a b", Err(PeerAddrError::Character(' ')))]
    #[case("ws://\u{1b}[2J", Err(PeerAddrError::Character('\u{1b}')))]
    #[case("ws://localhost:5001", Ok("ws://localhost:5001"))]
    fn parsing(#[case] text: &str, #[case] expected: Result<&str, PeerAddrError>) {
        assert_eq!(text.parse::<PeerAddr>().as_ref().map(PeerAddr::as_str), expected.as_ref().copied());
    }

    #[rstest]
    #[case("ws://0.0.0.0:5001/p:1", "0.0.0.0", Some("5001"), "ws://10.0.0.1:5001/p:1")]
    #[case("ws://[::]:5001", "[::]", Some("5001"), "ws://10.0.0.1:5001")]
    #[case("ws://::", "::", None, "ws://10.0.0.1")]
    #[case("memory://", "", None, "memory://10.0.0.1")]
    #[case("alone", "alone", None, "10.0.0.1")]
    fn a_host_is_found_and_replaced(
        #[case] text: &str,
        #[case] host: &str,
        #[case] port: Option<&str>,
        #[case] replaced: &str,
    ) {
        let address: PeerAddr = text.parse().unwrap();
        assert_eq!(address.host_and_port(), (host, port));
        assert_eq!(address.with_host("10.0.0.1").unwrap().as_str(), replaced);
        assert_eq!(address.with_host(&"x".repeat(PeerAddr::MAX_LEN + 1)), None);
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
