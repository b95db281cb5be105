//! A chain whose state is an `AuthenticatedMap`: a header proves the balances after its block.

use std::sync::Arc;

use hashloom::consensus::RuleError;
use hashloom::store::Memory;
use hashloom::{
    Block, BlockError, Blockchain, ChainConfig, ChainSpec, CompactTarget, Header, Retarget, Timestamp,
};

use crate::kit::{bytes, map_of, verified};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_700_000);

/// Account 1 has 100 and account 2 has 7.
fn opening() -> AuthenticatedMap<Address, u64> {
    map_of([(account(1), 100), (account(2), 7)])
}

fn spec() -> ChainSpec {
    let target = CompactTarget::from_bits(0x207f_ffff);
    let spec = ChainSpec::builder("balances").easiest_target(target).retarget(Retarget::Fixed);
    spec.genesis_data(bytes(&opening())).build().unwrap()
}

include!("pay.rs");

#[test]
fn the_page_shows_the_application_of_this_test() {
    let page = include_str!("../../docs/state-proofs.md");
    assert!(page.contains(concat!("```rust\n", include_str!("pay.rs"), "```")));
}

fn account(byte: u8) -> Address {
    Address::from_bytes([byte; 20])
}

fn pay(from: u8, to: u8, amount: u64) -> Pay {
    Pay { from: account(from), to: account(to), amount }
}

fn mine(chain: &mut Blockchain<Pay>, data: Vec<Pay>) -> Header {
    let block = Arc::new(chain.template(data, NOW).unwrap().mine().unwrap());
    assert!(chain.import(Arc::clone(&block), NOW).unwrap().is_extension());
    *block.header()
}

/// What a proof from the chain's state shows to someone who has the header.
fn shown(chain: &Blockchain<Pay>, of: u8, header: &Header) -> Option<u64> {
    verified(&chain.state().prove(&account(of)).unwrap(), &account(of), &header.state_root).unwrap()
}

#[test]
fn a_header_proves_the_balances_after_its_block() {
    let mut chain = Blockchain::new(spec());
    let first = *chain.tip().header();
    assert_eq!(first.state_root, opening().root());
    assert_eq!([1, 2, 3].map(|of| shown(&chain, of, &first)), [Some(100), Some(7), None]);
    let earlier = chain.state().prove(&account(2)).unwrap();
    let second = mine(&mut chain, vec![pay(2, 3, 7)]);
    assert_eq!([1, 2, 3].map(|of| shown(&chain, of, &second)), [Some(100), None, Some(7)]);
    // A proof belongs to one header.
    assert_eq!(verified(&earlier, &account(2), &first.state_root), Ok(Some(7_u64)));
    assert!(verified::<_, u64>(&earlier, &account(2), &second.state_root).is_err());
    // What changes nothing leaves the root.
    assert_eq!(mine(&mut chain, Vec::new()).state_root, second.state_root);
    assert_eq!(mine(&mut chain, vec![pay(1, 1, 5)]).state_root, second.state_root);
}

#[test]
fn a_block_with_another_root_is_refused() {
    let mut chain = Blockchain::new(spec());
    let template = chain.template(vec![pay(1, 2, 30)], NOW).unwrap();
    let expected = template.header().state_root;
    let mut forged = chain.state().clone();
    pay(1, 2, 31).apply(&mut forged, &template.header().context(chain.genesis().hash())).unwrap();
    let header = Header { state_root: forged.root(), ..*template.header() };
    let block = hashloom::miner::Template::new(header, template.data().to_vec()).mine().unwrap();
    match chain.import(block.into(), NOW) {
        Err(BlockError::Rule(RuleError::StateRoot { got, expected: claimed })) => {
            assert_eq!((got, claimed), (expected, forged.root()));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        chain.template(vec![pay(1, 2, 101)], NOW).unwrap_err().to_string(),
        "transaction 0 is rejected: balance: the sender has too little"
    );
}

#[test]
fn a_reorganisation_and_a_restart_restore_the_roots() {
    let mut chain = Blockchain::new(spec());
    let root = mine(&mut chain, vec![pay(2, 1, 7)]).state_root;
    let fork: Vec<Arc<Block<Pay>>> = chain.blocks(1..).map(Result::unwrap).collect();
    mine(&mut chain, vec![pay(1, 2, 30)]);
    let mut other = Blockchain::open(spec(), ChainConfig::default(), Box::new(Memory::new())).unwrap();
    for block in fork {
        assert!(other.import(block, NOW).unwrap().is_extension());
    }
    assert_eq!(other.state().root(), root);
    let branch = [vec![pay(1, 3, 1)], Vec::new(), vec![pay(3, 1, 1)]].map(|data| mine(&mut other, data));
    for block in other.blocks(2..) {
        let _ = chain.import(block.unwrap(), NOW).unwrap();
    }
    assert_eq!(chain.tip().header(), &branch[2]);
    assert_eq!((chain.state().root(), branch[2].state_root), (root, root));
    assert_eq!([1, 2, 3].map(|of| shown(&chain, of, &branch[2])), [Some(107), None, None]);
    // As the store keeps it.
    let stored = postcard::to_stdvec(chain.state()).unwrap();
    let read: AuthenticatedMap<Address, u64> = postcard::from_bytes(&stored).unwrap();
    assert_eq!(read.root(), root);
    chain.verify(..).unwrap();
}
