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

    #[test]
    fn length_is_bounded_also_on_the_wire() {
        let longest = "x".repeat(PeerAddr::MAX_LEN);
        assert_eq!(longest.parse::<PeerAddr>().unwrap().as_str(), longest);
        let longer = longest + "x";
        assert_eq!(longer.parse::<PeerAddr>(), Err(PeerAddrError::TooLong { got: 301 }));
        assert!(serde_json::from_value::<PeerAddr>(longer.into()).is_err());
    }
}
