//! Signing the checkpoints of a chain: how deep, durable before it is given out, and never a contradiction.

use core::num::NonZeroU64;
use core::time::Duration;
use std::sync::Arc;

use hashloom::evidence::{
    Auditor, Checkpoint, LogSigner, NoteSigner, Policy, SignError, SignedNote, Verdict,
};
use hashloom::primitives::Target;
use hashloom::protocol::{Now, Output};
use hashloom::store::{Memory, Table};
use hashloom::{
    Block, Blockchain, ChainConfig, ChainSpec, Event, Protocol, ProtocolConfig, Retarget, StoreError,
    Timestamp,
};
use rstest::rstest;

use crate::disk::{self, Disk};

const NOW: Timestamp = Timestamp::from_millis(u64::MAX >> 1);

fn spec() -> ChainSpec {
    let builder =
        ChainSpec::builder("signed").easiest_target(Target::MAX.to_compact()).retarget(Retarget::Fixed);
    builder.build().unwrap()
}

fn open(disk: &Disk) -> Blockchain {
    Blockchain::open(spec(), ChainConfig::default(), Box::new(disk.clone())).unwrap()
}

fn key(seed: u8) -> NoteSigner {
    NoteSigner::from_seed("log.example/signed", &[seed; 32]).unwrap()
}

fn signer() -> LogSigner {
    LogSigner::new(key(7))
}

/// Blocks on top of genesis, whose transactions have this text.
fn blocks(count: u64, text: &str) -> Vec<Arc<Block>> {
    let mut chain: Blockchain = Blockchain::new(spec());
    let mut blocks = Vec::new();
    for height in 1..=count {
        let template = chain.template(vec![format!("{text} {height}")], NOW).unwrap();
        let block = Arc::new(template.mine().unwrap());
        assert!(chain.import(Arc::clone(&block), NOW).unwrap().is_extension());
        blocks.push(block);
    }
    blocks
}

fn import(chain: &mut Blockchain, blocks: &[Arc<Block>]) {
    for block in blocks {
        let _ = chain.import(Arc::clone(block), NOW).unwrap();
    }
}

/// The checkpoint in a note that the key of the tests has signed.
fn signed(note: &SignedNote) -> Checkpoint {
    note.verify([&key(7).verifier()]).unwrap().text.parse().unwrap()
}

#[rstest]
#[case::one_block(6, 6, 1)]
#[case::more(8, 6, 3)]
#[case::at_the_least_depth(8, 1, 8)]
fn what_lies_deep_enough_is_signed(#[case] height: u64, #[case] depth: u64, #[case] size: u64) {
    let mut chain = open(&Disk::default());
    import(&mut chain, &blocks(height, "a"));
    let signer = signer().with_depth(NonZeroU64::new(depth).unwrap());
    let note = signer.sign(&mut chain).unwrap();
    let root = chain.header_at(size).unwrap().unwrap().history_root;
    assert_eq!(signed(&note), Checkpoint::new("log.example/signed", size, root).unwrap());
    assert_eq!(LogSigner::last(&chain).unwrap(), Some((signed(&note), note)));
}

#[test]
fn a_chain_without_a_deep_block_is_not_signed() {
    let disk = Disk::default();
    let mut chain = open(&disk);
    import(&mut chain, &blocks(5, "a"));
    let before = disk.copy();
    assert_eq!(signer().sign(&mut chain), Err(SignError::TooShort { height: 5, depth: 6 }));
    assert_eq!(disk.copy(), before);
    assert_eq!(LogSigner::last(&chain), Ok(None));
}

/// A later run continues after the last checkpoint, whatever its settings are.
#[rstest]
#[case::as_before(signer())]
#[case::deeper(signer().with_depth(NonZeroU64::new(100).unwrap()))]
fn the_last_checkpoint_outlives_the_process(#[case] later: LogSigner) {
    let disk = Disk::default();
    let mut chain = open(&disk);
    import(&mut chain, &blocks(9, "a"));
    let note = signer().sign(&mut chain).unwrap();
    drop(chain);
    let mut chain = open(&disk);
    let before = disk.copy();
    assert_eq!(later.sign(&mut chain), Ok(note));
    assert_eq!(disk.copy(), before, "an unchanged checkpoint is not written again");
}

#[test]
fn a_replaced_block_stops_the_signing_until_it_is_back() {
    let mut chain = open(&Disk::default());
    let (short, long) = (blocks(14, "a"), blocks(10, "b"));
    import(&mut chain, &short[..9]);
    let note = signer().sign(&mut chain).unwrap();
    import(&mut chain, &long);
    assert_eq!(chain.tip(), long.last().unwrap(), "the chain follows the most work");
    let got = chain.header_at(4).unwrap().unwrap().history_root;
    let expected = Err(SignError::Contradiction { size: 4, signed: signed(&note).root(), got });
    assert_eq!(signer().sign(&mut chain), expected);
    assert_eq!(signer().sign(&mut chain), expected, "nothing was written that hides it");
    import(&mut chain, &short[9..]);
    assert_eq!(chain.tip(), short.last().unwrap());
    assert_eq!(signed(&signer().sign(&mut chain).unwrap()).size(), 9);
}

/// A replacement below the depth replaces no signed block.
#[test]
fn a_shallow_reorganisation_does_not_stop_the_signing() {
    let mut chain = open(&Disk::default());
    let trunk = blocks(6, "a");
    import(&mut chain, &trunk);
    assert_eq!(signed(&signer().sign(&mut chain).unwrap()).size(), 1);
    let mut other: Blockchain = Blockchain::new(spec());
    import(&mut other, &trunk[..1]);
    for height in 2..=9 {
        let block = other.template(vec![format!("b {height}")], NOW).unwrap().mine().unwrap();
        let block = Arc::new(block);
        import(&mut other, core::slice::from_ref(&block));
        import(&mut chain, &[block]);
    }
    assert_eq!(chain.tip(), other.tip());
    assert_eq!(signed(&signer().sign(&mut chain).unwrap()).size(), 4);
}

#[test]
fn a_chain_that_lost_its_end_is_not_signed() {
    let mut chain = open(&Disk::default());
    let blocks = blocks(9, "a");
    import(&mut chain, &blocks);
    let note = signer().sign(&mut chain).unwrap();
    chain.drop_above(2).unwrap();
    let expected = Err(SignError::Behind { size: 4, height: 2 });
    assert_eq!(signer().sign(&mut chain), expected);
    import(&mut chain, &blocks[2..]);
    assert_eq!(signer().sign(&mut chain), Ok(note));
}

/// What could not be written is not given out, and a later checkpoint need not agree with it.
#[test]
fn a_checkpoint_is_durable_before_it_is_given_out() {
    let disk = Disk::default();
    let mut chain = open(&disk);
    import(&mut chain, &blocks(9, "a"));
    disk.fail(true);
    assert_eq!(signer().sign(&mut chain), Err(SignError::Store(disk::full())));
    disk.fail(false);
    assert_eq!(LogSigner::last(&chain), Ok(None));
    let note = signer().sign(&mut chain).unwrap();
    // The process is killed before it answers.
    drop(chain);
    assert_eq!(LogSigner::last(&open(&disk)).unwrap().unwrap().1, note);
}

/// Not prevented, and found by an auditor: the store was restored from a copy that knows less.
#[test]
fn an_old_backup_contradicts_and_an_auditor_notices() {
    let disk = Disk::default();
    let backup = disk.copy();
    let mut chain = open(&disk);
    import(&mut chain, &blocks(9, "a"));
    let first = signer().sign(&mut chain).unwrap();
    let mut chain = open(&Disk::of(backup));
    import(&mut chain, &blocks(9, "b"));
    let second = signer().sign(&mut chain).unwrap();
    let (policy, mut auditor) = (Policy::new(key(7).verifier()), Auditor::new());
    assert_eq!(auditor.audit(&policy, &first, &[]), Ok(Verdict::First));
    assert!(matches!(auditor.audit(&policy, &second, &[]), Ok(Verdict::SplitView(_))));
}

#[test]
fn a_new_key_signs_the_same_blocks_again() {
    let mut chain = open(&Disk::default());
    import(&mut chain, &blocks(9, "a"));
    let first = signer().sign(&mut chain).unwrap();
    let note = LogSigner::new(key(8)).sign(&mut chain).unwrap();
    assert_eq!(note.text(), first.text());
    assert!(note.verify([&key(8).verifier()]).is_ok());
    let moved = signer().with_origin("log.example/moved").unwrap().sign(&mut chain).unwrap();
    assert_eq!(signed(&moved).origin(), "log.example/moved");
    assert_eq!((signed(&moved).size(), signed(&moved).root()), (4, signed(&first).root()));
}

#[test]
fn a_chain_in_memory_is_not_signed() {
    let mut chain = Blockchain::open(spec(), ChainConfig::default(), Box::new(Memory::new())).unwrap();
    import(&mut chain, &blocks(9, "a"));
    assert_eq!(signer().sign(&mut chain), Err(SignError::InMemory));
}

#[test]
fn a_damaged_checkpoint_is_an_error_and_not_none() {
    let disk = Disk::default();
    let mut chain = open(&disk);
    import(&mut chain, &blocks(9, "a"));
    let _ = signer().sign(&mut chain).unwrap();
    drop(chain);
    disk.flip_meta(b"signed checkpoint");
    let error = signer().sign(&mut open(&disk)).unwrap_err();
    assert!(
        matches!(error, SignError::Store(StoreError::DamagedValue { table: Table::Meta, .. })),
        "{error}"
    );
}

fn events(node: &mut Protocol) -> Vec<Event> {
    let outputs = core::iter::from_fn(|| node.poll_output());
    outputs.filter_map(|output| if let Output::Event(event) = output { Some(event) } else { None }).collect()
}

#[test]
fn a_node_reports_that_it_has_stopped_signing_and_follows_the_most_work() {
    let now = Now { elapsed: Duration::ZERO, wall: NOW };
    let (short, long) = (blocks(14, "a"), blocks(10, "b"));
    let mut node = Protocol::with_chain(open(&Disk::default()), ProtocolConfig::default(), NOW).unwrap();
    assert_eq!(node.signing(), None);
    assert!(node.sign_checkpoint().is_none());
    node.set_signer(signer()).unwrap();
    let mine = |node: &mut Protocol, blocks: &[Arc<Block>]| {
        for block in blocks {
            let _ = node.mined(block, now).unwrap();
        }
    };
    mine(&mut node, &short[..9]);
    let first = node.sign_checkpoint().unwrap().unwrap();
    let status = node.signing().unwrap();
    assert_eq!((&*status.origin, status.size, status.stopped), ("log.example/signed", Some(4), None));
    let _ = events(&mut node);

    mine(&mut node, &long);
    let error = node.sign_checkpoint().unwrap().unwrap_err();
    assert!(
        matches!(&error, SignError::Contradiction { size: 4, signed, .. } if *signed == self::signed(&first).root())
    );
    let stopped: Vec<_> = events(&mut node)
        .into_iter()
        .filter_map(|event| if let Event::SigningStopped { error } = event { Some(error) } else { None })
        .collect();
    assert_eq!(stopped, core::slice::from_ref(&error));
    assert_eq!(node.signing().unwrap().stopped, Some(error.to_string()));
    assert_eq!(node.chain().tip(), long.last().unwrap());

    mine(&mut node, &short[9..]);
    assert!(events(&mut node).iter().any(|event| matches!(event, Event::SigningResumed)));
    assert_eq!(node.signing().unwrap().stopped, None);
    assert_eq!(signed(&node.sign_checkpoint().unwrap().unwrap()).size(), 9);
}

/// A node that starts on a chain that contradicts its checkpoint says so.
#[test]
fn a_contradiction_is_noticed_at_the_start() {
    let disk = Disk::default();
    let mut chain = open(&disk);
    import(&mut chain, &blocks(9, "a"));
    let _ = signer().sign(&mut chain).unwrap();
    import(&mut chain, &blocks(10, "b"));
    let mut node = Protocol::with_chain(chain, ProtocolConfig::default(), NOW).unwrap();
    node.set_signer(signer()).unwrap();
    assert!(events(&mut node).iter().any(|event| matches!(event, Event::SigningStopped { .. })));
    let in_memory = Blockchain::new(spec());
    let mut node: Protocol = Protocol::with_chain(in_memory, ProtocolConfig::default(), NOW).unwrap();
    assert_eq!(node.set_signer(signer()), Err(SignError::InMemory));
}
