//! Headers and blocks that are hashed many at a time come to the same as one by one, whatever is wrong with some of
//! them.

use std::sync::Arc;

use proptest::prelude::*;

use super::forge::*;
use super::model::{grow, plans};
use super::stored::assert_same;
use crate::chain::HeadersError;
use crate::{Block, BlockError, Header, RuleError, Timestamp};

/// What is wrong with a header or a block.
#[derive(Clone, Debug)]
enum Flaw {
    Nothing,
    History,
    Time,
    Work,
    Body,
}

fn flaw() -> impl Strategy<Value = Flaw> {
    prop_oneof![
        20 => Just(Flaw::Nothing),
        1 => Just(Flaw::History),
        1 => Just(Flaw::Time),
        1 => Just(Flaw::Work),
        1 => Just(Flaw::Body),
    ]
}

fn with_flaw(block: &Shared, flaw: &Flaw) -> Shared {
    let header = *block.header();
    let changed = match flaw {
        Flaw::Nothing => return Arc::clone(block),
        Flaw::History => mine(Header { history_root: header.merkle_root, ..header }),
        Flaw::Time => mine(Header { timestamp: Timestamp::from_millis(1), ..header }),
        Flaw::Work => Header { nonce: Header::NONCE_LIMIT, ..header },
        Flaw::Body => return Arc::new(Block::new(header, [block.data(), &[Note::Mute]].concat())),
    };
    Arc::new(Block::new(changed, block.data().to_vec()))
}

/// Blocks of a random tree, nearly in order, some of them with flaws.
fn some_blocks() -> impl Strategy<Value = Vec<Shared>> {
    plans().prop_flat_map(|plans| {
        let flaws = prop::collection::vec(flaw(), plans.len());
        let moved = prop::collection::vec((0..plans.len(), 0..plans.len()), 0..4);
        (Just(plans), flaws, moved).prop_map(|(plans, flaws, moved)| {
            let mut blocks: Vec<Shared> = grow(&spec(), &plans)
                .iter()
                .zip(flaws)
                .map(|(branch, flaw)| with_flaw(branch.tip(), &flaw))
                .collect();
            for (left, right) in moved {
                blocks.swap(left, right);
            }
            blocks
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_list_of_headers_comes_to_the_same_as_each_alone(blocks in some_blocks(), tip in 0..3_usize) {
        let (mut listed, mut single) = (chain(), chain());
        for block in blocks.iter().take(tip) {
            let _ = (import(&mut listed, block), import(&mut single, block));
        }
        let headers: Vec<Header> = blocks.iter().map(|block| *block.header()).collect();
        let mut rest = &headers[..];
        while !rest.is_empty() {
            let expected = {
                let mut new = 0;
                let refused = rest.iter().enumerate().find_map(|(index, header)| {
                    let imported = single.import_header(header, NOW);
                    new += usize::from(imported.clone().unwrap_or_default());
                    imported.err().map(|error| HeadersError { index, error })
                });
                refused.map_or(Ok(new), Err)
            };
            let imported = listed.import_headers(rest, NOW);
            listed.check_invariants();
            prop_assert_eq!(&imported, &expected);
            prop_assert_eq!(listed.best_header(), single.best_header());
            // Goes on behind the refused header.
            rest = imported.err().map_or(&[], |refused| &rest[refused.index + 1..]);
        }
        for block in &blocks {
            prop_assert_eq!(import(&mut listed, block), import(&mut single, block));
        }
        assert_same(&listed, &single);
    }

    #[test]
    fn a_batch_of_blocks_comes_to_the_same_as_each_alone(blocks in some_blocks(), ahead in 0..30_usize) {
        let (mut batched, mut single) = (chain(), chain());
        let headers: Vec<Header> = blocks.iter().take(ahead).map(|block| *block.header()).collect();
        prop_assert_eq!(batched.import_headers(&headers, NOW), single.import_headers(&headers, NOW));
        let imported = batched.import_all(blocks.iter().cloned(), NOW).unwrap();
        batched.check_invariants();
        let alone = |block: &Shared| import(&mut single, block).and_then(|mut imported| imported.verdicts.remove(0));
        prop_assert_eq!(imported.verdicts, blocks.iter().map(alone).collect::<Vec<_>>());
        assert_same(&batched, &single);
    }
}

/// More headers and blocks than are prepared at a time.
#[test]
fn a_long_chain_is_imported_at_once() {
    let mut source = chain();
    for number in 0..1_100 {
        let block = source.template(words(&[number]), NOW).unwrap().mine().unwrap();
        let _ = source.import(block.into(), NOW).unwrap();
    }
    let blocks = blocks(&source, 1..);
    let headers: Vec<Header> = blocks.iter().map(|block| *block.header()).collect();
    let (mut ahead, mut whole) = (chain(), chain());
    assert_eq!(ahead.import_headers(&headers, NOW), Ok(headers.len()));
    assert_eq!(ahead.import_headers(&headers, NOW), Ok(0));
    assert_eq!(ahead.best_header().0, source.tip().hash());
    for chain in [&mut ahead, &mut whole] {
        let imported = chain.import_all(blocks.iter().cloned(), NOW).unwrap();
        assert_eq!(imported.connected, verified(&blocks));
        assert_same(chain, &source);
    }
    let mut broken = headers.clone();
    broken[700] = mine(Header { history_root: broken[0].history_root, ..broken[700] });
    let error = BlockError::Rule(RuleError::HistoryRoot {
        got: broken[0].history_root,
        expected: headers[700].history_root,
    });
    let mut refusing = chain();
    assert_eq!(refusing.import_headers(&broken, NOW), Err(HeadersError { index: 700, error }));
    assert_eq!(refusing.best_header().0, blocks[699].hash());
}
