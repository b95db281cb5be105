//! Takes apart `ws://host:port` and `wss://host:port`, with or without a path.

use super::super::error::{AddressProblem, TransportError};
use super::config::WebSocketConfig;
use super::tls::Tls;
use crate::protocol::PeerAddr;

/// What an address begins with.
const SCHEME: &str = "ws://";

/// What the address begins with of a peer that speaks TLS.
const TLS_SCHEME: &str = "wss://";

/// A parsed address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoint<'a> {
    /// A name, an IPv4 address or an IPv6 address without its brackets.
    pub(super) host: &'a str,
    /// The host with its brackets, as it stands in the address.
    pub(super) written_host: &'a str,
    pub(super) port: u16,
    /// Whether the peer speaks TLS.
    pub(super) is_tls: bool,
}

impl<'a> Endpoint<'a> {
    /// Takes an address apart.
    ///
    /// # Errors
    ///
    /// [`TransportError::BadAddress`], naming the part.
    pub(super) fn parse(address: &'a PeerAddr, config: &WebSocketConfig) -> Result<Self, TransportError> {
        parse(address.as_str())
            .and_then(|endpoint| endpoint.suits(config))
            .map_err(|problem| TransportError::BadAddress { address: address.clone(), problem })
    }

    /// What an address of this kind begins with.
    pub(super) const fn scheme(&self) -> &'static str {
        if self.is_tls { TLS_SCHEME } else { SCHEME }
    }

    /// Whether it is encrypted where it has to be, and only where it can be.
    fn suits(self, config: &WebSocketConfig) -> Result<Self, AddressProblem> {
        match self.is_tls {
            true if config.tls().is_none() => Err(AddressProblem::Tls),
            false if config.tls().is_some_and(Tls::is_closed) => Err(AddressProblem::Plain),
            _ => Ok(self),
        }
    }
}

fn parse(address: &str) -> Result<Endpoint<'_>, AddressProblem> {
    let (is_tls, rest) = match (address.strip_prefix(SCHEME), address.strip_prefix(TLS_SCHEME)) {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => return Err(AddressProblem::Scheme { expected: SCHEME }),
    };
    let authority = rest.split_once('/').map_or(rest, |(authority, _path)| authority);
    let (written_host, host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, port) = bracketed.split_once(']').ok_or(AddressProblem::Host)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| AddressProblem::Host)?;
        (&authority[..host.len() + 2], host, port.strip_prefix(':').ok_or(AddressProblem::Port)?)
    } else {
        let (host, port) = authority.split_once(':').ok_or(AddressProblem::Port)?;
        (host, host, port)
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if host.is_empty() || !host.chars().all(is_name) {
        return Err(AddressProblem::Host);
    }
    // `u16::from_str` would take a plus sign.
    let port = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok()).flatten();
    let port = port.ok_or(AddressProblem::Port)?;
    Ok(Endpoint { host, written_host, port, is_tls })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("ws://localhost:5001", "localhost", "localhost", 5001)]
    #[case("ws://localhost:0/", "localhost", "localhost", 0)]
    #[case("ws://[::1]:5001/peer?x", "::1", "[::1]", 5001)]
    #[case("ws://10.0.0.7:65535", "10.0.0.7", "10.0.0.7", 65535)]
    fn parts(#[case] address: &str, #[case] host: &str, #[case] written_host: &str, #[case] port: u16) {
        let endpoint = Endpoint { host, written_host, port, is_tls: false };
        assert_eq!(parse(address), Ok(endpoint));
        let endpoint = Endpoint { host, written_host, port, is_tls: true };
        assert_eq!(parse(&address.replace("ws://", "wss://")), Ok(endpoint));
    }

    #[test]
    fn an_address_is_encrypted_only_where_that_is_set_up() {
        let config = WebSocketConfig::default();
        let [plain, tls] = ["ws://localhost:5001", "wss://localhost:5001"].map(|text| text.parse().unwrap());
        assert_eq!(Endpoint::parse(&plain, &config).unwrap().scheme(), "ws://");
        let error = Endpoint::parse(&tls, &config).unwrap_err();
        assert!(matches!(error, TransportError::BadAddress { problem: AddressProblem::Tls, .. }), "{error}");
    }

    #[rstest]
    #[case("localhost:5001", AddressProblem::Scheme { expected: "ws://" })]
    #[case("http://localhost:5001", AddressProblem::Scheme { expected: "ws://" })]
    #[case("wss://localhost", AddressProblem::Port)]
    #[case("ws://:5001", AddressProblem::Host)]
    #[case("ws://user@localhost:5001", AddressProblem::Host)]
    #[case("ws://[::1:5001", AddressProblem::Host)]
    #[case("ws://[localhost]:5001", AddressProblem::Host)]
    #[case("ws://localhost", AddressProblem::Port)]
    #[case("ws://localhost:", AddressProblem::Port)]
    #[case("ws://localhost:+1", AddressProblem::Port)]
    #[case("ws://localhost:65536", AddressProblem::Port)]
    #[case("ws://::1:5001", AddressProblem::Host)]
    #[case("ws://[::1]5001", AddressProblem::Port)]
    fn problems(#[case] address: &str, #[case] problem: AddressProblem) {
        assert_eq!(parse(address), Err(problem));
    }
}
