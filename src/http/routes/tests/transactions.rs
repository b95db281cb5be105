//! Reading and removing one pending transaction.

use super::*;

fn id() -> Hash {
    transaction_id(&text("second")).unwrap()
}

#[test]
fn a_pending_transaction_is_shown_as_in_the_list() {
    let answer = ask("GET", &format!("/transactions/{}", id()), &[], "");
    assert_eq!(
        (answer.status, answer.body),
        (200, json!({"status": "pending", "id": id(), "data": "second"}))
    );
}

#[test]
fn a_pending_transaction_is_removed() {
    let fixture = Fixture::new();
    let answer = fixture.ask("DELETE", &format!("/transactions/{}", id()), &[], "");
    assert_eq!((answer.status, answer.body), (204, Value::Null));
    assert_eq!(fixture.pending(), [text("first"), text("third")]);
}

#[rstest]
#[case("GET")]
#[case("DELETE")]
fn what_is_not_pending_is_not_found(#[case] method: &str) {
    let fixture = Fixture::new();
    let unknown = Hash::ZERO.to_string();
    let message = format!("transaction {unknown} is not pending");
    let path = format!("/transactions/{unknown}");
    fixture.assert_error([method, &path, ""], 404, "transaction_not_found", &message);
    for bad in ["second", "0", "0/"] {
        let path = format!("/transactions/{bad}");
        fixture.assert_error([method, &path, ""], 400, "bad_transaction_id", "expected 64 hex digits");
    }
}

#[test]
fn a_web_page_of_another_origin_removes_nothing() {
    let foreign = [("Origin", "http://evil.example")];
    let fixture = Fixture::new();
    let answer = fixture.ask("DELETE", &format!("/transactions/{}", id()), &foreign, "");
    assert_eq!((answer.status, answer.code(), fixture.pending().len()), (403, "cross_origin", 3));
}
