//! Messages that no honest peer sends: each is the named reason for closing the connection, and the node
//! continues to serve.

use super::bench::{Bench, closed, hashes, headers, kinds, sent_to};
use super::*;
use crate::{BlockError, RuleError};
use rstest::rstest;

/// The messages of an attacker, and the expected reason for closing its connection, if any.
type Attack = (Vec<Message<Note>>, Option<CloseReason>);

/// Asserts that a node works: it imports a block, and serves it to a new peer and to existing ones.
#[track_caller]
fn assert_serves(bench: &mut Bench, witness: PeerId) {
    let template = bench.node.template(Some(vec![note("after")]), Address::ZERO, bench.now.wall).unwrap();
    let block = Arc::new(template.mine().unwrap());
    assert!(bench.node.mined(&block, bench.now).unwrap());
    assert_eq!(bench.node.chain().tip(), &block);
    let outputs = bench.outputs();
    assert_eq!(sent_to(&outputs, witness), [&Message::NewBlock(Arc::clone(&block))]);
    let newcomer = bench.join();
    let locator = vec![*bench.node.chain().genesis().hash()];
    let outputs = bench.receive(newcomer, Message::GetHeaders { locator, limit: u32::MAX });
    let [Message::Headers(got)] = sent_to(&outputs, newcomer)[..] else { panic!("{outputs:?}") };
    let blocks = bench.node.chain().blocks(1..);
    assert!(got.iter().copied().eq(blocks.map(|block| *block.unwrap().header())));
    let outputs = bench.receive(newcomer, Message::GetBlocks { hashes: vec![*block.hash()] });
    assert_eq!(sent_to(&outputs, newcomer), [&Message::Blocks(vec![block])]);
    let ids: Vec<_> = bench.node.peers().into_iter().map(|peer| peer.id).collect();
    assert!(ids.contains(&witness) && ids.contains(&newcomer));
}

#[rstest]
#[case::anything_first(|_: &Bench| (vec![Message::Ping(1)], CloseReason::ExpectedHello { got: "ping" }))]
#[case::a_block_first(|bench: &Bench| {
    let block = Message::NewBlock(bench.following(&["x"]).remove(0));
    (vec![block], CloseReason::ExpectedHello { got: "new_block" })
})]
#[case::hello_twice(|bench: &Bench| {
    let hello = Message::Hello(bench.hello());
    (vec![hello.clone(), hello], CloseReason::SecondHello)
})]
#[case::long_agent(|bench: &Bench| {
    let hello = Hello { agent: "é".repeat(33), ..bench.hello() };
    (vec![Message::Hello(hello)], CloseReason::TextTooLong { field: "agent", got: 66, limit: 64 })
})]
#[case::another_protocol(|bench: &Bench| {
    let hello = Hello { protocol: 2, genesis: Hash::ZERO, ..bench.hello() };
    (vec![Message::Hello(hello)], CloseReason::WrongProtocol { got: 2, expected: 1 })
})]
#[case::another_chain(|bench: &Bench| {
    let expected = *bench.node.chain().genesis().hash();
    let hello = Hello { genesis: Hash::ZERO, ..bench.hello() };
    (vec![Message::Hello(hello)], CloseReason::WrongGenesis { got: Hash::ZERO, expected })
})]
#[case::our_own_nonce(|bench: &Bench| {
    let ours = bench.node.connections.nonce();
    (vec![Message::Hello(Hello { nonce: ours, ..bench.hello() })], CloseReason::SelfConnection)
})]
#[case::an_endless_goodbye(|_: &Bench| {
    let bye = Message::Bye { reason: "é".repeat(1_000) };
    (vec![bye], CloseReason::Bye { reason: "é".repeat(128) })
})]
fn a_bad_introduction(#[case] attack: fn(&Bench) -> (Vec<Message<Note>>, CloseReason)) {
    let mut bench = Bench::new();
    let witness = bench.join();
    let attacker = bench.accept();
    let (messages, reason) = attack(&bench);
    let outputs: Vec<_> = messages.into_iter().flat_map(|message| bench.receive(attacker, message)).collect();
    assert_eq!(format!("{:?}", closed(&outputs, attacker)), format!("{:?}", Some(&reason)));
    let told = sent_to(&outputs, attacker).last().copied().cloned();
    if !matches!(reason, CloseReason::Bye { .. }) {
        assert_eq!(told, Some(Message::Bye { reason: reason.to_string() }));
    }
    assert_serves(&mut bench, witness);
}

/// The attacker has completed the handshake and was sent a `GetHeaders`.
#[rstest]
#[case::unsolicited_headers(|_: &mut Bench| {
    let empty = Message::Headers(Vec::new());
    (vec![empty.clone(), empty], Some(CloseReason::Unsolicited { kind: "headers" }))
})]
#[case::unsolicited_blocks(|bench: &mut Bench| {
    (vec![Message::Blocks(bench.following(&["x"]))], Some(CloseReason::Unsolicited { kind: "blocks" }))
})]
#[case::unsolicited_transactions(|_: &mut Bench| {
    (vec![Message::Transactions(vec![note("x")])], Some(CloseReason::Unsolicited { kind: "transactions" }))
})]
#[case::a_transaction_that_was_not_asked_for(|_: &mut Bench| {
    let ids = vec![crate::primitives::transaction_id(&note("asked")).unwrap()];
    let messages = vec![Message::Offer { ids }, Message::Transactions(vec![note("other")])];
    (messages, Some(CloseReason::Unsolicited { kind: "transactions" }))
})]
#[case::unsolicited_not_found(|_: &mut Bench| {
    let message = Message::NotFound { hashes: vec![Hash::ZERO] };
    (vec![message], Some(CloseReason::Unsolicited { kind: "not_found" }))
})]
#[case::a_pong_to_nothing(|_: &mut Bench| (vec![Message::Pong(7)], None))]
#[case::headers_with_a_gap(|bench: &mut Bench| {
    let blocks = bench.following(&["a", "b", "c"]);
    (vec![headers(&[Arc::clone(&blocks[0]), Arc::clone(&blocks[2])])], Some(CloseReason::BrokenHeaders { height: 6 }))
})]
#[case::headers_of_unknown_parents(|bench: &mut Bench| {
    let parent = *bench.following(&["a"])[0].hash();
    (vec![headers(&bench.following(&["a", "b"])[1..])], Some(CloseReason::UnconnectedHeaders { parent }))
})]
#[case::an_announcement_of_an_unknown_parent(|bench: &mut Bench| {
    (vec![Message::Announce(*bench.following(&["a", "b"])[1].header())], None)
})]
#[case::no_work(|bench: &mut Bench| {
    let mut header = *bench.following(&["a"])[0].header();
    while crate::primitives::Target::try_from(header.target).unwrap().is_met_by(&header.hash()) {
        header.nonce += 1;
    }
    let error = BlockError::Rule(RuleError::ProofOfWork { hash: header.hash(), target: header.target });
    refused(header, error)
})]
#[case::an_easier_target(|bench: &mut Bench| {
    let easier = CompactTarget::from_bits(0x2100_ffff);
    let header = sealed(Header { target: easier, ..*bench.following(&["a"])[0].header() });
    refused(header, BlockError::Rule(RuleError::Target { got: easier, expected: CompactTarget::from_bits(0x207f_ffff) }))
})]
#[case::a_wrong_height(|bench: &mut Bench| {
    let header = sealed(Header { height: 5, ..*bench.following(&["a"])[0].header() });
    refused(header, BlockError::Rule(RuleError::Height { got: 5, expected: 4 }))
})]
#[case::the_height_of_a_million_blocks(|bench: &mut Bench| {
    let header = sealed(Header { height: 1_000_000, ..*bench.following(&["a"])[0].header() });
    refused(header, BlockError::Rule(RuleError::Height { got: 1_000_000, expected: 4 }))
})]
#[case::a_nonce_too_large(|bench: &mut Bench| {
    let header = Header { nonce: u64::MAX, ..*bench.following(&["a"])[0].header() };
    refused(header, BlockError::Rule(RuleError::Nonce { got: u64::MAX, limit: Header::NONCE_LIMIT }))
})]
#[case::another_history(|bench: &mut Bench| {
    let next = *bench.following(&["a"])[0].header();
    let header = sealed(Header { history_root: Hash::ZERO, ..next });
    refused(header, BlockError::Rule(RuleError::HistoryRoot { got: Hash::ZERO, expected: next.history_root }))
})]
#[case::a_time_long_ago(|bench: &mut Bench| {
    let median = bench.blocks[1].header().timestamp;
    let header = sealed(Header { timestamp: median, ..*bench.following(&["a"])[0].header() });
    refused(header, BlockError::Rule(RuleError::TimestampTooEarly { got: median, median }))
})]
#[case::a_time_far_ahead(|bench: &mut Bench| {
    let header = Header { timestamp: Timestamp::from_millis(u64::MAX), ..*bench.following(&["a"])[0].header() };
    (vec![Message::Headers(vec![sealed(header)])], None)
})]
#[case::a_body_of_another_block(|bench: &mut Bench| {
    let good = bench.following(&["good"]).remove(0);
    let swapped = Block::new(*good.header(), vec![note("bad")]);
    let error = BlockError::Rule(RuleError::MerkleRoot {
        got: swapped.digest().unwrap().merkle_root(),
        expected: good.header().merkle_root,
    });
    let reason = CloseReason::InvalidBlock { hash: *good.hash(), error };
    (vec![headers(&[good]), Message::Blocks(vec![Arc::new(swapped)])], Some(reason))
})]
#[case::a_transaction_that_the_application_refuses(|bench: &mut Bench| {
    let block = refused_block(bench);
    let reason = Rejected::new("refused", "as it says");
    let reason = CloseReason::InvalidBlock {
        hash: *block.hash(),
        error: BlockError::Rule(RuleError::Transaction { index: 0, reason }),
    };
    (vec![headers(core::slice::from_ref(&block)), Message::Blocks(vec![block])], Some(reason))
})]
#[case::the_same_bad_block_again(|bench: &mut Bench| {
    let block = refused_block(bench);
    let _ = bench.node.mined(&block, bench.now).unwrap_err();
    let hash = *block.hash();
    let reason = CloseReason::InvalidBlock { hash, error: BlockError::KnownInvalid { hash } };
    (vec![Message::NewBlock(block)], Some(reason))
})]
#[case::a_pushed_orphan(|bench: &mut Bench| (vec![Message::NewBlock(bench.following(&["a", "b"]).remove(1))], None))]
#[case::a_pushed_orphan_that_cost_nothing(|bench: &mut Bench| {
    let easier = CompactTarget::from_bits(0x2100_ffff);
    let block = bench.following(&["a", "b"]).remove(1);
    let header = sealed(Header { target: easier, ..*block.header() });
    let error = BlockError::Rule(RuleError::Target { got: easier, expected: CompactTarget::from_bits(0x207f_ffff) });
    let reason = CloseReason::InvalidBlock { hash: header.hash(), error };
    (vec![Message::NewBlock(Arc::new(Block::new(header, block.data().to_vec())))], Some(reason))
})]
#[case::headers_beyond_the_limit(|bench: &mut Bench| {
    let header = *bench.blocks[0].header();
    too_many(Message::Headers(vec![header; 2_001]), 2_001, 2_000)
})]
#[case::a_locator_beyond_the_limit(|_: &mut Bench| {
    too_many(Message::GetHeaders { locator: vec![Hash::ZERO; 102], limit: 1 }, 102, 101)
})]
#[case::blocks_beyond_the_limit(|bench: &mut Bench| {
    too_many(Message::Blocks(vec![Arc::clone(&bench.blocks[0]); 65]), 65, 64)
})]
#[case::wishes_beyond_the_limit(|_: &mut Bench| too_many(Message::GetBlocks { hashes: vec![Hash::ZERO; 65] }, 65, 64))]
#[case::excuses_beyond_the_limit(|_: &mut Bench| too_many(Message::NotFound { hashes: vec![Hash::ZERO; 65] }, 65, 64))]
#[case::offers_beyond_the_limit(|_: &mut Bench| too_many(Message::Offer { ids: vec![Hash::ZERO; 1_001] }, 1_001, 1_000))]
#[case::ids_beyond_the_limit(|_: &mut Bench| {
    too_many(Message::GetTransactions { ids: vec![Hash::ZERO; 1_001] }, 1_001, 1_000)
})]
#[case::transactions_beyond_the_limit(|_: &mut Bench| {
    too_many(Message::Transactions(vec![note("x"); 1_001]), 1_001, 1_000)
})]
fn an_attack(#[case] attack: fn(&mut Bench) -> Attack) {
    let mut bench = Bench::new();
    let witness = bench.join();
    let (messages, reason) = attack(&mut bench);
    bench.outputs();
    let attacker = bench.join_ahead();
    let outputs: Vec<_> = messages.into_iter().flat_map(|message| bench.receive(attacker, message)).collect();
    assert_eq!(format!("{:?}", closed(&outputs, attacker)), format!("{:?}", reason.as_ref()));
    assert_serves(&mut bench, witness);
}

fn refused(header: Header, error: BlockError) -> Attack {
    let reason = CloseReason::InvalidBlock { hash: header.hash(), error };
    (vec![Message::Headers(vec![header])], Some(reason))
}

fn too_many(message: Message<Note>, got: usize, limit: usize) -> Attack {
    let kind = message.kind();
    (vec![message], Some(CloseReason::TooManyItems { kind, got, limit }))
}

/// A block whose only transaction the application refuses, and which breaks no other rule.
fn refused_block(bench: &Bench) -> Arc<Block<Note>> {
    let data = vec![note("refused")];
    let merkle_root = crate::primitives::BodyDigest::of(&data).unwrap().merkle_root();
    let header = sealed(Header { merkle_root, ..*bench.following(&["x"])[0].header() });
    Arc::new(Block::new(header, data))
}

#[test]
fn whole_blocks_that_nobody_wants() {
    let mut bench = Bench::with_config(ProtocolConfig::default().with_wants_new_blocks(false));
    let [witness, attacker] = [bench.join(), bench.join()];
    let block = bench.following(&["x"]).remove(0);
    let outputs = bench.receive(attacker, Message::NewBlock(block));
    let reason = closed(&outputs, attacker).map(ToString::to_string);
    assert_eq!(reason.as_deref(), Some("unsolicited new_block"));
    assert_serves(&mut bench, witness);
}

#[test]
fn bytes_that_are_no_message() {
    let mut bench = Bench::new();
    let [witness, attacker] = [bench.join(), bench.join()];
    let error = Arc::new(PeerAddrError::Empty);
    let outputs = bench.handle(Input::Malformed { peer: attacker, error });
    let reason = closed(&outputs, attacker).map(ToString::to_string);
    assert_eq!(reason.as_deref(), Some("malformed message: a peer's address is empty"));
    assert_serves(&mut bench, witness);
}

#[test]
fn endless_wishes_get_bounded_answers() {
    let mut bench = Bench::new();
    let [witness, attacker] = [bench.join(), bench.join()];
    let hash = *bench.blocks[2].hash();
    for _ in 0..100 {
        let outputs = bench.receive(attacker, Message::GetHeaders { locator: Vec::new(), limit: u32::MAX });
        assert_eq!(sent_to(&outputs, attacker), [&headers(&bench.blocks)]);
        let wishes = Message::GetBlocks { hashes: vec![hash; limits::MAX_BLOCKS] };
        assert!(bench.receive(attacker, wishes).len() <= limits::MAX_BLOCKS);
        let wishes = Message::GetBlocks { hashes: vec![Hash::ZERO; limits::MAX_BLOCKS] };
        assert_eq!(kinds(&bench.receive(attacker, wishes), attacker), ["not_found"]);
        let wishes = Message::GetTransactions { ids: vec![Hash::ZERO; limits::MAX_TRANSACTIONS] };
        let outputs = bench.receive(attacker, wishes);
        assert_eq!(sent_to(&outputs, attacker), [&Message::Transactions(Vec::new())]);
    }
    assert_serves(&mut bench, witness);
}

#[test]
fn endless_offers_are_asked_for_up_to_the_bound() {
    let mut bench = Bench::new();
    let [witness, attacker] = [bench.join(), bench.join()];
    for number in 0..100_u64 {
        let id = |index: u64| Hash::digest(&(number * 1_000 + index).to_be_bytes());
        bench.receive(attacker, Message::Offer { ids: (0..1_000).map(id).collect() });
    }
    let (offered, requested) = bench.node.relay.ids_of(attacker);
    assert_eq!(offered.len(), limits::MAX_OFFERED);
    assert_eq!(requested.map(<[_]>::len), Some(limits::MAX_TRANSACTIONS));
    assert_serves(&mut bench, witness);
}

#[test]
fn orphans_are_kept_up_to_the_bound_and_asked_about_one_by_one() {
    let mut bench = Bench::new();
    let [witness, attacker] = [bench.join(), bench.join()];
    let blocks = chain_of(200, "elsewhere");
    let outputs: Vec<_> = blocks[1..]
        .iter()
        .flat_map(|block| bench.receive(attacker, Message::NewBlock(Arc::clone(block))))
        .collect();
    assert_eq!(kinds(&outputs, attacker), ["get_headers"]);
    assert_eq!(bench.node.chain().orphan_count(), 64);
    // The claim is confirmed.
    let mut outputs = bench.receive(attacker, headers(&blocks));
    for _ in 0..8 {
        let wanted: Vec<_> = sent_to(&outputs, attacker)
            .into_iter()
            .filter_map(|message| match message {
                Message::GetBlocks { hashes } => Some(hashes.clone()),
                Message::GetHeaders { .. } | Message::Offer { .. } => None,
                other => panic!("{other:?}"),
            })
            .flatten()
            .collect();
        if wanted.is_empty() {
            break;
        }
        let known = hashes(&blocks);
        let answer: Vec<_> = wanted
            .iter()
            .map(|hash| Arc::clone(&blocks[known.iter().position(|h| h == hash).unwrap()]))
            .collect();
        let messages = answer.chunks(limits::MAX_BLOCKS).map(|blocks| Message::Blocks(blocks.to_vec()));
        outputs = messages.flat_map(|message| bench.receive(attacker, message)).collect();
    }
    assert_eq!(bench.node.chain().tip(), &blocks[199]);
    assert_serves(&mut bench, witness);
}
