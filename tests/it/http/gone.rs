//! Clients that disconnect before they have an answer.

use hashloom::NodeHandle;
use tokio::task::JoinSet;

use super::*;
use crate::kit::{hopeless_spec, until};

/// A node on which no search ends, and a server with `max_mining` slots for requests that mine.
async fn serve_hopeless(max_mining: usize) -> (NodeHandle, HttpServer) {
    let node = Node::<String>::builder(hopeless_spec()).start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = RoutesConfig::default().with_max_mining(max_mining).with_mine_timeout(PATIENCE * 2);
    let server = serve_node(listener, node.clone(), config, HttpConfig::default()).unwrap();
    (node, server)
}

async fn ask_to_mine(server: &HttpServer) -> Client {
    let mut client = Client::connect(server).await;
    client.send("POST /mine HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").await;
    client
}

#[rstest]
#[case::at_work(1)]
#[case::at_work_and_in_line(8)]
#[tokio::test]
async fn the_search_ends_and_its_place_is_free(#[case] places: usize) {
    let (node, server) = serve_hopeless(places).await;
    let mut clients = JoinSet::new();
    for _ in 0..=places {
        let mut client = ask_to_mine(&server).await;
        clients.spawn(async move { client.answer().await });
    }
    // The request without a slot was answered; the others wait.
    let (_, body) = within(clients.join_next()).await.unwrap().unwrap();
    assert_eq!(code(&body), "busy");
    until(|| node.status().mining.is_some()).await;

    clients.shutdown().await;
    until(|| node.status().mining.is_none()).await;
    let attempts = async {
        loop {
            let mut client = ask_to_mine(&server).await;
            tokio::select! {
                // The slot is released shortly after the search has ended.
                (_, body) = client.answer() => assert_eq!(code(&body), "busy"),
                () = until(|| node.status().mining.is_some()) => return,
            }
        }
    };
    within(attempts).await;
}
