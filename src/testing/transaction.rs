//! Checks that a transaction survives every encoding unchanged.

use crate::Transaction;
use crate::primitives::application::{check_serde_form, encode};

/// Checks that a transaction has canonical bytes, and that decoding returns an equal value for postcard, in
/// which a store keeps transactions, and for each wire format whose feature is enabled. Call it in a test
/// with one value for each shape of the type: every variant, and every optional field with and without a
/// value.
///
/// ```
/// hashloom::testing::transaction(&"a text".to_owned());
/// ```
///
/// Detects and names a serde attribute that a format without field names cannot encode:
///
/// ```should_panic
/// # use hashloom::{Context, Rejected, Transaction};
/// # use serde::{Deserialize, Serialize};
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// struct Note {
///     text: String,
///     #[serde(default, skip_serializing_if = "Option::is_none")]
///     author: Option<String>,
/// }
/// # impl Transaction for Note {
/// #     type State = ();
/// #     fn apply(&self, (): &mut (), _: &Context<'_>) -> Result<(), Rejected> { Ok(()) }
/// # }
///
/// hashloom::testing::transaction(&Note { text: "a".to_owned(), author: Some("b".to_owned()) });
/// // This one panics: ".. the likely cause is `#[serde(skip_serializing_if)]` ..".
/// hashloom::testing::transaction(&Note { text: "a".to_owned(), author: None });
/// ```
///
/// # Panics
///
/// If a node would refuse the transaction. The message names the likely cause.
#[track_caller]
pub fn transaction<T: Transaction>(transaction: &T) {
    let canonical = || {
        let mut bytes = Vec::new();
        encode(transaction, &mut bytes).map(|()| bytes)
    };
    match (canonical(), canonical()) {
        (Ok(first), Ok(second)) => assert!(
            first == second,
            "{transaction:?} has canonical bytes that are not always the same: {first:02x?}, then {second:02x?}"
        ),
        (Err(error), _) | (_, Err(error)) => panic!("{transaction:?} has {error}"),
    }
    if let Err(error) = check_serde_form(transaction) {
        panic!("{transaction:?} has {error}");
    }
    #[cfg(feature = "ws-json")]
    sendable(&crate::WsJson::default(), transaction);
    #[cfg(feature = "ws-bincode")]
    sendable(&crate::WsBincode::default(), transaction);
    #[cfg(feature = "ws-postcard")]
    sendable(&crate::WsPostcard::default(), transaction);
}

#[cfg(any(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard"))]
#[track_caller]
fn sendable<T: Transaction>(transport: &dyn crate::Transport<T>, transaction: &T) {
    use crate::Message;
    use crate::transport::Outgoing;

    let message = Outgoing::new(Message::Transactions(vec![transaction.clone()]));
    if let Err(error) = transport.check_message(&message) {
        panic!("{transaction:?}: {error}");
    }
}
