//! Disconnecting peers, forgetting addresses and banning hosts.

use super::*;
use crate::protocol::PeerHost;

/// Bans a host, and a name that is valid only for a transport without hosts.
fn with_bans() -> Fixture {
    let fixture = Fixture::new();
    for address in ["ws://10.0.0.1:1", "memory://1", "ws://[2001:db8:1:2::9]:1"] {
        let host = PeerHost::from(&address.parse().unwrap());
        fixture.node.ban_blocking(host, Duration::from_secs(60)).unwrap();
    }
    fixture
}

fn banned(fixture: &Fixture) -> Vec<String> {
    fixture.node.bans().into_iter().map(|ban| ban.host.to_string()).collect()
}

#[rstest]
#[case("10.0.0.1", "{\"host\": \"10.0.0.1\"}", 3_600)]
#[case("2001:db8:1:2::/64", "{\"host\": \"2001:db8:1:2::9\", \"seconds\": 5}", 5)]
#[case("example.org", "{\"seconds\": 1, \"host\": \"ws://Example.org:5001\"}", 1)]
#[case("10.0.0.1", "{\"host\": \"10.0.0.1\", \"seconds\": 3155760000}", 3_155_760_000)]
fn a_host_is_banned_for_a_while(#[case] host: &str, #[case] body: &str, #[case] seconds: u64) {
    let fixture = Fixture::new();
    let answer = fixture.ask("POST", "/bans", &[JSON], body);
    assert_eq!((answer.status, &answer.body), (201, &json!({"host": host, "seconds": seconds})));
    let bans = fixture.node.bans();
    assert_eq!((bans.len(), bans[0].host.as_str()), (1, host));
    let passed = Duration::from_secs(seconds).saturating_sub(bans[0].remaining);
    assert!(passed < Duration::from_secs(5) || seconds <= 5, "{bans:?}");
}

#[test]
fn bans_are_listed() {
    let fixture = with_bans();
    let answer = fixture.ask("GET", "/bans", &[], "");
    assert_eq!(answer.status, 200);
    let bans = answer.body.as_array().unwrap();
    let listed: Vec<_> = bans.iter().map(|ban| ban["host"].as_str().unwrap()).collect();
    assert_eq!(listed, banned(&fixture));
    assert!(listed.contains(&"10.0.0.1") && listed.contains(&"1"));
    for ban in bans {
        assert!(matches!(ban["seconds"].as_u64(), Some(30..=60)), "{ban}");
    }
}

#[rstest]
#[case("/bans/10.0.0.1", "10.0.0.1")]
#[case("/bans/1", "1")]
#[case("/bans/2001:db8:1:2::/64", "2001:db8:1:2::/64")]
#[case("/bans/2001%3Adb8%3A1%3A2%3A%3A%2F64", "2001:db8:1:2::/64")]
fn a_ban_is_lifted(#[case] path: &str, #[case] host: &str) {
    let fixture = with_bans();
    let mut expected = banned(&fixture);
    expected.retain(|banned| banned != host);
    assert_eq!(expected.len(), 2);
    let answer = fixture.ask("DELETE", path, &[], "");
    assert_eq!((answer.status, answer.body), (204, Value::Null));
    assert_eq!(banned(&fixture), expected);
}

#[rstest]
#[case("/addresses/memory://c")]
#[case("/addresses/memory%3A%2F%2Fc")]
fn an_address_is_forgotten(#[case] path: &str) {
    let fixture = Fixture::new();
    fixture.node.connect_blocking("memory://c".parse().unwrap()).unwrap();
    let answer = fixture.ask("DELETE", path, &[], "");
    assert_eq!((answer.status, answer.body), (204, Value::Null));
    fixture.assert_error(["DELETE", path, ""], 404, "address_not_found", "memory://c is not known");
}

#[rstest]
#[case("DELETE", "/addresses/ws://d:4", "", 404, "address_not_found", "ws://d:4 is not known")]
#[case("DELETE", "/addresses/", "", 400, "bad_address", "empty")]
#[case("DELETE", "/peers/8", "", 404, "peer_not_found", "no peer 8")]
#[case("DELETE", "/peers/", "", 400, "bad_peer_id", "expected a number")]
#[case("DELETE", "/peers/ws:", "", 400, "bad_peer_id", "\"ws:\"")]
#[case("DELETE", "/bans/10.0.0.9", "", 404, "ban_not_found", "10.0.0.9 is not banned")]
#[case("DELETE", "/bans/", "", 400, "bad_host", "empty")]
#[case("POST", "/bans", "{}", 400, "bad_json", "missing field `host`")]
#[case("POST", "/bans", "{\"host\": \"\"}", 400, "bad_host", "empty")]
#[case("POST", "/bans", "{\"host\": \"a b\"}", 400, "bad_host", "' '")]
#[case("POST", "/bans", "{\"host\": \"ws:///\"}", 400, "bad_host", "the host is empty")]
#[case("POST", "/bans", "{\"host\": \"\u{2039}script\"}", 400, "bad_host", "'\u{2039}'")]
#[case("POST", "/bans", "{\"host\": \"../../etc/hosts\"}", 400, "bad_host", "is no host")]
#[case("POST", "/bans", "{\"host\": \"0..0\"}", 400, "bad_host", "no label")]
#[case("POST", "/bans", "{\"host\": \"127.1\"}", 400, "bad_host", "ends in a number")]
#[case("POST", "/bans", "{\"host\": \"*\"}", 400, "bad_host", "'*'")]
#[case("POST", "/bans", "{\"host\": \"0.0.0.0/0\"}", 400, "bad_host", "a range of addresses")]
#[case("POST", "/bans", "{\"host\": \"::/0\"}", 400, "bad_host", "a range of addresses")]
#[case("POST", "/bans", "{\"host\": \"0.0.0.0\"}", 400, "bad_host", "no peer can have")]
#[case(
    "POST",
    "/bans",
    "{\"host\": \"a\", \"seconds\": 18446744073709551615}",
    400,
    "bad_request",
    "expected 1 to 3155760000"
)]
#[case("POST", "/bans", "{\"host\": \"a\", \"seconds\": 0}", 400, "bad_request", "expected 1 to")]
#[case("POST", "/bans", "{\"host\": \"a\", \"seconds\": -1}", 400, "bad_json", "invalid value")]
#[case("POST", "/bans", "{\"host\": \"a\", \"minutes\": 1}", 400, "bad_json", "unknown field `minutes`")]
fn what_is_wrong_is_told(
    #[case] method: &str,
    #[case] path: &str,
    #[case] body: &str,
    #[case] status: u16,
    #[case] code: &str,
    #[case] message: &str,
) {
    Fixture::new().assert_error([method, path, body], status, code, message);
}

/// A browser sends a preflight request before a cross-origin `DELETE`; a `DELETE` without one is refused as
/// well.
#[rstest]
#[case("/peers/7")]
#[case("/bans/10.0.0.1")]
fn a_web_page_gives_nobody_up(#[case] path: &str) {
    let headers = [("origin", "http://evil.example"), ("host", "localhost:3001")];
    let fixture = with_bans();
    let answer = fixture.ask("DELETE", path, &headers, "");
    assert_eq!((answer.status, answer.code()), (403, "cross_origin"));
    assert_eq!(banned(&fixture).len(), 3);
}
