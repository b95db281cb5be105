//! Commands that only read a chain, on a directory that cannot be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use rstest::rstest;

use super::program::Start;
use super::work::chain_of;

fn picture(data: &Path) -> (Vec<u8>, SystemTime, usize) {
    let file = data.join("chain.redb");
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    (fs::read(&file).unwrap(), modified, fs::read_dir(data).unwrap().count())
}

#[rstest]
#[case::after_a_clean_stop(false)]
#[case::after_a_kill(true)]
#[tokio::test]
async fn a_chain_is_verified_and_exported_without_a_write(#[case] is_killed: bool) {
    let mut start = if is_killed {
        let node = Start::new("json").run().await;
        for height in 1..=3 {
            node.mine(&format!("block {height}")).await;
        }
        node.kill().await
    } else {
        chain_of(3).await
    };
    let data = start.data();
    fs::set_permissions(data.join("chain.redb"), Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o555)).unwrap();
    let before = picture(&data);
    // File permissions do not stop the superuser, but a read-only file system does.
    let mut ways = vec![Vec::new()];
    let mount = format!("mount --bind {0} {0} && mount -o remount,bind,ro {0}", data.display());
    let mounted = ["unshare", "-m", "sh", "-c", &format!("{mount} && exec \"$0\" \"$@\"")].map(str::to_owned);
    if Command::new(&mounted[0])
        .args(&mounted[1..])
        .arg("true")
        .output()
        .is_ok_and(|ended| ended.status.success())
    {
        ways.push(mounted.into());
    } else {
        eprintln!("WARNING: SKIPPED a read-only file system: needs unshare and mount");
    }
    for (number, way) in ways.into_iter().enumerate() {
        start.through = way;
        assert_eq!(start.succeeds(&["verify"]).await, "verified the blocks 0 to 3\n");
        start.succeeds(&["export", &format!("{number}.archive")]).await;
        assert!(picture(&data) == before);
        if number == 1 {
            let error = start.fails(&["repair"]).await;
            assert!(error.contains("Read-only file system"), "{error}");
        }
    }
    fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_chain_is_not_read_while_a_node_has_it() {
    let node = chain_of(1).await.run().await;
    for command in [&["verify"][..], &["export", "blocks.archive"]] {
        let error = node.start.fails(command).await;
        assert!(error.contains("is in use by another process"), "{error}");
    }
}

/// A directory that another user keeps to itself may well hold a chain.
#[tokio::test]
async fn a_directory_that_may_not_be_read_is_not_called_empty() {
    let mut start = chain_of(1).await;
    let data = start.data();
    fs::set_permissions(&data, Permissions::from_mode(0o000)).unwrap();
    // Permissions do not stop the superuser.
    let other = ["setpriv", "--reuid", "4099", "--clear-groups", "--bounding-set", "-all"];
    if Command::new(other[0]).args(&other[1..]).arg("true").output().is_ok_and(|ended| ended.status.success())
    {
        start.through = other.map(str::to_owned).into();
    }
    fs::set_permissions(start.directory(), Permissions::from_mode(0o755)).unwrap();
    for command in ["verify", "repair"] {
        let error = start.fails(&[command]).await;
        let says = format!("cannot read {}: Permission denied", data.join("chain.redb").display());
        assert!(error.contains(&says), "{error}");
    }
    fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
}
