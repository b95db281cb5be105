//! How the node uses its environment.

use rstest::rstest;

use super::program::Start;

/// Every environment variable that the node reads.
#[cfg(unix)]
const VARIABLES: [&str; 34] = [
    "HTTP_PORT",
    "HTTP_BIND",
    "ALLOW_HOST",
    "ALLOW_ORIGIN",
    "REQUESTS_PER_SECOND",
    "REQUEST_BURST",
    "ACCESS_LOG",
    "HTTP_TOKEN",
    "P2P_PORT",
    "P2P_BIND",
    "PEERS",
    "DISCOVERY",
    "WIRE",
    "TLS_CERT",
    "TLS_KEY",
    "TLS_CA",
    "TLS_REQUIRE",
    "TLS_ALLOW",
    "PEER_SECRET_FILE",
    "MINE",
    "MINING_THREADS",
    "MINER",
    "CHAIN",
    "BLOCK_INTERVAL",
    "ON_DEMAND",
    "DATA_DIR",
    "EPHEMERAL",
    "KEEP_BODIES",
    "NO_TRANSACTION_INDEX",
    "LOG_KEY",
    "WITNESS_KEY",
    "WITNESSED_LOGS",
    "WITNESSES",
    "RUST_LOG",
];

#[cfg(unix)]
#[tokio::test]
async fn empty_variables_are_as_if_not_set() {
    let mut start = VARIABLES.into_iter().fold(Start::new("json"), |start, name| start.with(name, ""));
    // Other ports than the default ones, which another node may use.
    let script = format!("exec \"$0\" --http-port {} --p2p-port {}", start.http, start.p2p);
    start.through = ["sh", "-c", &script].map(str::to_owned).to_vec();
    let node = start.run().await;
    let block = node.mine("one").await;
    assert_eq!(block["height"], 1);
    let start = node.terminate().await;
    let log = std::fs::read_to_string(start.log()).unwrap();
    assert!(log.contains("INFO") && log.contains("stopped"), "{log}");
}

#[rstest]
#[case::a_number("HTTP_PORT", "x", "'--http-port <PORT>' (or HTTP_PORT)")]
#[case::an_origin("ALLOW_ORIGIN", "https://a.example,*", "'--allow-origin <ORIGIN>' (or ALLOW_ORIGIN)")]
#[case::a_switch("MINE", "perhaps", "'--mine' (or MINE)")]
#[case::of_all_commands("BLOCK_INTERVAL", "soon", "'--block-interval <TIME>' (or BLOCK_INTERVAL)")]
#[case::what_is_missing("TLS_CERT", "cert.pem", "--tls-key <FILE> (or TLS_KEY)")]
#[tokio::test]
async fn a_mistake_names_the_variable(#[case] name: &'static str, #[case] value: &str, #[case] says: &str) {
    let finished = Start::new("json").with(name, value).finish(&[]).await;
    assert_eq!(finished.exit_code, Some(2));
    assert!(finished.stderr.contains(says), "{}", finished.stderr);
    assert_eq!(finished.stderr.lines().count(), 1);
}

#[tokio::test]
async fn the_help_shows_what_is_built_in() {
    let help = Start::new("json").succeeds(&["--help"]).await;
    for (part, is_built_in) in [
        ("--tls-cert", cfg!(feature = "tls")),
        ("--log-key", cfg!(feature = "evidence")),
        ("  keygen", cfg!(feature = "evidence")),
        ("--data-dir", cfg!(feature = "redb")),
        ("  verify", cfg!(feature = "redb")),
        ("node export", cfg!(feature = "redb")),
    ] {
        assert_eq!(help.contains(part), is_built_in, "{part} in {help}");
    }
    let wire = help.lines().find(|line| line.contains("Format to ask peers for")).unwrap();
    for (name, is_built_in) in [
        ("json", cfg!(feature = "ws-json")),
        ("bincode", cfg!(feature = "ws-bincode")),
        ("postcard", cfg!(feature = "ws-postcard")),
    ] {
        assert_eq!(wire.contains(name), is_built_in, "{name} in {wire}");
    }
}

#[cfg(feature = "redb")]
#[tokio::test]
async fn commands_ignore_the_variables_of_a_running_node() {
    let start = Start::new("json").run().await.terminate().await;
    let start = ["HTTP_PORT", "HTTP_BIND", "MINE", "MINING_THREADS", "DISCOVERY", "TLS_CERT", "MINER"]
        .into_iter()
        .fold(start, |start, name| start.with(name, "x"));
    assert_eq!(start.succeeds(&["verify"]).await, "verified the blocks 0 to 0\n");
    // The location of the chain applies to commands, too.
    let ephemeral = start.with("EPHEMERAL", "1");
    let says = ephemeral.fails(&["verify"]).await;
    assert!(says.contains("a chain in memory ends with its node"), "{says}");
}

#[rstest]
#[case::blanks_around(" info\n")]
#[case::blanks_between("warn, hashloom=info , node=info,")]
#[case::only_blanks(" \n")]
#[tokio::test]
async fn a_log_filter_may_have_blanks(#[case] filter: &str) {
    let start =
        Start::new("json").with("EPHEMERAL", "1").with("RUST_LOG", filter).run().await.terminate().await;
    let log = std::fs::read_to_string(start.log()).unwrap();
    assert!(log.contains("INFO") && log.contains("stopped"), "{log}");
}

#[tokio::test]
async fn a_secret_is_not_repeated_in_an_error() {
    let start = Start::new("json").with("HTTP_TOKEN", "a secret with blanks in it");
    let finished = start.finish(&[]).await;
    assert_eq!(finished.exit_code, Some(2), "{finished:?}");
    assert!(
        finished.stderr.starts_with("error: invalid value for '--http-token <TOKEN>' (or HTTP_TOKEN): "),
        "{finished:?}"
    );
    assert!(!finished.stderr.contains("a secret"), "{finished:?}");
}
