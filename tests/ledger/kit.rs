//! Accounts and chains for all tests.

use std::sync::Arc;

use hashloom::ledger::{LedgerParameters, SignedTransfer, Transfer};
use hashloom::signed::{SecretKey, Signed};
use hashloom::{Address, Block, Blockchain, ChainSpec, CompactTarget, Hash, Retarget, RuleError, Timestamp};

pub(crate) type Coin = Blockchain<SignedTransfer>;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_767_225_700_000);

pub(crate) fn key(byte: u8) -> SecretKey {
    SecretKey::from_seed(&[byte; 32])
}

pub(crate) fn account(byte: u8) -> Address {
    key(byte).public_key().address()
}

pub(crate) fn spec(parameters: &LedgerParameters) -> ChainSpec {
    let target = CompactTarget::from_bits(0x207f_ffff);
    let spec = ChainSpec::builder("coin").easiest_target(target).retarget(Retarget::Fixed);
    spec.genesis_data(parameters.to_genesis_data()).build().unwrap()
}

/// A chain with a reward of 50 for 4 blocks, then 25, and so on, and 100 units in account 1.
pub(crate) fn coin() -> Coin {
    let parameters = LedgerParameters::new(50, 4).unwrap().with_opening([(account(1), 100)]).unwrap();
    Blockchain::new(spec(&parameters))
}

/// A transfer from account `from` to account `to`.
pub(crate) fn pay(chain: &Coin, from: u8, sequence: u64, to: u8, amount: u64, fee: u64) -> SignedTransfer {
    sign(chain.genesis().hash(), from, sequence, account(to), amount, fee)
}

pub(crate) fn sign(
    genesis: &Hash,
    from: u8,
    sequence: u64,
    to: Address,
    amount: u64,
    fee: u64,
) -> SignedTransfer {
    Signed::sign(Transfer { to, amount, fee }, sequence, &key(from), genesis).unwrap()
}

/// Mines a block for this miner, and imports it.
pub(crate) fn mine(
    chain: &mut Coin,
    miner: Address,
    data: Vec<SignedTransfer>,
) -> Arc<Block<SignedTransfer>> {
    let block = Arc::new(chain.template_for(miner, data, NOW).unwrap().mine().unwrap());
    assert!(chain.import(Arc::clone(&block), NOW).unwrap().is_extension());
    block
}

pub(crate) fn balance(chain: &Coin, of: u8) -> u64 {
    chain.state().application().balance(&account(of))
}

/// The rule by which a block of these transactions is refused, and the index of the transaction.
pub(crate) fn refused(chain: &Coin, data: Vec<SignedTransfer>) -> Option<(usize, String)> {
    match chain.template_for(account(9), data, NOW) {
        Ok(_) => None,
        Err(RuleError::Transaction { index, reason }) => Some((index, reason.rule().to_owned())),
        Err(other) => panic!("not the application's: {other}"),
    }
}
