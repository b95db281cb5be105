use super::*;
use crate::protocol::address::{PeerAddr, PeerHost};
use rstest::rstest;

#[rstest]
#[case("10.0.0.1", Ok(Host::Ip(IpAddr::from([10, 0, 0, 1]))))]
#[case("::ffff:10.0.0.1", Ok(Host::Ip(IpAddr::from([10, 0, 0, 1]))))]
#[case("Example.org", Ok(Host::Name("Example.org")))]
#[case("example.org.", Ok(Host::Name("example.org")))]
#[case("node_1", Ok(Host::Name("node_1")))]
#[case("xn--bcher-kva.example", Ok(Host::Name("xn--bcher-kva.example")))]
#[case("0x.example", Ok(Host::Name("0x.example")))]
#[case("1a", Ok(Host::Name("1a")))]
#[case("0xg", Ok(Host::Name("0xg")))]
#[case("127.1", Ok(Host::Numeric("127.1")))]
#[case("0177.0.0.1", Ok(Host::Numeric("0177.0.0.1")))]
#[case("0x7f.1", Ok(Host::Numeric("0x7f.1")))]
#[case("0X7F000001", Ok(Host::Numeric("0X7F000001")))]
#[case("0x", Ok(Host::Numeric("0x")))]
#[case("10.1", Ok(Host::Numeric("10.1")))]
#[case("192.168.257", Ok(Host::Numeric("192.168.257")))]
#[case("2130706433", Ok(Host::Numeric("2130706433")))]
#[case("127.0.0.1.", Ok(Host::Numeric("127.0.0.1")))]
#[case("256.0.0.1", Ok(Host::Numeric("256.0.0.1")))]
#[case("1.2.3.4.5", Ok(Host::Numeric("1.2.3.4.5")))]
#[case("example.09", Ok(Host::Numeric("example.09")))]
#[case("", Err(HostError::Empty))]
#[case(".", Err(HostError::Empty))]
#[case("..", Err(HostError::Label))]
#[case("0..0", Err(HostError::Label))]
#[case(".org", Err(HostError::Label))]
#[case("example.org..", Err(HostError::Label))]
#[case("-a.org", Err(HostError::Label))]
#[case("a-.org", Err(HostError::Label))]
#[case("*", Err(HostError::Character('*')))]
#[case("a b", Err(HostError::Character(' ')))]
#[case("\u{2039}script", Err(HostError::Character('\u{2039}')))]
#[case("fe80::1%eth0", Err(HostError::Character(':')))]
#[case("user@example.org", Err(HostError::Character('@')))]
#[case("127.0.0.1\u{3002}", Err(HostError::Character('\u{3002}')))]
fn a_host_has_one_meaning(#[case] text: &str, #[case] expected: Result<Host<'_>, HostError>) {
    assert_eq!(Host::parse(text), expected);
}

#[test]
fn names_are_as_long_as_dns_allows() {
    let label = "a".repeat(63);
    let name = format!("{label}.{label}.{label}.{}", "b".repeat(61));
    assert_eq!(Host::parse(&name), Ok(Host::Name(&name)));
    assert_eq!(Host::parse(&format!("{name}b")), Err(HostError::TooLong { got: 254 }));
    assert_eq!(Host::parse(&format!("a{label}")), Err(HostError::Label));
}

#[rstest]
#[case("localhost:5001", "localhost", Some(5001))]
#[case("localhost", "localhost", None)]
#[case("[2001:db8::1]:5001", "[2001:db8::1]", Some(5001))]
#[case("[2001:db8::1]", "[2001:db8::1]", None)]
#[case("10.0.0.1:0", "10.0.0.1", Some(0))]
fn an_authority_has_a_host_and_maybe_a_port(
    #[case] text: &str,
    #[case] written_host: &str,
    #[case] port: Option<u16>,
) {
    let authority = Authority::parse(text).unwrap();
    assert_eq!((authority.written_host, authority.port), (written_host, port));
}

#[rstest]
#[case("", AuthorityError::Host(HostError::Empty))]
#[case(":5001", AuthorityError::Host(HostError::Empty))]
#[case("user@localhost:5001", AuthorityError::Host(HostError::Character('@')))]
#[case("[::1:5001", AuthorityError::Host(HostError::Brackets))]
#[case("[localhost]:5001", AuthorityError::Host(HostError::Brackets))]
#[case("[10.0.0.1]:5001", AuthorityError::Host(HostError::Brackets))]
#[case("::1", AuthorityError::Host(HostError::Empty))]
#[case("2001:db8::1", AuthorityError::Port)]
#[case("[::1]5001", AuthorityError::Port)]
#[case("localhost:", AuthorityError::Port)]
#[case("localhost:+1", AuthorityError::Port)]
#[case("localhost:65536", AuthorityError::Port)]
#[case("localhost:http", AuthorityError::Port)]
fn what_is_wrong_with_an_authority(#[case] text: &str, #[case] expected: AuthorityError) {
    assert_eq!(Authority::parse(text), Err(expected));
}

#[rstest]
#[case("ws://Example.org:5001", "example.org")]
#[case("ws://example.org.:5001/path", "example.org")]
#[case("ws://example.org?query", "example.org")]
#[case("ws://10.0.0.1:5001", "10.0.0.1")]
#[case("ws://[::ffff:10.0.0.1]:5001", "10.0.0.1")]
#[case("ws://[2001:db8:1:2:3:4:5:6]:5001", "2001:db8:1:2::/64")]
#[case("ws://[2001:db8:1:2::9]", "2001:db8:1:2::/64")]
#[case("ws://[::1]:5001", "::/64")]
#[case("memory://caller-7", "caller-7")]
#[case("2001:db8:1:2::9", "2001:db8:1:2::/64")]
#[case("[2001:db8:1:2::9]", "2001:db8:1:2::/64")]
#[case("2001:db8:1:2::/64", "2001:db8:1:2::/64")]
#[case("10.0.0.1", "10.0.0.1")]
#[case("x", "x")]
fn a_host_is_read_from_an_address_or_by_itself(#[case] text: &str, #[case] expected: &str) {
    let host: PeerHost = text.parse().unwrap();
    assert_eq!(host.as_str(), expected);
    assert_eq!(host.as_str().parse::<PeerHost>().unwrap(), host, "what is shown is understood");
}

#[rstest]
#[case("", HostError::Empty)]
#[case("ws:///", HostError::Empty)]
#[case("ws://", HostError::Empty)]
#[case("*", HostError::Character('*'))]
#[case("\u{2039}script", HostError::Character('\u{2039}'))]
#[case("../../etc/hosts", HostError::Range)]
#[case("0..0", HostError::Label)]
#[case("127.1", HostError::Number)]
#[case("ws://0x7f.1:22", HostError::Number)]
#[case("example.org:5001", HostError::Character(':'))]
#[case("ws://example.org:70000", HostError::Port)]
#[case("[::1", HostError::Brackets)]
#[case("[::1]:5001", HostError::Brackets)]
#[case("0.0.0.0/0", HostError::Range)]
#[case("::/0", HostError::Range)]
#[case("10.0.0.1/64", HostError::Range)]
#[case("example.org/64", HostError::Range)]
#[case("2001:db8::1/128", HostError::Range)]
#[case("0.0.0.0", HostError::NoHost(IpAddr::from([0; 4])))]
#[case("::", HostError::NoHost(IpAddr::from([0; 16])))]
#[case("224.0.0.1", HostError::NoHost(IpAddr::from([224, 0, 0, 1])))]
#[case("255.255.255.255", HostError::NoHost(IpAddr::from([255; 4])))]
fn what_names_no_host_is_refused(#[case] text: &str, #[case] expected: HostError) {
    assert_eq!(text.parse::<PeerHost>(), Err(expected));
}

#[rstest]
#[case("memory://1", "1")]
#[case("memory://", "")]
#[case("unix:/run/node", "unix:")]
#[case("ws://0..0:1", "0..0:1")]
fn an_address_of_any_transport_has_a_host(#[case] address: &str, #[case] expected: &str) {
    assert_eq!(PeerHost::from(&address.parse::<PeerAddr>().unwrap()).as_str(), expected);
}

#[rstest]
#[case("ws://localhost:1", true)]
#[case("ws://localhost.:1", true)]
#[case("ws://127.9.9.9:1", true)]
#[case("ws://[::1]:1", true)]
#[case("ws://10.0.0.1:1", false)]
#[case("ws://[2001::1]:1", false)]
fn this_machine_is_known(#[case] address: &str, #[case] expected: bool) {
    assert_eq!(address.parse::<PeerHost>().unwrap().is_loopback(), expected);
}
