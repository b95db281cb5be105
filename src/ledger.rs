//! L1: a small currency: accounts, transfers with fees, and rewards for miners.
//!
//! The chain is a `Blockchain<Signed<Transfer>>`. An account is an [`Address`], the hash of a public key, with a balance. A
//! [`Transfer`] moves an amount from its author's account and pays a fee; at the end of a block the address in its header
//! is paid the reward and the fees of the block. All amounts are integers of the smallest unit. `docs/ledger.md` says what is
//! promised.
//!
//! The sum of all balances is what was minted, after every block: each rule moves units or mints them, and none divides.

mod address;
mod parameters;
mod proof;

use serde::{Deserialize, Serialize};

pub use address::{AddressError, AddressPrefix, PrefixError};
pub use parameters::{LedgerParameters, ParametersError};
pub use proof::BalanceProof;

use crate::primitives::{Address, AuthenticatedMap, Context, Hash, Rejected, Transaction};
use crate::signed::Signed;

/// The transaction of a chain with a ledger.
pub type SignedTransfer = Signed<Transfer>;

/// The most units that a chain ever mints: 2^53 - 1, so that every amount is exact in JavaScript.
pub const MAX_SUPPLY: u64 = (1 << 53) - 1;

/// Moves an amount from the account of the author to another one.
///
/// ```
/// use hashloom::ledger::{LedgerParameters, SignedTransfer, Transfer};
/// use hashloom::signed::{SecretKey, Signed};
/// use hashloom::{Blockchain, ChainSpec, Timestamp};
///
/// let ann = SecretKey::from_seed(&[1; 32]);
/// let (ann_account, bob) = (ann.public_key().address(), SecretKey::from_seed(&[2; 32]).public_key().address());
/// let parameters = LedgerParameters::new(50, 1_000)?.with_opening([(ann_account, 500)])?;
/// let spec = ChainSpec::builder("coin").genesis_data(parameters.to_genesis_data()).build()?;
/// let mut chain: Blockchain<SignedTransfer> = Blockchain::new(spec);
///
/// let genesis = *chain.genesis().hash();
/// let payment = Signed::sign(Transfer { to: bob, amount: 30, fee: 2 }, 0, &ann, &genesis)?;
/// let now = Timestamp::from_millis(1_800_000_000_000);
/// let block = chain.template_for(bob, vec![payment], now)?.mine().expect("a nonce");
/// let _ = chain.import(block.into(), now)?;
/// // Bob was paid, and mined the block: its reward and its fee.
/// assert_eq!(chain.state().application().balance(&bob), 30 + 50 + 2);
/// assert_eq!(chain.state().application().balance(&ann_account), 468);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Rules
///
/// | rule of the [`Rejected`] | what is refused |
/// | --- | --- |
/// | `unsigned` | a transfer that is not in a [`Signed`] |
/// | `zero_amount` | an amount of zero |
/// | `max_supply` | an amount and fee that are together more than [`MAX_SUPPLY`] |
/// | `min_fee` | a fee below that of the [parameters](LedgerParameters::with_min_fee) |
/// | `balance` | an amount and fee that are together more than the account has; an account that does not exist has nothing |
///
/// A transfer to the author's own account is allowed, and costs its fee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The account that is paid. It need not exist before.
    pub to: Address,
    /// The units that it is paid, at least one.
    pub amount: u64,
    /// The units that the miner of the block is paid.
    pub fee: u64,
}

/// The state of a ledger: the balances, and how much was minted.
///
/// An account without a balance takes no memory; one with a balance takes about 150 bytes. A clone takes constant time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    accounts: AuthenticatedMap<Address, u64>,
    minted: u64,
    /// The fees of the transfers of the block so far; zero between blocks.
    fees: u64,
    parameters: LedgerParameters,
}

/// What the hashed bytes of a state root begin with.
const DOMAIN: &[u8] = b"hashloom ledger v1\0";

impl Ledger {
    /// The units in an account; zero if there is no such account.
    pub fn balance(&self, account: &Address) -> u64 {
        self.accounts.get(account).copied().unwrap_or(0)
    }

    /// The balance of each account that has one. Its proofs show a balance, or that there is none.
    pub const fn accounts(&self) -> &AuthenticatedMap<Address, u64> {
        &self.accounts
    }

    /// The units that were minted: the opening balances, and the rewards so far. Equal to the sum of all balances.
    pub const fn minted(&self) -> u64 {
        self.minted
    }

    /// The parameters, which the genesis block commits to.
    pub const fn parameters(&self) -> &LedgerParameters {
        &self.parameters
    }

    /// The root of the state: SHA-256(`hashloom ledger v1` ‖ a zero byte ‖ root of the [accounts](Self::accounts) ‖ the
    /// minted units in 8 big-endian bytes).
    pub fn root_of(accounts_root: &Hash, minted: u64) -> Hash {
        Hash::digest_parts(&[DOMAIN, accounts_root.as_ref(), &minted.to_be_bytes()])
    }

    fn new(parameters: LedgerParameters) -> Result<Self, Rejected> {
        let mut ledger = Self { parameters, ..Self::default() };
        for (account, amount) in ledger.parameters.opening().to_vec() {
            ledger.mint(account, amount)?;
        }
        Ok(ledger)
    }

    fn mint(&mut self, account: Address, amount: u64) -> Result<(), Rejected> {
        self.minted = sum(self.minted, amount)?;
        self.credit(account, amount)
    }

    fn credit(&mut self, account: Address, amount: u64) -> Result<(), Rejected> {
        self.accounts.update(account, |balance| {
            let balance = sum(balance.copied().unwrap_or(0), amount)?;
            Ok((balance > 0).then_some(balance))
        })
    }

    fn debit(&mut self, account: Address, amount: u64) -> Result<(), Rejected> {
        self.accounts.update(account, |balance| {
            let balance = balance.copied().unwrap_or(0);
            let rest = balance.checked_sub(amount).ok_or_else(|| {
                Rejected::new("balance", format!("{account} has {balance}, expected at least {amount}"))
            })?;
            Ok((rest > 0).then_some(rest))
        })
    }
}

/// The sum of two amounts, which is at most [`MAX_SUPPLY`].
fn sum(left: u64, right: u64) -> Result<u64, Rejected> {
    left.checked_add(right).filter(|sum| *sum <= MAX_SUPPLY).ok_or_else(|| {
        Rejected::new("max_supply", format!("{left} and {right} are together more than {MAX_SUPPLY}"))
    })
}

impl Transaction for Transfer {
    type State = Ledger;

    fn check(&self, _genesis: &Hash) -> Result<(), Rejected> {
        if self.amount == 0 {
            return Err(Rejected::new("zero_amount", "the amount is 0, expected at least 1"));
        }
        sum(self.amount, self.fee).map(drop)
    }

    fn apply(&self, ledger: &mut Ledger, context: &Context<'_>) -> Result<(), Rejected> {
        let author = context.require_author()?.key.address();
        let expected = ledger.parameters.min_fee();
        if self.fee < expected {
            let detail = format!("the fee is {}, expected at least {expected}", self.fee);
            return Err(Rejected::new("min_fee", detail));
        }
        ledger.debit(author, sum(self.amount, self.fee)?)?;
        ledger.credit(self.to, self.amount)?;
        ledger.fees = sum(ledger.fees, self.fee)?;
        Ok(())
    }

    /// Pays the miner the reward and the fees. A block without a miner mints nothing, and its fees go to the account with
    /// the address of zeros, which has no key.
    fn end_block(ledger: &mut Ledger, context: &Context<'_>) -> Result<(), Rejected> {
        let fees = core::mem::take(&mut ledger.fees);
        ledger.credit(context.miner, fees)?;
        if context.miner == Address::ZERO {
            return Ok(());
        }
        ledger.mint(context.miner, ledger.parameters.reward(context.height))
    }

    fn genesis_state(data: &[u8]) -> Result<Ledger, Rejected> {
        let refused = |error: ParametersError| Rejected::new("genesis_data", error.to_string());
        Ledger::new(LedgerParameters::from_genesis_data(data).map_err(refused)?)
    }

    fn state_root(ledger: &Ledger) -> Hash {
        Ledger::root_of(&ledger.accounts.root(), ledger.minted)
    }

    /// The key `accounts/{address}`, with the address in hex, has the end of the [bytes](BalanceProof) of a proof of the
    /// balance, which [`Signed`] completes.
    fn prove(ledger: &Ledger, key: &str) -> Option<Vec<u8>> {
        proof::of_ledger(ledger, &key.strip_prefix("accounts/")?.parse().ok()?)
    }

    fn priority(&self) -> u64 {
        self.fee
    }

    fn heap_size(&self, _encoded_len: usize) -> usize {
        0
    }
}
