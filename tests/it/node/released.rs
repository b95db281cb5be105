//! A node that has ended closes its store, even if handles to the node still exist.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hashloom::node::NodeFailure;
use hashloom::store::{Memory as MemoryStore, Redb};
use hashloom::transport::Memory;
use hashloom::{Node, NodeBuilder, NodeHandle, StoreError};
use rstest::rstest;
use tempfile::tempdir;

use crate::kit::{clock_that_panics, easy_spec, until, within};

fn builder(directory: &Path) -> NodeBuilder {
    Node::builder(easy_spec("released")).store(Redb::open(directory).unwrap())
}

/// Checks what a handle answers from memory, and what it cannot read any more.
fn assert_answers(node: &NodeHandle, height: u64) {
    assert_eq!((node.status().height, node.tip().height()), (height, height));
    assert_eq!(node.pending(10).len(), node.status().pending);
    assert_eq!(node.status().store_error, None);
    node.state();
    for at in 1..=height {
        assert_eq!(node.block_at(at), Err(StoreError::Closed), "the block at {at}");
    }
    assert_eq!(node.block(node.tip().hash()), Err(StoreError::Closed));
    assert_eq!(node.blocks(1..=1), if height == 0 { Ok(vec![]) } else { Err(StoreError::Closed) });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_free_at_once_after_a_shutdown_while_others_read() {
    let directory = tempdir().unwrap();
    let network = Memory::new();
    let mut handles: Vec<NodeHandle> = Vec::new();
    for height in 1..=8 {
        let builder = builder(directory.path()).transport(network.clone());
        let node = builder.listen("memory://released".parse().unwrap()).start().await.unwrap();
        assert_eq!(node.status().height, height - 1);
        within(node.mine(vec!["text".repeat(50_000)])).await.unwrap();
        within(node.submit(format!("pending {height}"))).await.unwrap();

        let follower = Node::<String>::builder(easy_spec("released")).transport(network.clone());
        let follower = follower.peers(["memory://released".parse().unwrap()]).start().await.unwrap();
        let asks = Arc::new(AtomicBool::new(true));
        let answers = Arc::new(AtomicUsize::new(0));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (node, asks, answers) = (node.clone(), Arc::clone(&asks), Arc::clone(&answers));
                std::thread::spawn(move || {
                    while asks.load(Ordering::Relaxed) {
                        match node.blocks(1..) {
                            Ok(blocks) => assert_eq!(blocks.len() as u64, height),
                            Err(error) => assert_eq!(error, StoreError::Closed),
                        }
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        // The follower receives the first blocks, and requests more.
        within(follower.wait_for(|chain| chain.height() > 0)).await.unwrap();
        until(|| answers.load(Ordering::Relaxed) > 0).await;
        within(node.shutdown()).await;
        drop(Redb::open(directory.path()).unwrap());
        asks.store(false, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
        assert_answers(&node, height);
        within(node.shutdown()).await;
        within(follower.shutdown()).await;
        handles.push(node);
    }
    assert_eq!(handles.last().unwrap().status().pending, 8);
}

#[tokio::test]
async fn a_store_is_free_after_the_last_handle_was_dropped() {
    let directory = tempdir().unwrap();
    for _ in 0..3 {
        let node = builder(directory.path()).start().await.unwrap();
        let mut events = node.subscribe();
        drop(node);
        while within(events.recv()).await.is_ok() {}
        drop(Redb::open(directory.path()).unwrap());
    }
}

#[tokio::test]
async fn a_store_is_free_after_a_failure() {
    let directory = tempdir().unwrap();
    let panics = Arc::new(AtomicBool::new(false));
    let node = builder(directory.path()).wall_clock(clock_that_panics(&panics)).start().await.unwrap();
    within(node.mine(vec!["a".to_owned()])).await.unwrap();
    panics.store(true, Ordering::Relaxed);
    within(node.mine(Vec::new())).await.unwrap_err();
    let failure = within(node.closed()).await.unwrap_err();
    assert!(matches!(failure, NodeFailure::Panicked { .. }), "{failure}");
    drop(Redb::open(directory.path()).unwrap());
    assert_eq!(node.block_at(1), Err(StoreError::Closed));
}

#[rstest]
#[case::one_thread(tokio::runtime::Builder::new_current_thread())]
#[case::threads(tokio::runtime::Builder::new_multi_thread())]
fn a_store_is_free_after_the_runtime_has_ended(#[case] mut runtime: tokio::runtime::Builder) {
    let directory = tempdir().unwrap();
    for height in 1..=3 {
        let runtime = runtime.enable_all().build().unwrap();
        let node = runtime.block_on(async {
            let node = builder(directory.path()).start().await.unwrap();
            within(node.mine(vec!["a".to_owned()])).await.unwrap();
            node
        });
        drop(runtime);
        drop(Redb::open(directory.path()).unwrap());
        assert_answers(&node, height);
    }
}

#[tokio::test]
async fn a_store_in_memory_answers_like_one_on_disk() {
    let node = Node::builder(easy_spec("released")).store(MemoryStore::new()).start().await.unwrap();
    within(node.mine(vec!["a".to_owned()])).await.unwrap();
    within(node.shutdown()).await;
    assert_answers(&node, 1);
}
