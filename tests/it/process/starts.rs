//! Starts that the system hinders, and a stop during a start. A supervisor restarts only what has ended.

use std::process::{ExitStatus, Stdio};

use tokio::net::TcpStream;
use tokio::process::Command;

use super::program::{Start, request};
use crate::kit::within;
use crate::skip::skip;

/// A user that has no processes, as the limit counts those of all programs of a user.
const NEW_USER: &str = "4099";

#[tokio::test]
async fn a_start_without_threads_ends_or_serves() {
    let as_user = ["setpriv", "--reuid", NEW_USER, "--regid", NEW_USER, "--clear-groups"];
    let may_change = Command::new(as_user[0]).args(&as_user[1..]).arg("true").stderr(Stdio::null()).status();
    if !may_change.await.as_ref().is_ok_and(ExitStatus::success) {
        skip("starts without threads", "needs root, setpriv and prlimit");
        return;
    }
    let mut ended = 0;
    for threads in 1..=12 {
        let mut start = Start::new("json").with("EPHEMERAL", "1");
        let limit = format!("--nproc={threads}");
        start.through =
            [&["prlimit", &limit][..], &as_user[..]].concat().into_iter().map(str::to_owned).collect();
        let mut child = start.spawn();
        let serves = async {
            let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
            while request(start.http, "GET", "/status", "").await.is_none() {
                looks.tick().await;
            }
        };
        let code = within(async {
            tokio::select! {
                code = child.wait() => code.unwrap().code(),
                () = serves => None,
            }
        })
        .await;
        let log = std::fs::read_to_string(start.log()).unwrap();
        if code.is_some() {
            assert_eq!(code, Some(1), "{threads} threads: {log}");
            assert!(log.lines().any(|line| line.starts_with("error: ")), "{threads} threads: {log}");
            ended += 1;
        }
    }
    assert!((1..12).contains(&ended), "{ended} of 12 starts ended");
}

/// A key that is read from a pipe keeps the start waiting, as a slow disk or a long chain does.
#[cfg(all(unix, feature = "evidence"))]
#[tokio::test]
async fn a_stop_does_not_wait_for_the_start() {
    let start = Start::new("json").with("LOG_KEY", "key");
    let pipe = start.directory().join("key");
    assert!(within(Command::new("mkfifo").arg(&pipe).status()).await.unwrap().success());
    let mut child = start.spawn();
    // The program listens for signals before it binds its port.
    within(async {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
        while TcpStream::connect(("127.0.0.1", start.http)).await.is_err() {
            looks.tick().await;
        }
    })
    .await;
    let id = child.id().unwrap().to_string();
    assert!(within(Command::new("kill").args(["-TERM", &id]).status()).await.unwrap().success());
    assert_eq!(within(child.wait()).await.unwrap().code(), Some(0));
    let log = std::fs::read_to_string(start.log()).unwrap();
    assert!(log.contains("stopped before the node had started"), "{log}");
}
