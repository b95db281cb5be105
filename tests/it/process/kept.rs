//! What a node keeps in its directory, and to whom it is refused.

use rstest::rstest;
use serde_json::json;

use super::program::Start;

#[tokio::test]
async fn a_restart_keeps_the_chain_and_what_is_pending() {
    let node = Start::new("json").run().await;
    node.mine("before").await;
    // After a kill, and without a peer that has the blocks: what the node answered with must be on disk.
    let blocks = node.blocks().await;
    let node = node.kill().await.run().await;
    assert_eq!(node.blocks().await, blocks);

    let block = node.mine("after the crash").await;
    assert_eq!(block["height"], 2);
    let (status, accepted) = node.post("/transactions", &json!({ "data": "pending" })).await;
    assert_eq!(status, 202);
    let node = node.terminate().await.run().await;
    assert_eq!(node.get("/transactions").await, json!([{ "id": accepted["id"], "data": "pending" }]));
    let (status, mined) = node.post("/mine", &json!({})).await;
    assert_eq!((status, &mined["height"], &mined["data"]), (201, &json!(3), &json!(["pending"])));
}

#[tokio::test]
async fn a_directory_is_the_default_and_ephemeral_forgets() {
    let mut start = Start::new("json");
    start.variables.push(("DATA_DIR", "hashloom-data/named".to_owned()));
    let named = start.run().await;
    named.mine("kept here").await;
    let mut start = named.terminate().await;
    assert!(start.directory().join("hashloom-data/named/chain.redb").exists());

    // Without a configured directory.
    start.through = ["env", "--unset=DATA_DIR"].map(str::to_owned).into();
    let node = start.run().await;
    node.has("height", &json!(0)).await;
    node.mine("kept by default").await;
    let start = node.terminate().await;
    let by_default = start.directory().join(format!("hashloom-data/{}/chain.redb", start.p2p));
    assert!(by_default.exists(), "{}", by_default.display());
    let node = start.with("EPHEMERAL", "true").run().await;
    node.has("height", &json!(0)).await;
    node.mine("forgotten").await;
    let node = node.terminate().await.run().await;
    node.has("height", &json!(0)).await;
}

#[rstest]
#[case::node(&[])]
#[case::verify(&["verify"])]
#[case::export(&["export", "blocks.archive"])]
#[case::import(&["import", "/dev/null"])]
#[case::repair(&["repair"])]
#[tokio::test]
async fn a_second_process_in_the_directory_is_refused_by_name(#[case] arguments: &[&str]) {
    let first = Start::new("json").run().await;
    first.mine("mine").await;
    let second = Start::new("json").with("DATA_DIR", first.start.data().display().to_string());
    let error = second.fails(arguments).await;
    let path = first.start.data().join("chain.redb").display().to_string();
    assert!(error.contains(&format!("{path} is in use")) && error.contains("DATA_DIR"), "{error}");
    assert!(!second.directory().join("blocks.archive").exists());
    let block = first.mine("still mine").await;
    assert_eq!(block["height"], 2);
}

#[rstest]
#[case::name("CHAIN", "another")]
#[case::rules("BLOCK_INTERVAL", "11s")]
#[case::on_demand("ON_DEMAND", "true")]
#[tokio::test]
async fn another_chain_is_refused_by_name(#[case] variable: &'static str, #[case] value: &str) {
    let node = Start::new("json").run().await;
    node.mine("mine").await;
    let start = node.terminate().await.with(variable, value);
    for arguments in [&[][..], &["verify"], &["repair"]] {
        let error = start.fails(arguments).await;
        assert!(error.contains(r#"the store holds chain "hashloom""#) && error.contains(variable), "{error}");
    }
}

#[tokio::test]
async fn old_contents_can_be_given_up() {
    let node = Start::new("json").with("KEEP_BODIES", "2").run().await;
    // More than a megabyte of blocks: after that a state snapshot is written, up to which old bodies can be
    // pruned.
    let filler = "x".repeat(400_000);
    for height in 1..=9 {
        let block = node.mine(&format!("{height} {filler}")).await;
        assert_eq!(block["height"], height);
    }
    let status = node.get("/status").await;
    let first = status["first_body"].as_u64().unwrap();
    assert!((2..=8).contains(&first), "{status}");
    let (status, error) =
        super::program::request(node.start.http, "GET", &format!("/blocks/{}", first - 1), "").await.unwrap();
    assert_eq!((status, &error["error"]["code"]), (404, &json!("block_not_found")));
    let start = node.terminate().await;
    let verified = start.succeeds(&["verify"]).await;
    assert_eq!(
        verified,
        format!(
            "verified the blocks 0 to 9; bodies up to {} are pruned, so only their headers were verified\n",
            first - 1
        )
    );
    let error = start.fails(&["export", "all.archive"]).await;
    assert!(error.contains(&format!("blocks are kept from height {first} on")), "{error}");
    let exported = start.succeeds(&["export", "tail.archive", "--from", &first.to_string()]).await;
    assert_eq!(exported, format!("exported {} blocks up to height 9 into tail.archive\n", 10 - first));
}
