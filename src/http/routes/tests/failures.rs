//! A store that fails, limits of the node, and requests that rouille accepts and `http` does not.

use super::*;
use crate::mempool::MempoolConfig;
use crate::testing::store::Failure;

#[test]
fn a_store_that_fails_is_told() {
    let chain = ChainConfig::default().with_max_cached_bytes(0);
    let fixture = Fixture::with(ProtocolConfig::default().with_chain(chain));
    fixture.store.fail_reads(Failure::Damaged);
    fixture.assert_error(["GET", "/blocks/3", ""], 503, "store_failed", "");
    fixture.assert_error(["GET", "/blocks", ""], 503, "store_failed", "");
}

#[test]
fn a_node_that_cannot_write_is_not_well() {
    let fixture = Fixture::new();
    fixture.assert_error(["POST", "/mine", "{\"data\": \"bad\"}"], 422, "transaction_rejected", "");
    assert_eq!(fixture.ask("GET", "/health", &[], "").body, json!({"status": "ok"}));
    fixture.store.fail_commits_after(0, Failure::Full);
    fixture.assert_error(["POST", "/mine", "{\"data\": \"first\"}"], 503, "store_failed", "");
    fixture.assert_error(["GET", "/health", ""], 503, "store_failed", "");
    assert_eq!(fixture.ask("GET", "/status", &[], "").body["halted"], json!(true));
}

#[test]
fn a_full_mempool_and_full_slots_for_peers_are_told() {
    let config = ProtocolConfig { max_outbound: 1, ..ProtocolConfig::default() };
    let mempool = MempoolConfig::default().with_max_transactions(3);
    let fixture = Fixture::with(config.with_mempool(mempool));
    let full = ["POST", "/transactions", "{\"data\": \"full\"}"];
    fixture.assert_error(full, 503, "mempool_full", "mempool is full");
    let again = ["POST", "/peers", "{\"address\": \"memory://again\"}"];
    assert_eq!(fixture.ask(again[0], again[1], &[JSON], again[2]).status, 202);
    fixture.assert_error(again, 409, "already_connected", "already");
    let many = ["POST", "/peers", "{\"address\": \"memory://many\"}"];
    fixture.assert_error(many, 503, "too_many_peers", "too many peers");
}

#[test]
fn a_search_that_takes_too_long_and_a_node_that_has_stopped_are_told() {
    let config = RoutesConfig::default().with_mine_timeout(Duration::ZERO);
    let answer = Fixture::that_mines_for_minutes().ask_with(config, "POST", "/mine", &[], b"");
    assert_eq!((answer.status, answer.code()), (503, "mining_timeout"));
    assert_eq!(answer.message(), "no block was found within 0 ms; the search has ended");
    let fixture = Fixture::new();
    fixture.node.shutdown_blocking();
    fixture.assert_error(["POST", "/mine", ""], 503, "shutting_down", "stopped");
    fixture.assert_error(["GET", "/status", ""], 503, "shutting_down", "stopped");
    fixture.assert_error(["GET", "/blocks/3", ""], 503, "shutting_down", "closed");
}

/// What rouille accepts and `http` does not, and a path that names a host.
#[rstest]
#[case("GET", "/blocks/<1>", "localhost", 404, "not_found")]
#[case("GET", "", "localhost", 404, "not_found")]
#[case("G T", "/status", "localhost", 400, "bad_request")]
#[case("GET", "/status", "local\nhost", 400, "bad_request")]
#[case("GET", "http://evil.example/status", "localhost", 403, "host_not_allowed")]
#[case("GET", "http://localhost/status", "evil.example", 403, "host_not_allowed")]
#[case("GET", "http://localhost/status", "localhost", 200, "none")]
fn odd_requests(
    #[case] method: &str,
    #[case] url: &str,
    #[case] host: &str,
    #[case] status: u16,
    #[case] code: &str,
) {
    let answer = ask(method, url, &[("Host", host)], "");
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
}
