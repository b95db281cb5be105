//! A file with flipped bits or without its end: it opens and returns only correct blocks, or is refused with
//! an error that names the damage.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hashloom::store::Redb;
use hashloom::{Block, Blockchain, ChainConfig};
use rstest::rstest;

use super::{Line, NOW, extend, open, spec};

/// The file of a chain with blocks of several sizes, and the blocks.
fn original(directory: &Path) -> (Vec<u8>, Vec<Arc<Block<Line>>>) {
    let mut chain = open(directory).unwrap();
    let mut blocks = vec![Arc::clone(chain.genesis())];
    for height in 1..=60_usize {
        blocks.push(extend(&mut chain, &"line ".repeat(height * height / 4)));
    }
    chain.checkpoint().unwrap();
    blocks.push(extend(&mut chain, "after the last state"));
    drop(chain);
    (fs::read(directory.join("chain.redb")).unwrap(), blocks)
}

/// How often damaged files were read, repaired or refused.
#[derive(Debug, Default)]
struct Tally {
    whole: usize,
    refused: usize,
    partly: usize,
}

impl Tally {
    /// Opens the file, reads all blocks, and repairs the file if it is damaged.
    fn look(&mut self, directory: &Path, bytes: &[u8], blocks: &[Arc<Block<Line>>], what: &str) {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).unwrap();
        fs::write(directory.join("chain.redb"), bytes).unwrap();
        match open(directory) {
            Ok(chain) => self.read(&chain, blocks, what),
            Err(error) => {
                assert!(error.to_string().contains("damaged"), "{what}: {error}");
                self.refused += 1;
            }
        }
    }

    fn read(&mut self, chain: &Blockchain<Line>, blocks: &[Arc<Block<Line>>], what: &str) {
        let mut failed = 0;
        for (height, expected) in blocks.iter().enumerate() {
            for block in [chain.block_at(height as u64), chain.block(expected.hash())] {
                match block {
                    Ok(Some(block)) => assert_eq!(block, *expected, "{what}: a wrong block at {height}"),
                    // The file may have been rolled back to an earlier commit; a node would fetch the missing
                    // blocks from its peers.
                    Ok(None) => failed += 1,
                    Err(error) => {
                        assert!(error.to_string().contains("damaged"), "{what}: {error}");
                        failed += 1;
                    }
                }
            }
        }
        if failed > 0 {
            self.partly += 1;
        } else {
            assert_eq!(chain.state().0, blocks.len() as u64 - 1, "{what}: a wrong state");
            self.whole += 1;
        }
    }
}

#[test]
fn flipped_bits_never_give_a_wrong_block() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let (bytes, blocks) = original(&directory.path().join("original"));
    let used = used_bytes(&bytes);
    let mut tally = Tally::default();
    for round in 0..500 {
        let mut damaged = bytes.clone();
        // Most of a file that has just grown is empty, and a flip there has no effect.
        let at = used[random.usize(..used.len())];
        let bit = random.u8(..8);
        damaged[at] ^= 1 << bit;
        let what = format!("seed {seed}, round {round}: bit {bit} of byte {at}");
        tally.look(&directory.path().join("flipped"), &damaged, &blocks, &what);
    }
    println!("{tally:?}");
    assert!(tally.refused + tally.partly > 50, "the damage was not noticed: {tally:?}");
}

/// The offsets of the bytes that belong to a non-empty page.
fn used_bytes(bytes: &[u8]) -> Vec<usize> {
    let pages = bytes.chunks(4_096).enumerate().filter(|(_, page)| page.iter().any(|byte| *byte != 0));
    pages.flat_map(|(index, page)| (0..page.len()).map(move |at| index * 4_096 + at)).collect()
}

#[test]
fn a_file_that_is_cut_off_never_gives_a_wrong_block() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let (bytes, blocks) = original(&directory.path().join("original"));
    let mut tally = Tally::default();
    for round in 0..200 {
        let len = random.usize(1..bytes.len());
        let what = format!("seed {seed}, round {round}: cut to {len} bytes");
        tally.look(&directory.path().join("cut"), &bytes[..len], &blocks, &what);
    }
    println!("{tally:?}");
    assert!(tally.refused + tally.partly > 100, "the damage was not noticed: {tally:?}");
}

#[test]
fn a_repair_keeps_what_is_before_a_cut() {
    let seed = 7;
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let (bytes, blocks) = original(&directory.path().join("original"));
    let (mut kept, mut all) = (0, 0);
    for round in 0..40 {
        let len = random.usize(4_096..bytes.len());
        let what = format!("seed {seed}, round {round}: cut to {len} bytes");
        let place = directory.path().join(round.to_string());
        fs::create_dir(&place).unwrap();
        fs::write(place.join("chain.redb"), &bytes[..len]).unwrap();
        let expected = present(&bytes[..len], &blocks);
        all += expected;
        match repair(&place) {
            Ok(chain) => {
                for height in 0..=chain.height() {
                    let block = chain.block_at(height).unwrap().unwrap();
                    assert_eq!(block, blocks[usize::try_from(height).unwrap()], "{what}");
                }
                kept += chain.height().min(expected);
            }
            Err(error) => assert!(error.to_string().contains("damaged"), "{what}: {error}"),
        }
    }
    // A partly overwritten leaf may still contain all bytes of a block to which no entry refers.
    println!("{kept} of {all} blocks kept");
    assert!(kept * 4 >= all * 3 && all > 100, "{kept} of {all}");
}

/// The height up to which these bytes contain all blocks and their rows without a gap.
fn present(bytes: &[u8], blocks: &[Arc<Block<Line>>]) -> u64 {
    let is_present = |block: &&Arc<Block<Line>>| {
        let finds = |sought: &[u8]| bytes.windows(sought.len()).any(|window| window == sought);
        let key = [&block.height().to_be_bytes()[..], block.hash().as_bytes()].concat();
        // Only the row has the Merkle root. The bits of the next eight words follow its first five words.
        finds(&block.header().merkle_root.as_bytes()[..20]) && finds(&key) && finds(&stored(block))
    };
    blocks[1..].iter().take_while(is_present).count() as u64
}

/// The value of a block in the store.
fn stored(block: &Block<Line>) -> Vec<u8> {
    [&[2], &postcard::to_allocvec(block.data()).unwrap()[..]].concat()
}

/// The height at which a bit is flipped, and the height that is reported as damaged.
#[rstest]
#[case::deep(40)]
#[case::after_the_last_state(61)]
fn a_repaired_chain_takes_the_rest_again(#[case] height: usize) {
    let directory = tempfile::tempdir().unwrap();
    let (mut bytes, blocks) = original(&directory.path().join("original"));
    // There may be outdated copies.
    let target = stored(&blocks[height]);
    let found = bytes.windows(target.len()).enumerate().filter(|(_, window)| *window == target);
    let places: Vec<_> = found.map(|(at, _)| at + target.len() - 4).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    let at = directory.path().join("damaged");
    fs::create_dir(&at).unwrap();
    fs::write(at.join("chain.redb"), &bytes).unwrap();

    let store = Box::new(Redb::open_for_repair(&at).unwrap());
    let (mut chain, found) = Blockchain::<Line>::repair(spec(), ChainConfig::default(), store).unwrap();
    let found = if let Some(error) = found {
        error.to_string()
    } else {
        let error = chain.verify(..).unwrap_err();
        chain.drop_above(error.height() - 1).unwrap();
        error.to_string()
    };
    let named =
        format!("blocks {height} {} has other transactions than its header says", blocks[height].hash());
    assert!(found.contains(&named), "{found}");
    assert_eq!(chain.tip(), &blocks[height - 1]);
    assert_eq!(chain.state(), &(height as u64 - 1, blocks[height - 1].data()[0].0.clone()));
    let imported = chain.import_all(blocks[height..].iter().cloned(), NOW).unwrap();
    assert_eq!(imported.connected, blocks[height..]);
    chain.verify(..).unwrap();
    drop(chain);

    let store = Box::new(Redb::open(&at).unwrap());
    let (chain, found) = Blockchain::<Line>::repair(spec(), ChainConfig::default(), store).unwrap();
    assert_eq!((found, chain.tip()), (None, &blocks[61]));
    assert_eq!(chain.state().0, 61);
}

#[test]
fn a_repair_and_peers_bring_back_all_that_a_flipped_bit_took() {
    const ROUNDS: usize = 60;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let (bytes, blocks) = original(&directory.path().join("original"));
    let used = used_bytes(&bytes);
    let mut brought_back = 0;
    for round in 0..ROUNDS {
        let mut damaged = bytes.clone();
        let at = used[random.usize(..used.len())];
        damaged[at] ^= 1 << random.u8(..8);
        let place = directory.path().join(round.to_string());
        fs::create_dir(&place).unwrap();
        fs::write(place.join("chain.redb"), damaged).unwrap();
        match repair(&place) {
            Ok(mut chain) => {
                let _ = chain.import_all(blocks[1..].iter().cloned(), NOW).unwrap();
                chain.verify(..).unwrap();
                drop(chain);
                let chain = open(&place).unwrap();
                let found: Vec<_> = chain.blocks(..).collect::<Result<_, _>>().unwrap();
                assert_eq!(found, blocks, "seed {seed}, round {round}: byte {at}");
                brought_back += 1;
            }
            // The first block or the list of tables is damaged: nothing is left to recover.
            Err(error) => assert!(error.to_string().contains("damaged"), "byte {at}: {error}"),
        }
    }
    assert!(brought_back > ROUNDS * 3 / 4, "{brought_back} of {ROUNDS}");
}

fn repair(directory: &Path) -> anyhow::Result<Blockchain<Line>> {
    let store = Box::new(Redb::open_for_repair(directory)?);
    let (mut chain, _) = Blockchain::repair(spec(), ChainConfig::default(), store)?;
    if let Err(error) = chain.verify(..) {
        chain.drop_above(error.height().saturating_sub(1))?;
    }
    Ok(chain)
}
