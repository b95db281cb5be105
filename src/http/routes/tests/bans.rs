//! Disconnecting peers, forgetting addresses and banning hosts.

use super::*;

/// The bans of the fake node: a host, and a name that is valid only for a transport without hosts.
pub(super) fn listed() -> Vec<Ban> {
    let hosts = ["ws://10.0.0.1:1", "memory://1"].map(|text| PeerHost::from(&text.parse().unwrap()));
    hosts.map(|host| Ban { host, remaining: Duration::from_secs(60) }).into()
}

#[test]
fn a_peer_is_given_up_by_its_id() {
    let answer = ask("DELETE", "/peers/7", &[], "");
    assert_eq!((answer.status, answer.calls), (204, vec!["remove #7".to_owned()]));
}

#[rstest]
#[case("10.0.0.1", "{\"host\": \"10.0.0.1\"}", 3_600)]
#[case("2001:db8:1:2::/64", "{\"host\": \"2001:db8:1:2::9\", \"seconds\": 5}", 5)]
#[case("example.org", "{\"seconds\": 1, \"host\": \"ws://Example.org:5001\"}", 1)]
#[case("10.0.0.1", "{\"host\": \"10.0.0.1\", \"seconds\": 3155760000}", 3_155_760_000)]
fn a_host_is_banned_for_a_while(#[case] host: &str, #[case] body: &str, #[case] seconds: u64) {
    let answer = ask("POST", "/bans", &[JSON], body);
    assert_eq!((answer.status, &answer.body), (201, &json!({"host": host, "seconds": seconds})));
    assert_eq!(answer.calls, [format!("ban {host} for {:?}", Duration::from_secs(seconds))]);
}

#[test]
fn bans_are_listed() {
    let answer = ask("GET", "/bans", &[], "");
    assert_eq!(
        (answer.status, answer.body),
        (200, json!([{"host": "10.0.0.1", "seconds": 60}, {"host": "1", "seconds": 60}]))
    );
}

#[rstest]
#[case("/bans/10.0.0.1", "10.0.0.1")]
#[case("/bans/1", "1")]
#[case("/bans/2001:db8:1:2::/64", "2001:db8:1:2::/64")]
#[case("/bans/2001%3Adb8%3A1%3A2%3A%3A%2F64", "2001:db8:1:2::/64")]
fn a_ban_is_lifted(#[case] path: &str, #[case] host: &str) {
    let answer = ask("DELETE", path, &[], "");
    assert_eq!((answer.status, answer.calls), (204, vec![format!("unban {host}")]));
}

#[rstest]
#[case("/addresses/ws://c:3")]
#[case("/addresses/ws%3A%2F%2Fc%3A3")]
fn an_address_is_forgotten(#[case] path: &str) {
    let answer = ask("DELETE", path, &[], "");
    assert_eq!((answer.status, answer.calls), (204, vec!["forget ws://c:3".to_owned()]));
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
    assert_error([method, path, body], status, code, message);
}

/// A browser sends a preflight request before a cross-origin `DELETE`; a `DELETE` without one is refused as
/// well.
#[rstest]
#[case("/peers/7")]
#[case("/bans/10.0.0.1")]
fn a_web_page_gives_nobody_up(#[case] path: &str) {
    let headers = [("origin", "http://evil.example"), ("host", "localhost:3001")];
    let answer = ask("DELETE", path, &headers, "");
    assert_eq!((answer.status, answer.code()), (403, "cross_origin"));
    assert!(answer.calls.is_empty());
}
