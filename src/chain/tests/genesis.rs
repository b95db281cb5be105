//! Chains whose initial state comes from the genesis data of the spec.

use serde::{Deserialize, Serialize};

use super::forge::{NOW, builder};
use super::stored::{disk, entries, open, try_open};
use crate::consensus::GenesisError;
use crate::store::Table;
use crate::{Blockchain, ChainConfig, ChainSpec, Context, Hash, OpenError, Rejected, Transaction};

/// Spends part of a balance. The number distinguishes two spends of equal amounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Spend {
    number: u64,
    amount: u64,
}

impl Transaction for Spend {
    type State = u64;

    fn apply(&self, balance: &mut u64, _: &Context<'_>) -> Result<(), Rejected> {
        let short = || Rejected::new("balance", format!("{} of {balance}", self.amount));
        *balance = balance.checked_sub(self.amount).ok_or_else(short)?;
        Ok(())
    }

    fn genesis_state(data: &[u8]) -> Result<u64, Rejected> {
        let bytes = data.try_into().map_err(|_| Rejected::new("opening_balance", "expected 8 bytes"))?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// A spend on a chain whose headers commit to the balance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Rooted(Spend);

impl Transaction for Rooted {
    type State = u64;

    fn apply(&self, balance: &mut u64, context: &Context<'_>) -> Result<(), Rejected> {
        self.0.apply(balance, context)
    }

    fn genesis_state(data: &[u8]) -> Result<u64, Rejected> {
        Spend::genesis_state(data)
    }

    fn state_root(balance: &u64) -> Hash {
        Hash::digest(&balance.to_le_bytes())
    }
}

fn spec(data: &[u8]) -> ChainSpec {
    builder().genesis_data(data).build().unwrap()
}

fn extend(chain: &mut Blockchain<Spend>, number: u64, amount: u64) {
    let template = chain.template(vec![Spend { number, amount }], NOW).unwrap();
    let imported = chain.import(template.mine().unwrap().into(), NOW).unwrap();
    assert!(imported.is_extension(), "{imported:?}");
}

#[test]
fn a_replay_from_genesis_begins_with_the_genesis_data() {
    let spec = spec(&100_u64.to_le_bytes());
    let disk = disk();
    let mut chain: Blockchain<Spend> = open(&spec, &ChainConfig::default(), &disk);
    assert_eq!(*chain.state(), 100);
    extend(&mut chain, 1, 60);
    let error = chain.template(vec![Spend { number: 2, amount: 41 }], NOW).unwrap_err();
    assert!(error.to_string().contains("balance: 41 of 40"), "{error}");
    chain.check_store();
    chain.verify(..).unwrap();
    drop(chain);

    let mut chain: Blockchain<Spend> = open(&spec, &ChainConfig::default(), &disk);
    assert_eq!(*chain.state(), 40);
    chain.verify(..).unwrap();
    let mut other: Blockchain<Spend> = Blockchain::new(spec);
    for number in [3, 4] {
        extend(&mut other, number, 10);
        let _ = chain.import(other.tip().clone(), NOW).unwrap();
    }
    assert_eq!((chain.height(), *chain.state()), (2, 80));
    chain.drop_above(0).unwrap();
    assert_eq!(*chain.state(), 100);
    chain.check_store();
}

#[test]
fn genesis_data_that_makes_no_state_is_refused_and_nothing_is_written() {
    let disk = disk();
    let error = try_open::<Spend>(&spec(b"much"), &ChainConfig::default(), &disk).unwrap_err();
    let rejected = Rejected::new("opening_balance", "expected 8 bytes");
    assert_eq!(error, OpenError::Genesis(GenesisError::Rejected(rejected)));
    for table in Table::ALL {
        assert_eq!(entries(&disk, table), [], "{table:?}");
    }
}

/// The difference that is named if the spec has other genesis data than the store.
fn difference<T: Transaction>() -> &'static str {
    let disk = disk();
    let _: Blockchain<T> = open(&spec(&1_u64.to_le_bytes()), &ChainConfig::default(), &disk);
    match try_open::<T>(&spec(&2_u64.to_le_bytes()), &ChainConfig::default(), &disk) {
        Err(OpenError::OtherChain { differs, .. }) => differs,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_store_of_another_initial_state_says_so() {
    assert_eq!(difference::<Rooted>(), "its genesis data or the application's initial state");
    // Without a state root, only the commitment to all rules differs.
    assert_eq!(difference::<Spend>(), "its block interval, retargeting, a limit or its genesis data");
}

#[test]
#[should_panic(
    expected = "no chain can be begun: the application refuses the chain's genesis data: opening_balance"
)]
fn a_chain_in_memory_panics_with_the_reason() {
    let _: Blockchain<Spend> = Blockchain::new(spec(b""));
}
