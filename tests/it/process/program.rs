//! Starts the node as a process, and calls its HTTP interface.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::kit::within;

/// How a node is started. Ports and directory stay the same over restarts.
#[derive(Debug)]
pub(super) struct Start {
    program: PathBuf,
    /// Arguments before those of a run.
    arguments: Vec<&'static str>,
    wire: String,
    pub(super) http: u16,
    pub(super) p2p: u16,
    pub(super) peers: String,
    /// Further environment variables.
    pub(super) variables: Vec<(&'static str, String)>,
    /// A program, with arguments, through which the node is started.
    pub(super) through: Vec<String>,
    directory: TempDir,
}

/// The results of a process that has ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) exit_code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// A running node. Dropping this kills it.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) start: Start,
    child: Child,
}

/// A free port that no other test uses. A port that the system assigned to a temporary listener is not safe:
/// once that listener is closed, the system may assign the port to another process before the node binds it,
/// or while the node is down.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 1_000 * 17).unwrap();
    loop {
        let port = 10_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Start {
    pub(super) fn new(wire: &str) -> Self {
        Self::of("node", &[], wire)
    }

    /// A node by another example, with these arguments.
    pub(super) fn of(example: &str, arguments: &[&'static str], wire: &str) -> Self {
        Self {
            program: executable(example),
            arguments: arguments.to_vec(),
            wire: wire.to_owned(),
            http: free_port(),
            p2p: free_port(),
            peers: String::new(),
            variables: Vec::new(),
            through: Vec::new(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// Adds an environment variable.
    pub(super) fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((variable, value.into()));
        self
    }

    /// The working directory of the node, which is deleted when this is dropped.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The data directory, unless the environment names another.
    pub(super) fn data(&self) -> PathBuf {
        self.directory().join("data")
    }

    pub(super) fn peers(mut self, peers: &[&Self]) -> Self {
        self.peers = peers.iter().map(|peer| peer.address()).collect::<Vec<_>>().join(",");
        self
    }

    pub(super) fn address(&self) -> String {
        format!("ws://127.0.0.1:{}", self.p2p)
    }

    fn command(&self) -> Command {
        let mut words = self.through.iter().map(Into::into).chain([self.program.clone().into_os_string()]);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .args(&self.arguments)
            .current_dir(self.directory())
            .env_clear()
            .env("DATA_DIR", self.data())
            .env("WIRE", &self.wire)
            .env("HTTP_PORT", self.http.to_string())
            .env("P2P_PORT", self.p2p.to_string())
            // Set even if it is empty, which means no peers.
            .env("PEERS", &self.peers)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts the node without waiting until it serves.
    pub(super) fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        self.command().stderr(log).spawn().unwrap()
    }

    /// The file with the stderr of all runs.
    pub(super) fn log(&self) -> PathBuf {
        self.directory().join("log")
    }

    /// Starts the node and waits until it answers. A process does not report that it is ready, so it is
    /// polled. The start is repeated if another process has the port for a moment.
    pub(super) async fn run(self) -> Program {
        let spawn = || self.spawn();
        let child = within(async {
            let mut looks = looks();
            let mut child = spawn();
            while request(self.http, "GET", "/status", "").await.is_none_or(|(status, _)| status != 200) {
                looks.tick().await;
                if child.try_wait().unwrap().is_some() {
                    child = spawn();
                }
            }
            child
        })
        .await;
        Program { start: self, child }
    }

    /// Runs the program with arguments with which it ends by itself, and waits for its end.
    pub(super) async fn finish(&self, arguments: &[&str]) -> Finished {
        let output = within(self.command().stdout(Stdio::piped()).args(arguments).output()).await.unwrap();
        Finished {
            exit_code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs the program, which must succeed. Returns its stdout.
    pub(super) async fn succeeds(&self, arguments: &[&str]) -> String {
        let finished = self.finish(arguments).await;
        assert_eq!(finished.exit_code, Some(0), "{finished:?}");
        finished.stdout
    }

    /// Runs the program, which must fail with one line that says why. Returns that line.
    pub(super) async fn fails(&self, arguments: &[&str]) -> String {
        let finished = self.finish(arguments).await;
        let errors: Vec<_> = finished.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!((errors.len(), finished.stderr.lines().last()), (1, Some(errors[0])), "{finished:?}");
        assert!(!matches!(finished.exit_code, Some(0) | None), "{finished:?}");
        assert!(!finished.stderr.contains("panicked"), "{finished:?}");
        errors[0].to_owned()
    }
}

impl Program {
    pub(super) fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, body) = within(request(self.start.http, "GET", path, "")).await.unwrap();
        assert_eq!(status, 200, "{body}");
        body
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        within(request(self.start.http, "POST", path, &body.to_string())).await.unwrap()
    }

    pub(super) async fn blocks(&self) -> Value {
        self.get("/blocks").await
    }

    pub(super) async fn mine(&self, data: &str) -> Value {
        let (status, block) = self.post("/mine", &json!({ "data": data })).await;
        assert_eq!((status, &block["data"]), (201, &json!([data])), "{block}");
        block
    }

    pub(super) async fn has_peers(&self, count: u64) {
        self.has("peers", &json!(count)).await;
    }

    /// Polls the status until a field has this value.
    pub(super) async fn has(&self, field: &str, value: &Value) {
        within(async {
            let mut looks = looks();
            while self.get("/status").await[field] != *value {
                looks.tick().await;
            }
        })
        .await;
    }

    /// Kills the node.
    pub(super) async fn kill(mut self) -> Start {
        within(self.child.kill()).await.unwrap();
        self.start
    }

    /// Sends SIGTERM, as a service manager does, and waits until the node ends.
    pub(super) async fn terminate(self) -> Start {
        let id = self.id().to_string();
        let sent = within(Command::new("kill").args(["-TERM", &id]).status()).await.unwrap();
        assert!(sent.success());
        self.ends_with(0).await
    }

    /// Waits until the node ends, and checks its exit code.
    pub(super) async fn ends_with(mut self, exit_code: i32) -> Start {
        assert_eq!(within(self.child.wait()).await.unwrap().code(), Some(exit_code));
        self.start
    }
}

/// Waits until all chains have this tip, and compares every block over HTTP.
pub(super) async fn assert_equal_blocks(programs: &[&Program], tip: &Value) {
    let mut all = Vec::new();
    for program in programs {
        program.has("tip", &tip["hash"]).await;
        all.push(program.blocks().await);
    }
    for blocks in &all {
        assert_eq!(blocks.as_array().unwrap().last(), Some(tip));
        assert_eq!(*blocks, all[0]);
    }
}

/// The interval at which a process is polled.
fn looks() -> tokio::time::Interval {
    tokio::time::interval(Duration::from_millis(20))
}

/// One request on a connection of its own. `None` if no server answers.
pub(super) async fn request(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    tcp.write_all(write_request(port, method, path, body).as_bytes()).await.ok()?;
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.ok()?;
    read_answer(&answer)
}

/// A request that makes the server close the connection after its answer.
pub(super) fn write_request(port: u16, method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The status and the body of an answer. `None` if the answer is malformed or truncated.
pub(super) fn read_answer(answer: &str) -> Option<(u16, Value)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

/// Cargo builds the examples for `cargo test` and puts them beside the directory of the test binary.
pub(super) fn executable(example: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples").join(example);
    assert!(program.exists(), "{} is missing: cargo build --all-features --examples", program.display());
    program
}
