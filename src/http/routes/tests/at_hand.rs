//! Answers without waiting, which must equal those of a thread.

use super::super::Answer;
use super::*;

fn both(method: &str, url: &str, headers: &[(&str, &str)]) -> (Option<Answer>, Answer) {
    let routes = Routes::new(Fake::default(), RoutesConfig::default());
    let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let request = Request::fake_http(method, url, headers, Vec::new());
    (routes.answer_at_once(&request), routes.answer(&request, &Client::unknown()))
}

fn hash(height: u64) -> String {
    chain()[usize::try_from(height).unwrap()].hash().to_string()
}

#[rstest]
#[case::status("/status".to_owned())]
#[case::with_a_query("/status?x".to_owned())]
#[case::by_height("/blocks/3".to_owned())]
#[case::by_hash(format!("/blocks/{}", hash(3)))]
fn at_hand_is_the_same(#[case] url: String, #[values("GET", "HEAD")] method: &str) {
    let known = format!("\"{}\"", hash(3));
    for headers in [&[][..], &[("If-None-Match", &*known)], &[("Host", "localhost:1")]] {
        let (at_once, waited) = both(method, &url, headers);
        assert_eq!(at_once.as_ref(), Some(&waited), "{headers:?}");
        let known = url.starts_with("/blocks") && headers.first().is_some_and(|(name, _)| *name != "Host");
        assert_eq!(waited.status, if known { 304 } else { 200 }, "{headers:?}");
    }
}

/// Requests for blocks that are not cached, and requests that take long, change something or are refused.
#[rstest]
#[case("GET", "/blocks/2".to_owned(), "localhost")]
#[case("GET", format!("/blocks/{}", hash(2)), "localhost")]
#[case("GET", "/blocks/7".to_owned(), "localhost")]
#[case("GET", "/blocks/99".to_owned(), "localhost")]
#[case("GET", "/blocks/x".to_owned(), "localhost")]
#[case("GET", "/blocks".to_owned(), "localhost")]
#[case("GET", "/transactions".to_owned(), "localhost")]
#[case("GET", "/nothing".to_owned(), "localhost")]
#[case("GET", "/status".to_owned(), "evil.example")]
#[case("POST", "/status".to_owned(), "localhost")]
#[case("POST", "/mine".to_owned(), "localhost")]
fn all_else_has_a_thread(#[case] method: &str, #[case] url: String, #[case] host: &str) {
    assert_eq!(both(method, &url, &[("Host", host)]).0, None);
}
