//! A second implementation of the header rules, written plainly over a tree that keeps every header: a chain
//! must accept exactly the headers that the model accepts.

use std::collections::BTreeMap;

use hashloom::primitives::{Target, merkle};
use hashloom::{ChainSpec, CompactTarget, Hash, Header, Retarget, Timestamp};

/// The number of blocks in the median of timestamps.
const MEDIAN_SPAN: usize = 11;

/// Every accepted header, by hash.
#[derive(Debug)]
pub struct Model {
    spec: ChainSpec,
    headers: BTreeMap<Hash, Header>,
    /// The hashes in the order of acceptance, genesis first.
    order: Vec<Hash>,
}

impl Model {
    /// The model of a chain that has only its genesis block.
    pub fn new(spec: ChainSpec, genesis: Header) -> Self {
        let hash = genesis.hash();
        Self { spec, headers: BTreeMap::from([(hash, genesis)]), order: vec![hash] }
    }

    /// The hashes of all accepted headers, in order.
    pub fn order(&self) -> &[Hash] {
        &self.order
    }

    /// Adds an accepted header.
    pub fn insert(&mut self, header: Header) {
        let hash = header.hash();
        if self.headers.insert(hash, header).is_none() {
            self.order.push(hash);
        }
    }

    /// Whether the header was accepted.
    pub fn contains(&self, hash: &Hash) -> bool {
        self.headers.contains_key(hash)
    }

    /// A header that extends an accepted one and is valid except for its proof of work, and for its target if
    /// the rule adjusts it.
    pub fn child(&self, parent: &Hash) -> Header {
        let header = self.headers[parent];
        Header {
            height: header.height + 1,
            previous_hash: *parent,
            history_root: self.history_root(parent),
            timestamp: header.timestamp.saturating_add(self.spec.block_interval()),
            target: if header.height == 0 { self.spec.easiest_target() } else { header.target },
            ..header
        }
    }

    /// A keyword for the rule that the header breaks, if any. The model checks the target against the
    /// ancestors only for a fixed target.
    pub fn fault(&self, header: &Header, now: Timestamp) -> Option<&'static str> {
        let Ok(target) = Target::try_from(header.target) else { return Some("no target") };
        let easiest = Target::try_from(self.spec.easiest_target()).expect("the spec was checked");
        let Some(parent) = self.headers.get(&header.previous_hash) else { return Some("unknown parent") };
        let latest = now.saturating_add(self.spec.max_future_drift());
        let faults = [
            (header.version != Header::VERSION, "version"),
            (header.nonce >= Header::NONCE_LIMIT, "nonce"),
            (target > easiest || !self.may_be_target(header.target), "target"),
            (!target.is_met_by(&header.hash()), "proof of work"),
            (parent.height.checked_add(1) != Some(header.height), "height"),
            (header.timestamp <= self.median(&header.previous_hash), "too early"),
            (header.timestamp > latest, "too late"),
            (header.history_root != self.history_root(&header.previous_hash), "history"),
        ];
        faults.into_iter().find_map(|(is_broken, rule)| is_broken.then_some(rule))
    }

    fn may_be_target(&self, target: CompactTarget) -> bool {
        self.spec.retarget() != Retarget::Fixed || target == self.spec.easiest_target()
    }

    /// The Merkle root over the hashes of a header and all its ancestors.
    fn history_root(&self, hash: &Hash) -> Hash {
        let mut leaves: Vec<Hash> =
            self.line(hash).map(|header| merkle::leaf_hash(header.hash().as_bytes())).collect();
        leaves.reverse();
        merkle::root(&leaves)
    }

    fn median(&self, hash: &Hash) -> Timestamp {
        let mut times: Vec<Timestamp> =
            self.line(hash).take(MEDIAN_SPAN).map(|header| header.timestamp).collect();
        times.sort_unstable();
        times[times.len() / 2]
    }

    /// A header and its ancestors, down to genesis.
    fn line(&self, hash: &Hash) -> impl Iterator<Item = &Header> {
        core::iter::successors(self.headers.get(hash), |header| self.headers.get(&header.previous_hash))
    }
}
