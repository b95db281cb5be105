//! Each rule at its boundary and one past it, and the classic attacks on a ledger.

use hashloom::ledger::{Ledger, LedgerParameters, MAX_SUPPLY, Transfer};
use hashloom::{Address, Blockchain, MapProof, Transaction};
use rstest::rstest;

use crate::kit::{Coin, NOW, account, balance, coin, mine, pay, refused, spec};

/// Account 1 has 100 units.
#[rstest]
#[case::smallest(1, 0, None)]
#[case::all_of_it(100, 0, None)]
#[case::all_of_it_with_a_fee(97, 3, None)]
#[case::nothing(0, 3, Some("zero_amount"))]
#[case::one_too_much(101, 0, Some("balance"))]
#[case::one_too_much_with_the_fee(98, 3, Some("balance"))]
#[case::a_fee_alone_above_the_balance(1, 100, Some("balance"))]
#[case::as_much_as_there_may_be(MAX_SUPPLY, 0, Some("balance"))]
#[case::more_than_there_may_be(MAX_SUPPLY, 1, Some("max_supply"))]
#[case::an_overflow(u64::MAX, 1, Some("max_supply"))]
#[case::an_overflow_to_one_unit(u64::MAX, 2, Some("max_supply"))]
#[case::the_largest_numbers(u64::MAX, u64::MAX, Some("max_supply"))]
fn transfer(#[case] amount: u64, #[case] fee: u64, #[case] expected: Option<&str>) {
    let mut chain = coin();
    let data = vec![pay(&chain, 1, 0, 2, amount, fee)];
    let expected = expected.map(|rule| (0, rule.to_owned()));
    assert_eq!(refused(&chain, data.clone()), expected);
    if expected.is_some() {
        return;
    }
    mine(&mut chain, account(9), data);
    let balances = [1, 2, 9].map(|of| balance(&chain, of));
    assert_eq!(balances, [100 - amount - fee, amount, 50 + fee]);
    assert_eq!(chain.state().application().minted(), 150);
    // An account without units takes no memory.
    assert_eq!(
        chain.state().application().accounts().len(),
        balances.iter().filter(|units| **units > 0).count()
    );
}

#[rstest]
#[case::below(4, Some("min_fee"))]
#[case::lowest(5, None)]
fn lowest_fee(#[case] fee: u64, #[case] expected: Option<&str>) {
    let parameters = LedgerParameters::new(50, 4).unwrap().with_min_fee(5);
    let chain = Coin::new(spec(&parameters.with_opening([(account(1), 100)]).unwrap()));
    let expected = expected.map(|rule| (0, rule.to_owned()));
    assert_eq!(refused(&chain, vec![pay(&chain, 1, 0, 2, 10, fee)]), expected);
}

/// A negative number is no fee in any format.
#[test]
fn a_fee_below_zero_cannot_be_written() {
    let json = format!(r#"{{"to":"{}","amount":1,"fee":-1}}"#, account(2));
    let error = serde_json::from_str::<Transfer>(&json).unwrap_err().to_string();
    assert!(error.starts_with("invalid value: integer `-1`"), "{error}");
}

#[test]
fn classic_attacks() {
    let chain = coin();
    let other =
        Coin::new(spec(&LedgerParameters::new(50, 5).unwrap().with_opening([(account(1), 100)]).unwrap()));
    let attack = |data: &[hashloom::ledger::SignedTransfer]| refused(&chain, data.to_vec());
    let rule = |index: usize, rule: &str| Some((index, rule.to_owned()));
    let first = pay(&chain, 1, 0, 2, 60, 0);
    // Twice in one block, and a second one that spends the units again.
    assert_eq!(attack(&[first.clone(), first.clone()]), rule(1, "sequence_used"));
    assert_eq!(attack(&[first.clone(), pay(&chain, 1, 1, 3, 60, 0)]), rule(1, "balance"));
    assert_eq!(attack(&[first.clone(), pay(&chain, 1, 0, 3, 60, 0)]), rule(1, "sequence_used"));
    // From another chain, out of order, and from an account that does not exist.
    assert_eq!(attack(&[pay(&other, 1, 0, 2, 60, 0)]), rule(0, "signature"));
    assert_eq!(attack(&[pay(&chain, 1, 1, 2, 60, 0)]), rule(0, "sequence_gap"));
    assert_eq!(attack(&[pay(&chain, 7, 0, 2, 1, 0)]), rule(0, "balance"));
    // Units that arrive in the block can be spent in it, but not before.
    assert_eq!(attack(&[first.clone(), pay(&chain, 2, 0, 3, 60, 0)]), None);
    assert_eq!(attack(&[pay(&chain, 2, 0, 3, 60, 0), first]), rule(0, "balance"));
    // The reward of a block cannot be spent in it.
    assert_eq!(attack(&[pay(&chain, 9, 0, 3, 1, 0)]), rule(0, "balance"));
    let unsigned = Transfer { to: account(2), amount: 1, fee: 0 };
    let context = chain.tip().header().context(chain.genesis().hash());
    let error = unsigned.apply(&mut chain.state().application().clone(), &context).unwrap_err();
    assert_eq!(error.rule(), "unsigned");
}

#[test]
fn a_transfer_to_oneself_costs_its_fee() {
    let mut chain = coin();
    let data = vec![pay(&chain, 1, 0, 1, 95, 5)];
    mine(&mut chain, account(9), data);
    assert_eq!((balance(&chain, 1), balance(&chain, 9)), (95, 55));
    // What is moved must be there, although it comes back.
    assert_eq!(refused(&chain, vec![pay(&chain, 1, 1, 1, 96, 0)]), Some((0, "balance".to_owned())));
}

/// A miner is paid once for each block on the best chain, and not for blocks that a reorganisation disconnects.
#[test]
fn a_reward_is_paid_once() {
    let (mut chain, mut other) = (coin(), coin());
    let block = mine(&mut chain, account(9), vec![]);
    let again = chain.import(block, NOW).unwrap();
    assert!(!again.is_extension());
    assert_eq!(balance(&chain, 9), 50);
    for _ in 0..2 {
        let block = mine(&mut other, account(8), vec![]);
        let _ = chain.import(block, NOW).unwrap();
    }
    assert_eq!((balance(&chain, 9), balance(&chain, 8)), (0, 100));
    assert_eq!(chain.state().application().minted(), 200);
}

#[test]
fn a_block_without_a_miner_mints_nothing() {
    let mut chain = coin();
    let data = vec![pay(&chain, 1, 0, 2, 10, 3)];
    mine(&mut chain, Address::ZERO, data);
    let ledger = chain.state().application();
    assert_eq!((ledger.minted(), ledger.balance(&Address::ZERO)), (100, 3));
}

/// Reading a header and two proofs, someone without a node knows a balance.
#[test]
fn a_header_proves_a_balance() {
    let mut chain = coin();
    let data = vec![pay(&chain, 1, 0, 2, 10, 3)];
    let header = *mine(&mut chain, account(9), data).header();
    let (state, ledger) = (chain.state(), chain.state().application());
    let (sequences, accounts, minted) = (state.sequences().root(), ledger.accounts().root(), ledger.minted());
    for (of, expected) in [(1, Some(87)), (2, Some(10)), (9, Some(53)), (7, None)] {
        let proof = MapProof::from_bytes(&ledger.accounts().prove(&account(of)).unwrap().to_bytes()).unwrap();
        assert_eq!(proof.verify::<_, u64>(&account(of), &accounts).unwrap(), expected);
    }
    let root = hashloom::signed::SignedState::<()>::root_of(&sequences, &Ledger::root_of(&accounts, minted));
    assert_eq!(root, header.state_root);
}

/// There is no ledger without parameters.
#[test]
#[should_panic(expected = "not the parameters of a ledger")]
fn a_chain_without_parameters_does_not_open() {
    let spec = hashloom::ChainSpec::builder("coin").build().unwrap();
    let _ = Blockchain::<hashloom::ledger::SignedTransfer>::new(spec);
}
