//! Types that break the contract of `Transaction`, and values that a peer or a store could not decode: each
//! is refused with an error that names the cause, and none prevents a block from being mined.

use hashloom::mempool::{MempoolError, RemovalReason};
use hashloom::{
    BlockError, Context, Event, MineError, Node, NodeHandle, Rejected, RuleError, SubmitError, Transaction,
};
use rstest::rstest;
use serde::{Deserialize, Serialize};

use crate::kit::{easy_spec, within};

/// A type with serde attributes that not every format can encode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Entry {
    Plain(String),
    Skips(Skips),
    Tagged(Tagged),
    Untagged(Untagged),
    Flattened(Flattened),
    Number(f64),
    Panics,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Skips {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    author: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Open { account: u32 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flattened {
    #[serde(flatten)]
    inner: Skips,
}

impl Transaction for Entry {
    type State = u64;

    fn apply(&self, count: &mut u64, _: &Context<'_>) -> Result<(), Rejected> {
        *count += 1;
        assert!(*self != Self::Panics, "out of\nrange");
        Ok(())
    }
}

fn plain(text: &str) -> Entry {
    Entry::Plain(text.to_owned())
}

fn skips() -> Entry {
    Entry::Skips(Skips { text: "b".to_owned(), author: None })
}

async fn start() -> NodeHandle<Entry> {
    Node::builder(easy_spec("unfit")).start().await.unwrap()
}

/// Values that do not survive a round trip, and the cause that is named for each.
fn unreadable() -> [(Entry, &'static str); 5] {
    let flattened = Flattened { inner: Skips { text: String::new(), author: None } };
    [
        (skips(), "`#[serde(skip_serializing_if)]`"),
        (Entry::Tagged(Tagged::Open { account: 1 }), "`#[serde(tag)]`"),
        (Entry::Untagged(Untagged::Number(1)), "`#[serde(untagged)]`"),
        (Entry::Flattened(flattened), "`#[serde(flatten)]`"),
        (Entry::Number(f64::NAN), "a NaN"),
    ]
}

#[rstest]
#[tokio::test]
async fn what_does_not_read_back_is_refused_with_the_likely_cause(#[values(0, 1, 2, 3, 4)] case: usize) {
    let (bad, cause) = unreadable()[case].clone();
    let node = start().await;
    within(node.submit(plain("a"))).await.unwrap();
    let refused = within(node.submit(bad.clone())).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Mempool(MempoolError::Encode(_))), "{refused}");
    assert!(refused.to_string().contains(cause), "{refused}");
    let refused = within(node.mine(vec![bad])).await.unwrap_err();
    assert!(matches!(refused, MineError::Refused(BlockError::Rule(RuleError::Encode(_)))), "{refused}");
    assert!(refused.to_string().contains(cause), "{refused}");
    assert_eq!(within(node.mine_pending()).await.unwrap().data(), [plain("a")]);
}

/// The public check reports a cause for each of the types above.
#[cfg(feature = "test-utils")]
#[rstest]
fn the_check_for_embedders_names_the_likely_cause(#[values(0, 1, 2, 3, 4)] case: usize) {
    let (bad, cause) = unreadable()[case].clone();
    hashloom::testing::transaction(&plain("a"));
    hashloom::testing::transaction(&Entry::Number(0.1));
    let check = std::panic::catch_unwind(|| hashloom::testing::transaction(&bad));
    let message = check.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains(cause), "{message}");
}

#[tokio::test]
async fn a_panic_of_the_application_is_refused_by_name_and_the_node_goes_on() {
    let node = start().await;
    let text = "the application's `Transaction::apply` panicked: out of range";
    let refused = within(node.submit(Entry::Panics)).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Mempool(MempoolError::Panicked(_))), "{refused}");
    assert_eq!(refused.to_string(), format!("transaction is refused: {text}"));
    let refused = within(node.mine(vec![plain("a"), Entry::Panics])).await.unwrap_err();
    assert!(
        matches!(refused, MineError::Refused(BlockError::Rule(RuleError::ApplyPanicked { index: 1, .. }))),
        "{refused}"
    );
    assert_eq!(refused.to_string(), format!("transaction 1 cannot be applied: {text}"));
    within(node.submit(plain("b"))).await.unwrap();
    assert_eq!(within(node.mine_pending()).await.unwrap().data(), [plain("b")]);
    assert_eq!(node.state(), 1);
}

#[tokio::test]
async fn the_owner_looks_at_pending_transactions_and_removes_them() {
    let node = start().await;
    let mut events = node.subscribe();
    let ids =
        [within(node.submit(plain("a"))).await.unwrap(), within(node.submit(plain("b"))).await.unwrap()];
    assert_eq!(node.transaction(&ids[0]), Some(plain("a")));
    assert_eq!(within(node.remove_transaction(ids[0])).await, Ok(true));
    assert_eq!(within(node.remove_transaction(ids[0])).await, Ok(false));
    assert_eq!((node.transaction(&ids[0]), node.pending(9)), (None, vec![(ids[1], plain("b"))]));
    let mut seen = Vec::new();
    while let Ok(Some(event)) = events.try_recv() {
        seen.push(event);
    }
    let Some(Event::TransactionsRemoved { removed }) = seen.last() else { panic!("{seen:?}") };
    assert!(matches!(removed[..], [(id, RemovalReason::Requested)] if id == ids[0]), "{removed:?}");
    assert_eq!(within(node.mine_pending()).await.unwrap().data(), [plain("b")]);
}

#[cfg(all(feature = "ws-json", feature = "ws-bincode"))]
mod formats {
    use std::collections::BTreeMap;

    use hashloom::transport::WsMulti;
    use hashloom::wire::{Bincode, Json};
    use hashloom::{NodeBuilder, WsBincode, WsJson};

    use super::*;
    use crate::kit::until;

    /// A type that JSON cannot encode: its keys are not texts.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Table(BTreeMap<(u8, u8), String>);

    impl Transaction for Table {
        type State = ();

        fn apply(&self, (): &mut (), _: &Context<'_>) -> Result<(), Rejected> {
            Ok(())
        }
    }

    #[cfg(feature = "test-utils")]
    #[test]
    #[should_panic(expected = "key must be a string")]
    fn the_check_for_embedders_tries_every_format() {
        hashloom::testing::transaction(&bad());
    }

    fn good() -> Table {
        Table(BTreeMap::new())
    }

    fn bad() -> Table {
        Table([((1, 2), "x".to_owned())].into())
    }

    fn builder() -> NodeBuilder<Table> {
        Node::builder(easy_spec("tables")).listen("ws://127.0.0.1:0".parse().unwrap())
    }

    #[tokio::test]
    async fn what_one_of_the_formats_cannot_carry_is_refused() {
        let node = builder().transport(WsMulti::new(Bincode).and(Json)).start().await.unwrap();
        within(node.submit(good())).await.unwrap();
        let refused = within(node.submit(bad())).await.unwrap_err();
        let SubmitError::Unsendable(_) = refused else { panic!("{refused}") };
        assert!(refused.to_string().contains("key must be a string"), "{refused}");
        let refused = within(node.mine(vec![bad()])).await.unwrap_err();
        assert!(matches!(refused, MineError::Unsendable(_)), "{refused}");
        assert_eq!(within(node.mine_pending()).await.unwrap().data(), [good()]);
    }

    /// The node in the middle decodes from one peer what it cannot encode for the other.
    #[tokio::test]
    async fn what_cannot_be_passed_on_ends_no_connection_and_keeps_no_block_from_being_mined() {
        let middle = builder().transport(WsMulti::new(Bincode).and(Json)).start().await.unwrap();
        let at = || [middle.listen_addr().unwrap().clone()];
        let binary = builder().transport(WsBincode::default()).peers(at()).start().await.unwrap();
        let text = builder().transport(WsJson::default()).peers(at()).start().await.unwrap();
        within(middle.wait_for_peers(2)).await.unwrap();
        let mut events = middle.subscribe();
        let id = within(binary.submit(bad())).await.unwrap();
        let (refused, error) = loop {
            match within(events.recv()).await.unwrap() {
                Event::TransactionRefused { id, error } => break (id, error.to_string()),
                Event::PeerDisconnected { reason, .. } => panic!("{reason}"),
                _ => {}
            }
        };
        assert!(refused == id && error.contains("key must be a string"), "{error}");
        within(binary.submit(good())).await.unwrap();
        within(middle.wait_for_pending(1)).await.unwrap();
        let block = within(middle.mine_pending()).await.unwrap();
        within(text.wait_for(|chain| chain.tip() == &block)).await.unwrap();

        // A block with the bad transaction reaches only peers whose format can encode it. The node answers
        // all other peers that it does not have the block.
        let beyond = within(binary.mine(vec![bad()])).await.unwrap();
        within(middle.wait_for(|chain| chain.tip() == &beyond)).await.unwrap();
        until(|| text.status().header_height == 2).await;
        let before = middle.peers().len();
        assert_eq!((before, text.peers().len(), text.tip()), (2, 1, block));
        while let Ok(Some(event)) = events.try_recv() {
            assert!(!matches!(event, Event::PeerDisconnected { .. }), "{event:?}");
        }
    }
}
