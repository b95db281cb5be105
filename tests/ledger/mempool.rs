//! Which pending transfers a miner takes first, and that none is replaced.

use hashloom::ledger::SignedTransfer;
use hashloom::mempool::{Mempool, MempoolConfig, MempoolError, Source};
use hashloom::primitives::transaction_id;
use hashloom::{ChainSpec, CompactTarget, Retarget};

use crate::kit::{Coin, NOW, account, coin, mine, pay};

/// A chain on which the accounts 1 to 4 have units.
fn funded() -> Coin {
    let mut chain = coin();
    for (sequence, to) in [2, 3, 4].into_iter().enumerate() {
        let data = vec![pay(&chain, 1, sequence as u64, to, 20, 0)];
        mine(&mut chain, account(9), data);
    }
    chain
}

fn pending(chain: &Coin, transfers: &[SignedTransfer]) -> Mempool<SignedTransfer> {
    let mut mempool = Mempool::new(chain, MempoolConfig::default());
    for transfer in transfers {
        mempool.submit(transfer.clone(), Source::Local, chain, NOW).unwrap();
    }
    mempool
}

fn fees(chain: &Coin, transfers: &[SignedTransfer]) -> Vec<u64> {
    let template = pending(chain, transfers).template(chain, account(9), NOW).unwrap();
    template.data().iter().map(|transfer| transfer.transaction().fee).collect()
}

#[test]
fn a_higher_fee_is_first_and_an_author_s_transfers_are_in_order() {
    let chain = funded();
    let transfers = [
        pay(&chain, 2, 0, 5, 1, 1),
        pay(&chain, 2, 1, 5, 1, 9),
        pay(&chain, 3, 0, 5, 1, 5),
        pay(&chain, 4, 0, 5, 1, 5),
        pay(&chain, 3, 1, 5, 1, 7),
    ];
    // Account 2's 9 waits for its 1, and account 3's 7 comes after its 5, which arrived before account 4's.
    assert_eq!(fees(&chain, &transfers), [5, 7, 5, 1, 9]);
}

#[test]
fn equal_fees_are_in_order_of_arrival() {
    let chain = funded();
    let transfers = [pay(&chain, 4, 0, 5, 1, 2), pay(&chain, 2, 0, 5, 2, 2), pay(&chain, 3, 0, 5, 3, 2)];
    let template = pending(&chain, &transfers).template(&chain, account(9), NOW).unwrap();
    assert_eq!(template.data(), transfers);
}

/// The second spends what the first pays, and has the higher fee: it is tried before and after.
#[test]
fn a_transfer_that_depends_on_one_with_a_lower_fee_is_in_the_block() {
    let chain = funded();
    assert_eq!(fees(&chain, &[pay(&chain, 2, 0, 5, 10, 1), pay(&chain, 5, 0, 6, 1, 8)]), [1, 8]);
}

#[test]
fn a_block_without_room_for_all_has_the_highest_fees() {
    let parameters = coin().state().application().parameters().to_genesis_data();
    let spec = ChainSpec::builder("coin")
        .easiest_target(CompactTarget::from_bits(0x207f_ffff))
        .retarget(Retarget::Fixed)
        .max_block_transactions(2)
        .genesis_data(parameters)
        .build()
        .unwrap();
    let mut small = Coin::new(spec);
    for (sequence, to) in [2, 3, 4].into_iter().enumerate() {
        let data = vec![pay(&small, 1, sequence as u64, to, 20, 0)];
        mine(&mut small, account(9), data);
    }
    let transfers: Vec<_> = (2..5).map(|from| pay(&small, from, 0, 5, 1, u64::from(from))).collect();
    assert_eq!(fees(&small, &transfers), [4, 3]);
}

/// The first of two with one number stays, whatever the second pays.
#[test]
fn nothing_is_replaced() {
    let chain = funded();
    let (first, second) = (pay(&chain, 2, 0, 5, 1, 0), pay(&chain, 2, 0, 6, 1, 15));
    let mut mempool = pending(&chain, std::slice::from_ref(&first));
    let error = mempool.submit(second, Source::Local, &chain, NOW).unwrap_err();
    let MempoolError::Rejected(reason) = error else { panic!("{error}") };
    assert_eq!(reason.rule(), "sequence_used");
    assert!(mempool.contains(&transaction_id(&first).unwrap()));
}
