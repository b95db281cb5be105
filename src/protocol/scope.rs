//! From where an address is reachable, and which addresses probably have one owner. Judged by the text alone,
//! without resolving names. [`Reach`] judges what a name resolves to when it is dialled.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::{PeerAddr, PeerHost};
use super::host::Host;

/// From where an address is reachable, narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// From nowhere, or the text alone does not tell.
    Nowhere,
    /// From the same machine.
    Machine,
    /// From the same private network.
    Private,
    /// From everywhere.
    Public,
}

impl Scope {
    /// Returns the scope of an address to dial, or of the remote address of a connection.
    pub(super) fn of(address: &PeerAddr) -> Self {
        match address.authority() {
            Err(_) => Self::Nowhere,
            Ok(authority) if authority.port == Some(0) => Self::Nowhere,
            Ok(authority) => match authority.host {
                Host::Ip(ip) => Self::of_ip(ip),
                Host::Name(name) => of_name(&name.to_ascii_lowercase()),
                // Only a transport without name resolution may use the text, so resolvers do not matter here.
                Host::Numeric(_) => Self::Private,
            },
        }
    }

    const fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => of_v4(ip),
            IpAddr::V6(ip) => of_v6(ip),
        }
    }

    /// Whether an address of this scope may be advertised to, or accepted from, a peer in the scope `peer`. A
    /// peer outside of this machine or this network would connect to something else at a local address, and
    /// knows nothing credible about local addresses here.
    pub(super) fn may_pass(self, peer: Self) -> bool {
        match self {
            Self::Nowhere => false,
            Self::Machine => peer == Self::Machine,
            Self::Private => matches!(peer, Self::Machine | Self::Private),
            Self::Public => true,
        }
    }
}

/// Which network addresses a dial may connect to, because the addresses of a name are known only when it is
/// dialled.
///
/// A transport that resolves names must connect to no address that [`permits`](Self::permits) refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach(Scope);

impl Reach {
    /// Every address, for addresses that the operator of the node has configured.
    pub const ANY: Self = Self(Scope::Nowhere);

    /// Returns the reach for an address from a peer: no network address closer to this machine than the scope
    /// of its text, so that a public name cannot resolve to this machine or into its private network.
    pub(crate) fn of_unverified(address: &PeerAddr) -> Self {
        Self(Scope::of(address).max(Scope::Machine))
    }

    /// Whether the dial may connect to this network address.
    pub fn permits(self, ip: IpAddr) -> bool {
        Scope::of_ip(ip) >= self.0
    }
}

/// Whether an address is on this machine or in its network, judged by its text.
pub(super) fn is_nearby(address: &PeerAddr) -> bool {
    Scope::of(address) < Scope::Public
}

/// Whether an address is the unspecified one, which stands for every address of a machine, so that another
/// source has to tell the host.
pub(super) fn is_unspecified(address: &PeerAddr) -> bool {
    matches!(address.authority(), Ok(authority) if matches!(authority.host, Host::Ip(ip) if ip.is_unspecified()))
}

/// Returns the host as to be written in an address: an IPv4-mapped IPv6 address as IPv4. `None` if the
/// address has no valid host.
pub(super) fn written_host(address: &PeerAddr) -> Option<String> {
    let authority = address.authority().ok()?;
    Some(match authority.host {
        Host::Ip(IpAddr::V4(ip)) => ip.to_string(),
        Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
        Host::Name(_) | Host::Numeric(_) => authority.written_host.to_owned(),
    })
}

/// Returns the group of addresses that probably have one owner: an IPv4 /16, an IPv6 /32, the last two labels
/// of a name.
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

const fn of_v4(ip: Ipv4Addr) -> Scope {
    match ip.octets() {
        [127, ..] => Scope::Machine,
        // "This network", link-local addresses, multicast and the reserved range above it.
        [0 | 224.., ..] | [169, 254, ..] => Scope::Nowhere,
        // RFC 1918, the shared space of RFC 6598, protocol assignments of RFC 6890, and benchmarks of RFC
        // 2544.
        [10, ..]
        | [172, 16..32, ..]
        | [192, 168, ..]
        | [100, 64..128, ..]
        | [192, 0, 0, _]
        | [198, 18..20, ..] => Scope::Private,
        _ => Scope::Public,
    }
}

const fn of_v6(ip: Ipv6Addr) -> Scope {
    if ip.is_loopback() {
        return Scope::Machine;
    }
    match ip.segments() {
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) addresses lead to the IPv4 address that they embed.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => of_v4(embedded(high, low)),
        // Unspecified and IPv4-compatible, NAT64 of a local network (RFC 8215), Teredo (RFC 4380),
        // link-local, which is incomplete without an interface, and multicast.
        [0 | 0xfe80..0xfec0 | 0xff00.., ..] | [0x64, 0xff9b, ..] | [0x2001, 0, ..] => Scope::Nowhere,
        // RFC 4193, and site-local addresses, which RFC 3879 deprecates.
        [0xfc00..0xfe00 | 0xfec0..0xff00, ..] => Scope::Private,
        _ => Scope::Public,
    }
}

const fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits((high as u32) << 16 | low as u32)
}

/// A name without a dot, or under a domain reserved for local use, has a meaning only in its own network.
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
    #[case("ws://127.1:22", Scope::Private)]
    #[case("ws://0x7f.1:22", Scope::Private)]
    #[case("ws://2130706433:22", Scope::Private)]
    #[case("ws://198.18.0.1:5001", Scope::Private)]
    #[case("ws://192.0.0.8:5001", Scope::Private)]
    #[case("ws://[fec0::1]:5001", Scope::Private)]
    #[case("ws://[64:ff9b::10.0.0.1]:5001", Scope::Private)]
    #[case("ws://[64:ff9b::7f00:1]:5001", Scope::Machine)]
    #[case("ws://[2002:7f00:1::1]:5001", Scope::Machine)]
    #[case("ws://[2002:c000:204::1]:5001", Scope::Public)]
    #[case("ws://[64:ff9b:1::7f00:1]:5001", Scope::Nowhere)]
    #[case("ws://[2001::1]:5001", Scope::Nowhere)]
    #[case("ws://localhost.:5001", Scope::Machine)]
    #[case("ws://node.internal.:5001", Scope::Private)]
    #[case("ws://a..org:5001", Scope::Nowhere)]
    #[case("ws://example.org:70000", Scope::Nowhere)]
    #[case("ws://example.org:http", Scope::Nowhere)]
    #[case("ws://user@example.org:5001", Scope::Nowhere)]
    #[case("ws://example.org?:5001", Scope::Public)]
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
    #[case("ws://example.org:1", [false, false, false, true])]
    #[case("ws://node-1:1", [false, false, true, true])]
    #[case("ws://localhost:1", [false, true, true, true])]
    #[case("ws://example.org:0", [false, true, true, true])]
    fn a_name_leads_no_nearer_than_its_text_says(#[case] address: &str, #[case] permitted: [bool; 4]) {
        let resolved = ["169.254.169.254", "::ffff:127.0.0.1", "192.168.0.1", "192.0.2.1"];
        let resolved = resolved.map(|ip| ip.parse().unwrap());
        let reach = Reach::of_unverified(&address.parse().unwrap());
        assert_eq!(resolved.map(|ip| reach.permits(ip)), permitted);
        assert_eq!(resolved.map(|ip| Reach::ANY.permits(ip)), [true; 4]);
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
