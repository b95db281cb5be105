//! `Transaction::end_block`: rewards, fees and expiry, on the main chain and on side branches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hashloom::chain::Imported;
use hashloom::consensus::RuleError;
use hashloom::mempool::{Mempool, MempoolConfig, MempoolError, RemovalReason, Source};
use hashloom::miner::Template;
use hashloom::protocol::{Now, Output};
use hashloom::{
    Address, AuthenticatedMap, Block, BlockError, Blockchain, ChainSpec, CompactTarget, Context, Event, Hash,
    Header, Protocol, ProtocolConfig, Rejected, Retarget, Timestamp, Transaction,
};
use rstest::rstest;
use serde::{Deserialize, Serialize};

use crate::kit::verified;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_700_000);

const REWARD: u64 = 50;
/// The blocks after which a loan is paid back.
const LOAN_BLOCKS: u64 = 3;

/// What an account does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Act {
    /// Pays a fee.
    Pay {
        from: Address,
        fee: u64,
        number: u64,
    },
    /// Is paid back by the end of the block that is `LOAN_BLOCKS` higher.
    Lend {
        from: Address,
        to: Address,
        amount: u64,
    },
    /// Fails unless the chain has this genesis block.
    OnChain(Hash),
    /// The end of the block fails, although this does not.
    EndRejects,
    EndPanics,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Bank {
    balances: AuthenticatedMap<Address, u64>,
    /// The fees of the block so far.
    fees: u64,
    /// By the height of the block at whose end they are paid back: from whom, to whom, and how much.
    loans: BTreeMap<u64, Vec<(Address, Address, u64)>>,
    flaw: Option<bool>,
    ends: u64,
}

impl Bank {
    fn change(&mut self, account: Address, change: impl FnOnce(u64) -> Option<u64>) -> Result<(), Rejected> {
        self.balances.update(account, |balance| {
            let balance = balance.copied().unwrap_or(0);
            change(balance)
                .map(Some)
                .ok_or_else(|| Rejected::new("balance", format!("{balance} is too little")))
        })
    }

    fn transfer(&mut self, from: Address, to: Address, amount: u64) -> Result<(), Rejected> {
        self.change(from, |balance| balance.checked_sub(amount))?;
        self.change(to, |balance| balance.checked_add(amount))
    }
}

impl Transaction for Act {
    type State = Bank;

    fn apply(&self, bank: &mut Bank, context: &Context<'_>) -> Result<(), Rejected> {
        match *self {
            Self::Pay { from, fee, .. } => {
                bank.change(from, |balance| balance.checked_sub(fee))?;
                bank.fees += fee;
            }
            Self::Lend { from, to, amount } => {
                bank.transfer(from, to, amount)?;
                bank.loans.entry(context.height + LOAN_BLOCKS).or_default().push((from, to, amount));
            }
            Self::OnChain(genesis) if genesis != *context.genesis => {
                return Err(Rejected::new("chain", format!("for the chain {genesis}")));
            }
            Self::OnChain(_) => {}
            Self::EndRejects => bank.flaw = Some(false),
            Self::EndPanics => bank.flaw = Some(true),
        }
        Ok(())
    }

    fn end_block(bank: &mut Bank, context: &Context<'_>) -> Result<(), Rejected> {
        match bank.flaw {
            Some(false) => return Err(Rejected::new("no_end", "the block has no end")),
            Some(true) => panic!("no end"),
            None => {}
        }
        bank.ends += 1;
        assert_eq!(bank.ends, context.height, "genesis has no end");
        let reward = REWARD + core::mem::take(&mut bank.fees);
        bank.change(context.miner, |balance| balance.checked_add(reward))?;
        for (from, to, amount) in bank.loans.remove(&context.height).unwrap_or_default() {
            bank.transfer(to, from, amount)?;
        }
        Ok(())
    }

    fn state_root(bank: &Bank) -> Hash {
        let rest = postcard::to_stdvec(&(bank.fees, &bank.loans, bank.ends)).unwrap();
        Hash::digest(&[bank.balances.root().as_ref(), &rest].concat())
    }
}

fn spec() -> ChainSpec {
    named("bank")
}

fn named(name: &str) -> ChainSpec {
    let target = CompactTarget::from_bits(0x207f_ffff);
    ChainSpec::builder(name).easiest_target(target).retarget(Retarget::Fixed).build().unwrap()
}

fn account(byte: u8) -> Address {
    Address::from_bytes([byte; 20])
}

fn pay(from: u8, fee: u64, number: u64) -> Act {
    Act::Pay { from: account(from), fee, number }
}

fn mine(chain: &mut Blockchain<Act>, miner: u8, data: Vec<Act>) {
    assert!(mine_and_show(chain, miner, data).is_extension());
}

fn mine_and_show(chain: &mut Blockchain<Act>, miner: u8, data: Vec<Act>) -> Imported<Act> {
    let block = chain.template_for(account(miner), data, NOW).unwrap().mine().unwrap();
    chain.import(block.into(), NOW).unwrap()
}

fn balances(chain: &Blockchain<Act>, of: [u8; 3]) -> [u64; 3] {
    of.map(|of| chain.state().balances.get(&account(of)).copied().unwrap_or(0))
}

/// The sum of all balances is what the ends of the blocks have paid.
fn assert_conserved(chain: &Blockchain<Act>) {
    let bank = chain.state();
    assert_eq!(bank.balances.iter().map(|(_, balance)| balance).sum::<u64>(), REWARD * chain.height());
    assert_eq!((bank.ends, bank.fees), (chain.height(), 0));
    chain.verify(..).unwrap();
}

#[test]
fn blocks_without_transactions_are_rewarded() {
    let mut chain = Blockchain::<Act>::new(spec());
    assert_eq!(*chain.state(), Bank::default());
    assert_eq!(chain.tip().header().state_root, Act::state_root(&Bank::default()));
    let mut roots = Vec::new();
    for height in 1..=5 {
        mine(&mut chain, 1, Vec::new());
        assert_eq!(balances(&chain, [1, 2, 3]), [height * REWARD, 0, 0]);
        roots.push(chain.tip().header().state_root);
        assert_eq!(Act::state_root(chain.state()), roots[roots.len() - 1]);
    }
    roots.dedup();
    assert_eq!(roots.len(), 5);
    assert_conserved(&chain);
    let proof = chain.state().balances.prove(&account(1)).unwrap();
    assert_eq!(verified(&proof, &account(1), &chain.state().balances.root()), Ok(Some(5 * REWARD)));
}

#[test]
fn the_end_sees_the_fees_of_its_block_and_a_block_sees_the_end_before_it() {
    let mut chain = Blockchain::<Act>::new(spec());
    // The reward of a block cannot be spent in it.
    let refused = chain.template_for(account(1), vec![pay(1, 1, 0)], NOW).unwrap_err();
    assert_eq!(refused.to_string(), "transaction 0 is rejected: balance: 0 is too little");
    mine(&mut chain, 1, Vec::new());
    mine(&mut chain, 2, vec![pay(1, 7, 0), pay(1, 8, 1)]);
    assert_eq!(balances(&chain, [1, 2, 3]), [REWARD - 15, REWARD + 15, 0]);
    // To oneself.
    mine(&mut chain, 2, vec![pay(2, REWARD, 2)]);
    assert_eq!(balances(&chain, [1, 2, 3]), [REWARD - 15, 2 * REWARD + 15, 0]);
    assert_conserved(&chain);
}

#[test]
fn what_expires_does_so_at_its_height_in_a_block_without_transactions() {
    let mut chain = Blockchain::<Act>::new(spec());
    mine(&mut chain, 1, Vec::new());
    mine(&mut chain, 3, vec![Act::Lend { from: account(1), to: account(2), amount: 20 }]);
    for _ in 0..LOAN_BLOCKS {
        assert_eq!(balances(&chain, [1, 2, 0])[..2], [REWARD - 20, 20]);
        mine(&mut chain, 3, Vec::new());
    }
    assert_eq!(balances(&chain, [1, 2, 0])[..2], [REWARD, 0]);
    assert_conserved(&chain);
    // The end refuses each block in which a loan cannot be paid back, so the chain goes on in another one only.
    mine(&mut chain, 3, vec![Act::Lend { from: account(1), to: account(2), amount: 20 }]);
    mine(&mut chain, 3, vec![pay(2, 1, 0)]);
    mine(&mut chain, 3, Vec::new());
    let stuck = chain.template_for(account(3), Vec::new(), NOW).unwrap_err();
    assert_eq!(stuck.to_string(), "the end of the block is rejected: balance: 19 is too little");
    mine(&mut chain, 2, Vec::new());
    assert_conserved(&chain);
}

#[rstest]
#[case::rejects(
    Act::EndRejects,
    "the end of the block is rejected: no_end: the block has no end",
    "end_block"
)]
#[case::panics(
    Act::EndPanics,
    "the block cannot be ended: the application's `Transaction::end_block` panicked: no end",
    "end_block_panicked"
)]
fn an_end_that_fails_refuses_the_block(#[case] act: Act, #[case] message: &str, #[case] rule: &str) {
    let mut chain = Blockchain::<Act>::new(spec());
    mine(&mut chain, 1, Vec::new());
    let before = (chain.state().clone(), *chain.tip().hash());
    let error = chain.template_for(account(1), vec![pay(1, 1, 0), act.clone()], NOW).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.rule()), (message, rule));

    // A block of another miner's code, on the tip and on a branch that would be the best one.
    let forged = |chain: &Blockchain<Act>, data: Vec<Act>| {
        let honest = chain.template_for(account(1), Vec::new(), NOW).unwrap();
        let digest = hashloom::primitives::BodyDigest::of(&data).unwrap();
        let header = Header { merkle_root: digest.merkle_root(), ..*honest.header() };
        Arc::new(Template::new(header, data).mine().unwrap())
    };
    let block = forged(&chain, vec![pay(1, 1, 0), act.clone()]);
    let refused = chain.import(Arc::clone(&block), NOW).unwrap_err();
    let BlockError::Rule(found) = &refused else { panic!("{refused}") };
    assert_eq!((found.to_string().as_str(), found), (message, &error));
    assert!(chain.is_invalid(block.hash()));
    assert!(matches!(chain.import(block, NOW), Err(BlockError::KnownInvalid { .. })));
    assert_eq!((chain.state().clone(), *chain.tip().hash()), before);

    let mut other = Blockchain::<Act>::new(spec());
    mine(&mut other, 2, Vec::new());
    let side = forged(&other, vec![act]);
    let parent = other.block_at(1).unwrap().unwrap();
    assert!(!chain.import(parent, NOW).unwrap().is_extension());
    let refused = chain.import(side, NOW).unwrap_err();
    assert!(matches!(&refused, BlockError::Rule(found) if *found == error), "{refused}");
    assert_eq!((chain.state().clone(), *chain.tip().hash()), before);
    mine(&mut chain, 1, Vec::new());
    assert_conserved(&chain);
}

#[test]
fn a_reorganisation_takes_back_what_the_ends_did() {
    let mut chain = Blockchain::<Act>::new(spec());
    mine(&mut chain, 1, Vec::new());
    let fork = chain.block_at(1).unwrap().unwrap();
    mine(&mut chain, 2, vec![pay(1, 9, 0)]);
    mine(&mut chain, 2, Vec::new());
    assert_eq!(balances(&chain, [1, 2, 3]), [REWARD - 9, 2 * REWARD + 9, 0]);
    let mut other = Blockchain::<Act>::new(spec());
    assert!(other.import(fork, NOW).unwrap().is_extension());
    for _ in 0..3 {
        mine(&mut other, 3, Vec::new());
    }
    let branch: Vec<Arc<Block<Act>>> = other.blocks(2..).map(Result::unwrap).collect();
    for block in &branch {
        let _ = chain.import(Arc::clone(block), NOW).unwrap();
    }
    assert_eq!(chain.tip(), other.tip());
    assert_eq!(chain.state(), other.state());
    assert_eq!(balances(&chain, [1, 2, 3]), [REWARD, 0, 3 * REWARD]);
    assert_conserved(&chain);
    // What the store has leads to an equal state.
    let before = chain.state().clone();
    chain.recover().unwrap();
    assert_eq!(*chain.state(), before);
}

#[test]
fn a_context_has_the_genesis_block_of_its_chain() {
    let mut chain = Blockchain::<Act>::new(spec());
    let genesis = *chain.genesis().hash();
    let header = *chain.template(Vec::new(), NOW).unwrap().header();
    assert_eq!(*header.context(&genesis).genesis, genesis);
    mine(&mut chain, 1, vec![Act::OnChain(genesis)]);
    let mut pool = Mempool::new(&chain, MempoolConfig::default());
    // An equal one was not seen by this mempool.
    pool.submit(Act::OnChain(genesis), Source::Local, &chain, NOW).unwrap();

    let mut other = Blockchain::<Act>::new(named("another bank"));
    let error = other.template(vec![Act::OnChain(genesis)], NOW).unwrap_err();
    let reason = Rejected::new("chain", format!("for the chain {genesis}"));
    assert_eq!(error, RuleError::Transaction { index: 0, reason: reason.clone() });
    let refused = Mempool::new(&other, MempoolConfig::default())
        .submit(Act::OnChain(genesis), Source::Local, &other, NOW)
        .unwrap_err();
    assert_eq!(refused, MempoolError::Rejected(reason));
    let own = *other.genesis().hash();
    mine(&mut other, 1, vec![Act::OnChain(own)]);
    other.verify(..).unwrap();
}

#[test]
fn pending_transactions_see_the_end_of_the_tip_and_not_that_of_their_own_block() {
    let mut chain = Blockchain::<Act>::new(spec());
    let mut pool = Mempool::new(&chain, MempoolConfig::default());
    let too_early = pool.submit(pay(1, 1, 0), Source::Local, &chain, NOW).unwrap_err();
    assert!(matches!(too_early, MempoolError::Rejected(_)), "{too_early}");
    let imported = mine_and_show(&mut chain, 1, Vec::new());
    pool.update(&imported, &chain, NOW);
    pool.submit(pay(1, 30, 0), Source::Local, &chain, NOW).unwrap();
    let rest = pool.submit(pay(1, 30, 1), Source::Local, &chain, NOW).unwrap_err();
    assert_eq!(rest, MempoolError::Rejected(Rejected::new("balance", "20 is too little")));
    // The template ends the block: what it commits to, the import finds, and the fee is the miner's.
    let template = pool.template(&chain, account(2), NOW).unwrap();
    assert_eq!(template.data(), [pay(1, 30, 0)]);
    let imported = chain.import(template.mine().unwrap().into(), NOW).unwrap();
    pool.update(&imported, &chain, NOW);
    assert!(pool.is_empty());
    assert_eq!(balances(&chain, [1, 2, 3]), [20, REWARD + 30, 0]);
    pool.submit(pay(2, REWARD + 30, 2), Source::Local, &chain, NOW).unwrap();
    assert_conserved(&chain);
}

/// No pending transaction may block mining, not even one that only the end of its block refuses.
#[rstest]
#[case::rejects(Act::EndRejects)]
#[case::panics(Act::EndPanics)]
fn a_pending_transaction_that_the_end_refuses_is_removed(#[case] act: Act) {
    let now = Now { elapsed: Duration::ZERO, wall: NOW };
    let mut node = Protocol::<Act>::new(spec(), ProtocolConfig::default());
    let first = node.template(Some(Vec::new()), account(1), NOW).unwrap().mine().unwrap();
    assert!(node.mined(&Arc::new(first), now).unwrap());
    node.submit(pay(1, 1, 0), now).unwrap();
    let culprit = node.submit(act, now).unwrap();
    node.submit(pay(1, 2, 1), now).unwrap();
    assert!(node.template(None, account(2), NOW).is_err());
    let template = node.minable_template(account(2), now, |_| Ok::<_, RuleError>(())).unwrap();
    assert_eq!(template.data(), [pay(1, 1, 0)]);
    let mut removed = Vec::new();
    while let Some(output) = node.poll_output() {
        if let Output::Event(Event::TransactionsRemoved { removed: some }) = output {
            removed.extend(some.iter().cloned());
        }
    }
    let [(id, RemovalReason::Unminable(error))] = &removed[..] else { panic!("{removed:?}") };
    assert_eq!(*id, culprit);
    assert!(error.to_string().contains("end"), "{error}");
    let template = node.template(None, account(2), NOW).unwrap();
    assert_eq!(template.data(), [pay(1, 1, 0), pay(1, 2, 1)]);
    assert!(node.mined(&Arc::new(template.mine().unwrap()), now).unwrap());
    assert_eq!(balances(node.chain(), [1, 2, 3]), [REWARD - 3, REWARD + 3, 0]);
    assert_conserved(node.chain());
}
