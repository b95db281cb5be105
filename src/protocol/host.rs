//! Parses hosts and ports in text: the only parser for addresses and settings that name a host. Strict, so
//! that no resolver reads a text as another host than this crate does. Resolves no names.

use core::net::{IpAddr, Ipv6Addr};

/// The maximum length of a name in bytes (RFC 1035, section 2.3.4), without a trailing dot.
const MAX_NAME_LEN: usize = 253;

/// The maximum length of a label, which is a part of a name between dots, in bytes (RFC 1035, section 2.3.4).
const MAX_LABEL_LEN: usize = 63;

/// A host in its textual form, without brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host<'a> {
    /// An IP address in its usual form. An IPv4-mapped IPv6 address is parsed as IPv4.
    Ip(IpAddr),
    /// A DNS name, without a trailing dot.
    Name(&'a str),
    /// A name whose last label is a number. Resolvers read it as an IPv4 address in an old form (`127.1`,
    /// `0x7f.1`, `2130706433`), so only a transport that resolves no names may use it.
    Numeric(&'a str),
}

impl<'a> Host<'a> {
    /// Parses an IP address without brackets, or a name.
    ///
    /// # Errors
    ///
    /// [`HostError`], for the first violation.
    pub(crate) fn parse(text: &'a str) -> Result<Self, HostError> {
        // Only a text that begins like an address is tried as one, which takes longer than to see that it is a name.
        let may_be_ip = text.starts_with(|c: char| c.is_ascii_hexdigit() || c == ':');
        if let Some(ip) = may_be_ip.then(|| text.parse::<IpAddr>().ok()).flatten() {
            return Ok(Self::Ip(ip.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err(HostError::Empty);
        }
        if name.len() > MAX_NAME_LEN {
            return Err(HostError::TooLong { got: name.len() });
        }
        // RFC 952 does not permit underscores, but container networks use them in names.
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if let Some(odd) = name.chars().find(|c| !is_allowed(*c)) {
            return Err(HostError::Character(odd));
        }
        // As bytes, which are compared one by one: a search for a character takes longer in texts as short as these.
        let mut last: &[u8] = &[];
        for label in name.as_bytes().split(|byte| *byte == b'.') {
            let is_label = (1..=MAX_LABEL_LEN).contains(&label.len());
            if !is_label || label.starts_with(b"-") || label.ends_with(b"-") {
                return Err(HostError::Label);
            }
            last = label;
        }
        Ok(if is_number(last) { Self::Numeric(name) } else { Self::Name(name) })
    }
}

/// Whether a last label makes a name an IPv4 address by the rule "ends in a number" of the WHATWG URL standard.
fn is_number(label: &[u8]) -> bool {
    let hex = label.strip_prefix(b"0x").or_else(|| label.strip_prefix(b"0X"));
    match hex {
        Some(digits) => digits.iter().all(u8::is_ascii_hexdigit),
        None => label.iter().all(u8::is_ascii_digit),
    }
}

/// `host` or `host:port`, with an IPv6 address in brackets: the part of an address between `://` and the
/// path, and the value of the HTTP header `Host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    /// The host as written, with its brackets.
    pub(crate) written_host: &'a str,
    /// The host.
    pub(crate) host: Host<'a>,
    /// The port, if one is named.
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Parses a host with an optional port.
    ///
    /// # Errors
    ///
    /// [`AuthorityError`], for the first invalid part.
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

/// Parses a port in decimal digits; `u16::from_str` would accept a plus sign.
fn port(digits: &str) -> Option<u16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Which part of an [`Authority`] is invalid.
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

/// Why a text is not a valid host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The host is empty.
    #[error("the host is empty")]
    Empty,
    /// The name is longer than 253 bytes.
    #[error("the host has {got} bytes, a name has at most {MAX_NAME_LEN}")]
    TooLong {
        /// The length in bytes.
        got: usize,
    },
    /// A character is not allowed in a host name.
    #[error("the host holds {0:?}, a name has letters, digits, hyphens, underscores and dots")]
    Character(char),
    /// A label of the name is empty, too long, or starts or ends with a hyphen.
    #[error(
        "a part of the host is no label, which has 1 to {MAX_LABEL_LEN} characters and no hyphen at its ends"
    )]
    Label,
    /// The last label of the name is a number, such as in `127.1` or `0x7f000001`, which resolvers read as an
    /// IPv4 address.
    #[error("the host ends in a number and is no IPv4 address of four decimal parts")]
    Number,
    /// There are brackets without a valid IPv6 address in them.
    #[error("the host has a bracket, and no IPv6 address within brackets")]
    Brackets,
    /// The address cannot belong to a peer: it is unspecified, multicast, or the broadcast address.
    #[error("no peer can have the address {0}")]
    NoHost(IpAddr),
    /// A range of addresses is not a host, except the /64 network of an IPv6 address.
    #[error("a range of addresses is no host, expected a name, an IP address, or an IPv6 network with /64")]
    Range,
    /// The text between the host and the path is not a valid port.
    #[error("no valid port after the host, expected a number up to 65535")]
    Port,
}

/// Returns the address that represents all addresses of one party: an IPv4 address, also if it is mapped into
/// IPv6, or the first 64 bits of an IPv6 address.
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// Whether no connection can come from or be opened to this address.
pub(crate) const fn is_no_host(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip.is_multicast() || matches!(ip, IpAddr::V4(ip) if ip.is_broadcast())
}

/// Returns the part before the path, the query and the fragment of an address without its scheme.
pub(super) fn before_path(rest: &str) -> &str {
    rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end])
}

#[cfg(test)]
mod tests;
