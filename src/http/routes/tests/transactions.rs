//! Reading and removing one pending transaction.

use super::*;

fn id() -> Hash {
    transaction_id(&"second".to_owned()).unwrap()
}

#[test]
fn a_pending_transaction_is_shown_as_in_the_list() {
    let answer = ask("GET", &format!("/transactions/{}", id()), &[], "");
    assert_eq!((answer.status, answer.body), (200, json!({"id": id(), "data": "second"})));
}

#[test]
fn a_pending_transaction_is_removed() {
    let answer = ask("DELETE", &format!("/transactions/{}", id()), &[], "");
    assert_eq!((answer.status, answer.calls), (204, vec![format!("remove transaction {}", id())]));
}

#[rstest]
#[case("GET")]
#[case("DELETE")]
fn what_is_not_pending_is_not_found(#[case] method: &str) {
    let unknown = Hash::ZERO.to_string();
    let message = format!("transaction {unknown} is not pending");
    assert_error([method, &format!("/transactions/{unknown}"), ""], 404, "transaction_not_found", &message);
    for bad in ["", "second", "0"] {
        let path = format!("/transactions/{bad}");
        assert_error([method, &path, ""], 400, "bad_transaction_id", "expected 64 hex digits");
    }
}

#[test]
fn a_web_page_of_another_origin_removes_nothing() {
    let foreign = [("Origin", "http://evil.example")];
    let answer = ask("DELETE", &format!("/transactions/{}", id()), &foreign, "");
    assert_eq!((answer.status, answer.code(), answer.calls.len()), (403, "cross_origin", 0));
}
