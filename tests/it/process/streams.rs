//! Standard output and standard error that cannot be written: a full disk, a reader that is gone, and one
//! that has stopped reading. None of them may change the behaviour of the program.

use std::path::Path;
use std::process::Stdio;

use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::program::{Program, Start};
use crate::kit::within;

/// Starts the node with its output streams redirected by a shell. `exec` keeps the process id.
fn with_streams(mut start: Start, redirection: &str) -> Start {
    start.through = ["sh", "-c", &format!(r#"exec "$0" "$@" {redirection}"#)].map(str::to_owned).into();
    start
}

async fn make_pipe(path: &Path) {
    assert!(within(Command::new("mkfifo").arg(path).status()).await.unwrap().success());
}

#[rstest]
#[case::full("2>/dev/full >/dev/full")]
#[case::closed("2>&- >&-")]
#[case::without_a_reader("2>gone >gone")]
#[tokio::test]
async fn a_log_that_cannot_be_written_changes_nothing(#[case] redirection: &str) {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: needs /dev/full");
        return;
    }
    let start = with_streams(Start::new("json"), redirection).with("RUST_LOG", "trace");
    let node = if redirection.contains("gone") { without_reader(start).await } else { start.run().await };
    node.mine("one").await;
    node.mine("two").await;
    let peer = Start::new("json").peers(&[&node.start]).run().await;
    peer.has("height", &json!(2)).await;
    node.terminate().await;
}

/// The standard error of the node is a pipe, as in `node 2>&1 | head -1`, whose reader ends once the node is
/// running.
async fn without_reader(start: Start) -> Program {
    let pipe = start.directory().join("gone");
    make_pipe(&pipe).await;
    let reader = Command::new("head").arg("-1").arg(&pipe).stdout(Stdio::null()).kill_on_drop(true).spawn();
    let node = start.run().await;
    assert!(within(reader.unwrap().wait()).await.unwrap().success());
    node
}

#[tokio::test]
async fn a_log_that_nothing_reads_keeps_nothing_waiting() {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: needs to open a named pipe for reading and writing");
        return;
    }
    // Opened for reading, too, so that the pipe stays open and fills up.
    let start = with_streams(Start::new("json"), "2<>stuck").with("RUST_LOG", "trace");
    let pipe = start.directory().join("stuck");
    make_pipe(&pipe).await;
    let node = start.run().await;
    // Each block is logged, together with the traces of store and sockets. The pipe holds 64 KiB.
    for height in 1..=150 {
        let block = node.mine("x").await;
        assert_eq!(block["height"], height);
    }
    node.terminate().await;
}

#[rstest]
#[case::full("2>/dev/full >/dev/full")]
#[case::closed("2>&- >&-")]
#[tokio::test]
async fn a_command_whose_words_are_lost_still_does_its_work(#[case] redirection: &str) {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: needs /dev/full");
        return;
    }
    let node = Start::new("json").run().await;
    for number in 1..=3 {
        node.mine(&number.to_string()).await;
    }
    let exported = node.start.directory().join("blocks.archive");
    let start = with_streams(node.terminate().await, redirection);
    let code = async |start: &Start, arguments: &[&str]| start.finish(arguments).await.exit_code;
    assert_eq!(code(&start, &["verify"]).await, Some(0));
    assert_eq!(code(&start, &["export", "blocks.archive"]).await, Some(0));
    assert_eq!(code(&start, &["export", "blocks.archive"]).await, Some(1), "it exists already");
    assert_eq!(code(&start, &["repair"]).await, Some(0));
    assert_eq!(code(&start, &["--help"]).await, Some(0));
    assert_eq!(code(&start, &["--version"]).await, Some(0));
    assert_eq!(code(&start, &["--no-such-option"]).await, Some(2));

    let copy = with_streams(Start::new("json"), redirection);
    let exported = exported.display().to_string();
    assert_eq!(code(&copy, &["import", &exported]).await, Some(0));
    let copy = with_streams(copy, "");
    assert_eq!(copy.succeeds(&["verify"]).await, "verified the blocks 0 to 3\n");
}

#[tokio::test]
async fn strangers_write_few_lines() {
    let node = Start::new("json").run().await;
    for _ in 0..100 {
        let mut stranger = TcpStream::connect(("127.0.0.1", node.start.p2p)).await.unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        // The answer ends with the connection, and with it what is logged about it.
        let mut answer = Vec::new();
        stranger.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    }
    let start = node.terminate().await;
    let log = std::fs::read_to_string(start.log()).unwrap();
    // Five in a minute, and the minute may end meanwhile.
    assert!((1..=10).contains(&log.matches("refused a connection").count()), "{log}");
}
