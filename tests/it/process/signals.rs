//! How the program ends on a signal.

use std::process::{ExitStatus, Stdio};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::process::Command;

use super::program::{Program, Start};
use crate::kit::within;

async fn signal(node: &Program, name: &str) {
    let id = node.id().to_string();
    assert!(within(Command::new("kill").args([name, &id]).status()).await.unwrap().success());
}

#[tokio::test]
async fn a_closed_terminal_stops_it_as_cleanly_as_sigterm() {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: needs `env --default-signal`");
        return;
    }
    let mut start = Start::new("json");
    // The tests may have been started with SIGHUP ignored.
    start.through = ["env", "--default-signal=HUP"].map(str::to_owned).into();
    let node = start.run().await;
    node.mine("kept").await;
    signal(&node, "-HUP").await;
    let start = node.ends_with(0).await;
    let log = std::fs::read_to_string(start.log()).unwrap();
    assert!(log.trim_end().ends_with("stopped"), "{log}");
    assert_eq!(start.succeeds(&["verify"]).await, "verified the blocks 0 to 1\n");
}

#[tokio::test]
async fn nohup_keeps_it_running() {
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: needs /proc");
        return;
    }
    let mut start = Start::new("json");
    start.through = vec!["nohup".to_owned()];
    let node = start.run().await;
    signal(&node, "-HUP").await;
    node.mine("goes on").await;
    node.terminate().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_keep_it_waiting() {
    let node = Start::new("json").run().await;
    let filler = "x".repeat(900_000);
    for _ in 0..9 {
        node.mine(&filler).await;
    }
    let mut client = TcpStream::connect(("127.0.0.1", node.start.http)).await.unwrap();
    let request = format!("GET /blocks HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", node.start.http);
    client.write_all(request.as_bytes()).await.unwrap();
    // The server has started its answer.
    within(client.readable()).await.unwrap();
    let asked = tokio::time::Instant::now();
    node.terminate().await;
    // A service manager waits for 10 s; the shutdown itself takes 3 s.
    assert!(asked.elapsed().as_secs() < 8, "{:?}", asked.elapsed());
}

/// A look-up at a name server that does not answer takes about 20 s.
#[tokio::test]
async fn a_look_up_of_a_name_does_not_keep_it_waiting() {
    let Some((server, mut start)) = with_silent_name_server().await else {
        println!("SKIPPED: needs Linux, root and unshare");
        return;
    };
    start.peers = "ws://silent.example:5001".to_owned();
    let node = start.run().await;
    within(server.recv(&mut [0; 512])).await.unwrap();
    node.has("unconnected", &json!(["ws://silent.example:5001"])).await;
    let asked = tokio::time::Instant::now();
    node.terminate().await;
    assert!(asked.elapsed().as_secs() < 4, "{:?}", asked.elapsed());
}

async fn with_silent_name_server() -> Option<(UdpSocket, Start)> {
    const ADDRESS: &str = "127.0.53.53";
    let may_unshare = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status().await;
    if !may_unshare.as_ref().is_ok_and(ExitStatus::success) {
        return None;
    }
    let server = UdpSocket::bind((ADDRESS, 53)).await.ok()?;
    let mut start = Start::new("json");
    let resolver = start.directory().join("resolv.conf");
    std::fs::write(&resolver, format!("nameserver {ADDRESS}\n")).unwrap();
    let mount = format!(r#"mount --bind {} /etc/resolv.conf && exec "$0" "$@""#, resolver.display());
    start.through = ["unshare", "--mount", "sh", "-c", &mount].map(str::to_owned).into();
    Some((server, start))
}
