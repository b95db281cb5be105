//! The limit of concurrent requests to mine.

use super::*;

#[test]
fn requests_to_mine_are_bounded() {
    let config = RoutesConfig::default().with_max_mining(0);
    let answer = ask_with(config, "POST", "/mine", &[], b"");
    assert_eq!((answer.status, answer.code()), (503, "busy"));
    assert_eq!(answer.header("retry-after"), Some("5"));
}

#[test]
fn a_place_to_mine_is_given_back() {
    let fixture = Fixture::new();
    let routes = routes(fixture.node.clone(), RoutesConfig::default().with_max_mining(1));
    for _ in 0..3 {
        assert_eq!(routes(&rouille::Request::fake_http("POST", "/mine", vec![], vec![])).status_code, 201);
    }
}
