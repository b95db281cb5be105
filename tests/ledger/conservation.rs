//! The sum over all accounts is what was minted, on random chains with forks and reorganisations.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashloom::ledger::{LedgerParameters, SignedTransfer};
use hashloom::{Address, Block, Blockchain};
use proptest::prelude::*;

use crate::kit::{Coin, NOW, account, coin, sign, spec};

/// Authors, payees and miners; the last is the address of zeros.
const ACCOUNTS: u8 = 5;

fn address(number: u8) -> Address {
    if number == ACCOUNTS { Address::ZERO } else { account(number + 1) }
}

/// A block on top of one of the blocks so far, and what its transfers are.
#[derive(Clone, Debug)]
struct Step {
    /// Counted from the newest block.
    parent: usize,
    miner: u8,
    /// From, to, amount and fee. Those that do not apply are left out.
    transfers: Vec<(u8, u8, u64, u64)>,
}

fn step() -> impl Strategy<Value = Step> {
    let transfer = (0..ACCOUNTS, 0..=ACCOUNTS, 0_u64..80, 0_u64..8);
    let parent = prop_oneof![4 => Just(0_usize), 2 => 1_usize..4, 1 => 0_usize..40];
    let miner = 0..=ACCOUNTS;
    (parent, miner, prop::collection::vec(transfer, 0..5)).prop_map(|(parent, miner, transfers)| Step {
        parent,
        miner,
        transfers,
    })
}

/// Balances and next numbers by another way: plain maps, and no transfer that does not apply.
#[derive(Clone, Default)]
struct Model {
    balances: BTreeMap<Address, i128>,
    next: [u64; ACCOUNTS as usize],
    minted: i128,
    height: u64,
}

impl Model {
    fn pay(&mut self, to: Address, units: i128) {
        *self.balances.entry(to).or_default() += units;
    }

    fn transfer(&mut self, from: u8, to: Address, amount: u64, fee: u64) -> bool {
        let (amount, fee) = (i128::from(amount), i128::from(fee));
        let is_fine = amount > 0 && self.balances.get(&address(from)).copied().unwrap_or(0) >= amount + fee;
        if is_fine {
            self.pay(address(from), -amount - fee);
            self.pay(to, amount);
            self.next[usize::from(from)] += 1;
        }
        is_fine
    }

    fn end(&mut self, miner: Address, fees: u64) {
        self.height += 1;
        self.pay(miner, i128::from(fees));
        if miner != Address::ZERO {
            // 50 for four blocks, then half of it.
            let reward = i128::from(50_u64 >> ((self.height - 1) / 4));
            self.pay(miner, reward);
            self.minted += reward;
        }
    }
}

fn assert_equals(chain: &Coin, model: &Model) {
    let ledger = chain.state().application();
    let sum: u128 = ledger.accounts().iter().map(|(_, units)| u128::from(*units)).sum();
    assert_eq!(sum, u128::from(ledger.minted()));
    assert_eq!(i128::from(ledger.minted()), model.minted);
    let balances = ledger.accounts().iter().map(|(account, units)| (*account, i128::from(*units)));
    let mut expected = model.balances.clone();
    expected.retain(|_, units| *units != 0);
    assert_eq!(balances.collect::<BTreeMap<_, _>>(), expected);
    for from in 0..ACCOUNTS {
        let author = crate::kit::key(from + 1).public_key();
        assert_eq!(chain.state().next_sequence(&author), model.next[usize::from(from)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_lost_or_made(steps in prop::collection::vec(step(), 1..40)) {
        let mut chain = coin();
        let genesis = *chain.genesis().hash();
        let mut opening = Model { minted: 100, ..Model::default() };
        opening.pay(account(1), 100);
        // Each block so far with the blocks up to it and the model after it.
        let mut tips: Vec<(Vec<Arc<Block<SignedTransfer>>>, Model)> = vec![(Vec::new(), opening)];
        for step in &steps {
            let (mut blocks, mut model) = tips[tips.len() - 1 - step.parent % tips.len()].clone();
            let mut branch = coin();
            for block in &blocks {
                let _ = branch.import(Arc::clone(block), NOW).unwrap();
            }
            let (mut data, mut fees) = (Vec::new(), 0);
            for &(from, to, amount, fee) in &step.transfers {
                let sequence = model.next[usize::from(from)];
                if model.transfer(from, address(to), amount, fee) {
                    data.push(sign(&genesis, from + 1, sequence, address(to), amount, fee));
                    fees += fee;
                }
            }
            model.end(address(step.miner), fees);
            let template = branch.template_for(address(step.miner), data, NOW).unwrap();
            let block = Arc::new(template.mine().unwrap());
            // The branch has been at this block alone, the chain has followed the branch with the most work.
            let _ = branch.import(Arc::clone(&block), NOW).unwrap();
            assert_equals(&branch, &model);
            let _ = chain.import(Arc::clone(&block), NOW).unwrap();
            blocks.push(block);
            tips.push((blocks, model));
            let tip = tips.iter().find(|(blocks, _)| match blocks.last() {
                Some(last) => last.hash() == chain.tip().hash(),
                None => chain.height() == 0,
            });
            assert_equals(&chain, &tip.unwrap().1);
        }
    }
}

/// A chain mines until no reward is left: exactly what the parameters say is minted.
#[test]
fn a_whole_schedule_mints_the_supply() {
    let parameters = LedgerParameters::new(7, 3).unwrap();
    let mut chain: Coin = Blockchain::new(spec(&parameters));
    for _ in 0..12 {
        crate::kit::mine(&mut chain, account(9), vec![]);
    }
    let minted = chain.state().application().minted();
    assert_eq!((minted, u128::from(minted)), (3 * (7 + 3 + 1), parameters.max_minted()));
    assert_eq!(crate::kit::balance(&chain, 9), minted);
}
