//! How far an address reaches, and which addresses one party is likely to own together. Judged by the text alone:
//! names are not looked up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::protocol::{PeerAddr, PeerHost};

/// From where an address can be reached, narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// From nowhere, or not by what the text says alone.
    Nowhere,
    /// From the same machine.
    Machine,
    /// From the same private network.
    Private,
    /// From everywhere.
    Public,
}

impl Scope {
    /// Of a place to connect to, or of where a connection came from.
    pub(super) fn of(address: &PeerAddr) -> Self {
        let (host, port) = address.host_and_port();
        if host.is_empty() || port.is_some_and(|port| port.bytes().all(|digit| digit == b'0')) {
            return Self::Nowhere;
        }
        match parse(host) {
            Some(IpAddr::V4(ip)) => of_v4(ip),
            Some(IpAddr::V6(ip)) => of_v6(ip),
            None => of_name(&host.to_ascii_lowercase()),
        }
    }

    /// Whether an address is passed on to a peer there, or believed from it. Neither to whom it would lead elsewhere:
    /// whoever is far away knows nothing of this machine, or of this network, that anybody should believe.
    pub(super) fn may_pass(self, peer: Self) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Machine => peer == Self::Machine,
            Self::Private => matches!(peer, Self::Machine | Self::Private),
            Self::Public => true,
        }
    }
}

/// Whether it is in this network or on this machine, as far as its text shows.
pub(in crate::protocol) fn is_nearby(address: &PeerAddr) -> bool {
    Scope::of(address) < Scope::Public
}

/// Whether it stands for every address of a machine, so that one has to know which machine.
pub(super) fn is_unspecified(address: &PeerAddr) -> bool {
    parse(address.host_and_port().0).is_some_and(|ip| ip.is_unspecified())
}

/// The host as it is best written in an address: an IPv4 address as such, also where it came over IPv6.
pub(super) fn written_host(address: &PeerAddr) -> String {
    let (host, _) = address.host_and_port();
    match parse(host) {
        Some(IpAddr::V4(ip)) => ip.to_string(),
        Some(IpAddr::V6(ip)) => format!("[{ip}]"),
        None => host.to_owned(),
    }
}

/// What is likely to be in one hand: an IPv4 /16, an IPv6 /32, the last two labels of a name.
pub(super) fn group(host: &PeerHost) -> Box<str> {
    let host = host.as_str();
    let bare = host.strip_suffix("/64").unwrap_or(host);
    match bare.parse() {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, ..] = ip.octets();
            format!("{a}.{b}").into()
        }
        Ok(IpAddr::V6(ip)) => {
            let [a, b, ..] = ip.segments();
            format!("{a:x}:{b:x}").into()
        }
        Err(_) => {
            let from = bare.rmatch_indices('.').nth(1).map_or(0, |(at, _)| at + 1);
            bare[from..].into()
        }
    }
}

fn parse(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

const fn of_v4(ip: Ipv4Addr) -> Scope {
    let [a, b, ..] = ip.octets();
    match (a, b) {
        (127, _) => Scope::Machine,
        // "This network", addresses given without a server, multicast and what is reserved above it.
        (0 | 224.., _) | (169, 254) => Scope::Nowhere,
        // RFC 1918, and the shared space of RFC 6598.
        (10, _) | (172, 16..32) | (192, 168) | (100, 64..128) => Scope::Private,
        _ => Scope::Public,
    }
}

const fn of_v6(ip: Ipv6Addr) -> Scope {
    if ip.is_loopback() {
        return Scope::Machine;
    }
    match ip.segments()[0] {
        // Unspecified and IPv4-compatible, link-local, which names no link, and multicast.
        0 | 0xfe80..0xfec0 | 0xff00.. => Scope::Nowhere,
        // RFC 4193.
        0xfc00..0xfe00 => Scope::Private,
        _ => Scope::Public,
    }
}

/// A name without a dot, or under a domain that is nobody's, means something on its own network only.
fn of_name(name: &str) -> Scope {
    let is_under = |domain: &str| name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    if name == "localhost" || is_under("localhost") {
        Scope::Machine
    } else if !name.contains('.') || is_under("local") || is_under("internal") {
        Scope::Private
    } else {
        Scope::Public
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("ws://127.0.0.1:5001", Scope::Machine)]
    #[case("ws://127.200.0.1:5001", Scope::Machine)]
    #[case("ws://[::1]:5001", Scope::Machine)]
    #[case("ws://[::ffff:127.0.0.1]:5001", Scope::Machine)]
    #[case("ws://LocalHost:5001", Scope::Machine)]
    #[case("ws://a.localhost:5001", Scope::Machine)]
    #[case("ws://0.0.0.0:5001", Scope::Nowhere)]
    #[case("ws://[::]:5001", Scope::Nowhere)]
    #[case("ws://169.254.1.1:5001", Scope::Nowhere)]
    #[case("ws://[fe80::1]:5001", Scope::Nowhere)]
    #[case("ws://224.0.0.1:5001", Scope::Nowhere)]
    #[case("ws://255.255.255.255:5001", Scope::Nowhere)]
    #[case("ws://[ff02::1]:5001", Scope::Nowhere)]
    #[case("ws://10.0.0.1:0", Scope::Nowhere)]
    #[case("memory://", Scope::Nowhere)]
    #[case("ws://10.0.0.1:5001", Scope::Private)]
    #[case("ws://172.31.0.1:5001", Scope::Private)]
    #[case("ws://192.168.0.1:5001", Scope::Private)]
    #[case("ws://100.127.0.1:5001", Scope::Private)]
    #[case("ws://[fd00::1]:5001", Scope::Private)]
    #[case("ws://node-1:5001", Scope::Private)]
    #[case("memory://1", Scope::Private)]
    #[case("ws://node-1.svc.cluster.local:5001", Scope::Private)]
    #[case("ws://172.32.0.1:5001", Scope::Public)]
    #[case("ws://100.128.0.1:5001", Scope::Public)]
    #[case("ws://[2001:db8::1]:5001", Scope::Public)]
    #[case("ws://example.org:5001", Scope::Public)]
    #[case("ws://notlocal.org:5001", Scope::Public)]
    fn how_far_an_address_reaches(#[case] address: &str, #[case] expected: Scope) {
        assert_eq!(Scope::of(&address.parse().unwrap()), expected);
    }

    #[test]
    fn no_address_is_passed_on_to_where_it_would_lead_elsewhere() {
        use Scope::{Machine, Nowhere, Private, Public};
        let all = [Nowhere, Machine, Private, Public];
        let passes =
            |address: Scope| all.into_iter().filter(|peer| address.may_pass(*peer)).collect::<Vec<_>>();
        assert_eq!(passes(Nowhere), []);
        assert_eq!(passes(Machine), [Machine]);
        assert_eq!(passes(Private), [Machine, Private]);
        assert_eq!(passes(Public), all);
    }

    #[rstest]
    #[case("ws://10.1.2.3:1", "10.1")]
    #[case("ws://[::ffff:10.1.2.3]:1", "10.1")]
    #[case("ws://[2001:db8:1:2::3]:1", "2001:db8")]
    #[case("ws://a.b.example.org:1", "example.org")]
    #[case("ws://example.org:1", "example.org")]
    #[case("memory://alice", "alice")]
    fn who_is_likely_to_own_it(#[case] address: &str, #[case] expected: &str) {
        let address: PeerAddr = address.parse().unwrap();
        assert_eq!(&*group(&PeerHost::from(&address)), expected);
    }
}
