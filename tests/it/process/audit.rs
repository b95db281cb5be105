//! The command `audit` against logs that behave and logs that do not: its exit codes, its memory, and what it proves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hashloom::evidence::{Auditor, Checkpoint, Contradiction, NoteSigner, SignedNote, Tile};
use hashloom::{Blockchain, Timestamp};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::program::{Finished, Start};
use crate::kit::easy_spec;

/// Static files, as any web server has them.
#[derive(Clone, Default)]
struct Site(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Site {
    /// Serves the files, and returns the URL.
    async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/site", listener.local_addr().unwrap());
        let files = Arc::clone(&self.0);
        tokio::spawn(async move {
            loop {
                let (mut tcp, _) = listener.accept().await.unwrap();
                let mut request = [0; 4_096];
                let read = tcp.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                let path = request.split(' ').nth(1).unwrap().strip_prefix("/site/").unwrap();
                let body = files.lock().unwrap().get(path).cloned();
                let is_busy = files.lock().unwrap().contains_key("busy");
                let missing = if is_busy { "503 Service Unavailable" } else { "404 Not Found" };
                let (status, body) = body.map_or((missing, Vec::new()), |body| ("200 OK", body));
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
                tcp.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
            }
        });
        url
    }

    /// Replaces the files by the log of the first `size` blocks of a chain.
    fn publish(&self, chain: &Blockchain, size: u64) -> SignedNote {
        let checkpoint = Checkpoint::of_chain(chain, size, key().name()).unwrap();
        let note = SignedNote::sign(checkpoint.to_string(), &key()).unwrap();
        let mut files = self.0.lock().unwrap();
        files.clear();
        for tile in Tile::added(0, size) {
            files.insert(tile.to_string(), tile.bytes(chain, size).unwrap());
        }
        files.insert("checkpoint".to_owned(), note.to_string().into_bytes());
        note
    }

    fn remove_tiles(&self) {
        self.0.lock().unwrap().retain(|path, _| path == "checkpoint");
    }
}

fn key() -> NoteSigner {
    NoteSigner::from_seed("log.example/audited", &[7; 32]).unwrap()
}

/// A chain whose blocks are the same up to one height, and from there on another's.
fn chain(length: u64, other_from: u64) -> Blockchain {
    let mut chain = Blockchain::new(easy_spec("audited"));
    for height in 1..=length {
        let now = Timestamp::from_millis(1_800_000_000_000 + height);
        let whose = if height < other_from { "one" } else { "other" };
        let block = chain.template(vec![format!("{whose} {height}")], now).unwrap().mine().unwrap();
        let _ = chain.import(block.into(), now).unwrap();
    }
    chain
}

async fn audit(start: &Start, url: &str) -> Finished {
    let key = key().verifier().to_string();
    start.finish(&["audit", url, "--key", &key, "--memory", "memory"]).await
}

fn memory(start: &Start) -> Option<String> {
    std::fs::read_to_string(start.directory().join("memory")).ok()
}

#[rstest]
#[case::unchanged(5, 5, 99, true, 0, "unchanged: 5 blocks of log.example/audited\n")]
#[case::longer(5, 300, 999, true, 0, "consistent: 300 blocks of log.example/audited extend the 5")]
#[case::shorter(5, 3, 99, true, 10, "CUT OFF: log.example/audited has 3 blocks, and had 5: ")]
#[case::without_tiles(
    5,
    9,
    99,
    false,
    11,
    "UNPROVEN: log.example/audited does not show that its 9 blocks extend the 5"
)]
#[case::rewritten(
    5,
    9,
    2,
    true,
    12,
    "REWRITTEN: log.example/audited has replaced blocks below 5; memory.contradiction proves"
)]
#[case::rewritten_at_a_power_of_two(
    4,
    9,
    2,
    true,
    12,
    "REWRITTEN: log.example/audited has replaced blocks below 4; "
)]
#[case::two_histories(
    5,
    5,
    2,
    true,
    13,
    "SPLIT VIEW: log.example/audited has signed two histories of 5 blocks; "
)]
#[tokio::test]
async fn each_verdict_has_its_exit_code(
    #[case] before: u64,
    #[case] after: u64,
    #[case] other_from: u64,
    #[case] has_tiles: bool,
    #[case] code: i32,
    #[case] text: &str,
) {
    let (site, start) = (Site::default(), Start::new("json"));
    let url = site.serve().await;
    let first = site.publish(&chain(before, 999), before);
    let finished = audit(&start, &url).await;
    assert_eq!(finished.exit_code, Some(0), "{finished:?}");
    assert!(finished.stdout.starts_with(&format!("first checkpoint: {before} blocks")), "{finished:?}");
    assert_eq!(memory(&start), Some(first.to_string()));

    let second = site.publish(&chain(after, other_from), after);
    if !has_tiles {
        site.remove_tiles();
    }
    let finished = audit(&start, &url).await;
    assert_eq!(finished.exit_code, Some(code), "{finished:?}");
    assert!(finished.stdout.starts_with(text), "{finished:?}");
    // Only what extends it replaces the memory, and an alarm is raised again.
    let expected = if code == 0 { second } else { first };
    assert_eq!(memory(&start), Some(expected.to_string()));
    assert_eq!(audit(&start, &url).await.exit_code, Some(code));

    let proof = std::fs::read_to_string(start.directory().join("memory.contradiction")).ok();
    assert_eq!(proof.is_some(), code >= 12);
    if let Some(proof) = proof {
        proof.parse::<Contradiction>().unwrap().verify(&key().verifier()).unwrap();
    }
}

#[tokio::test]
async fn what_is_no_verdict_has_other_exit_codes() {
    let (site, start) = (Site::default(), Start::new("json"));
    let url = site.serve().await;
    let finished = audit(&start, &url).await;
    assert_eq!((finished.exit_code, memory(&start)), (Some(3), None), "the log is empty: {finished:?}");
    site.publish(&chain(5, 99), 5);
    let other = NoteSigner::from_seed("log.example/audited", &[8; 32]).unwrap().verifier().to_string();
    let finished = start.finish(&["audit", &url, "--key", &other, "--memory", "memory"]).await;
    assert_eq!((finished.exit_code, memory(&start)), (Some(4), None), "{finished:?}");

    std::fs::write(start.directory().join("memory"), "").unwrap();
    let key = key().verifier().to_string();
    let error = start.fails(&["audit", &url, "--key", &key, "--memory", "memory"]).await;
    assert!(error.starts_with("error: memory is not the memory of an auditor: "), "{error}");
    assert_eq!(memory(&start).as_deref(), Some(""));
    let error = start.fails(&["audit", "example.org", "--key", &key, "--memory", "memory"]).await;
    assert_eq!(error, "error: \"example.org\" does not begin with http://");
    assert!("".parse::<Auditor>().is_err());
}

/// A server that is busy is no alarm.
#[tokio::test]
async fn a_tile_that_cannot_be_had_now_is_no_verdict() {
    let (site, start) = (Site::default(), Start::new("json"));
    let url = site.serve().await;
    let first = site.publish(&chain(5, 99), 5);
    assert_eq!(audit(&start, &url).await.exit_code, Some(0));
    site.publish(&chain(9, 99), 9);
    site.remove_tiles();
    site.0.lock().unwrap().insert("busy".to_owned(), Vec::new());
    let finished = audit(&start, &url).await;
    assert_eq!(finished.exit_code, Some(3), "{finished:?}");
    assert_eq!(memory(&start), Some(first.to_string()));
}

#[tokio::test]
async fn two_nodes_witness_each_other() {
    let [a, b] = [Start::new("json"), Start::new("json")];
    let mut keys = Vec::new();
    for (start, name) in [(&a, "a"), (&b, "b")] {
        let log = start.succeeds(&["keygen", "log.key", "--name", name]).await;
        let witness = format!("witness/{name}");
        let witness = start.succeeds(&["keygen", "witness.key", "--name", &witness, "--witness"]).await;
        keys.push([log.trim().to_owned(), witness.trim().to_owned()]);
    }
    let configured = |start: Start, other: &[String; 2], port: u16| {
        start
            .with("LOG_KEY", "log.key")
            .with("LOG_DEPTH", "1")
            .with("WITNESS_KEY", "witness.key")
            .with("WITNESSED_LOGS", &other[0])
            .with("WITNESSES", format!("http://127.0.0.1:{port}/witness={}", other[1]))
    };
    let (port_a, port_b) = (a.http, b.http);
    let b = configured(b, &keys[0], port_a).run().await;
    let a = configured(a, &keys[1], port_b).run().await;
    a.mine("record").await;
    a.mine("another").await;
    let url = format!("http://127.0.0.1:{port_a}/log");
    let ask = ["audit", &url, "--key", &keys[0][0], "--witness", &keys[1][1], "--memory", "memory"];
    // A round is due within ten seconds of the last one.
    let finished = crate::kit::within(async {
        loop {
            let finished = a.start.finish(&ask).await;
            if finished.exit_code != Some(4) {
                break finished;
            }
        }
    })
    .await;
    assert_eq!(finished.exit_code, Some(0), "{finished:?}");
    assert!(memory(&a.start).unwrap().contains("\u{2014} witness/b "));
    drop(b);
}

/// The memory may be kept on another disk.
#[cfg(unix)]
#[tokio::test]
async fn a_memory_behind_a_link_stays_there() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let site = Site::default();
    let url = site.serve().await;
    let start = Start::new("json");
    symlink("kept/memory", start.directory().join("memory")).unwrap();
    std::fs::create_dir(start.directory().join("kept")).unwrap();
    let kept = start.directory().join("kept/memory");
    let chain = chain(9, 99);
    for size in [5, 9] {
        let note = site.publish(&chain, size);
        let finished = audit(&start, &url).await;
        assert_eq!(finished.exit_code, Some(0), "{finished:?}");
        assert!(std::fs::symlink_metadata(start.directory().join("memory")).unwrap().is_symlink());
        let text = std::fs::read_to_string(&kept).unwrap();
        assert!(text.contains(note.text()), "{text}");
        if size == 5 {
            std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o640)).unwrap();
        }
    }
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o640);
}
