//! What the program writes to a terminal, which the program `script` provides.

use std::process::Stdio;

use rstest::rstest;
use tokio::process::Command;

use super::program::Start;
use crate::kit::within;
use crate::skip::skip;

#[rstest]
#[case::a_terminal("TERM", "xterm", true)]
#[case::an_empty_variable("NO_COLOR", "", true)]
#[case::disabled("NO_COLOR", "1", false)]
#[case::without_escape_sequences("TERM", "dumb", false)]
#[tokio::test]
async fn colours_are_for_terminals_that_have_and_want_them(
    #[case] name: &'static str,
    #[case] value: &str,
    #[case] has_colours: bool,
) {
    let version = within(Command::new("script").arg("--version").stdout(Stdio::null()).status()).await;
    if !version.is_ok_and(|ended| ended.success()) {
        skip("colours on a terminal", "needs the program script of util-linux");
        return;
    }
    let mut start = Start::new("json").with("EPHEMERAL", "1").with("TERM", "xterm").with(name, value);
    let shell = r#"NODE="$0" exec script -qfec '"$NODE"' /dev/null >&2"#;
    start.through = ["sh", "-c", shell].map(str::to_owned).into();
    let node = start.run().await;
    let log = within(async {
        loop {
            let log = std::fs::read_to_string(node.start.log()).unwrap();
            if log.contains("HTTP at") {
                return log;
            }
            // Another request, so that the node gets on.
            node.get("/status").await;
        }
    })
    .await;
    assert_eq!(log.contains("\u{1b}["), has_colours, "{log:?}");
}
