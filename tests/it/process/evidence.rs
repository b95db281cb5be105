//! Evidence on the command line: a key, a node that signs, a receipt, and its check without a node.

#[cfg(all(feature = "evidence", feature = "redb"))]
use hashloom::primitives::transaction_id;
use rstest::rstest;
#[cfg(all(feature = "evidence", feature = "redb"))]
use serde_json::json;
#[cfg(all(feature = "evidence", feature = "redb"))]
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::program::Start;

/// Fetches the signed checkpoint, which is no JSON.
#[cfg(all(feature = "evidence", feature = "redb"))]
async fn checkpoint(port: u16) -> String {
    let mut tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = super::program::write_request(port, "GET", "/log/checkpoint", "");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body.to_owned()
}

#[cfg(all(feature = "evidence", feature = "redb"))]
#[tokio::test]
async fn a_receipt_is_checked_without_the_node() {
    let start = Start::new("json").with("LOG_KEY", "log.key").with("LOG_DEPTH", "2");
    let key = start.succeeds(&["keygen", "log.key", "--name", "example.org/log"]).await;
    assert!(key.starts_with("example.org/log+"), "{key}");
    let error = start.fails(&["keygen", "log.key"]).await;
    assert!(error.contains("cannot write log.key"), "{error}");

    let node = start.run().await;
    for height in 1..=4 {
        node.mine(&format!("record {height}")).await;
    }
    let signed = checkpoint(node.start.http).await;
    assert!(signed.starts_with("example.org/log\n3\n"), "{signed}");
    let status = node.get("/status").await;
    assert_eq!(status["signing"], json!({ "origin": "example.org/log", "size": 3, "stopped": null }));
    let start = node.terminate().await;

    let id = |data: &str| transaction_id(&data.to_owned()).unwrap().to_string();
    let receipt = start.succeeds(&["receipt", &id("record 2")]).await;
    std::fs::write(start.directory().join("receipt"), &receipt).unwrap();
    let key = key.trim();
    let proven = start.succeeds(&["check", "receipt", "--key", key]).await;
    for part in
        ["the transaction is in the log\n", "\"record 2\"", "at height 2", "example.org/log, 3 blocks", key]
    {
        assert!(proven.contains(part), "{part} in {proven}");
    }
    for (transaction, reason) in [
        ("record 4", "block 4 is not in the tree of a checkpoint of size 3"),
        ("another", "is not in the chain"),
    ] {
        let error = start.fails(&["receipt", &id(transaction)]).await;
        assert!(error.contains(reason), "{error}");
    }
    let published =
        "published a checkpoint of 3 blocks, 2 tiles, and 2 receipts of the blocks 1 to 2 in site\n";
    for _ in ["anew", "again"] {
        assert_eq!(start.succeeds(&["publish", "site"]).await, published);
    }
    let file = |name: &str| std::fs::read(start.directory().join("site").join(name)).unwrap();
    assert_eq!(file("checkpoint"), signed.as_bytes());
    assert_eq!(file(&format!("receipts/{}.tlog-proof", id("record 2"))), receipt.as_bytes());
    assert_eq!((file("tile/0/000.p/3").len(), file("tile/entries/000.p/3").len()), (3 * 32, 3 * 34));

    std::fs::write(start.directory().join("receipt"), receipt.replace("index 2", "index 1")).unwrap();
    let error = start.fails(&["check", "receipt", "--key", key]).await;
    assert!(error.contains("receipt: line 3: the entry 1, expected the height 2 of the block"), "{error}");
    let other = start.succeeds(&["keygen", "other.key"]).await;
    std::fs::write(start.directory().join("receipt"), receipt).unwrap();
    let error = start.fails(&["check", "receipt", "--key", other.trim()]).await;
    assert!(error.contains("receipt: no signature is from a known key"), "{error}");
}

/// What a receipt is redirected into may be full.
#[cfg(all(target_os = "linux", feature = "evidence", feature = "redb"))]
#[tokio::test]
async fn a_receipt_that_cannot_be_written_is_an_error() {
    let start = Start::new("json").with("LOG_KEY", "log.key").with("LOG_DEPTH", "1");
    start.succeeds(&["keygen", "log.key"]).await;
    let node = start.run().await;
    for record in ["record", "above"] {
        node.mine(record).await;
    }
    checkpoint(node.start.http).await;
    let mut start = node.terminate().await;
    let id = transaction_id(&"record".to_owned()).unwrap().to_string();
    start.succeeds(&["receipt", &id]).await;
    start.through = ["sh", "-c", r#"exec "$0" "$@" >/dev/full"#].map(str::to_owned).into();
    let error = start.fails(&["receipt", &id]).await;
    assert!(error.contains("cannot write to standard output: No space left on device"), "{error}");
}

/// On a full disk, which a limit on the size of files stands for.
#[cfg(all(target_os = "linux", feature = "evidence"))]
#[tokio::test]
async fn half_a_key_is_not_left_behind() {
    let mut start = Start::new("json");
    start.through = ["sh", "-c", r#"ulimit -f 0; exec "$0" "$@""#].map(str::to_owned).into();
    let error = start.fails(&["keygen", "log.key"]).await;
    assert!(error.contains("cannot write log.key: File too large"), "{error}");
    start.through.clear();
    start.succeeds(&["keygen", "log.key"]).await;
}

/// A site may be assembled from links, and its owner's umask says who reads it.
#[cfg(all(unix, feature = "evidence", feature = "redb"))]
#[tokio::test]
async fn published_files_follow_links_and_the_umask() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let start = Start::new("json").with("LOG_KEY", "log.key").with("LOG_DEPTH", "1");
    start.succeeds(&["keygen", "log.key"]).await;
    let node = start.run().await;
    for record in ["record", "above"] {
        node.mine(record).await;
    }
    let signed = checkpoint(node.start.http).await;
    let mut start = node.terminate().await;
    let at = |name: &str| start.directory().join(name);
    std::fs::create_dir(at("site")).unwrap();
    symlink("../latest", at("site/checkpoint")).unwrap();
    start.through = ["sh", "-c", r#"umask 027; exec "$0" "$@""#].map(str::to_owned).into();
    start.succeeds(&["publish", "site"]).await;
    let at = |name: &str| start.directory().join(name);
    assert_eq!(std::fs::read(at("latest")).unwrap(), signed.as_bytes());
    assert!(std::fs::symlink_metadata(at("site/checkpoint")).unwrap().is_symlink());
    for (name, mode) in [("latest", 0o640), ("site/receipts", 0o750)] {
        assert_eq!(std::fs::metadata(at(name)).unwrap().permissions().mode() & 0o777, mode, "{name}");
    }
}

/// The options of a running node, and commands. In a build without evidence each of them says what is missing.
#[rstest]
#[case::a_node(&[], "LOG_KEY needs a build with", "cannot read missing.key")]
#[case::a_command(&["keygen", "no/folder/key"], "keygen needs a build with", "cannot write no/folder/key")]
#[case::a_check(&["check", "missing", "--key", "a"], "check needs a build with", "--key \"a\"")]
#[case::a_receipt(&["receipt", "1234"], "receipt needs a build with", "is not the id of a transaction")]
#[tokio::test]
async fn a_mistake_is_one_line(#[case] command: &[&str], #[case] missing: &str, #[case] built_in: &str) {
    let start = Start::new("json").with("LOG_KEY", "missing.key").with("EPHEMERAL", "1");
    let error = start.fails(command).await;
    let expected = if cfg!(feature = "evidence") { built_in } else { missing };
    assert!(error.contains(expected), "{error}");
}
