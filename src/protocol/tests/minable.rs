//! No pending transaction prevents mining, and the operator of a node can remove any pending transaction.

use core::cell::Cell;

use rstest::rstest;

use super::*;
use crate::primitives::EncodeError;
use crate::protocol::minable::check_sendable;
use crate::protocol::sync::refusal::is_fault_of_peer;

std::thread_local! {
    /// Whether flawed transactions misbehave.
    static TURNED: Cell<bool> = const { Cell::new(false) };
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

fn turned() -> bool {
    TURNED.get()
}

/// How a transaction violates the contract of `Transaction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Flaw {
    None,
    Rejects,
    ApplyPanics,
    EncodeFails,
    EncodePanics,
    /// Encodes to other bytes each time.
    EncodesAtRandom,
    ReadsDifferently,
    SerializePanics,
    StateRootPanics,
    StateRootIsRandom,
    /// `NeedsOpen` depends on it.
    Opens,
    NeedsOpen,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Fickle {
    flaw: Flaw,
    #[serde(serialize_with = "number_form")]
    number: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn number_form<S: serde::Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        1 if turned() => serializer.serialize_u64(7),
        2 if turned() => panic!("no form"),
        number => serializer.serialize_u64(*number),
    }
}

impl Transaction for Fickle {
    type State = Vec<Flaw>;

    fn apply(&self, state: &mut Vec<Flaw>, _: &Context<'_>) -> Result<(), Rejected> {
        match self.flaw {
            Flaw::Rejects if turned() => return Err(Rejected::new("turned", "no more")),
            Flaw::ApplyPanics if turned() => panic!("cannot apply\nthis"),
            Flaw::NeedsOpen if !state.contains(&Flaw::Opens) => return Err(Rejected::new("open", "closed")),
            _ => state.push(self.flaw),
        }
        Ok(())
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        bytes.push(self.flaw as u8);
        bytes.extend(self.number.to_be_bytes());
        match self.flaw {
            Flaw::EncodeFails if turned() => return Err(EncodeError::new("no bytes")),
            Flaw::EncodePanics if turned() => panic!("no bytes"),
            Flaw::EncodesAtRandom if turned() => bytes.extend(next_call().to_be_bytes()),
            _ => {}
        }
        Ok(())
    }

    fn state_root(state: &Vec<Flaw>) -> Hash {
        assert!(!(state.contains(&Flaw::StateRootPanics) && turned()), "no root");
        let salt = if state.contains(&Flaw::StateRootIsRandom) && turned() { next_call() } else { 0 };
        Hash::digest_parts(&[&salt.to_be_bytes()])
    }
}

fn next_call() -> u32 {
    CALLS.set(CALLS.get() + 1);
    CALLS.get()
}

const NOW: Now = Now { elapsed: Duration::ZERO, wall: START };

fn start() -> Protocol<Fickle> {
    TURNED.set(false);
    Protocol::new(spec("minable"), ProtocolConfig::default().with_seed(1))
}

fn good(number: u64) -> Fickle {
    Fickle { flaw: Flaw::None, number: 100 + number }
}

fn flawed(flaw: Flaw) -> Fickle {
    let number = match flaw {
        Flaw::ReadsDifferently => 1,
        Flaw::SerializePanics => 2,
        _ => 3,
    };
    Fickle { flaw, number }
}

/// Returns the transactions of the next block, built as `node::mining` does it.
fn mine(
    node: &mut Protocol<Fickle>,
    check: impl Fn(Message<Fickle>) -> Result<(), BlockError>,
) -> Result<Vec<Fickle>, BlockError> {
    let template = node.template(None, Address::ZERO, START).map_err(TemplateError::Refused);
    let template = template.and_then(|template| {
        check_sendable(template.clone(), &check).map_err(TemplateError::Unsendable)?;
        Ok(template)
    });
    let template = template.or_else(|_| node.minable_template(Address::ZERO, NOW, check)).unwrap();
    let block = Arc::new(template.mine().unwrap());
    node.mined(&block, NOW).map(|is_best| {
        assert!(is_best);
        block.data().to_vec()
    })
}

/// Returns the removed transactions and their reasons.
fn removed(node: &mut Protocol<Fickle>) -> Vec<(Hash, String)> {
    let mut removed = Vec::new();
    while let Some(output) = node.poll_output() {
        if let Output::Event(Event::TransactionsRemoved { removed: these }) = output {
            removed.extend(these.iter().map(|(id, reason)| (*id, reason.to_string())));
        }
    }
    removed
}

#[rstest]
#[case(Flaw::ApplyPanics, "the application's `Transaction::apply` panicked: cannot apply")]
#[case(Flaw::Rejects, "turned: no more")]
#[case(Flaw::EncodeFails, "no canonical encoding: no bytes")]
#[case(
    Flaw::EncodePanics,
    "no canonical encoding: the application's `Transaction::encode` panicked: no bytes"
)]
#[case(Flaw::EncodesAtRandom, "canonical bytes that are not always the same")]
#[case(Flaw::ReadsDifferently, "the likely cause is `#[serde(skip_serializing_if)]`")]
#[case(Flaw::SerializePanics, "the application's `Serialize::serialize` panicked: no form")]
#[case(Flaw::StateRootPanics, "the application's `Transaction::state_root` panicked: no root")]
#[case(Flaw::StateRootIsRandom, "state root is")]
fn what_turns_out_to_be_unfit_is_removed_and_the_rest_is_mined(#[case] flaw: Flaw, #[case] reason: &str) {
    let mut node = start();
    node.submit(good(1), NOW).unwrap();
    let id = node.submit(flawed(flaw), NOW).unwrap();
    node.submit(good(2), NOW).unwrap();
    assert_eq!(removed(&mut node), []);
    TURNED.set(true);
    let mut mined = Vec::new();
    let mut refused = 0;
    while mined.len() < 2 {
        match mine(&mut node, |_| Ok(())) {
            Ok(data) => mined.extend(data),
            Err(error) => {
                refused += 1;
                assert!(refused == 1, "refused again: {error}");
                if flaw == Flaw::StateRootIsRandom {
                    // The cause is unknown, so all transactions of the block were removed.
                    for number in [1, 2] {
                        node.submit(good(number), NOW).unwrap();
                    }
                }
            }
        }
    }
    let refusals = u32::from(matches!(flaw, Flaw::EncodesAtRandom | Flaw::StateRootIsRandom));
    assert_eq!((mined, refused), (vec![good(1), good(2)], refusals));
    let removed = removed(&mut node);
    let says = match flaw {
        // The template skips the transaction, which is removed with the next block.
        Flaw::ApplyPanics | Flaw::Rejects => "does not apply on top of the new tip: ",
        _ => "no block can be mined with it: ",
    };
    let (_, text) = removed.iter().find(|(removed, _)| *removed == id).unwrap();
    assert!(text.starts_with(says) && text.contains(reason), "{text}");
    assert!(!node.mempool().contains(&id));
}

/// Returns a check that refuses messages with more than `limit` transactions of this flaw.
fn at_most(limit: usize, counted: Flaw) -> impl Fn(Message<Fickle>) -> Result<(), BlockError> {
    move |message| {
        let data = match &message {
            Message::NewBlock(block) => block.data(),
            Message::Blocks(blocks) => blocks[0].data(),
            Message::Transactions(transactions) => transactions,
            other => panic!("{other:?}"),
        };
        let got = data.iter().filter(|transaction| transaction.flaw == counted).count();
        if got > limit { Err(BlockError::Rule(RuleError::Count { got, limit })) } else { Ok(()) }
    }
}

#[test]
fn what_cannot_be_sent_by_itself_is_removed() {
    let mut node = start();
    let ids = [good(1), flawed(Flaw::Opens), flawed(Flaw::NeedsOpen), good(2)]
        .map(|data| node.submit(data, NOW).unwrap());
    assert_eq!(mine(&mut node, at_most(0, Flaw::Opens)), Ok(vec![good(1), good(2)]));
    let expected = [
        (ids[1], "no block can be mined with it: block has 1 transactions, expected at most 0".to_owned()),
        (ids[2], "does not apply without a transaction that was removed".to_owned()),
    ];
    assert_eq!(removed(&mut node), expected);
}

#[test]
fn what_fits_into_no_frame_together_is_mined_in_several_blocks() {
    let mut node = start();
    for number in 0..5 {
        node.submit(good(number), NOW).unwrap();
    }
    let check = at_most(2, Flaw::None);
    assert_eq!(mine(&mut node, &check), Ok(vec![good(0), good(1)]));
    assert_eq!(mine(&mut node, &check), Ok(vec![good(2), good(3)]));
    assert_eq!(mine(&mut node, &check), Ok(vec![good(4)]));
    assert_eq!((removed(&mut node), node.mempool().len()), (Vec::new(), 0));
}

#[test]
fn where_no_block_can_be_sent_nothing_is_blamed() {
    let mut node = start();
    node.submit(good(1), NOW).unwrap();
    let never = |message: Message<Fickle>| match message {
        Message::Transactions(_) => Ok(()),
        _ => Err(BlockError::Rule(RuleError::Count { got: 1, limit: 0 })),
    };
    let error = node.minable_template(Address::ZERO, NOW, never).unwrap_err();
    assert_eq!(error, TemplateError::Unsendable(BlockError::Rule(RuleError::Count { got: 1, limit: 0 })));
    assert_eq!((removed(&mut node), node.mempool().len()), (Vec::new(), 1));
}

/// Connects a peer with an equal chain and completes its handshake.
fn greet(node: &mut Protocol<Fickle>) -> PeerId {
    let peer = PeerId(1);
    let address = "ws://10.0.0.9:1".parse().unwrap();
    node.handle(Input::Connected { peer, direction: Direction::Inbound, address, format: "none" }, NOW);
    let hello = match node.poll_output() {
        Some(Output::Send { message: Message::Hello(hello), .. }) => hello,
        other => panic!("{other:?}"),
    };
    node.handle(
        Input::Received { peer, message: Message::Hello(Hello { nonce: hello.nonce + 1, ..hello }) },
        NOW,
    );
    peer
}

#[test]
fn the_owner_removes_a_transaction_and_no_peer_brings_it_back() {
    let mut node = start();
    let [first, opens, needs] =
        [good(1), flawed(Flaw::Opens), flawed(Flaw::NeedsOpen)].map(|data| node.submit(data, NOW).unwrap());
    assert!(node.remove_transaction(&opens, NOW));
    let texts = removed(&mut node);
    let expected =
        [(opens, "removed on request"), (needs, "does not apply without a transaction that was removed")];
    assert_eq!(texts, expected.map(|(id, text)| (id, text.to_owned())));
    assert!(!node.remove_transaction(&opens, NOW));
    assert!(removed(&mut node).is_empty() && node.mempool().contains(&first));

    let peer = greet(&mut node);
    node.handle(Input::Received { peer, message: Message::Offer { ids: vec![opens, needs] } }, NOW);
    let asked = core::iter::from_fn(|| node.poll_output()).find_map(|output| match output {
        Output::Send { message: Message::GetTransactions { ids }, .. } => Some(ids),
        _ => None,
    });
    assert_eq!(asked, Some(vec![needs]), "what was removed is not asked for");
    assert_eq!(node.submit(flawed(Flaw::Opens), NOW), Ok(opens), "the owner may change its mind");
    node.handle(Input::Received { peer, message: Message::Transactions(vec![flawed(Flaw::NeedsOpen)]) }, NOW);
    assert_eq!(mine(&mut node, |_| Ok(())), Ok(vec![good(1), flawed(Flaw::Opens), flawed(Flaw::NeedsOpen)]));
}

#[test]
fn a_panic_is_an_error_that_names_it_and_changes_nothing() {
    let mut node = start();
    TURNED.set(true);
    let refused = node.submit(flawed(Flaw::ApplyPanics), NOW).unwrap_err();
    let text = "transaction is refused: the application's `Transaction::apply` panicked: cannot apply this";
    assert_eq!(refused.to_string(), text);
    let refused =
        node.template(Some(vec![good(1), flawed(Flaw::ApplyPanics)]), Address::ZERO, START).unwrap_err();
    assert!(matches!(refused, BlockError::Rule(RuleError::ApplyPanicked { index: 1, .. })), "{refused}");
    let refused = node.template(Some(vec![flawed(Flaw::StateRootPanics)]), Address::ZERO, START).unwrap_err();
    assert!(matches!(refused, BlockError::Rule(RuleError::StateRootPanicked(_))), "{refused}");
    let refused = node.submit(flawed(Flaw::EncodePanics), NOW).unwrap_err();
    assert!(matches!(refused, MempoolError::Encode(_)), "{refused}");
    // In a block of another node, on which the code has worked.
    for flaw in [Flaw::ApplyPanics, Flaw::StateRootPanics] {
        TURNED.set(false);
        let block = node.template(Some(vec![flawed(flaw)]), Address::ZERO, START).unwrap().mine().unwrap();
        TURNED.set(true);
        let refused = node.mined(&Arc::new(block), NOW).unwrap_err();
        assert!(refused.rule().ends_with("_panicked"), "{refused}");
        assert!(is_fault_of_peer(&refused));
    }
    assert_eq!((node.chain().height(), node.chain().state()), (0, &Vec::new()));
    node.submit(good(1), NOW).unwrap();
    assert_eq!(mine(&mut node, |_| Ok(())), Ok(vec![good(1)]));
}

#[test]
fn a_peer_is_not_blamed_for_a_flaw_of_the_type_and_not_asked_again() {
    let mut node = start();
    let id = crate::primitives::transaction_id(&flawed(Flaw::ReadsDifferently)).unwrap();
    let peer = greet(&mut node);
    node.handle(Input::Received { peer, message: Message::Offer { ids: vec![id] } }, NOW);
    TURNED.set(true);
    let message = Message::Transactions(vec![flawed(Flaw::ReadsDifferently)]);
    node.handle(Input::Received { peer, message }, NOW);
    let refused = core::iter::from_fn(|| node.poll_output()).find_map(|output| match output {
        Output::Event(Event::TransactionRefused { id, error }) => Some((id, error.to_string())),
        _ => None,
    });
    let (refused, text) = refused.unwrap();
    assert!(refused == id && text.contains("skip_serializing_if"), "{text}");
    assert_eq!(node.peers().len(), 1);
    node.handle(Input::Received { peer, message: Message::Offer { ids: vec![id] } }, NOW);
    assert!(node.poll_output().is_none(), "asks again");
}
