//! A branch with more work that a node refuses, and the events that report it.

use hashloom::node::Status;
use hashloom::transport::Memory;
use hashloom::{ChainSpec, Event, Node, Retarget, Timestamp};
use serde_json::json;

use crate::kit::{easy_spec, within};

/// 2026-08-01 00:00 UTC.
const NOW: Timestamp = Timestamp::from_millis(1_785_542_400_000);

#[tokio::test]
async fn the_status_says_that_peers_have_more_work_on_a_branch_that_is_final() {
    let easiest = easy_spec("refused").easiest_target();
    let spec = ChainSpec::builder("refused").easiest_target(easiest).retarget(Retarget::Fixed);
    let spec = spec.finality_depth(Some(2)).build().unwrap();
    let network = Memory::new();
    let builder = || Node::<String>::builder(spec.clone()).transport(network.clone()).wall_clock(|| NOW);
    let theirs = builder().listen("memory://".parse().unwrap()).start().await.unwrap();
    let ours = builder().start().await.unwrap();
    // With equal data and timestamps both nodes would mine equal blocks, and there would be no fork.
    for (node, owner, blocks) in [(&theirs, "theirs", 6), (&ours, "ours", 4)] {
        for number in 0..blocks {
            within(node.mine(vec![format!("{owner} {number}")])).await.unwrap();
        }
    }
    let mut events = ours.subscribe();
    let address = theirs.listen_addr().unwrap().clone();
    within(ours.connect(address.clone())).await.unwrap();
    let refused = loop {
        if let Event::BranchRefused(refused) = within(events.recv()).await.unwrap() {
            break refused;
        }
    };
    assert_eq!((refused.rule, refused.work, refused.peers), ("finality", theirs.status().work, 1));
    let status = ours.status();
    assert_eq!((status.height, &status.refused_branch), (4, &Some(refused.into())));
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(serde_json::from_value::<Status>(json.clone()).unwrap(), status);
    let error = "branch leaves the best chain at height 0, which is final up to 2";
    let branch = json!({"rule": "finality", "error": error, "work": theirs.status().work, "peers": 1});
    assert_eq!(json["refused_branch"], branch);
    assert_eq!(theirs.status().refused_branch, None);

    within(theirs.shutdown()).await;
    loop {
        if matches!(within(events.recv()).await.unwrap(), Event::BranchRefusalEnded) {
            break;
        }
    }
    assert_eq!(ours.status().refused_branch, None);
}
