//! What a full mempool evicts for a transaction that is worth more.

use proptest::prelude::*;

use super::*;
use crate::primitives::PublicKey;

/// A transaction whose sender has all transactions with lower numbers before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Paid {
    sender: u8,
    number: u64,
    fee: u64,
}

impl Transaction for Paid {
    type State = BTreeMap<u8, u64>;

    fn apply(&self, numbers: &mut Self::State, _context: &Context<'_>) -> Result<(), Rejected> {
        let next = numbers.entry(self.sender).or_default();
        if self.number != *next {
            return Err(Rejected::new("number", format!("{}, expected {next}", self.number)));
        }
        *next += 1;
        Ok(())
    }

    fn priority(&self) -> u64 {
        self.fee
    }

    fn sender(&self) -> Option<PublicKey> {
        Some(PublicKey::from_bytes([self.sender; 32]))
    }
}

const OTHER: Source<'static> = Source::Peer { host: "10.0.0.2" };

fn paid(sender: u8, number: u64, fee: u64) -> Paid {
    Paid { sender, number, fee }
}

/// A chain, and a mempool with room for so many transactions, which all came from one host.
fn full_of(transactions: &[Paid]) -> (Blockchain<Paid>, Mempool<Paid>) {
    let chain = Blockchain::new(builder().build().unwrap());
    let mut pool = Mempool::new(&chain, MempoolConfig::default().with_max_transactions(transactions.len()));
    for transaction in transactions {
        pool.submit(transaction.clone(), PEER, &chain, NOW).unwrap();
    }
    (chain, pool)
}

fn pending(pool: &Mempool<Paid>) -> Vec<Paid> {
    pool.iter().map(|(_, transaction)| transaction.clone()).collect()
}

#[test]
fn the_one_with_the_lowest_fee_is_evicted_for_a_higher_one() {
    let (chain, mut pool) = full_of(&[paid(1, 0, 5), paid(2, 0, 3), paid(3, 0, 4), paid(4, 0, 3)]);
    let full = |got| assert!(matches!(got, Err(MempoolError::Full { transactions: 4, .. })), "{got:?}");
    full(pool.submit(paid(5, 0, 2), PEER, &chain, NOW));
    full(pool.submit(paid(5, 0, 3), PEER, &chain, NOW));
    // Of two with the lowest fee the youngest, whatever the source of the higher one is.
    pool.submit(paid(5, 0, 4), PEER, &chain, NOW).unwrap();
    assert_eq!(pending(&pool), [paid(1, 0, 5), paid(2, 0, 3), paid(3, 0, 4), paid(5, 0, 4)]);
    let lost: Vec<_> = pool.take_lost().into_iter().map(|(id, reason)| (id, reason.to_string())).collect();
    let evicted = crate::primitives::transaction_id(&paid(4, 0, 3)).unwrap();
    assert_eq!(lost, [(evicted, "evicted from a full mempool".to_owned())]);
}

#[test]
fn a_sender_loses_its_youngest_transaction_whatever_its_fee_is() {
    let (chain, mut pool) = full_of(&[paid(1, 0, 2), paid(1, 1, 99), paid(2, 0, 3)]);
    // The 99 cannot be mined before the 2, so it is worth no more.
    pool.submit(paid(3, 0, 4), PEER, &chain, NOW).unwrap();
    assert_eq!(pending(&pool), [paid(1, 0, 2), paid(2, 0, 3), paid(3, 0, 4)]);
    // For the same reason it evicts nothing that is worth 2 or more.
    assert!(matches!(pool.submit(paid(1, 1, 99), PEER, &chain, NOW), Err(MempoolError::Full { .. })));
    pool.submit(paid(2, 1, 4), PEER, &chain, NOW).unwrap();
    assert_eq!(pending(&pool), [paid(2, 0, 3), paid(3, 0, 4), paid(2, 1, 4)]);
}

#[test]
fn a_fair_share_evicts_nothing_with_a_higher_fee() {
    let (chain, mut pool) = full_of(&[paid(1, 0, 5), paid(2, 0, 3), paid(3, 0, 4), paid(4, 0, 5)]);
    pool.submit(paid(5, 0, 3), OTHER, &chain, NOW).unwrap();
    assert_eq!(pending(&pool), [paid(1, 0, 5), paid(3, 0, 4), paid(4, 0, 5), paid(5, 0, 3)]);
    let refused = pool.submit(paid(6, 0, 2), Source::Local, &chain, NOW);
    assert!(matches!(refused, Err(MempoolError::Full { .. })), "{refused:?}");
}

#[test]
fn own_transactions_are_not_evicted_for_a_fee() {
    let chain = Blockchain::new(builder().build().unwrap());
    let mut pool = Mempool::new(&chain, MempoolConfig::default().with_max_transactions(2));
    pool.submit(paid(1, 0, 0), Source::Local, &chain, NOW).unwrap();
    pool.submit(paid(2, 0, 7), PEER, &chain, NOW).unwrap();
    pool.submit(paid(3, 0, 8), PEER, &chain, NOW).unwrap();
    assert_eq!(pending(&pool), [paid(1, 0, 0), paid(3, 0, 8)]);
}

/// The place of the first transaction of a list that is evicted, by the rule in words: the youngest of those that are worth
/// least.
fn least(held: &[Paid]) -> Option<(u64, usize)> {
    let worth = |at: usize| {
        held[..=at]
            .iter()
            .filter(|other| other.sender == held[at].sender)
            .map(|other| other.fee)
            .min()
            .unwrap()
    };
    (0..held.len()).map(|at| (worth(at), at)).min_by_key(|(worth, at)| (*worth, core::cmp::Reverse(*at)))
}

proptest! {
    /// One host fills the mempool, so its share admits nothing, and fees alone decide.
    #[test]
    fn a_full_mempool_has_what_is_worth_most(
        room in 1..40_usize,
        arrivals in prop::collection::vec((0..8_u8, 0..6_u64), 1..150),
    ) {
        let chain = Blockchain::new(builder().build().unwrap());
        let mut pool = Mempool::new(&chain, MempoolConfig::default().with_max_transactions(room));
        let mut held: Vec<Paid> = Vec::new();
        for (sender, fee) in arrivals {
            let before = held.iter().filter(|other| other.sender == sender);
            let newcomer = paid(sender, before.clone().count() as u64, fee);
            let worth = before.map(|other| other.fee).chain([fee]).min().unwrap();
            let mut expected = held.clone();
            let is_full = expected.len() == room;
            if is_full && let Some((_, place)) = least(&expected).filter(|(least, _)| *least < worth) {
                expected.remove(place);
            }
            if expected.len() < room {
                expected.push(newcomer.clone());
            }
            let is_added = pool.submit(newcomer.clone(), PEER, &chain, NOW).is_ok();
            prop_assert_eq!(is_added, expected.last() == Some(&newcomer), "{:?} into {:?}", newcomer, held);
            held = expected;
            prop_assert_eq!(pending(&pool), held.clone());
        }
    }
}
