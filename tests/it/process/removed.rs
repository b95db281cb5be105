//! The data directory is deleted, moved or replaced under a running node, for example by a clean-up or a
//! mistaken `rm`.

use std::fs;

use rstest::rstest;
use serde_json::json;

use super::program::{Program, Start};

#[tokio::test]
async fn a_moved_directory_halts_the_node_until_it_is_back() {
    let node = Start::new("json").run().await;
    let kept = node.mine("kept").await;
    let (data, aside) = (node.start.data(), node.start.directory().join("aside"));
    fs::rename(&data, &aside).unwrap();
    // Refused at once, without waiting for the next check of an idle node.
    refuses_to_mine(&node).await;
    is_halted_at_1(&node).await;
    assert_eq!(node.get("/blocks/1").await, kept);

    fs::rename(&aside, &data).unwrap();
    node.has("halted", &json!(false)).await;
    assert_eq!(node.get("/status").await["store_error"], json!(null));
    node.mine("kept too").await;
    let start = node.terminate().await;
    assert_eq!(start.succeeds(&["verify"]).await, "verified the blocks 0 to 2\n");
    let log = fs::read_to_string(start.log()).unwrap();
    assert_eq!(log.matches("was deleted, moved or replaced").count(), 1, "{log}");
}

#[tokio::test]
async fn an_idle_node_notices_that_its_directory_was_deleted() {
    let node = Start::new("json").run().await;
    let kept = node.mine("lost").await;
    fs::remove_dir_all(node.start.data()).unwrap();
    node.has("halted", &json!(true)).await;
    is_halted_at_1(&node).await;
    refuses_to_mine(&node).await;
    assert_eq!(node.get("/blocks/1").await, kept);
    // A node whose directory was removed does not create it again.
    let start = node.terminate().await;
    assert!(!start.data().exists());
}

#[tokio::test]
async fn an_idle_node_notices_that_its_file_was_replaced() {
    let node = Start::new("json").run().await;
    node.mine("lost").await;
    let file = node.start.data().join("chain.redb");
    let copy = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    fs::write(&file, &copy).unwrap();
    node.has("halted", &json!(true)).await;
    is_halted_at_1(&node).await;
    refuses_to_mine(&node).await;
    let _start = node.terminate().await;
    assert!(fs::read(&file).unwrap() == copy, "something was written to a file that is not the node's");
}

async fn refuses_to_mine(node: &Program) {
    let (status, error) = node.post("/mine", &json!({ "data": "lost" })).await;
    assert_eq!((status, &error["error"]["code"]), (503, &json!("store_failed")), "{error}");
}

async fn is_halted_at_1(node: &Program) {
    let status = node.get("/status").await;
    assert_eq!((&status["halted"], &status["height"]), (&json!(true), &json!(1)), "{status}");
    let file = node.start.data().join("chain.redb").display().to_string();
    let says = format!("{file} was deleted, moved or replaced while it was open");
    assert!(status["store_error"].as_str().unwrap().starts_with(&says), "{status}");
}

/// `cp` writes into the file that exists, so the node's lock and the identity of the file say nothing.
#[rstest]
#[case::at_a_block(true)]
#[case::while_idle(false)]
#[tokio::test]
async fn a_copy_that_is_restored_over_the_file_is_left_as_it_is(#[case] mines: bool) {
    let node = Start::new("json").run().await;
    node.mine("in the copy").await;
    let (file, copy) = (node.start.data().join("chain.redb"), node.start.directory().join("copy"));
    fs::copy(&file, &copy).unwrap();
    node.mine("after the copy").await;
    fs::copy(&copy, &file).unwrap();
    if mines {
        refuses_to_mine(&node).await;
    }
    node.has("halted", &json!(true)).await;
    refuses_to_mine(&node).await;
    let status = node.get("/status").await;
    let says = format!("{} was changed by another program while it was open", file.display());
    assert!(status["store_error"].as_str().unwrap().starts_with(&says), "{status}");
    let start = node.terminate().await;
    assert!(fs::read(&file).unwrap() == fs::read(&copy).unwrap(), "the node has written into the copy");
    assert_eq!(start.succeeds(&["verify"]).await, "verified the blocks 0 to 1\n");
    let node = start.run().await;
    assert_eq!(node.mine("goes on from the copy").await["height"], 2);
}

#[tokio::test]
async fn a_file_that_is_truncated_while_it_is_open_halts_the_node() {
    let node = Start::new("json").run().await;
    let kept = node.mine("lost").await;
    let file = node.start.data().join("chain.redb");
    fs::File::options().write(true).open(&file).unwrap().set_len(0).unwrap();
    refuses_to_mine(&node).await;
    node.has("halted", &json!(true)).await;
    assert_eq!(node.get("/blocks/1").await, kept);
    let _start = node.terminate().await;
    assert_eq!(fs::metadata(&file).unwrap().len(), 0);
}
