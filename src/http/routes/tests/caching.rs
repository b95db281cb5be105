//! Cache control, and answers to conditional requests.

use super::*;

const IMMUTABLE: &str = "max-age=31536000, immutable";

#[rstest]
#[case::by_hash("/blocks/{3}", "\"{3}\"", IMMUTABLE)]
#[case::by_height("/blocks/3", "\"{3}\"", "no-cache")]
#[case::page("/blocks?from=2&limit=3", "\"{4}-3\"", "no-cache")]
fn a_client_that_has_it_is_sent_no_body(#[case] url: &str, #[case] tag: &str, #[case] lifetime: &str) {
    let fixture = Fixture::new();
    let (url, tag) = (fixture.fill(url), fixture.fill(tag));
    let first = fixture.ask("GET", &url, &[], "");
    assert_eq!(first.status, 200);
    assert_eq!(first.header("etag"), Some(tag.as_str()));
    assert_eq!(first.header("cache-control"), Some(lifetime));

    for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let again = fixture.ask("GET", &url, &[("If-None-Match", &known)], "");
        assert_eq!((again.status, &again.body), (304, &Value::Null), "{known}");
        for name in ["etag", "cache-control", "link", "x-total-count", "x-content-type-options"] {
            assert_eq!(again.header(name), first.header(name), "{known}");
        }
        assert_eq!(again.header("content-type"), None);
    }
    let other = fixture.ask("GET", &url, &[("If-None-Match", "\"x\"")], "");
    assert_eq!((other.status, other.body), (200, first.body));
}

#[test]
fn pages_have_the_same_tag_only_where_they_have_the_same_blocks() {
    let fixture = Fixture::new();
    let tag = |url| fixture.ask("GET", url, &[], "").header("etag").map(ToOwned::to_owned);
    assert_eq!(tag("/blocks?from=4"), tag("/blocks?from=4&limit=3"));
    assert_ne!(tag("/blocks?from=4"), tag("/blocks?from=5"));
    assert_ne!(tag("/blocks?from=4&limit=1"), tag("/blocks?from=4&limit=2"));
    assert_eq!(tag("/blocks?from=7"), None);
}

#[rstest]
#[case("GET", "/status", "")]
#[case("GET", "/peers", "")]
#[case("GET", "/transactions", "")]
#[case("GET", "/blocks?from=7", "")]
#[case("GET", "/blocks/7", "")]
#[case("GET", "/blocks/x", "")]
#[case("POST", "/mine", "")]
fn what_changes_is_not_kept(#[case] method: &str, #[case] url: &str, #[case] body: &str) {
    let answer = ask(method, url, &[("If-None-Match", "*")], body);
    assert_ne!(answer.status, 304);
    assert_eq!((answer.header("cache-control"), answer.header("etag")), (Some("no-store"), None));
}
