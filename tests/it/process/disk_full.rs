//! A full disk, simulated by a file size limit: Linux only.

use serde_json::json;
use tokio::process::Command;

use super::program::{Program, Start, request};
use crate::kit::within;

#[tokio::test]
async fn a_node_without_room_goes_on_answering_and_recovers() {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: needs prlimit");
        return;
    }
    let node = Start::new("json").run().await;
    node.mine("kept").await;
    let mut start = node.terminate().await;
    let file = start.data().join("chain.redb");
    let room = std::fs::metadata(&file).unwrap().len();
    // A write beyond the limit also raises SIGXFSZ, which must not end the node.
    let limit = format!("--fsize={room}:");
    start.through = ["prlimit", &limit].map(str::to_owned).into();
    let node = start.run().await;
    let blocks = node.blocks().await;

    // Larger than the free pages of the file, so that the file would have to grow.
    let filler = "x".repeat(600_000);
    assert!(filler.len() as u64 > room, "the file has {room} bytes already");
    refuses_to_mine(&node, &filler).await;
    assert_eq!(node.blocks().await, blocks);
    let status = node.get("/status").await;
    assert_eq!((&status["halted"], &status["height"]), (&json!(true), &json!(1)), "{status}");
    assert!(status["store_error"].as_str().unwrap().starts_with("no room to write: "), "{status}");
    assert_eq!(std::fs::metadata(&file).unwrap().len(), room);
    // A node that is halted refuses even a block that would fit.
    refuses_to_mine(&node, "small").await;
    assert_eq!(request(node.start.http, "GET", "/blocks/1", "").await.unwrap(), (200, blocks[1].clone()));

    let id = node.id().to_string();
    let raised = within(Command::new("prlimit").args(["--pid", &id, "--fsize=unlimited:"]).status()).await;
    assert!(raised.unwrap().success());
    node.has("halted", &json!(false)).await;
    assert_eq!(node.get("/status").await["store_error"], json!(null));
    let block = node.mine(&filler).await;
    assert_eq!((&block["height"], &block["previous_hash"]), (&json!(2), &blocks[1]["hash"]));
    let start = node.kill().await;
    assert_eq!(start.succeeds(&["verify"]).await, "verified the blocks 0 to 2\n");
}

async fn refuses_to_mine(node: &Program, data: &str) {
    let (status, error) = node.post("/mine", &json!({ "data": data })).await;
    assert_eq!((status, &error["error"]["code"]), (503, &json!("store_failed")), "{error}");
}
