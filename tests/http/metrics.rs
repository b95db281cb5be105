//! `GET /metrics`: that it has every documented metric and no other, and that the values are those of the chain.

#![allow(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "small whole numbers, which floats have exactly"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use hashloom::http::{HttpMetrics, RoutesConfig};
use hashloom::node::prometheus_client::encoding::prometheus_text;
use hashloom::node::prometheus_client::registry::Registry;
use hashloom::transport::Memory;
use hashloom::{Node, NodeHandle, PeerAddr};
use serde_json::json;

use crate::kit::{Answer, Ask, spec};
use crate::skip::skip;

/// The samples of a text: their names with labels, and their values.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name, value.parse().unwrap()))
        .collect()
}

/// The metrics of a text and their types.
fn types(text: &str) -> Vec<(&str, &str)> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
}

/// The rows of the tables in the documentation: each metric and its type.
fn documented() -> Vec<(&'static str, &'static str)> {
    let rows = include_str!("../../docs/metrics.md").lines().filter_map(|line| line.strip_prefix("| `"));
    let metrics = rows.map(|row| {
        let (name, rest) = row.split_once("` | ").unwrap();
        (name, rest.split_once(" | ").unwrap().0)
    });
    let is_here = |name: &str| {
        (cfg!(feature = "evidence") || name != "hashloom_signing_stopped")
            && (cfg!(target_os = "linux") || !name.starts_with("process_"))
    };
    metrics.filter(|(name, _)| is_here(name)).collect()
}

/// The version of the crate.
fn version() -> &'static str {
    include_str!("../../Cargo.toml").split_once("\nversion = \"").unwrap().1.split('"').next().unwrap()
}

/// A node after two blocks of its own, a reorganisation to three blocks of a peer, one more block, two transactions, and
/// requests that were answered in every way, with its metrics of HTTP.
async fn busy() -> (NodeHandle, NodeHandle, RoutesConfig) {
    let transport = Memory::new();
    let builder = || Node::<String>::builder(spec("metrics")).transport(transport.clone());
    let other = builder().listen("memory://other".parse().unwrap()).start().await.unwrap();
    for number in 1..=3 {
        other.mine(vec![format!("other {number}")]).await.unwrap();
    }
    let node = builder().listen("memory://node".parse().unwrap()).start().await.unwrap();
    let config = RoutesConfig::default().with_metrics(HttpMetrics::default());
    for number in 1..=2 {
        let mine = Ask::post("/mine", &json!({"data": [format!("node {number}")]}));
        assert_eq!(mine.config(config.clone()).of(&node).await.status, 201);
    }
    let address: PeerAddr = "memory://other".parse().unwrap();
    assert_eq!(
        Ask::post("/peers", &json!({"address": address})).config(config.clone()).of(&node).await.status,
        202
    );
    node.wait_for(|chain| chain.height() == 3).await.unwrap();
    node.mine(vec!["together".to_owned()]).await.unwrap();
    other.wait_for(|chain| chain.height() == 4).await.unwrap();
    node.ban("192.0.2.1".parse().unwrap(), core::time::Duration::from_secs(60)).await.unwrap();
    for text in ["pending", "removed"] {
        node.submit(text.to_owned()).await.unwrap();
    }
    for (id, text) in node.pending(9) {
        if text == "removed" {
            assert!(node.remove_transaction(id).await.unwrap());
        }
    }
    for (path, status) in [("/blocks/1", 200), ("/blocks/9", 404), ("/blocks/x", 400), ("/nothing", 404)] {
        assert_eq!(Ask::get(path).config(config.clone()).of(&node).await.status, status);
    }
    let tag = format!("\"{}\"", node.tip().hash());
    let known =
        Ask::get("/blocks/latest").header("If-None-Match", &tag).config(config.clone()).of(&node).await;
    assert_eq!(known.status, 304);
    (node, other, config)
}

async fn scrape(node: &NodeHandle, config: &RoutesConfig) -> Answer {
    let answer = Ask::get("/metrics").config(config.clone()).of(node).await;
    assert_eq!(answer.status, 200);
    answer
}

fn text(answer: &Answer) -> &str {
    core::str::from_utf8(&answer.body).unwrap()
}

#[tokio::test]
async fn every_documented_metric_is_there_and_no_other() {
    let (node, _other, config) = busy().await;
    let answer = scrape(&node, &config).await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let (mut here, mut expected) = (types(text(&answer)), documented());
    here.sort_unstable();
    expected.sort_unstable();
    assert_eq!(here, expected);
    // Each also has a value.
    for (name, _) in expected {
        let is_of = |sample: &str| {
            sample.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['{', '_']))
        };
        assert!(samples(text(&answer)).keys().any(|sample| is_of(sample)), "{name} has no value");
    }
}

#[tokio::test]
async fn the_values_are_those_of_the_chain() {
    let (node, other, config) = busy().await;
    let answer = scrape(&node, &config).await;
    let (samples, status) = (samples(text(&answer)), node.status());
    let of = |name: &str| *samples.get(name).unwrap_or_else(|| panic!("no {name} in {samples:#?}"));
    let id = |name: &str, labels: &str| of(&format!("{name}{{{labels}}}"));

    assert_eq!(status.tip, other.status().tip);
    assert_eq!(id("hashloom_build_info", &format!("version=\"{}\"", version())), 1.0);
    assert_eq!(id("hashloom_chain_info", &format!("name=\"metrics\",genesis=\"{}\"", status.genesis)), 1.0);
    for (name, expected) in [
        ("hashloom_chain_height", 4.0),
        ("hashloom_chain_header_height", 4.0),
        ("hashloom_chain_next_difficulty", status.next_difficulty.as_f64()),
        // The target of this chain is every hash.
        ("hashloom_chain_work_hashes", 5.0),
        ("hashloom_side_blocks", 2.0),
        ("hashloom_blocks_connected_total", 6.0),
        ("hashloom_blocks_disconnected_total", 2.0),
        ("hashloom_reorganisation_depth_blocks_bucket{le=\"1\"}", 0.0),
        ("hashloom_reorganisation_depth_blocks_bucket{le=\"2\"}", 1.0),
        ("hashloom_reorganisation_depth_blocks_count", 1.0),
        ("hashloom_reorganisation_depth_blocks_sum", 2.0),
        ("hashloom_mempool_accepted_total", 2.0),
        ("hashloom_mempool_removed_total{reason=\"requested\"}", 1.0),
        ("hashloom_mempool_removed_total{reason=\"evicted\"}", 0.0),
        ("hashloom_peers{direction=\"inbound\"}", 0.0),
        ("hashloom_peers{direction=\"outbound\"}", 1.0),
        ("hashloom_banned_hosts", 1.0),
        ("hashloom_bans_total", 1.0),
        ("hashloom_failed_dials_total", 0.0),
        ("hashloom_mining_searches_total", 3.0),
        ("hashloom_mining_blocks_total", 3.0),
        ("hashloom_store_failed_commits_total", 0.0),
        ("hashloom_halted", 0.0),
        ("hashloom_offline", 0.0),
        ("hashloom_clock_behind", 0.0),
        ("hashloom_branch_refused", 0.0),
        ("hashloom_mining", 0.0),
        ("hashloom_peer_messages_sent_total{kind=\"hello\"}", 1.0),
        ("hashloom_peer_messages_received_total{kind=\"hello\"}", 1.0),
        ("hashloom_peer_messages_sent_total{kind=\"new_block\"}", 1.0),
        // In memory messages move without bytes.
        ("hashloom_peer_sent_bytes_total{kind=\"hello\"}", 0.0),
    ] {
        assert_eq!(of(name), expected, "{name}");
    }
    let seconds = of("hashloom_chain_tip_timestamp_seconds");
    assert!((seconds * 1_000.0 - status.timestamp.as_millis() as f64).abs() < 0.5, "{seconds}");
    assert!(of("hashloom_mining_hashes_total") >= 3.0);
    assert!(of("hashloom_store_commit_duration_seconds_count") >= 4.0);
    // With the two of the blocks that were disconnected.
    assert_eq!(of("hashloom_mempool_transactions"), 3.0);
    let bytes = of("hashloom_mempool_bytes");
    assert!((750.0..2_100.0).contains(&bytes), "each takes some 550 bytes: {bytes}");

    let requests = "hashloom_http_requests_total";
    let bytes = "hashloom_http_response_body_bytes_total";
    let block = "method=\"GET\",route=\"/blocks/{height or hash}\"";
    assert_eq!(id(requests, "method=\"POST\",route=\"/mine\",status=\"2xx\""), 2.0);
    assert_eq!(id(requests, &format!("{block},status=\"2xx\"")), 1.0);
    assert_eq!(id(requests, &format!("{block},status=\"4xx\"")), 2.0);
    assert_eq!(id(requests, "method=\"GET\",route=\"/blocks/latest\",status=\"3xx\""), 1.0);
    assert_eq!(id(requests, "method=\"none\",route=\"none\",status=\"4xx\""), 1.0);
    assert_eq!(id("hashloom_http_request_duration_seconds_count", block), 3.0);
    let shown = Ask::get("/blocks/1").of(&node).await;
    assert_eq!(id(bytes, &format!("{block},status=\"2xx\"")), shown.body.len() as f64);
    assert_eq!(id(bytes, "method=\"GET\",route=\"/blocks/latest\",status=\"3xx\""), 0.0);
}

/// A scrape counts the requests before it, and itself at the next one.
#[tokio::test]
async fn a_counter_grows_and_never_falls() {
    let (node, _other, config) = busy().await;
    let (first, second) = (scrape(&node, &config).await, scrape(&node, &config).await);
    let (first, second) = (samples(text(&first)), samples(text(&second)));
    let scrapes = "hashloom_http_requests_total{method=\"GET\",route=\"/metrics\",status=\"2xx\"}";
    assert_eq!((first.get(scrapes), second.get(scrapes)), (None, Some(&1.0)));
    for (name, before) in first.iter().filter(|(name, _)| name.contains("_total") || name.contains("_bucket"))
    {
        assert!(second[name] >= *before, "{name}");
    }
}

/// Both formats have the same values.
#[tokio::test]
async fn a_client_that_asks_for_it_receives_open_metrics() {
    let (node, _other, config) = busy().await;
    let open = Ask::get("/metrics").header("Accept", "application/openmetrics-text; version=1.0.0");
    let open = open.config(config.clone()).of(&node).await;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((open.header("content-type"), open.header("vary")), (Some(media_type), Some("accept")));
    assert!(text(&open).ends_with("\n# EOF\n"));
    let plain = scrape(&node, &config).await;
    // One writes the bound of a bucket as a float, and both write it elsewhere.
    let labels = |sample: &str| -> BTreeSet<String> {
        sample.replace(".0\"", "\"").split(['{', ',', '}']).map(ToOwned::to_owned).collect()
    };
    let names = |answer| -> BTreeSet<BTreeSet<String>> {
        samples(text(answer)).into_keys().filter(|name| !name.contains("/metrics")).map(labels).collect()
    };
    let (open, plain) = (names(&open), names(&plain));
    assert_eq!(open, plain);
}

/// An application has the metrics in its own registry, and they keep no node running.
#[tokio::test]
async fn an_application_registers_the_metrics() {
    let (node, _other, config) = busy().await;
    let mut registry = Registry::with_prefix("app");
    node.metrics().register(registry.sub_registry_with_label(("chain".into(), "first".into())));
    config.metrics.as_ref().unwrap().register(&mut registry);
    let encoded = || {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        text
    };
    let text = encoded();
    let both = samples(&text);
    assert_eq!(both["app_hashloom_chain_height{chain=\"first\"}"], 4.0);
    assert_eq!(both["app_hashloom_peers{chain=\"first\",direction=\"outbound\"}"], 1.0);
    assert_eq!(both["app_hashloom_http_requests_total{method=\"POST\",route=\"/mine\",status=\"2xx\"}"], 2.0);
    let own = node.metrics().encode();
    assert_eq!(samples(&own)["hashloom_chain_height"], 4.0);
    assert!(
        types(&own).iter().all(|(name, _)| name.starts_with("hashloom_") && !name.contains("_http_")),
        "{own}"
    );
    node.shutdown().await;
    drop(node);
    assert_eq!(
        samples(&encoded())["app_hashloom_chain_height{chain=\"first\"}"],
        4.0,
        "the last state remains"
    );
}

#[tokio::test]
async fn metrics_keep_no_node_running() {
    let node = Node::<String>::builder(spec("metrics")).start().await.unwrap();
    let (metrics, mut events) = (node.metrics(), node.subscribe());
    drop(node);
    assert!(events.recv().await.is_err());
    assert_eq!(samples(&metrics.encode())["hashloom_chain_height"], 0.0);
}

/// A peer that is down.
#[tokio::test]
async fn a_node_that_reaches_no_peer_is_offline() {
    let silent: PeerAddr = "memory://unreachable".parse().unwrap();
    let builder = Node::<String>::builder(spec("metrics")).transport(Memory::new()).peers([silent]);
    let mut events = builder.subscribe();
    let node = builder.start().await.unwrap();
    while !matches!(events.recv().await.unwrap(), hashloom::Event::DialFailed { .. }) {}
    let text = node.metrics().encode();
    let samples = samples(&text);
    assert_eq!((samples["hashloom_offline"], samples["hashloom_failed_dials_total"]), (1.0, 1.0));
}

/// The linter of the Prometheus project knows its conventions.
#[tokio::test]
async fn promtool_has_no_complaint() {
    let (node, _other, config) = busy().await;
    let answer = scrape(&node, &config).await;
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut promtool) = promtool.spawn() else {
        skip("metrics::promtool", "promtool is not installed");
        return;
    };
    promtool.stdin.take().unwrap().write_all(&answer.body).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let said = [checked.stdout, checked.stderr].concat();
    assert!(checked.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

/// Every metric of the dashboard is one of the documented ones.
#[test]
fn the_dashboard_has_documented_metrics_alone() {
    let dashboard: serde_json::Value = serde_json::from_str(include_str!("../../docs/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(queries.len() >= 20, "{queries:#?}");
    let all = include_str!("../../docs/metrics.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let all: BTreeSet<&str> = all.collect();
    let mut shown = BTreeSet::new();
    for query in queries {
        let words = query.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        for word in words.filter(|word| word.starts_with("hashloom_") || word.starts_with("process_")) {
            let base = ["_bucket", "_count", "_sum"].iter().find_map(|end| word.strip_suffix(end));
            let name =
                all.get(word).or_else(|| all.get(base?)).unwrap_or_else(|| panic!("no {word}: {query}"));
            shown.insert(*name);
        }
    }
    // What changes with neither time nor traffic needs no panel.
    let hidden: Vec<_> = all.difference(&shown).collect();
    assert_eq!(hidden, [&"hashloom_chain_info"]);
}

/// What one node sends, the other receives.
#[cfg(feature = "ws-json")]
#[tokio::test]
async fn bytes_are_those_of_the_wire() {
    let builder = || Node::<String>::builder(spec("metrics")).transport(hashloom::WsJson::default());
    let other = builder().listen("ws://127.0.0.1:0".parse().unwrap()).start().await.unwrap();
    let node = builder().peers([other.listen_addr().unwrap().clone()]).start().await.unwrap();
    node.wait_for_peers(1).await.unwrap();
    other.wait_for_peers(1).await.unwrap();
    let block = node.mine(vec!["x".repeat(10_000)]).await.unwrap();
    other.wait_for(|chain| chain.tip().hash() == block.hash()).await.unwrap();
    let (sent, received) = (node.metrics().encode(), other.metrics().encode());
    let (sent, received) = (samples(&sent), samples(&received));
    for (kind, least) in [("hello", 100.0), ("new_block", 10_000.0)] {
        let sent = sent[format!("hashloom_peer_sent_bytes_total{{kind=\"{kind}\"}}").as_str()];
        let received = received[format!("hashloom_peer_received_bytes_total{{kind=\"{kind}\"}}").as_str()];
        assert_eq!(sent, received, "{kind}");
        assert!((least..least + 2_000.0).contains(&sent), "{kind}: {sent}");
    }
}
