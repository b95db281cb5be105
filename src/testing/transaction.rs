//! What a transaction has to come through unchanged.

use crate::Transaction;
use crate::primitives::application::encode;
use crate::primitives::serde_form::check_serde_form;

/// Checks that a transaction has canonical bytes, and that it comes back equal from postcard, in which a store keeps it,
/// and from each wire format whose feature is on. Call it in a test of yours with one value for each shape that your type
/// has: every variant, every optional field once with a value and once without.
///
/// ```
/// hashloom::testing::transaction(&"a text".to_owned());
/// ```
///
/// An attribute of serde that a format without names of fields cannot carry is found, and named:
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
/// When a node would refuse the transaction, with the likely cause.
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
