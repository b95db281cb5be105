//! Keys, chains and blocks for all tests.

use std::sync::Arc;

use hashloom::primitives::{BodyDigest, PublicKey, Target};
use hashloom::signed::{SecretKey, Signature, Signed};
use hashloom::{
    Block, Blockchain, ChainSpec, CompactTarget, Hash, Header, Rejected, Retarget, RuleError, Timestamp,
    Transaction,
};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_767_225_700_000);

pub(crate) fn key(byte: u8) -> SecretKey {
    SecretKey::from_seed(&[byte; 32])
}

/// A spec for which every second hash on average is a block.
pub(crate) fn spec(name: &str) -> ChainSpec {
    let target = CompactTarget::from_bits(0x207f_ffff);
    ChainSpec::builder(name).easiest_target(target).retarget(Retarget::Fixed).build().unwrap()
}

pub(crate) fn genesis<T: Transaction>(chain: &Blockchain<T>) -> Hash {
    *chain.genesis().hash()
}

/// A text of the author with this key, for this chain.
pub(crate) fn text(
    chain: &Blockchain<Signed<String>>,
    author: u8,
    sequence: u64,
    text: &str,
) -> Signed<String> {
    Signed::sign(text.to_owned(), sequence, &key(author), &genesis(chain)).unwrap()
}

/// New values with the parts of these, as a peer delivers them: without a kept verdict.
pub(crate) fn received<T: Transaction>(transaction: &Signed<T>) -> Signed<T> {
    postcard::from_bytes(&postcard::to_stdvec(transaction).unwrap()).unwrap()
}

/// With other parts, where they are given.
pub(crate) fn changed(
    of: &Signed<String>,
    author: Option<PublicKey>,
    sequence: Option<u64>,
    signature: Option<Signature>,
    text: Option<&str>,
) -> Signed<String> {
    Signed::from_parts(
        author.unwrap_or(*of.author()),
        sequence.unwrap_or(of.sequence()),
        signature.unwrap_or(*of.signature()),
        text.map_or_else(|| of.transaction().clone(), ToOwned::to_owned),
    )
}

/// Mines a block with these transactions and imports it.
pub(crate) fn mine<T: Transaction>(chain: &mut Blockchain<T>, data: Vec<T>) -> Arc<Block<T>> {
    let block = Arc::new(chain.template(data, NOW).unwrap().mine().unwrap());
    assert!(chain.import(Arc::clone(&block), NOW).unwrap().is_extension());
    block
}

/// A block with enough work on top of the chain that no template has, because its transactions are refused.
pub(crate) fn forged<T: Transaction>(chain: &Blockchain<T>, data: Vec<T>) -> Arc<Block<T>> {
    let mut header = *chain.template(Vec::new(), NOW).unwrap().into_block(0).header();
    header.merkle_root = BodyDigest::of(&data).unwrap().merkle_root();
    Arc::new(Block::new(sealed(header), data))
}

/// The header with the first nonce that meets its target.
pub(crate) fn sealed(mut header: Header) -> Header {
    let target = Target::try_from(header.target).unwrap();
    while !target.is_met_by(&header.hash()) {
        header.nonce += 1;
    }
    header
}

/// The rule of the application by which a block is refused, and the index of the transaction.
pub(crate) fn refused(error: &RuleError) -> (usize, &str) {
    match error {
        RuleError::Transaction { index, reason } => (*index, reason.rule()),
        other => panic!("not the application's: {other}"),
    }
}

pub(crate) fn rule(result: Result<(), Rejected>) -> Option<String> {
    result.err().map(|rejected| rejected.rule().to_owned())
}
