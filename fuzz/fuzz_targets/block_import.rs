//! Imports valid, mutated and forged blocks and archives into a chain with small limits: it never panics, its
//! work never decreases, and everything that it stores passes verification.
#![no_main]

use arbitrary::Arbitrary;
use hashloom::archive::Importer;
use hashloom::{Blockchain, ChainConfig};
use hashloom_fuzz::archive::Forgery;
use hashloom_fuzz::fixture::{self, Note, START};
use hashloom_fuzz::mutation::SomeBlock;
use libfuzzer_sys::fuzz_target;

const MAX_STEPS: usize = 64;
const MAX_ORPHANS: usize = 4;

#[derive(Debug, Arbitrary)]
struct Run {
    keep_bodies: Option<u8>,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Block(SomeBlock),
    Blocks(Vec<SomeBlock>),
    Header(SomeBlock),
    /// The bytes of a block in postcard, as in an archive and in a store.
    Bytes(Vec<u8>),
    /// The bytes of a file.
    File(Vec<u8>),
    /// A file with correct checksums, and the number of blocks per batch.
    Forgery(Forgery, u8),
    /// An export of the chain itself.
    Own,
}

fuzz_target!(|run: Run| {
    let config = ChainConfig::default()
        .with_max_orphans(MAX_ORPHANS)
        .with_max_orphan_bytes(2_048)
        .with_max_side_headers(16)
        .with_max_side_bytes(4_096)
        .with_keep_bodies(run.keep_bodies.map(u64::from));
    let mut chain = Blockchain::with_config(fixture::spec(), config);
    for step in run.steps.iter().take(MAX_STEPS) {
        let work = chain.work();
        play(&mut chain, step);
        assert!(chain.work() >= work, "the chain lost work");
        assert!(chain.orphan_count() <= MAX_ORPHANS);
    }
    assert_eq!(chain.verify(..), Ok(()));
    fixture::extend(&mut chain, 1, "after");
    assert_eq!(chain.verify(..), Ok(()));
});

fn play(chain: &mut Blockchain<Note>, step: &Step) {
    match step {
        Step::Block(block) => import(chain, block.build()),
        Step::Blocks(blocks) => {
            let blocks: Vec<_> = blocks.iter().take(16).map(SomeBlock::build).collect();
            let count = blocks.len();
            let imported = chain.import_all(blocks, START).expect("a store in memory does not fail");
            assert_eq!(imported.verdicts.len(), count);
        }
        Step::Header(block) => {
            let _ = chain.import_header(block.build().header(), START);
        }
        Step::Bytes(bytes) => {
            if let Ok(block) = postcard::from_bytes::<hashloom::Block<Note>>(bytes) {
                import(chain, block.into());
            }
        }
        Step::File(bytes) => {
            let _ = chain.import_archive(bytes.as_slice(), START);
        }
        Step::Forgery(forgery, step) => {
            let file = forgery.build(chain);
            let Ok(mut importer) = Importer::new(chain, file.as_slice()) else { return };
            loop {
                let before = importer.progress().done;
                match importer.step(chain, u64::from(*step).max(1), START) {
                    Ok(progress) if progress.is_complete => break,
                    Ok(progress) => assert!(progress.done > before, "an import that does not go on"),
                    Err(_) => break,
                }
            }
        }
        Step::Own => {
            let mut file = Vec::new();
            if chain.export(chain.first_body().., &mut file).is_ok() {
                let tip = *chain.tip().hash();
                chain.import_archive(file.as_slice(), START).expect("what was exported is here already");
                assert_eq!(*chain.tip().hash(), tip);
            }
        }
    }
}

fn import(chain: &mut Blockchain<Note>, block: std::sync::Arc<hashloom::Block<Note>>) {
    let (tip, hash) = (*chain.tip().hash(), *block.hash());
    match chain.import(block, START) {
        Ok(imported) => {
            let connected = imported.connected.last().map_or(tip, |block| *block.hash());
            assert_eq!(*chain.tip().hash(), connected, "the tip moved unsaid, on {hash}");
        }
        Err(error) => assert_eq!(*chain.tip().hash(), tip, "the tip moved with {error}, on {hash}"),
    }
}
