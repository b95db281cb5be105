//! Where the file of an export ends up, depending on what exists at its path.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use hashloom::Hash;

use super::program::Start;
use super::work::chain_of;

fn is_archive(path: &Path) -> bool {
    fs::read(path).unwrap().starts_with(b"\x89HLA")
}

/// Starts the node through a shell.
fn through(start: &mut Start, script: &str) {
    start.through = ["sh", "-c", script].map(str::to_owned).into();
}

#[tokio::test]
async fn a_link_is_followed_and_permissions_are_kept() {
    let start = chain_of(2).await;
    let at = |name: &str| start.directory().join(name);
    fs::create_dir(at("elsewhere")).unwrap();
    fs::write(at("elsewhere/old.archive"), "old").unwrap();
    fs::set_permissions(at("elsewhere/old.archive"), Permissions::from_mode(0o640)).unwrap();
    symlink("elsewhere/old.archive", at("old")).unwrap();
    symlink("elsewhere/new.archive", at("new")).unwrap();
    symlink("itself", at("itself")).unwrap();

    let error = start.fails(&["export", "old"]).await;
    assert!(error.contains("old exists already"), "{error}");
    start.succeeds(&["export", "old", "--force"]).await;
    assert!(is_archive(&at("elsewhere/old.archive")));
    let mode = fs::metadata(at("elsewhere/old.archive")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    start.succeeds(&["export", "new"]).await;
    assert!(is_archive(&at("elsewhere/new.archive")));
    for link in ["old", "new"] {
        assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
    }
    let error = start.fails(&["export", "itself", "--force"]).await;
    assert!(error.contains("cannot write itself"), "{error}");
    let names = fs::read_dir(at("elsewhere")).unwrap().count();
    assert_eq!(names, 2, "nothing unfinished is left");
}

#[tokio::test]
async fn what_is_no_file_is_written_into() {
    let mut start = chain_of(2).await;
    let directory = start.directory().to_owned();
    through(&mut start, r#""$0" "$@" | cat > piped"#);
    start.succeeds(&["export", "/dev/stdout"]).await;
    through(&mut start, r#"echo before > appended; "$0" "$@" >> appended; echo after >> appended"#);
    start.succeeds(&["export", "/dev/stdout"]).await;
    through(&mut start, r#"mkfifo fifo; cat fifo > drained & "$0" "$@"; wait"#);
    start.succeeds(&["export", "fifo"]).await;
    start.through.clear();
    start.succeeds(&["export", "blocks.archive"]).await;

    let expected = fs::read(directory.join("blocks.archive")).unwrap();
    for name in ["piped", "drained"] {
        assert!(fs::read(directory.join(name)).unwrap() == expected, "{name}");
    }
    let appended = [&b"before\n"[..], &expected, b"after\n"].concat();
    assert!(fs::read(directory.join("appended")).unwrap() == appended);
    let error = start.fails(&["export", "data", "--force"]).await;
    assert!(error.ends_with("data is a directory: name a file"), "{error}");
    let error = start.fails(&["export", "blocks.archive/file"]).await;
    assert!(error.contains("cannot write blocks.archive/file: Not a directory"), "{error}");
}

#[tokio::test]
async fn what_a_killed_export_has_left_goes_with_the_next() {
    let start = chain_of(2).await;
    let digest = Hash::digest(b"blocks.archive").to_string();
    let part = start.directory().join(format!(".export-{}.part", &digest[..16]));
    fs::write(&part, "unfinished").unwrap();
    let going_on = File::open(&part).unwrap();
    going_on.lock().unwrap();
    let error = start.fails(&["export", "blocks.archive"]).await;
    assert!(error.ends_with("cannot write blocks.archive: another process is writing it"), "{error}");
    assert_eq!(fs::read(&part).unwrap(), b"unfinished");
    drop(going_on);
    start.succeeds(&["export", "blocks.archive"]).await;
    assert!(is_archive(&start.directory().join("blocks.archive")));
    assert!(!part.exists());
}
