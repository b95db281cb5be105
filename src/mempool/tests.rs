mod shares;
mod worth;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::*;
use crate::consensus::ChainSpecBuilder;
use crate::{ChainSpec, CompactTarget, Context, Rejected, Retarget};

/// Adds to a total that must not become negative. Changes the state even if it rejects, so that the tests
/// detect a half-applied state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    amount: i64,
    memo: String,
}

impl Transaction for Entry {
    type State = i64;

    fn apply(&self, total: &mut i64, _context: &Context<'_>) -> Result<(), Rejected> {
        *total += self.amount;
        if *total < 0 {
            return Err(Rejected::new("overdrawn", format!("total would be {total}")));
        }
        Ok(())
    }
}

fn entry(amount: i64) -> Entry {
    Entry { amount, memo: String::new() }
}

/// The size that the mempool counts for a transaction of `size` canonical bytes.
const fn memory(size: usize) -> usize {
    Pending::<Entry>::FIXED_SIZE + size
}

const PEER: Source<'static> = Source::Peer { host: "10.0.0.1" };

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn builder() -> ChainSpecBuilder {
    ChainSpec::builder("mempool-test")
        .easiest_target(CompactTarget::from_bits(0x207f_ffff))
        .retarget(Retarget::Fixed)
}

fn chain(max_block_bytes: usize) -> Blockchain<Entry> {
    Blockchain::new(builder().max_block_bytes(max_block_bytes).build().unwrap())
}

fn pool(chain: &Blockchain<Entry>) -> Mempool<Entry> {
    Mempool::new(chain, MempoolConfig::default())
}

fn amounts(pool: &Mempool<Entry>) -> Vec<i64> {
    pool.iter().map(|(_, entry)| entry.amount).collect()
}

fn mine(chain: &Blockchain<Entry>, data: Vec<Entry>) -> Arc<Block<Entry>> {
    Arc::new(chain.template(data, NOW).unwrap().mine().unwrap())
}

#[test]
fn pending_transactions_apply_on_top_of_each_other() {
    let chain = chain(1_000);
    let mut pool = pool(&chain);
    pool.submit(entry(5), Source::Local, &chain, NOW).unwrap();
    pool.submit(entry(-3), PEER, &chain, NOW).unwrap();
    let refused = pool.submit(entry(-4), Source::Local, &chain, NOW).unwrap_err();
    assert_eq!(refused, MempoolError::Rejected(Rejected::new("overdrawn", "total would be -2")));
    pool.submit(entry(-2), Source::Local, &chain, NOW).unwrap();
    assert_eq!(amounts(&pool), [5, -3, -2]);
    assert_eq!(pool.template(&chain, Address::ZERO, NOW).unwrap().data(), [entry(5), entry(-3), entry(-2)]);
}

#[test]
fn a_block_takes_what_it_holds_and_drops_what_no_longer_applies() {
    let mut chain = chain(1_000);
    let mut pool = pool(&chain);
    for amount in [5, -4, 7] {
        pool.submit(entry(amount), Source::Local, &chain, NOW).unwrap();
    }
    // A block of another miner spends two of the five, so the -4 does not apply any more.
    let block = mine(&chain, vec![entry(5), entry(-2)]);
    let imported = chain.import(block, NOW).unwrap();
    pool.update(&imported, &chain, NOW);
    assert_eq!(amounts(&pool), [7]);
    assert_eq!(pool.bytes(), memory(postcard::to_allocvec(&entry(7)).unwrap().len()));
    pool.submit(entry(-10), Source::Local, &chain, NOW).unwrap();
    assert_eq!(pool.template(&chain, Address::ZERO, NOW).unwrap().data(), [entry(7), entry(-10)]);
}

#[test]
fn a_reorg_gives_back_what_the_old_branch_held() {
    let mut ours = chain(1_000);
    let mut theirs = chain(1_000);
    let mut pool = pool(&ours);
    pool.submit(entry(1), Source::Local, &ours, NOW).unwrap();
    pool.submit(entry(2), Source::Local, &ours, NOW).unwrap();
    let imported = ours.import(mine(&ours, vec![entry(1)]), NOW).unwrap();
    pool.update(&imported, &ours, NOW);
    assert_eq!(amounts(&pool), [2]);
    for amount in [20, 2] {
        let block = mine(&theirs, vec![entry(amount)]);
        let _ = theirs.import(Arc::clone(&block), NOW).unwrap();
        let imported = ours.import(block, NOW).unwrap();
        pool.update(&imported, &ours, NOW);
    }
    assert_eq!((amounts(&pool), *ours.state()), (vec![1], 22));
    // A transaction that is pending again does not count as mined.
    let again = pool.submit(entry(1), PEER, &ours, NOW).unwrap_err();
    assert!(matches!(again, MempoolError::AlreadyPending { .. }), "{again}");
}

#[test]
fn what_was_mined_is_refused_from_everybody() {
    let mut chain = chain(1_000);
    let mut pool = pool(&chain);
    let imported = chain.import(mine(&chain, vec![entry(1)]), NOW).unwrap();
    pool.update(&imported, &chain, NOW);
    let id = crate::primitives::transaction_id(&entry(1)).unwrap();
    for source in [PEER, Source::Local, Source::Store] {
        assert_eq!(pool.submit(entry(1), source, &chain, NOW), Err(MempoolError::AlreadyMined { id }));
    }
    assert!(pool.is_empty());
    // A block may still contain an equal transaction.
    let imported = chain.import(mine(&chain, vec![entry(1)]), NOW).unwrap();
    assert!(imported.is_extension(), "{imported:?}");
}

#[test]
fn the_bounds_hold() {
    let chain = chain(Header::LEN + 10);
    let memo = |len: usize| Entry { amount: 0, memo: "x".repeat(len) };
    let config = MempoolConfig::default().with_max_transactions(2).with_max_bytes(memory(10) + memory(3));
    let mut pool = Mempool::new(&chain, config);
    assert_eq!(
        pool.submit(memo(9), Source::Local, &chain, NOW),
        Err(MempoolError::TooLarge { got: 11, limit: 10 })
    );
    pool.submit(memo(8), Source::Local, &chain, NOW).unwrap();
    assert_eq!(
        pool.submit(memo(2), Source::Local, &chain, NOW),
        Err(MempoolError::Full { transactions: 1, bytes: memory(10) })
    );
    pool.submit(memo(1), Source::Local, &chain, NOW).unwrap();
    assert_eq!(
        pool.submit(memo(0), Source::Local, &chain, NOW),
        Err(MempoolError::Full { transactions: 2, bytes: memory(10) + memory(3) })
    );
    // Only the first transaction fits into a block.
    assert_eq!(pool.template(&chain, Address::ZERO, NOW).unwrap().data(), [memo(8)]);
}

#[test]
fn an_empty_transaction_counts_what_it_takes_in_memory() {
    let chain: Blockchain = Blockchain::new(builder().build().unwrap());
    let mut pool = Mempool::new(&chain, MempoolConfig::default().with_max_bytes(200));
    let least = 24 + 3 * Hash::LEN;
    let refused = pool.submit(String::new(), Source::Local, &chain, NOW);
    assert_eq!(refused, Err(MempoolError::Full { transactions: 0, bytes: 0 }), "it takes more than {least}");
}

#[test]
fn a_template_has_as_many_transactions_as_a_block_may_have() {
    let mut chain = Blockchain::new(builder().max_block_transactions(2).build().unwrap());
    let mut pool = pool(&chain);
    for amount in [1, 2, 3] {
        pool.submit(entry(amount), Source::Local, &chain, NOW).unwrap();
    }
    for expected in [&[entry(1), entry(2)][..], &[entry(3)]] {
        let template = pool.template(&chain, Address::ZERO, NOW).unwrap();
        assert_eq!(template.data(), expected);
        let imported = chain.import(template.mine().unwrap().into(), NOW).unwrap();
        pool.update(&imported, &chain, NOW);
    }
    assert!(pool.is_empty());
}

#[test]
fn a_refusal_leaves_no_trace_between_checkpoints() {
    let chain = chain(1_000);
    let header = chain.next_header(Address::ZERO, Hash::ZERO, NOW);
    let entries: Vec<Entry> = (0..200).map(|i| entry(if i % 3 == 2 { -1_000 } else { i })).collect();
    let mut trial = Trial::new(0, header.context(chain.genesis().hash()));
    let (mut total, mut refused) = (0, 0);
    for entry in &entries {
        let fits = total + entry.amount >= 0;
        assert_eq!(trial.apply(entry).is_ok(), fits);
        total += if fits { entry.amount } else { 0 };
        refused += i32::from(!fits);
    }
    assert_eq!(trial.into_state(), total);
    assert!(refused > 2 && total > 0, "{refused} refused, {total} left");
}
