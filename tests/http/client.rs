//! The client of a node, against a server: one test for each group of routes, and what it makes of errors.

use core::time::Duration;
use std::collections::BTreeMap;

use hashloom::api::{HealthStatus, TransactionView};
use hashloom::client::{Client, ClientError, NodeClient, PageQuery, TokenError};
use hashloom::http::{HttpConfig, HttpServer, RoutesConfig, Token, serve_node};
use hashloom::primitives::transaction_id;
use hashloom::protocol::PeerId;
use hashloom::transport::Memory;
use hashloom::{
    Block, ChainConfig, Context, Hash, Header, Node, NodeHandle, PeerAddr, ProtocolConfig, Rejected,
    Transaction,
};
use rstest::rstest;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::kit::spec;

const SECRET: &str = "0123456789abcdef";

/// A name, which is counted in the state. It has a number of 128 bits, which a generic value of JSON has not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Name(String, u128);

fn name(text: &str) -> Name {
    Name(text.to_owned(), u128::MAX)
}

impl Transaction for Name {
    type State = BTreeMap<String, u64>;

    fn apply(&self, counts: &mut Self::State, _: &Context<'_>) -> Result<(), Rejected> {
        if self.0.is_empty() {
            return Err(Rejected::new("empty", "a name without letters"));
        }
        *counts.entry(self.0.clone()).or_default() += 1;
        Ok(())
    }
}

/// A node with its server, and its client with the token.
struct Site {
    node: NodeHandle<Name>,
    network: Memory<Name>,
    server: HttpServer,
    client: NodeClient<Name>,
}

impl Site {
    async fn new() -> Self {
        let network = Memory::new();
        let protocol =
            ProtocolConfig::default().with_chain(ChainConfig::default().with_index_transactions(true));
        let node = Node::builder(spec("client")).transport(network.clone()).protocol(protocol);
        let node = node.listen("memory://here".parse().unwrap()).start().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = RoutesConfig::default().with_state(true).with_token(Token::new(SECRET).unwrap());
        let server = serve_node(listener, node.clone(), routes, HttpConfig::default()).unwrap();
        let client = Client::new(&url).unwrap().with_token(SECRET).unwrap().node();
        Self { node, network, server, client }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.local_addr())
    }
}

/// The status and the code of a refusal.
fn refusal<A: core::fmt::Debug>(answer: Result<A, ClientError>) -> (u16, String) {
    match answer {
        Err(ClientError::Refused(error)) => {
            assert!(!error.message.is_empty());
            // Each code that a node has is known to the client.
            assert!(error.code().is_some(), "{error:?}");
            (error.status, error.code.unwrap())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_and_headers_are_read_and_checked() {
    let site = Site::new().await;
    for number in 1..=4 {
        let mined = site.client.mine(vec![name("ann"), name(&number.to_string())]).await.unwrap();
        assert_eq!(Block::try_from(mined).unwrap(), *site.node.tip().as_ref());
    }
    let block = site.node.block_at(2).unwrap().unwrap();
    for view in [site.client.block_at(2).await.unwrap(), site.client.block(block.hash()).await.unwrap()] {
        assert_eq!(Block::try_from(view).unwrap(), *block);
    }
    let latest = site.client.latest_block().await.unwrap();
    assert_eq!(Block::try_from(latest).unwrap(), *site.node.tip().as_ref());
    for view in [site.client.header_at(2).await.unwrap(), site.client.header(block.hash()).await.unwrap()] {
        assert_eq!(Header::try_from(view).unwrap(), *block.header());
    }
    assert_eq!(refusal(site.client.block_at(5).await), (404, "block_not_found".to_owned()));
    assert_eq!(refusal(site.client.header(&Hash::ZERO).await), (404, "block_not_found".to_owned()));

    let state = site.client.state::<BTreeMap<String, u64>>().await.unwrap();
    assert_eq!((state.height, state.block, state.state), (4, *site.node.tip().hash(), site.node.state()));
}

#[rstest]
#[case(PageQuery::default().limit(2), vec![vec![0, 1], vec![2, 3], vec![4]])]
#[case(PageQuery::default().from_height(3).limit(2), vec![vec![3, 4]])]
#[case(PageQuery::default().descending().limit(2), vec![vec![4, 3], vec![2, 1], vec![0]])]
#[case(PageQuery::default().from_height(1).descending(), vec![vec![1, 0]])]
#[case(PageQuery::default().from_height(9), vec![vec![]])]
#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_to_the_end_of_the_chain(#[case] query: PageQuery, #[case] expected: Vec<Vec<u64>>) {
    let site = Site::new().await;
    for _ in 0..4 {
        site.node.mine(Vec::new()).await.unwrap();
    }
    let (mut blocks, mut headers) = (Vec::new(), Vec::new());
    let mut next = Some(query);
    while let Some(query) = next {
        let page = site.client.blocks(query).await.unwrap();
        assert_eq!(page.total, Some(5));
        blocks.push(page.items.iter().map(|block| block.header.height).collect::<Vec<_>>());
        let page_of_headers = site.client.headers(query).await.unwrap();
        assert_eq!(page_of_headers.next, page.next);
        headers.push(page_of_headers.items.iter().map(|header| header.height).collect::<Vec<_>>());
        next = page.next;
    }
    assert_eq!((&headers, blocks.as_slice()), (&blocks, expected.as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_followed() {
    let site = Site::new().await;
    let id = site.client.submit(&name("ann")).await.unwrap();
    assert_eq!(id, transaction_id(&name("ann")).unwrap());
    let pending = site.client.transactions(10).await.unwrap();
    assert_eq!(
        pending.iter().map(|pending| (pending.id, &pending.data)).collect::<Vec<_>>(),
        [(id, &name("ann"))]
    );
    let expected = TransactionView::Pending { id, data: name("ann") };
    assert_eq!(site.client.transaction(&id).await.unwrap(), expected);

    site.client.remove_transaction(&id).await.unwrap();
    let dropped = site.client.transaction(&id).await.unwrap();
    assert!(matches!(dropped, TransactionView::Dropped { id: got, .. } if got == id), "{dropped:?}");
    assert_eq!(refusal(site.client.remove_transaction(&id).await), (404, "transaction_not_found".to_owned()));

    site.client.submit(&name("ann")).await.unwrap();
    let block = site.client.mine_pending().await.unwrap();
    match site.client.transaction(&id).await.unwrap() {
        TransactionView::Mined { block: hash, height, index, depth, data, .. } => {
            assert_eq!((hash, height, index, depth), (block.header.hash, 1, 0, 1));
            assert_eq!(data, Some(name("ann")));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(refusal(site.client.submit(&name("ann")).await), (409, "already_mined".to_owned()));
    assert_eq!(refusal(site.client.submit(&name("")).await), (422, "transaction_rejected".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_and_bans_are_managed() {
    let site = Site::new().await;
    let address: PeerAddr = "memory://there".parse().unwrap();
    let there = Node::<Name>::builder(spec("client")).transport(site.network.clone()).listen(address.clone());
    let there = there.start().await.unwrap();
    assert_eq!(site.client.connect(&address).await.unwrap(), address);
    assert_eq!(refusal(site.client.connect(&address).await), (409, "already_connected".to_owned()));
    site.node.wait_for_peers(1).await.unwrap();
    let peers = site.client.peers().await.unwrap();
    assert_eq!(peers, site.node.peers());
    assert_eq!(site.client.addresses().await.unwrap(), site.node.addresses());
    site.client.remove_peer(peers[0].id).await.unwrap();
    assert_eq!(refusal(site.client.remove_peer(PeerId(99)).await), (404, "peer_not_found".to_owned()));
    assert_eq!(refusal(site.client.forget_address(&address).await), (404, "address_not_found".to_owned()));

    let host = "2001:db8:1:2::/64".parse().unwrap();
    let ban = site.client.ban(&host, Duration::from_secs(60)).await.unwrap();
    assert_eq!((&ban.host, ban.remaining), (&host, Duration::from_secs(60)));
    let bans = site.client.bans().await.unwrap();
    assert_eq!(bans.iter().map(|ban| &ban.host).collect::<Vec<_>>(), [&host]);
    site.client.unban(&host).await.unwrap();
    assert_eq!(refusal(site.client.unban(&host).await), (404, "ban_not_found".to_owned()));
    there.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_is_asked_how_it_is() {
    let site = Site::new().await;
    assert_eq!(site.client.status().await.unwrap(), site.node.status());
    assert_eq!(site.client.health().await.unwrap().status, HealthStatus::Ok);
    assert_eq!(site.client.branches(10).await.unwrap(), []);
    site.node.shutdown().await;
    assert_eq!(refusal(site.client.health().await), (503, "shutting_down".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_is_changed() {
    let site = Site::new().await;
    let stranger = Client::new(&site.url()).unwrap().node::<Name>();
    assert_eq!(refusal(stranger.mine(vec![name("ann")]).await), (401, "unauthorized".to_owned()));
    let other = Client::new(&site.url()).unwrap().with_token("fedcba9876543210").unwrap();
    assert_eq!(refusal(other.node::<Name>().mine_pending().await), (401, "unauthorized".to_owned()));
    assert_eq!(stranger.status().await.unwrap().height, 0);
    assert!(!format!("{:?}", site.client).contains(SECRET));
    assert!(matches!(Client::new(&site.url()).unwrap().with_token("a b\n"), Err(TokenError { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_bounded_and_has_to_be_what_was_asked_for() {
    let site = Site::new().await;
    let short = Client::new(&site.url()).unwrap().with_max_body_bytes(10).node::<Name>();
    assert!(matches!(short.status().await, Err(ClientError::TooLarge { limit: 10 })));
    site.node.mine(vec![name("ann")]).await.unwrap();
    let other = Client::new(&site.url()).unwrap().node::<u8>();
    assert!(matches!(other.block_at(1).await, Err(ClientError::Unexpected { .. })));
}
