//! A log in memory: a chain of which every second hash is a block, and the key that signs its checkpoints.

use hashloom::chain::ChainConfig;
use hashloom::evidence::{Checkpoint, NoteSigner, Policy, Receipt, SignedNote};
use hashloom::{Blockchain, ChainSpec, CompactTarget, Hash, Retarget, Timestamp};

/// The clock stands still.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_767_225_700_000);

/// The target of every block.
pub(crate) const TARGET: CompactTarget = CompactTarget::from_bits(0x207f_ffff);

pub(crate) struct Log {
    pub(crate) chain: Blockchain,
    pub(crate) key: NoteSigner,
}

impl Log {
    /// A log with this many blocks after genesis, of three transactions each.
    pub(crate) fn of(blocks: u64) -> Self {
        Self::with_config(blocks, ChainConfig::default())
    }

    pub(crate) fn with_config(blocks: u64, config: ChainConfig) -> Self {
        let spec = ChainSpec::builder("orders").easiest_target(TARGET).retarget(Retarget::Fixed);
        let chain = Blockchain::with_config(spec.build().unwrap(), config);
        let mut log = Self { chain, key: NoteSigner::from_seed("log.example/orders", &[7; 32]).unwrap() };
        log.extend(blocks, "order");
        log
    }

    /// Mines blocks whose texts begin with this one.
    pub(crate) fn extend(&mut self, blocks: u64, text: &str) {
        for _ in 0..blocks {
            let height = self.chain.height() + 1;
            let data = [0, 1, 2].map(|index| format!("{text} {height}.{index}")).to_vec();
            let block = self.chain.template(data, NOW).unwrap().mine().unwrap();
            assert!(self.chain.import(block.into(), NOW).unwrap().is_extension());
        }
    }

    /// A log with the key of this one and its blocks up to this height.
    pub(crate) fn fork_at(&self, height: u64) -> Self {
        let mut chain = Blockchain::new(self.chain.spec().clone());
        for block in self.chain.blocks(1..=height) {
            assert!(chain.import(block.unwrap(), NOW).unwrap().is_extension());
        }
        Self { chain, key: self.key.clone() }
    }

    /// Imports the blocks of a branch with more work.
    pub(crate) fn reorganise(&mut self, branch: &Self) {
        for block in branch.chain.blocks(1..) {
            let _ = self.chain.import(block.unwrap(), NOW).unwrap();
        }
        assert_eq!(self.chain.tip().hash(), branch.chain.tip().hash());
    }

    pub(crate) fn hash(&self, height: u64) -> Hash {
        self.chain.header_at(height).unwrap().unwrap().hash()
    }

    /// The signed checkpoint of the first `size` blocks.
    pub(crate) fn checkpoint(&self, size: u64) -> SignedNote {
        let checkpoint = Checkpoint::of_chain(&self.chain, size, self.key.name()).unwrap();
        SignedNote::sign(checkpoint.to_string(), &self.key).unwrap()
    }

    /// The receipt for a transaction, in the checkpoint of the first `size` blocks.
    pub(crate) fn receipt(&self, height: u64, index: usize, size: u64) -> Receipt {
        Receipt::issue(&self.chain, &self.hash(height), index, self.checkpoint(size)).unwrap()
    }

    /// The path of a consistency proof.
    pub(crate) fn path(&self, old: u64, new: u64) -> Vec<Hash> {
        self.chain.consistency_proof(old, new).unwrap().path
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy::new(self.key.verifier()).with_easiest_target(TARGET).unwrap()
    }
}
