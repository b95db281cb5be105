//! Hosts and ports in text: the one parser for every address and setting that names a host. Strict in form, so that
//! no resolver reads another host in a text than this crate does. Resolves nothing.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

use serde::{Serialize, Serializer};

use super::address::PeerAddr;

/// The longest name in bytes (RFC 1035, section 2.3.4), without the dot at its end.
const MAX_NAME_LEN: usize = 253;

/// The longest part of a name between two dots in bytes (RFC 1035, section 2.3.4).
const MAX_LABEL_LEN: usize = 63;

/// A host as it is written, without brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host<'a> {
    /// An IP address in its usual form. One of IPv4 that is mapped into IPv6 is one of IPv4.
    Ip(IpAddr),
    /// A DNS name, without the dot that may end it.
    Name(&'a str),
    /// A name whose last label is a number. Resolvers take it for an IPv4 address in an old form (`127.1`,
    /// `0x7f.1`, `2130706433`), so it is a name for transports alone that resolve nothing.
    Numeric(&'a str),
}

impl<'a> Host<'a> {
    /// Parses an IP address without brackets, or a name.
    ///
    /// # Errors
    ///
    /// [`HostError`], for the first thing that is wrong.
    pub(crate) fn parse(text: &'a str) -> Result<Self, HostError> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(ip.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err(HostError::Empty);
        }
        if name.len() > MAX_NAME_LEN {
            return Err(HostError::TooLong { got: name.len() });
        }
        // The underscore is none of RFC 952's characters, but container networks have it in names.
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if let Some(odd) = name.chars().find(|c| !is_allowed(*c)) {
            return Err(HostError::Character(odd));
        }
        let is_label = |label: &str| {
            (1..=MAX_LABEL_LEN).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
        };
        if !name.split('.').all(is_label) {
            return Err(HostError::Label);
        }
        Ok(if ends_in_number(name) { Self::Numeric(name) } else { Self::Name(name) })
    }
}

/// Whether a name is read as an IPv4 address by the rule "ends in a number" of the WHATWG URL standard.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// `host` or `host:port`, with an IPv6 address in brackets: what an address has between `://` and the path, and
/// HTTP in the header `Host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    /// The host as it is written, with its brackets.
    pub(crate) written_host: &'a str,
    /// The host.
    pub(crate) host: Host<'a>,
    /// The port, if one is named.
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses a host with or without a port.
    ///
    /// # Errors
    ///
    /// [`AuthorityError`], for the first part that is wrong.
    pub(crate) fn parse(text: &'a str) -> Result<Self, AuthorityError> {
        let end = match text.strip_prefix('[') {
            Some(rest) => rest.find(']').ok_or(HostError::Brackets)? + 2,
            None => text.find(':').unwrap_or(text.len()),
        };
        let (written_host, rest) = text.split_at(end);
        let host = match written_host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => {
                let ip = inner.parse::<Ipv6Addr>().map_err(|_| HostError::Brackets)?;
                Host::Ip(IpAddr::V6(ip).to_canonical())
            }
            None => Host::parse(written_host)?,
        };
        let port = match rest.strip_prefix(':') {
            Some(digits) => Some(port(digits).ok_or(AuthorityError::Port)?),
            None if rest.is_empty() => None,
            None => return Err(AuthorityError::Port),
        };
        Ok(Self { written_host, host, port })
    }
}

/// A port in decimal digits; `u16::from_str` would accept a plus sign.
fn port(digits: &str) -> Option<u16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Which part of an [`Authority`] is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthorityError {
    /// The host.
    Host(HostError),
    /// The port: not a decimal number up to 65535.
    Port,
}

impl From<HostError> for AuthorityError {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

/// Why a text names no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// Nothing there.
    #[error("the host is empty")]
    Empty,
    /// A name longer than 253 bytes.
    #[error("the host has {got} bytes, a name has at most {MAX_NAME_LEN}")]
    TooLong {
        /// The length in bytes.
        got: usize,
    },
    /// A character that no host name has.
    #[error("the host holds {0:?}, a name has letters, digits, hyphens, underscores and dots")]
    Character(char),
    /// A part of a name is empty, too long, or has a hyphen at an end.
    #[error(
        "a part of the host is no label, which has 1 to {MAX_LABEL_LEN} characters and no hyphen at its ends"
    )]
    Label,
    /// A name whose last part is a number, such as `127.1` or `0x7f000001`, which resolvers read as an IPv4 address.
    #[error("the host ends in a number and is no IPv4 address of four decimal parts")]
    Number,
    /// Brackets, and no IPv6 address within them.
    #[error("the host has a bracket, and no IPv6 address within brackets")]
    Brackets,
    /// An address that no peer has: unspecified, multicast, or the broadcast address.
    #[error("no peer can have the address {0}")]
    NoHost(IpAddr),
    /// A range of addresses. Only the /64 of an IPv6 address stands for a host.
    #[error("a range of addresses is no host, expected a name, an IP address, or an IPv6 network with /64")]
    Range,
    /// Something between `://` and the path that is no host with or without a port.
    #[error("no valid port after the host, expected a number up to 65535")]
    Port,
}

/// What bans and limits go by: a host name, an IPv4 address, or the first 64 bits of an IPv6 address, because
/// one party has all addresses that begin with them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerHost(Box<str>);

impl PeerHost {
    /// The host as text: `example.org`, `10.0.0.1` or `2001:db8:1:2::/64`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this machine, as which all its users and programs come.
    pub fn is_loopback(&self) -> bool {
        let is_loopback_address = self.0.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        is_loopback_address || &*self.0 == "localhost" || &*self.0 == "::/64"
    }

    /// Whether it is a name, which may lead to any address.
    pub(super) fn is_name(&self) -> bool {
        self.0.strip_suffix("/64").unwrap_or(&self.0).parse::<IpAddr>().is_err()
    }

    /// A host in the form in which it was shown and stored.
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

    /// A host that the owner of a node names: one that a peer can have.
    fn named(host: Host<'_>) -> Result<Self, HostError> {
        match host {
            Host::Numeric(_) => Err(HostError::Number),
            Host::Ip(ip) if is_no_host(ip) => Err(HostError::NoHost(ip)),
            host => Ok(Self::of(host)),
        }
    }
}

impl From<&PeerAddr> for PeerHost {
    /// What stands between `://` and the port or the path; the text of the address without its scheme and path where
    /// that is no host, as in an address of a transport that has none.
    fn from(address: &PeerAddr) -> Self {
        match address.authority() {
            Ok(authority) => Self::of(authority.host),
            Err(_) => Self(address.authority_text().to_ascii_lowercase().into()),
        }
    }
}

impl core::str::FromStr for PeerHost {
    type Err = HostError;

    /// A name, an IP address with or without brackets, an IPv6 network as [`as_str`](PeerHost::as_str) shows it, or
    /// the address of a peer at the host.
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
            // The network of `::1` is shown with the unspecified address.
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

/// What stands for all addresses of one party: an IPv4 address, however it is written, or the first 64 bits of an
/// IPv6 address.
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// Whether no connection can come from there or be opened to there.
pub(crate) const fn is_no_host(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip.is_multicast() || matches!(ip, IpAddr::V4(ip) if ip.is_broadcast())
}

/// What stands before the path, the query and the fragment of an address without its scheme.
pub(super) fn before_path(rest: &str) -> &str {
    rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end])
}

#[cfg(test)]
mod tests;
