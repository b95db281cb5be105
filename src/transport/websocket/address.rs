//! Parses `ws://host:port` and `wss://host:port`, with an optional path.

use core::net::{IpAddr, Ipv4Addr};

use tungstenite::http::Uri;

use super::super::error::{AddressProblem, TransportError};
use super::config::WebSocketConfig;
use super::tls::Tls;
use crate::protocol::host::{AuthorityError, Host};
use crate::protocol::{HostError, PeerAddr};

/// The scheme of an address without TLS.
const SCHEME: &str = "ws://";

/// The scheme of an address with TLS.
const TLS_SCHEME: &str = "wss://";

/// A parsed address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoint<'a> {
    /// A name, an IPv4 address or an IPv6 address without its brackets.
    pub(super) host: &'a str,
    /// The host as it is written in the address, an IPv6 address with its brackets.
    pub(super) written_host: &'a str,
    /// The port; the default of the scheme if the address has none (RFC 6455, section 3).
    pub(super) port: u16,
    /// Whether the peer speaks TLS.
    pub(super) is_tls: bool,
}

impl<'a> Endpoint<'a> {
    /// Parses an address to listen at or to dial.
    ///
    /// # Errors
    ///
    /// [`TransportError::BadAddress`], naming the part.
    pub(super) fn parse(address: &'a PeerAddr, config: &WebSocketConfig) -> Result<Self, TransportError> {
        parse(address).and_then(|endpoint| endpoint.suits(config)).map_err(|problem| bad(address, problem))
    }

    /// Parses an address to dial, and returns the URI to request as well.
    ///
    /// # Errors
    ///
    /// [`TransportError::BadAddress`], naming the part.
    pub(super) fn of_peer(
        address: &'a PeerAddr,
        config: &WebSocketConfig,
    ) -> Result<(Self, Uri), TransportError> {
        let endpoint = Self::parse(address, config)?;
        if endpoint.port == 0 {
            return Err(bad(address, AddressProblem::PortZero));
        }
        // An unspecified address is none of these: on most systems it leads to this machine.
        if let Ok(ip) = endpoint.host.parse::<IpAddr>()
            && (ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST))
        {
            return Err(bad(address, AddressProblem::Host(HostError::NoHost(ip))));
        }
        let uri = address.as_str().parse().map_err(|_| bad(address, AddressProblem::Path))?;
        Ok((endpoint, uri))
    }

    /// The scheme of the address.
    pub(super) const fn scheme(&self) -> &'static str {
        if self.is_tls { TLS_SCHEME } else { SCHEME }
    }

    /// Checks the scheme: `wss://` needs TLS to be configured, and `ws://` is not permitted if peers have to
    /// authenticate.
    fn suits(self, config: &WebSocketConfig) -> Result<Self, AddressProblem> {
        match self.is_tls {
            true if config.tls().is_none() => Err(AddressProblem::Tls),
            false if config.tls().is_some_and(Tls::is_closed) => Err(AddressProblem::Plain),
            _ => Ok(self),
        }
    }
}

fn bad(address: &PeerAddr, problem: AddressProblem) -> TransportError {
    TransportError::BadAddress { address: address.clone(), problem }
}

fn parse(address: &PeerAddr) -> Result<Endpoint<'_>, AddressProblem> {
    let (is_tls, default_port) = match address.as_str() {
        text if text.starts_with(SCHEME) => (false, 80),
        text if text.starts_with(TLS_SCHEME) => (true, 443),
        _ => return Err(AddressProblem::Scheme { expected: SCHEME }),
    };
    let authority = address.authority().map_err(|error| match error {
        AuthorityError::Host(error) => AddressProblem::Host(error),
        AuthorityError::Port => AddressProblem::Port,
    })?;
    if let Host::Numeric(_) = authority.host {
        return Err(AddressProblem::Host(HostError::Number));
    }
    let written_host = authority.written_host;
    let host = written_host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(written_host);
    Ok(Endpoint { host, written_host, port: authority.port.unwrap_or(default_port), is_tls })
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
        for (is_tls, address) in [(false, address.to_owned()), (true, address.replace("ws://", "wss://"))] {
            let address: PeerAddr = address.parse().unwrap();
            assert_eq!(parse(&address), Ok(Endpoint { host, written_host, port, is_tls }));
        }
    }

    #[rstest]
    #[case("ws://example.org", 80)]
    #[case("wss://example.org/path", 443)]
    #[case("ws://[2001:db8::1]", 80)]
    #[case("WSS://example.org", 443)]
    fn without_a_port_it_is_that_of_the_scheme(#[case] address: &str, #[case] port: u16) {
        assert_eq!(parse(&address.parse().unwrap()).unwrap().port, port);
    }

    #[test]
    fn a_peer_is_not_reached_at_every_address_that_can_be_listened_at() {
        let config = WebSocketConfig::default();
        let any: PeerAddr = "ws://localhost:0".parse().unwrap();
        assert_eq!(Endpoint::parse(&any, &config).unwrap().port, 0);
        let error = Endpoint::of_peer(&any, &config).unwrap_err();
        assert!(
            matches!(error, TransportError::BadAddress { problem: AddressProblem::PortZero, .. }),
            "{error}"
        );
        for many in ["224.0.0.1", "255.255.255.255", "[ff02::1]"] {
            let many: PeerAddr = format!("ws://{many}:5001").parse().unwrap();
            let error = Endpoint::of_peer(&many, &config).unwrap_err();
            assert!(error.to_string().contains("no peer can have the address"), "{error}");
        }
        let odd: PeerAddr = "ws://localhost:5001/<>".parse().unwrap();
        let error = Endpoint::of_peer(&odd, &config).unwrap_err();
        assert!(matches!(error, TransportError::BadAddress { problem: AddressProblem::Path, .. }), "{error}");
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
    #[case("ws://", AddressProblem::Host(HostError::Empty))]
    #[case("ws:///", AddressProblem::Host(HostError::Empty))]
    #[case("ws://:5001", AddressProblem::Host(HostError::Empty))]
    #[case("ws://user@localhost:5001", AddressProblem::Host(HostError::Character('@')))]
    #[case("ws://[::1:5001", AddressProblem::Host(HostError::Brackets))]
    #[case("ws://[localhost]:5001", AddressProblem::Host(HostError::Brackets))]
    #[case("ws://127.1:5001", AddressProblem::Host(HostError::Number))]
    #[case("ws://0177.0.0.1:5001", AddressProblem::Host(HostError::Number))]
    #[case("ws://0x7f.1:5001", AddressProblem::Host(HostError::Number))]
    #[case("ws://2130706433:5001", AddressProblem::Host(HostError::Number))]
    #[case("ws://192.168.257:5001", AddressProblem::Host(HostError::Number))]
    #[case("ws://0..0:5001", AddressProblem::Host(HostError::Label))]
    #[case("ws://localhost:", AddressProblem::Port)]
    #[case("ws://localhost:+1", AddressProblem::Port)]
    #[case("ws://localhost:65536", AddressProblem::Port)]
    #[case("ws://::1:5001", AddressProblem::Host(HostError::Empty))]
    #[case("ws://[::1]5001", AddressProblem::Port)]
    fn problems(#[case] address: &str, #[case] problem: AddressProblem) {
        assert_eq!(parse(&address.parse().unwrap()), Err(problem));
    }
}
