//! The rules of signed transactions on a chain, each at its boundary and one past it, and the classic attacks.

use std::sync::Arc;

use hashloom::mempool::{Mempool, MempoolConfig, MempoolError, Source};
use hashloom::primitives::{Author, PublicKey, transaction_id};
use hashloom::signed::{Signature, Signed, SignedState};
use hashloom::{AuthenticatedMap, BlockError, Blockchain, Context, Hash, MapProof, Rejected, Transaction};
use rstest::rstest;
use serde::{Deserialize, Serialize};

use crate::kit::{NOW, changed, forged, genesis, key, mine, received, refused, rule, spec, text};

type Texts = Blockchain<Signed<String>>;

/// S + L: the other number with the same remainder.
fn malleated(signature: &Signature) -> Signature {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut bytes = *signature.as_bytes();
    let mut carry = 0;
    for (byte, order) in bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    assert_eq!(carry, 0);
    Signature::from_bytes(bytes)
}

/// Each attack, by someone who saw the transaction `0: "pay"` of author 1, and the rule that refuses it in a block and in
/// the mempool.
#[rstest]
#[case::honest(|_: &Texts, seen: &Signed<String>| changed(seen, None, None, None, None), None)]
#[case::other_text(
    |_: &Texts, seen: &Signed<String>| changed(seen, None, None, None, Some("pay more")),
    Some("signature")
)]
#[case::stolen_text(
    |_: &Texts, seen: &Signed<String>| changed(seen, Some(key(2).public_key()), None, None, None),
    Some("signature")
)]
#[case::other_number(
    |_: &Texts, seen: &Signed<String>| changed(seen, None, Some(1), None, None),
    Some("signature")
)]
#[case::malleated(
    |_: &Texts, seen: &Signed<String>| changed(seen, None, None, Some(malleated(seen.signature())), None),
    Some("signature")
)]
#[case::zeros(
    |_: &Texts, seen: &Signed<String>| changed(seen, None, None, Some(Signature::from_bytes([0; 64])), None),
    Some("signature")
)]
#[case::of_another_chain(
    |_: &Texts, seen: &Signed<String>| {
        let other = Texts::new(spec("other"));
        text(&other, 1, seen.sequence(), seen.transaction())
    },
    Some("signature")
)]
#[case::stolen_number_far_ahead(
    |chain: &Texts, _: &Signed<String>| text(chain, 1, u64::MAX, "last"),
    Some("sequence_gap")
)]
#[case::key_of_small_order(
    |_: &Texts, seen: &Signed<String>| {
        let neutral = core::array::from_fn(|at| u8::from(at == 0));
        let mut signature = [0; 64];
        signature[0] = 1;
        let signature = Signature::from_bytes(signature);
        changed(seen, Some(PublicKey::from_bytes(neutral)), None, Some(signature), None)
    },
    Some("author_key")
)]
#[case::key_that_is_no_point(
    |_: &Texts, seen: &Signed<String>| {
        let two = core::array::from_fn(|at| if at == 0 { 2 } else { 0 });
        changed(seen, Some(PublicKey::from_bytes(two)), None, None, None)
    },
    Some("author_key")
)]
fn attack_on_a_record(
    #[case] forge: impl Fn(&Texts, &Signed<String>) -> Signed<String>,
    #[case] expected: Option<&str>,
) {
    let mut chain = Texts::new(spec("signed"));
    let seen = text(&chain, 1, 0, "pay");
    let sent = forge(&chain, &seen);
    let mut mempool = Mempool::new(&chain, MempoolConfig::default());
    let submitted = mempool.submit(received(&sent), Source::Local, &chain, NOW);
    let template = chain.template(vec![received(&sent)], NOW);
    let Some(expected) = expected else {
        assert_eq!(submitted, Ok(transaction_id(&seen).unwrap()));
        let block = Arc::new(template.unwrap().mine().unwrap());
        assert!(chain.import(block, NOW).unwrap().is_extension());
        return;
    };
    match submitted {
        Err(MempoolError::Invalid(reason)) => assert_eq!(reason.rule(), expected),
        Err(MempoolError::Rejected(reason)) => {
            assert_eq!((reason.rule(), expected), ("sequence_gap", "sequence_gap"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(refused(&template.unwrap_err()), (0, expected));
    // A miner who does not check finds out what the others do.
    let block = forged(&chain, vec![received(&sent)]);
    let error = chain.import(Arc::clone(&block), NOW).unwrap_err();
    let BlockError::Rule(error) = error else { panic!("{error}") };
    assert_eq!(refused(&error), (0, expected));
    let again = chain.import(block, NOW).unwrap_err();
    assert!(again == BlockError::Rule(error) || again.rule() == "known_invalid", "{again}");
    assert_eq!((chain.height(), chain.state().next_sequence(&key(1).public_key())), (0, 0));
}

#[rstest]
#[case::used(0, Some("sequence_used"))]
#[case::last_used(1, Some("sequence_used"))]
#[case::next(2, None)]
#[case::one_past(3, Some("sequence_gap"))]
#[case::largest(u64::MAX, Some("sequence_gap"))]
fn sequence_number_after_two_transactions(#[case] sequence: u64, #[case] expected: Option<&str>) {
    let mut chain = Texts::new(spec("signed"));
    let two = vec![text(&chain, 1, 0, "a"), text(&chain, 1, 1, "b")];
    mine(&mut chain, two);
    let next = text(&chain, 1, sequence, "c");
    let context = chain.tip().header().context(chain.genesis().hash());
    let mut state = chain.state().clone();
    assert_eq!(rule(next.apply(&mut state, &context)).as_deref(), expected);
    if expected.is_none() {
        assert_eq!(state.next_sequence(&key(1).public_key()), 3);
        // Another author counts alone.
        assert_eq!(rule(text(&chain, 2, 0, "a").apply(&mut state, &context)), None);
    }
}

#[test]
fn a_transaction_is_refused_on_its_chain_the_second_time() {
    let mut chain = Texts::new(spec("signed"));
    let pay = text(&chain, 1, 0, "pay");
    mine(&mut chain, vec![pay.clone()]);
    let error = chain.template(vec![pay.clone()], NOW).unwrap_err();
    assert_eq!(refused(&error), (0, "sequence_used"));
    let other = text(&chain, 1, 0, "pay somebody else");
    assert_eq!(refused(&chain.template(vec![other], NOW).unwrap_err()), (0, "sequence_used"));
    let twice = text(&chain, 1, 1, "pay again");
    let error = chain.template(vec![twice.clone(), twice], NOW).unwrap_err();
    assert_eq!(refused(&error), (1, "sequence_used"));
}

#[test]
fn of_two_transactions_with_one_number_the_branch_with_more_work_keeps_one() {
    let (mut left, mut right) = (Texts::new(spec("signed")), Texts::new(spec("signed")));
    let (to_bob, to_carol) = (text(&left, 1, 0, "to Bob"), text(&left, 1, 0, "to Carol"));
    let first = mine(&mut left, vec![to_bob]);
    let second = [mine(&mut right, vec![to_carol.clone()]), mine(&mut right, vec![])];
    for block in second {
        let _ = left.import(block, NOW).unwrap();
    }
    let _ = right.import(first, NOW).unwrap();
    assert_eq!((left.tip().hash(), left.height()), (right.tip().hash(), 2));
    let texts: Vec<_> = left.blocks(1..).flat_map(|block| block.unwrap().data().to_vec()).collect();
    assert_eq!(texts, [to_carol]);
    assert_eq!(left.state().next_sequence(&key(1).public_key()), 1);
}

/// A verdict is kept with the genesis hash for which it holds.
#[test]
fn a_value_that_was_verified_for_one_chain_is_not_for_another() {
    let (here, there) = (Texts::new(spec("here")), Texts::new(spec("there")));
    let signed = text(&here, 1, 0, "a");
    for _ in 0..2 {
        assert_eq!(rule(signed.check(&genesis(&here))), None);
        assert_eq!(rule(signed.check(&genesis(&there))).as_deref(), Some("signature"));
        assert_eq!(rule(signed.clone().check(&genesis(&there))).as_deref(), Some("signature"));
    }
}

/// A name with an owner, in a type that uses all of the trait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Take(String);

impl Transaction for Take {
    type State = AuthenticatedMap<String, PublicKey>;

    fn apply(&self, names: &mut Self::State, context: &Context<'_>) -> Result<(), Rejected> {
        let Author { key, sequence, .. } = context.require_author()?;
        assert!(sequence < 10);
        names.update(self.0.clone(), |owner| match owner {
            Some(owner) if *owner != key => Err(Rejected::new("taken", format!("by {owner}"))),
            _ => Ok(Some(key)),
        })
    }

    fn check(&self, _genesis: &Hash) -> Result<(), Rejected> {
        if self.0.is_empty() { Err(Rejected::new("empty", "a name has letters")) } else { Ok(()) }
    }

    fn end_block(names: &mut Self::State, context: &Context<'_>) -> Result<(), Rejected> {
        assert_eq!(context.author, None);
        names.insert(format!("block {}", context.height), PublicKey::from_bytes([0; 32]))?;
        Ok(())
    }

    fn genesis_state(data: &[u8]) -> Result<Self::State, Rejected> {
        let mut names = AuthenticatedMap::new();
        names.insert(String::from_utf8_lossy(data).into_owned(), key(9).public_key())?;
        Ok(names)
    }

    fn state_root(names: &Self::State) -> Hash {
        names.root()
    }
}

#[test]
fn an_application_knows_the_author_and_its_state_is_proven_with_the_numbers() {
    let mut chain = Blockchain::<Signed<Take>>::new(spec("names"));
    let take = |author, sequence, name: &str| {
        Signed::sign(
            Take(name.to_owned()),
            sequence,
            &key(author),
            &genesis(&Blockchain::<Signed<Take>>::new(spec("names"))),
        )
        .unwrap()
    };
    let block = mine(&mut chain, vec![take(1, 0, "alice"), take(2, 0, "bob"), take(1, 1, "alice")]);
    assert_eq!(refused(&chain.template(vec![take(2, 1, "alice")], NOW).unwrap_err()), (0, "taken"));
    assert_eq!(refused(&chain.template(vec![take(2, 1, "")], NOW).unwrap_err()), (0, "empty"));
    let state = chain.state();
    assert_eq!(state.application().get(&"alice".to_owned()), Some(&key(1).public_key()));
    assert_eq!(state.application().get(&String::new()), Some(&key(9).public_key()));
    assert!(state.application().contains_key(&"block 1".to_owned()));

    // Two proofs, of which each has the root of its map, and the header that commits to both.
    let (alice, carol) = (key(1).public_key(), key(3).public_key());
    let proof =
        |of: &PublicKey| MapProof::from_bytes(&state.sequences().prove(of).unwrap().to_bytes()).unwrap();
    let (sequences, names) = (state.sequences().root(), state.application().root());
    assert_eq!(proof(&alice).verify::<_, u64>(&alice, &sequences).unwrap(), Some(2));
    assert_eq!(proof(&carol).verify::<_, u64>(&carol, &sequences).unwrap(), None);
    assert_eq!(SignedState::<()>::root_of(&sequences, &names), block.header().state_root);
}
