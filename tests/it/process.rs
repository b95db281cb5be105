//! The programs `examples/node.rs` and `examples/coin.rs` as processes: what a user sees on the command line and over HTTP.

#[cfg(all(feature = "client", feature = "evidence", feature = "redb"))]
mod audit;
#[cfg(all(feature = "client", feature = "keyfile", feature = "ledger", feature = "redb"))]
mod coin;
#[cfg(feature = "redb")]
mod crash;
#[cfg(feature = "redb")]
mod disk_full;
mod evidence;
#[cfg(feature = "redb")]
mod kept;
#[cfg(target_os = "linux")]
mod netns;
#[cfg(all(unix, feature = "redb"))]
mod output;
#[cfg(target_os = "linux")]
mod partition;
mod program;
#[cfg(all(unix, feature = "redb"))]
mod read_only;
#[cfg(all(unix, feature = "redb"))]
mod removed;
#[cfg(feature = "redb")]
mod salvage;
#[cfg(feature = "redb")]
mod signals;
#[cfg(target_os = "linux")]
mod starts;
#[cfg(feature = "redb")]
mod streams;
#[cfg(target_os = "linux")]
mod terminal;
mod tls;
mod variables;
#[cfg(feature = "redb")]
mod work;

use rstest::rstest;
use serde_json::json;

use program::{Start, assert_equal_blocks};

#[rstest]
#[case::json("json")]
#[cfg_attr(feature = "ws-bincode", case::bincode("bincode"))]
#[cfg_attr(feature = "ws-postcard", case::postcard("postcard"))]
#[tokio::test]
async fn three_processes_keep_one_chain(#[case] wire: &str) {
    // In reverse order: the second and third node dial a first one that is not running yet.
    let first = Start::new(wire);
    let second = Start::new(wire).peers(&[&first]);
    let third = Start::new(wire).peers(&[&first, &second]);
    let third = third.run().await;
    let second = second.run().await;
    let first = first.run().await;
    first.has_peers(2).await;
    for (height, miner) in [&first, &second, &third].into_iter().enumerate() {
        let block = miner.mine(&format!("block {}", height + 1)).await;
        assert_eq!(block["height"], height + 1);
        assert_equal_blocks(&[&first, &second, &third], &block).await;
    }
    let blocks = third.blocks().await;
    let contents: Vec<_> = blocks.as_array().unwrap().iter().map(|block| &block["data"]).collect();
    assert_eq!(contents, [&json!([]), &json!(["block 1"]), &json!(["block 2"]), &json!(["block 3"])]);

    let late = Start::new(wire).peers(&[&third.start]).run().await;
    assert_equal_blocks(&[&first, &late], &blocks[3]).await;
}

#[tokio::test]
async fn a_killed_node_catches_up() {
    let first = Start::new("json");
    let second = Start::new("json").peers(&[&first]).run().await;
    let first = first.run().await;
    second.has_peers(1).await;
    first.mine("before").await;
    let start = first.kill().await;
    let block = second.mine("meanwhile").await;
    let first = start.run().await;
    assert_equal_blocks(&[&first, &second], &block).await;
    let after = first.mine("after").await;
    assert_equal_blocks(&[&first, &second], &after).await;
}

#[tokio::test]
async fn a_fork_heals_when_the_two_meet() {
    let short = Start::new("json").run().await;
    let long = Start::new("json").run().await;
    short.mine("lost").await;
    long.mine("won 1").await;
    let won = long.mine("won 2").await;
    let (status, _) = short.post("/peers", &json!({ "address": long.start.address() })).await;
    assert_eq!(status, 202);
    assert_equal_blocks(&[&short, &long], &won).await;

    // The transactions of the losing branch are pending again.
    let (status, again) = short.post("/mine", &json!({})).await;
    assert_eq!((status, &again["data"]), (201, &json!(["lost"])));
    assert_equal_blocks(&[&short, &long], &again).await;
}

#[tokio::test]
async fn sigterm_stops_it_cleanly() {
    let first = Start::new("json").run().await;
    let second = Start::new("json").peers(&[&first.start]).run().await;
    first.has_peers(1).await;
    first.terminate().await;
    second.mine("goes on").await;
}

#[tokio::test]
async fn a_port_in_use_is_one_line_on_stderr() {
    let running = Start::new("json").run().await;
    let mut same_http = Start::new("json");
    same_http.http = running.start.http;
    let mut same_p2p = Start::new("json");
    same_p2p.p2p = running.start.p2p;
    for (start, says) in [(same_http, "HTTP_PORT"), (same_p2p, "P2P_PORT")] {
        let error = start.fails(&[]).await;
        assert!(error.contains("in use") && error.contains(says), "{error}");
    }
    running.mine("goes on").await;
}

#[rstest]
#[case::flag(&["--no-such-flag"], "--no-such-flag")]
#[case::port(&["--http-port", "70000"], "70000")]
#[case::scheme(&["--peers", "http://localhost:5001"], "expected it to begin with ws://")]
#[case::no_host(&["--peers", "ws://:5001"], "the host is empty")]
#[case::half_an_address(&["--peers", "ws://127.1:5001"], "ends in a number")]
#[case::peer_at_port_0(&["--peers", "ws://localhost:0"], "no peer is reached at port 0")]
#[case::peer_port(&["--peers", "ws://localhost:70000"], "no valid port")]
#[case::peer_path(&["--peers", "ws://localhost:1/<>"], "no valid path")]
#[case::any_host(&["--allow-host", "*"], "'*'")]
#[case::host_and_port(&["--allow-host", "node.example.org:3001"], "':'")]
#[case::host_as_address(&["--allow-host", "http://node.example.org"], "is no name of a host")]
#[case::microseconds(&["--block-interval", "10.0005"], "whole milliseconds")]
#[case::no_time(&["--block-interval", "nan"], "whole milliseconds")]
#[case::maybe(&["--mine=maybe"], "maybe")]
#[case::short_miner(&["--miner", "0x12"], "--miner")]
#[case::one_of_several(&["--peers", "ws://localhost:5001,nonsense"], "nonsense")]
#[case::format(&["--wire", "morse"], "morse")]
#[case::no_threads(&["--mining-threads", "0"], "expected 1 to 1024 threads")]
#[case::too_many_threads(&["--mining-threads", "1025"], "expected 1 to 1024 threads")]
#[case::no_bodies(&["--keep-bodies", "0"], "keep-bodies")]
#[case::no_file(&["export"], "<FILE>")]
#[case::command(&["destroy"], "destroy")]
#[case::of_a_running_node(&["verify", "--http-port", "3"], "'--http-port' is for a running node")]
#[case::of_a_running_node_joined(&["verify", "--http-port=3"], "'--http-port' is for a running node")]
#[tokio::test]
async fn a_bad_option_is_one_line_on_stderr(#[case] arguments: &[&str], #[case] says: &str) {
    let refused = Start::new("json").finish(arguments).await;
    assert_eq!((refused.exit_code, refused.stderr.lines().count()), (Some(2), 1), "{refused:?}");
    assert!(refused.stderr.starts_with("error: ") && refused.stderr.contains(says), "{refused:?}");
}

#[tokio::test]
async fn a_bad_peers_variable_is_one_line_on_stderr() {
    let mut start = Start::new("json");
    start.peers = "ws://localhost:5001,, ws://localhost".to_owned() + ":5002x";
    let refused = start.finish(&[]).await;
    assert_eq!((refused.exit_code, refused.stderr.lines().count()), (Some(2), 1), "{refused:?}");
}

/// The forms in which templates, compose files and files with line ends of other systems pass values.
#[tokio::test]
async fn values_are_read_in_the_forms_in_which_people_write_them() {
    let first = Start::new("json").run().await;
    let second = Start::new("json").run().await;
    let [one, other] = [&first, &second].map(|node| node.start.address());
    let mut start = Start::new(" JSON\r");
    start.peers = format!("\n  {},\n  {other} ,,\n", one.replace("ws://", "WS://"));
    let node = start
        .with("MINING_THREADS", " 2 ")
        .with("DISCOVERY", " False\n")
        .with("BLOCK_INTERVAL", " 10 S ")
        .with("KEEP_BODIES", "1000\r")
        .with("MINER", "0x00112233445566778899AABBCCDDEEFF00112233")
        .with("ALLOW_HOST", "Node.example.org., 10.0.0.1 localhost")
        .with("P2P_BIND", "127.0.0.1 ")
        .run()
        .await;
    node.has_peers(2).await;
    let block = node.mine("with all of these").await;
    assert_eq!(block["miner"], "00112233445566778899aabbccddeeff00112233");
}

#[tokio::test]
async fn a_peer_without_a_port_is_dialled_at_that_of_the_scheme() {
    let mut start = Start::new("json");
    start.peers = "ws://127.0.0.1 ws://localhost/path".to_owned();
    let node = start.run().await;
    assert_eq!(node.get("/status").await["unconnected"], json!(["ws://127.0.0.1", "ws://localhost/path"]));
}
