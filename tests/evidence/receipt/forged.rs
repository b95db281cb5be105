//! Attacks on receipts: each ends in an error of its own.

use hashloom::evidence::{
    Checkpoint, ParseReceiptError, PolicyError, Receipt, SignedNote, VerifyError, VerifyReceiptError,
};
use hashloom::primitives::merkle::{self, InclusionProof, ProofError};
use hashloom::primitives::{CompactTargetError, Target};
use hashloom::{CompactTarget, Hash, Header};
use rstest::rstest;
use serde_json::{Value, json};

use crate::log::{Log, TARGET};

/// The receipt for the second transaction of block 2, with changed fields.
fn changed(change: impl FnOnce(&Log, &mut Value)) -> (Log, Receipt) {
    let log = Log::of(6);
    let mut receipt = serde_json::to_value(log.receipt(2, 1, 5)).unwrap();
    change(&log, &mut receipt);
    (log, serde_json::from_value(receipt).unwrap())
}

/// The fields of the receipt for a transaction of another block.
fn fields(log: &Log, height: u64, index: usize) -> Value {
    serde_json::to_value(log.receipt(height, index, 5)).unwrap()
}

#[test]
fn the_receipt_that_the_attacks_begin_with_is_valid() {
    let (log, receipt) = changed(|_, _| {});
    assert_eq!(receipt.verify(&log.policy()).unwrap().decode::<String>().unwrap(), "order 2.1");
}

#[rstest]
#[case::forged_record(|_: &Log, receipt: &mut Value| receipt["transaction"] = hex::encode("\tforge 2.1").into())]
#[case::record_of_the_same_block(|log: &Log, receipt: &mut Value| {
    receipt["transaction"] = fields(log, 2, 0)["transaction"].take();
})]
#[case::record_moved_to_another_block(|log: &Log, receipt: &mut Value| {
    let mut other = fields(log, 3, 1);
    receipt["header"] = other["header"].take();
    receipt["path"] = other["path"].take();
})]
#[case::record_at_another_index(|_: &Log, receipt: &mut Value| receipt["transaction_proof"]["index"] = 0.into())]
#[case::hash_of_the_path_changed(|_: &Log, receipt: &mut Value| {
    receipt["transaction_proof"]["path"][0] = json!(Hash::ZERO);
})]
fn a_transaction_that_is_not_in_the_block(#[case] forge: fn(&Log, &mut Value)) {
    let (log, receipt) = changed(forge);
    match receipt.verify(&log.policy()) {
        Err(VerifyReceiptError::NotInBlock { id, height, error: ProofError::Root { .. } }) => {
            assert_eq!(id, merkle::leaf_hash(receipt.transaction()));
            assert_eq!(height, receipt.header().height);
        }
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::path_cut(|receipt: &mut Value| { receipt["path"].as_array_mut().unwrap().pop(); })]
#[case::path_extended(|receipt: &mut Value| receipt["path"].as_array_mut().unwrap().push(json!(Hash::ZERO)))]
fn a_path_of_the_block_with_another_length(#[case] forge: fn(&mut Value)) {
    let (log, receipt) = changed(|_, receipt| forge(receipt));
    match receipt.verify(&log.policy()) {
        Err(VerifyReceiptError::NotInLog {
            hash,
            height: 2,
            error: ProofError::PathLength { expected: 3, .. },
        }) => {
            assert_eq!(hash, log.hash(2));
        }
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case::header_changed(|_: &Log, receipt: &mut Value| receipt["header"]["timestamp"] = 1_767_225_799_999_u64.into())]
#[case::header_mined_for_another_record(|log: &Log, receipt: &mut Value| {
    let mut branch = log.fork_at(1);
    branch.extend(1, "forged");
    receipt["header"] = json!(branch.chain.tip().header());
})]
#[case::block_at_another_height(|log: &Log, receipt: &mut Value| {
    receipt["header"] = fields(log, 3, 1)["header"].take();
})]
#[case::hash_of_the_path_changed(|_: &Log, receipt: &mut Value| receipt["path"][1] = json!(Hash::ZERO))]
#[case::checkpoint_of_another_size(|log: &Log, receipt: &mut Value| {
    receipt["checkpoint"] = log.checkpoint(6).to_string().into();
})]
#[case::checkpoint_of_a_rewritten_past(|log: &Log, receipt: &mut Value| {
    let mut branch = log.fork_at(1);
    branch.extend(6, "rewritten");
    receipt["checkpoint"] = branch.checkpoint(5).to_string().into();
})]
fn a_block_that_is_not_in_the_log(#[case] forge: fn(&Log, &mut Value)) {
    let (log, receipt) = changed(forge);
    match receipt.verify(&log.policy()) {
        Err(VerifyReceiptError::NotInLog { hash, height, error: ProofError::Root { .. } }) => {
            assert_eq!((hash, height), (receipt.header().hash(), receipt.header().height));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_checkpoint_that_is_older_than_the_block() {
    let (log, receipt) = changed(|log, receipt| receipt["checkpoint"] = log.checkpoint(2).to_string().into());
    let error = ProofError::IndexOutOfRange { index: 2, tree_size: 2 };
    let expected = VerifyReceiptError::NotInLog { hash: log.hash(2), height: 2, error };
    assert_eq!(receipt.verify(&log.policy()), Err(expected));
}

#[test]
fn a_checkpoint_of_a_foreign_origin() {
    let (log, receipt) = changed(|log, receipt| {
        let root = log.chain.header_at(5).unwrap().unwrap().history_root;
        let foreign = Checkpoint::new("log.example/other", 5, root).unwrap();
        receipt["checkpoint"] = SignedNote::sign(foreign.to_string(), &log.key).unwrap().to_string().into();
    });
    let (got, expected) = ("log.example/other".to_owned(), "log.example/orders".to_owned());
    let error = VerifyReceiptError::Policy(PolicyError::Origin { got, expected });
    assert_eq!(receipt.verify(&log.policy()), Err(error));
}

#[test]
fn a_checkpoint_that_another_key_has_signed() {
    let (log, receipt) = changed(|log, receipt| {
        let thief = hashloom::evidence::NoteSigner::from_seed(log.key.name(), &[66; 32]).unwrap();
        let text = log.checkpoint(5).text().to_owned();
        receipt["checkpoint"] = SignedNote::sign(text, &thief).unwrap().to_string().into();
    });
    let error = VerifyReceiptError::Policy(VerifyError::NoKnownKey.into());
    assert_eq!(receipt.verify(&log.policy()), Err(error));
}

/// A receipt from a key that signs whatever its thief wants: the log is a genesis block, one block with this header,
/// and another entry.
fn from_a_stolen_key(log: &Log, header: &Header, transaction: &[u8]) -> Receipt {
    let hash = header.hash();
    let entries =
        [*log.chain.genesis().hash(), hash, Hash::ZERO].map(|hash| merkle::leaf_hash(hash.as_bytes()));
    let checkpoint = Checkpoint::new(log.key.name(), 3, merkle::root(&entries)).unwrap();
    let note = SignedNote::sign(checkpoint.to_string(), &log.key).unwrap();
    serde_json::from_value(json!({
        "transaction": hex::encode(transaction),
        "transaction_proof": { "index": 0, "tree_size": 1, "path": [] },
        "header": header,
        "path": InclusionProof::new(&entries, 1).unwrap().path,
        "checkpoint": note.to_string(),
    }))
    .unwrap()
}

/// A header with one transaction, whose hash meets the target or not.
fn header(transaction: &[u8], is_mined: bool, change: impl Fn(&mut Header)) -> Header {
    let mut header = Header {
        version: Header::VERSION,
        height: 1,
        previous_hash: Hash::ZERO,
        merkle_root: merkle::leaf_hash(transaction),
        history_root: Hash::ZERO,
        state_root: Hash::ZERO,
        timestamp: crate::log::NOW,
        target: TARGET,
        miner: hashloom::Address::ZERO,
        nonce: 0,
    };
    change(&mut header);
    let is_met = |header: &Header| {
        Target::try_from(header.target).map_or(is_mined, |target| target.is_met_by(&header.hash()))
    };
    while is_met(&header) != is_mined {
        header.nonce += 1;
    }
    header
}

#[rstest]
#[case::with_work(true, |_: &mut Header| {}, |_: &Header| None)]
#[case::no_work(false, |_: &mut Header| {}, |header: &Header| {
    Some(VerifyReceiptError::ProofOfWork { hash: header.hash(), target: TARGET })
})]
#[case::too_little_work(
    true,
    |header: &mut Header| header.target = CompactTarget::from_bits(0x2100_ffff),
    |_: &Header| {
        let (got, easiest) = (CompactTarget::from_bits(0x2100_ffff), TARGET.try_into().unwrap());
        Some(VerifyReceiptError::EasyTarget { got, easiest })
    }
)]
#[case::no_target(true, |header: &mut Header| header.target = CompactTarget::from_bits(0), |_: &Header| {
    Some(VerifyReceiptError::Target(CompactTargetError::Zero(CompactTarget::from_bits(0))))
})]
#[case::another_version(true, |header: &mut Header| header.version = 2, |_: &Header| {
    Some(VerifyReceiptError::Version { got: 2, expected: 1 })
})]
fn a_thief_of_the_key_has_to_do_the_work_of_the_block(
    #[case] is_mined: bool,
    #[case] change: fn(&mut Header),
    #[case] expected: fn(&Header) -> Option<VerifyReceiptError>,
) {
    let (log, transaction) = (Log::of(0), b"\x06forged");
    let header = header(transaction, is_mined, change);
    let receipt = from_a_stolen_key(&log, &header, transaction);
    let policy = log.policy();
    let verified = receipt.verify(&policy);
    match expected(&header) {
        None => assert_eq!(verified.unwrap().decode::<String>().unwrap(), "forged"),
        Some(expected) => assert_eq!(verified, Err(expected)),
    }
}

/// A Merkle root does not commit to the number of its leaves, so the same path fits other claims about the place of the
/// transaction. What is proven is the same.
#[test]
fn a_claimed_place_in_the_block_proves_nothing() {
    let log = Log::of(6);
    let honest = log.receipt(2, 2, 5);
    let mut forged = serde_json::to_value(&honest).unwrap();
    forged["transaction_proof"]["index"] = 1.into();
    forged["transaction_proof"]["tree_size"] = 2.into();
    let forged: Receipt = serde_json::from_value(forged).unwrap();
    assert_ne!(forged, honest);
    assert_eq!(forged.verify(&log.policy()), honest.verify(&log.policy()));
}

#[test]
fn an_entry_at_an_index_that_is_not_its_height() {
    let text = Log::of(6).receipt(2, 1, 5).to_string().replace("\nindex 2\n", "\nindex 3\n");
    let error = ParseReceiptError::Index { line: 3, got: 3, height: 2 };
    assert_eq!(text.parse::<Receipt>(), Err(error));
}
