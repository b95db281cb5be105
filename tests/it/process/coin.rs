//! The program `examples/coin.rs` as processes: a wallet with two nodes, and a node that lies.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;

use super::program::{Finished, Program, Start, executable, request};
use crate::kit::within;

/// A directory with key files, and the node to ask.
struct Wallet {
    directory: TempDir,
    node: u16,
    passphrase: &'static str,
}

impl Wallet {
    fn new(node: u16) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), node, passphrase: "correct horse" }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(executable("coin"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("NODE", format!("http://127.0.0.1:{}", self.node))
            .env("ON_DEMAND", "1")
            .env("PASSPHRASE", self.passphrase)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Finished {
        finished(self.command(arguments)).await
    }

    async fn succeeds(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments).await;
        assert_eq!(finished.exit_code, Some(0), "{arguments:?}: {finished:?}");
        finished.stdout
    }

    async fn fails(&self, arguments: &[&str], expected: &str) {
        assert_fails(&self.run(arguments).await, expected);
    }

    /// The address of the key in a new file.
    async fn new_key(&self, file: &str) -> String {
        self.succeeds(&["--key", file, "key", "new"]).await.trim_end().to_owned()
    }
}

async fn finished(mut command: Command) -> Finished {
    let output = within(command.output()).await.unwrap();
    Finished {
        exit_code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn assert_fails(finished: &Finished, expected: &str) {
    assert!(!matches!(finished.exit_code, Some(0) | None), "{finished:?}");
    assert!(finished.stderr.starts_with("error: "), "{finished:?}");
    assert!(finished.stderr.contains(expected), "{finished:?}, expected {expected}");
    assert!(finished.stdout.is_empty() && !finished.stderr.contains("panicked"), "{finished:?}");
}

fn start(miner: &str) -> Start {
    Start::of("coin", &["node"], "json").with("ON_DEMAND", "1").with("MINER", miner)
}

async fn mine(node: &Program) -> Value {
    let (status, block) = node.post("/mine", &json!({})).await;
    assert_eq!(status, 201, "{block}");
    block
}

#[tokio::test]
async fn units_are_mined_sent_and_counted_on_two_nodes() {
    let mut wallet = Wallet::new(0);
    let ann = wallet.new_key("ann.pem").await;
    let bob = wallet.new_key("bob.pem").await;
    assert_eq!(wallet.succeeds(&["--key", "ann.pem", "address"]).await, format!("{ann}\n"));

    let first = start(&ann);
    let second = start(&bob).peers(&[&first]);
    let (first, second) = (first.run().await, second.run().await);
    second.has_peers(1).await;
    wallet.node = first.start.http;
    mine(&first).await;
    second.has("height", &json!(1)).await;
    let sent = wallet.succeeds(&["--key", "ann.pem", "send", &bob, "30", "--fee", "2"]).await;
    assert!(sent.contains(&format!("30 units to {bob}, and a fee of 2, number 0")), "{sent}");
    // The next number follows the pending one.
    let sent = wallet.succeeds(&["--key", "ann.pem", "send", &bob, "31"]).await;
    assert!(sent.contains("a fee of 1, number 1"), "{sent}");
    second.has("pending", &json!(2)).await;

    // A third one is waited for, while the other node mines.
    let waiting =
        tokio::spawn(finished(wallet.command(&["--key", "ann.pem", "send", &bob, "32", "--wait", "1"])));
    second.has("pending", &json!(3)).await;
    let block = mine(&second).await;
    let waited = waiting.await.unwrap();
    let hash = block["hash"].as_str().unwrap();
    assert!(waited.stdout.ends_with(&format!("in block 2 ({hash}), depth 1\n")), "{waited:?}");
    first.has("height", &json!(2)).await;

    // Ann: 5000 - 30 - 2 - 31 - 1 - 32 - 1; Bob: 93, the reward and 4 of fees.
    for node in [&first, &second] {
        wallet.node = node.start.http;
        for (key, units, address) in [("ann.pem", 4_903, &ann), ("bob.pem", 5_097, &bob)] {
            let shown = wallet.succeeds(&["--key", key, "balance"]).await;
            let expected = format!("{units} units in {address}\nproven by block 2 ({hash})");
            assert!(shown.starts_with(&expected), "{shown}");
            assert_eq!(wallet.succeeds(&["balance", address]).await.lines().next(), shown.lines().next());
        }
    }
    let history = wallet.succeeds(&["--key", "bob.pem", "history"]).await;
    let lines: Vec<_> = history.lines().map(str::trim).collect();
    let from = |units| format!("2  +{units} from {ann}");
    assert_eq!(lines, [from(30), from(31), from(32), "2  +5000 reward, and 4 of fees".to_owned()]);
    let history = wallet.succeeds(&["history", &ann]).await;
    assert!(history.contains("1  +5000 reward, and 0 of fees\n"), "{history}");
    assert!(history.contains(&format!("2  -32 to {bob}, fee 1\n")), "{history}");

    wallet
        .fails(&["--key", "ann.pem", "send", &bob, "4903"], "has 4903 units, of which 0 are in pending")
        .await;
    wallet.fails(&["--key", "ann.pem", "send", &bob, "0"], "0 is not in 1..").await;
    wallet.fails(&["--key", "ann.pem", "send", &bob, "1.5"], "invalid digit").await;
    wallet.fails(&["--key", "ann.pem", "send", &bob, "1", "--fee", "0"], "0 is not in 1..").await;
    let mut typo = bob.clone();
    typo.replace_range(7..8, if bob.as_bytes()[7] == b'q' { "p" } else { "q" });
    wallet.fails(&["--key", "ann.pem", "send", &typo, "1"], "the address has a typo").await;
    wallet.passphrase = "correct house";
    wallet.fails(&["--key", "ann.pem", "send", &bob, "1"], "ann.pem: the passphrase is wrong").await;
}

#[tokio::test]
async fn a_key_file_is_for_its_owner_and_is_never_replaced() {
    let wallet = Wallet::new(1);
    wallet.fails(&["address"], "there is no key in coin.pem: make one with `coin key new`").await;
    let address = wallet.new_key("coin.pem").await;
    assert_eq!(wallet.path("coin.pem").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(wallet.path("coin.pem")).unwrap();
    assert!(text.starts_with(&format!("{address}\n-----BEGIN ENCRYPTED PRIVATE KEY-----\n")), "{text}");
    wallet.fails(&["key", "new"], "coin.pem exists already, and a key is never replaced").await;
    assert_eq!(std::fs::read_to_string(wallet.path("coin.pem")).unwrap(), text);
    // Nothing is left beside it.
    assert_eq!(std::fs::read_dir(wallet.directory.path()).unwrap().count(), 1);

    // The first line of a file, with the end of a line or without.
    std::fs::write(wallet.path("pass"), "from a file\n").unwrap();
    let made = wallet.succeeds(&["--key", "b.pem", "--passphrase-file", "pass", "key", "new"]).await;
    assert!(made.starts_with("coin1"), "{made}");
    let mut none = wallet.command(&["--key", "c.pem", "key", "new"]);
    none.env_remove("PASSPHRASE");
    assert_fails(&finished(none).await, "there is no terminal to ask for the passphrase");
    let mut empty = wallet.command(&["--key", "c.pem", "key", "new"]);
    empty.env("PASSPHRASE", "");
    assert_fails(&finished(empty).await, "the passphrase is empty");

    // The address of another key in the first line is noticed before anything is signed.
    let other = wallet.new_key("other.pem").await;
    std::fs::write(wallet.path("coin.pem"), text.replace(&address, &other)).unwrap();
    wallet
        .fails(
            &["send", &other, "1"],
            &format!("the key is that of {address}, but the first line says {other}"),
        )
        .await;
    std::fs::write(wallet.path("coin.pem"), "not a key").unwrap();
    wallet.fails(&["address"], "the first line is not the address of the key").await;
}

#[tokio::test]
async fn a_node_that_is_none_or_of_another_chain_is_named() {
    let wallet = Wallet::new(1);
    let address = wallet.new_key("coin.pem").await;
    wallet.fails(&["balance"], "the node cannot be reached").await;
    wallet.fails(&["--node", "ftp://localhost", "balance"], "--node ftp://localhost").await;

    let node = start(&address).run().await;
    let mut other = wallet.command(&["balance"]);
    other.env("NODE", format!("http://127.0.0.1:{}", node.start.http)).env("CHAIN", "another");
    assert_fails(&finished(other).await, "the node is of another chain: its genesis block is");
    // A node of plain texts.
    let plain = Start::new("json").with("ON_DEMAND", "1").run().await;
    let mut other = wallet.command(&["balance"]);
    other.env("NODE", format!("http://127.0.0.1:{}", plain.start.http));
    assert_fails(&finished(other).await, "the node is not one of this currency");
}

/// Forwards requests to a node, and changes its answers.
async fn liar(node: u16, lie: fn(&str, &mut Value)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let mut words = head.split(' ').map(str::to_owned);
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let length = head.to_ascii_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length:").map(|length| length.trim().parse::<usize>().unwrap())
            });
            let mut sent = vec![0; length.unwrap_or(0)];
            stream.read_exact(&mut sent).await.unwrap();
            let sent = String::from_utf8(sent).unwrap();
            let (status, mut body) = request(node, &method, &path, &sent).await.unwrap();
            lie(&path, &mut body);
            let body = body.to_string();
            let answer = format!(
                "HTTP/1.1 {status} OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    port
}

/// The proof with another digit at this place, counted from its end.
fn change_proof(answer: &mut Value, from_end: usize) {
    let mut proof = answer["proof"].as_str().unwrap().to_owned();
    let at = proof.len() - from_end;
    let digit = if &proof[at..=at] == "0" { "1" } else { "0" };
    proof.replace_range(at..=at, digit);
    answer["proof"] = json!(proof);
}

#[tokio::test]
async fn a_node_that_lies_is_refused() {
    let mut wallet = Wallet::new(0);
    let address = wallet.new_key("coin.pem").await;
    let node = start(&address).run().await;
    mine(&node).await;
    mine(&node).await;
    let http = node.start.http;

    // A balance that is 128 units higher or lower.
    wallet.node = liar(http, |path, answer| {
        if path.starts_with("/state/accounts") {
            change_proof(answer, 4);
        }
    })
    .await;
    wallet.fails(&["balance"], "the node sends a false proof: the proof leads to the root").await;
    wallet.fails(&["send", &address, "1"], "the node sends a false proof").await;

    // More was minted than the header says.
    wallet.node = liar(http, |path, answer| {
        if path.starts_with("/state/accounts") {
            let from_end = answer["proof"].as_str().unwrap().len() - 2 * 64;
            change_proof(answer, from_end);
        }
    })
    .await;
    wallet.fails(&["balance"], "the parts of the proof make the state root").await;

    // A number for later.
    wallet.node = liar(http, |path, answer| {
        if path.starts_with("/state/sequences") {
            change_proof(answer, 1);
        }
    })
    .await;
    assert!(wallet.succeeds(&["balance"]).await.starts_with("10000 units"));
    wallet.fails(&["send", &address, "1"], "the node sends a false proof").await;

    // A header with another state root, and a hash of its own, but without proof of work.
    wallet.node = liar(http, |path, answer| {
        if let (Some(headers), true) = (answer.as_array_mut(), path.starts_with("/headers?")) {
            headers[1]["state_root"] = json!("00".repeat(32));
        }
    })
    .await;
    wallet.fails(&["balance"], "hash").await;

    // A transfer that was never made, in a block with a true header.
    wallet.node = liar(http, |path, answer| {
        if let (Some(blocks), true) = (answer.as_array_mut(), path.starts_with("/blocks?")) {
            blocks[0]["miner"] = json!("00".repeat(20));
        }
    })
    .await;
    wallet.fails(&["history"], "the node shows a false block at height 1").await;

    // A block that is left out, at the end and before it.
    wallet.node = liar(http, |path, answer| {
        if let (Some(blocks), true) = (answer.as_array_mut(), path.starts_with("/blocks?")) {
            blocks.pop();
        }
    })
    .await;
    wallet.fails(&["history"], "the node leaves out the blocks above height 1").await;
    mine(&node).await;
    wallet.node = liar(http, |path, answer| {
        if let (Some(blocks), true) = (answer.as_array_mut(), path.starts_with("/blocks?")) {
            blocks.remove(1);
        }
    })
    .await;
    wallet.fails(&["history"], "the node leaves out the block before height 3").await;

    // The last header without end.
    wallet.node = liar(http, |path, answer| {
        if let (Some(headers), true) = (answer.as_array_mut(), path.starts_with("/headers?")) {
            headers.extend_from_within(2..);
        }
    })
    .await;
    wallet.fails(&["balance"], "the node shows header 3, expected 4").await;

    // A pending transfer with the next number, which the key has not signed.
    let to = wallet.new_key("other.pem").await;
    wallet.node = http;
    wallet.succeeds(&["send", &to, "1"]).await;
    wallet.node = liar(http, |path, answer| {
        if let (Some(pending), true) = (answer.as_array_mut(), path.starts_with("/transactions?")) {
            let mut forged = pending[0].clone();
            forged["data"]["sequence"] = json!(1);
            pending.push(forged);
        }
    })
    .await;
    let sent = wallet.succeeds(&["send", &to, "2"]).await;
    assert!(sent.contains("number 1"), "{sent}");
}
