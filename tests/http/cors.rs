//! What web pages of other origins may do.

use hashloom::http::{Origin, OriginError, RoutesConfig, Token, routes};
use hashloom::protocol::HostError;
use hashloom::{Node, NodeHandle};
use rouille::Request;
use rstest::rstest;
use serde_json::json;

use crate::kit::{Ask, spec};

const APP: &str = "https://app.example";
const SECRET: &str = "0123456789abcdef";
const EXPOSED: &str = "etag, link, location, retry-after, x-request-id, x-total-count";

async fn node() -> NodeHandle {
    Node::builder(spec("cors")).start().await.unwrap()
}

fn listing(origins: &[&str]) -> RoutesConfig {
    RoutesConfig::default().with_allowed_origins(origins.iter().map(|origin| origin.parse().unwrap()))
}

#[rstest]
#[case("https://app.example", "https://app.example")]
#[case("https://app.example:443", "https://app.example")]
#[case("http://app.example:443", "http://app.example:443")]
#[case("HTTP://App.Example:80", "http://app.example")]
#[case("http://localhost:5173", "http://localhost:5173")]
#[case("http://app.example.", "http://app.example.")]
#[case("http://192.0.2.7:08080", "http://192.0.2.7:8080")]
#[case("http://[2001:DB8:0::1]:8080", "http://[2001:db8::1]:8080")]
#[case("http://[::ffff:1.2.3.4]", "http://[::ffff:102:304]")]
#[case("tauri://localhost", "tauri://localhost")]
#[case("chrome-extension://abcdef", "chrome-extension://abcdef")]
fn an_origin_is_written_as_the_browser_sends_it(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(text.parse::<Origin>().unwrap().as_str(), expected);
}

fn scheme(got: &str) -> OriginError {
    OriginError::Scheme { got: got.to_owned() }
}

fn excess(got: &str, part: char) -> OriginError {
    OriginError::Excess { got: got.to_owned(), part }
}

fn host(got: &str, source: HostError) -> OriginError {
    OriginError::Host { got: got.to_owned(), source }
}

#[rstest]
#[case("*", OriginError::Any)]
#[case("null", OriginError::Null)]
#[case("", scheme(""))]
#[case("app.example", scheme("app.example"))]
#[case("//app.example", scheme("//app.example"))]
#[case("://app.example", scheme("://app.example"))]
#[case("1http://app.example", scheme("1http://app.example"))]
#[case(" https://app.example", scheme(" https://app.example"))]
#[case("https://app.example/", excess("https://app.example/", '/'))]
#[case("https://app.example?a", excess("https://app.example?a", '?'))]
#[case("https://app.example#a", excess("https://app.example#a", '#'))]
#[case("https://me@app.example", excess("https://me@app.example", '@'))]
#[case("https://evil.example\\.app.example", excess("https://evil.example\\.app.example", '\\'))]
#[case("file://", host("file://", HostError::Empty))]
#[case("https://*.app.example", host("https://*.app.example", HostError::Character('*')))]
#[case("https://b\u{fc}cher.example", host("https://b\u{fc}cher.example", HostError::Character('\u{fc}')))]
#[case("http://127.1", host("http://127.1", HostError::Number))]
#[case("http://[::1", host("http://[::1", HostError::Brackets))]
#[case("http://::1", host("http://::1", HostError::Empty))]
#[case("http://app.example:", host("http://app.example:", HostError::Port))]
#[case("http://app.example:65536", host("http://app.example:65536", HostError::Port))]
fn what_is_no_origin(#[case] text: &str, #[case] expected: OriginError) {
    assert_eq!(text.parse::<Origin>(), Err(expected));
}

/// Pages of all origins are answered when they read, and only those of listed ones may see the answer.
#[rstest]
#[case(&[], APP, false)]
#[case(&[APP], APP, true)]
#[case(&["http://localhost:5173", APP], APP, true)]
#[case(&[APP], "http://app.example", false)]
#[case(&[APP], "https://app.example:8443", false)]
#[case(&[APP], "https://app.example.", false)]
#[case(&[APP], "https://app.example.evil.example", false)]
#[case(&[APP], "https://evil.example", false)]
#[case(&[APP], "null", false)]
#[case(&[APP], "*", false)]
#[tokio::test]
async fn who_may_read_and_mine(#[case] origins: &[&str], #[case] origin: &str, #[case] is_listed: bool) {
    let node = node().await;
    let config = listing(origins);
    let read = Ask::get("/status").config(config.clone()).header("Origin", origin).of(&node).await;
    assert_eq!(read.status, 200);
    assert_eq!(read.header("access-control-allow-origin"), is_listed.then_some(origin));
    assert_eq!(read.header("access-control-expose-headers"), is_listed.then_some(EXPOSED));
    assert_eq!(read.header("access-control-allow-credentials"), None);
    assert_eq!(read.header("vary"), (!origins.is_empty()).then_some("origin"));

    let ask = Ask::post("/mine", &json!({"data": []})).config(config).header("Origin", origin);
    let mined = ask.of(&node).await;
    assert_eq!(mined.status, if is_listed { 201 } else { 403 });
    assert_eq!(mined.header("access-control-allow-origin"), is_listed.then_some(origin));
    assert_eq!(node.chain().height(), u64::from(is_listed));
}

/// A cache that has the answer to one origin must not give it to another.
#[tokio::test]
async fn answers_vary_also_without_an_origin_and_with_an_error() {
    let node = node().await;
    for path in ["/blocks/0", "/nothing", "/", "/assets/app.mjs"] {
        let answer = Ask::get(path).config(listing(&[APP])).of(&node).await;
        assert_eq!(answer.header("vary"), Some("origin"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        let answer = Ask::get(path).config(listing(&[APP])).header("Origin", APP).of(&node).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP), "{path}");
    }
}

#[rstest]
#[case(APP, "localhost", 204)]
#[case("http://localhost", "localhost", 204)]
#[case("https://evil.example", "localhost", 403)]
#[case("null", "localhost", 403)]
#[case(APP, "evil.example", 403)]
#[tokio::test]
async fn preflight(#[case] origin: &str, #[case] host: &str, #[case] status: u16) {
    let node = node().await;
    let config = listing(&[APP]).with_token(Token::new(SECRET).unwrap());
    for (path, method) in
        [("/mine", "POST"), ("/bans/10.0.0.1", "DELETE"), ("/blocks", "GET"), ("/nothing", "PUT")]
    {
        let ask = Ask::new("OPTIONS", path).config(config.clone());
        let ask = ask.header("Host", host).header("Origin", origin);
        let answer = ask.header("Access-Control-Request-Method", method).of(&node).await;
        assert_eq!(answer.status, status, "{method} {path}");
        let is_open = status == 204;
        let methods = answer.header("access-control-allow-methods");
        assert_eq!(methods, is_open.then_some("GET, HEAD, POST, DELETE"));
        let headers = answer.header("access-control-allow-headers");
        assert_eq!(headers, is_open.then_some("authorization, content-type"));
        assert_eq!(answer.header("access-control-max-age"), is_open.then_some("600"));
        assert_eq!(answer.header("access-control-allow-origin"), (origin == APP).then_some(APP));
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    assert_eq!(node.chain().height(), 0);
}

#[rstest]
#[case(&[])]
#[case(&[("Origin", APP)])]
#[case(&[("Access-Control-Request-Method", "POST")])]
#[tokio::test]
async fn options_without_a_preflight_is_no_method(#[case] headers: &[(&str, &str)]) {
    let ask = Ask::new("OPTIONS", "/mine").config(listing(&[APP]));
    let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
    let answer = ask.of(&node().await).await;
    assert_eq!(
        (answer.error(), answer.header("allow")),
        ((405, "method_not_allowed".to_owned()), Some("POST"))
    );
}

/// An origin that is listed needs the token like everybody, and it is told so in a form that it can read.
#[tokio::test]
async fn a_listed_origin_needs_the_token() {
    let node = node().await;
    let ask = || {
        let config = listing(&[APP]).with_token(Token::new(SECRET).unwrap());
        Ask::post("/mine", &json!({"data": []})).config(config).header("Origin", APP)
    };
    let refused = ask().of(&node).await;
    assert_eq!(refused.error(), (401, "unauthorized".to_owned()));
    assert_eq!(refused.header("access-control-allow-origin"), Some(APP));
    let mined = ask().header("Authorization", &format!("Bearer {SECRET}")).of(&node).await;
    assert_eq!((mined.status, mined.header("access-control-allow-origin")), (201, Some(APP)));
}

/// With DNS rebinding the name of a page leads to this node. The `Host` is checked whatever the path looks like without
/// the prefix of an application.
#[tokio::test]
async fn no_path_under_a_prefix_replaces_the_host() {
    let node = node().await;
    let handler = routes(node.clone(), RoutesConfig::default());
    let statuses = tokio::task::spawn_blocking(move || {
        ["/chain/status", "/chainhttp://localhost/status", "/chainlocalhost", "/chain//localhost/status"].map(
            |url| {
                let headers = vec![("Host".to_owned(), "evil.example".to_owned())];
                let request = Request::fake_http("GET", url, headers, Vec::new());
                handler(&request.remove_prefix("/chain").unwrap()).status_code
            },
        )
    });
    assert_eq!(statuses.await.unwrap(), [403; 4]);
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_request() {
    let node = node().await;
    let handler = std::sync::Arc::new(routes(node.clone(), RoutesConfig::default()));
    let ask = async |url: &'static str, headers: &[&str]| {
        let headers = headers.iter().map(|id| ("X-Request-Id".to_owned(), (*id).to_owned())).collect();
        let handler = std::sync::Arc::clone(&handler);
        let answer = tokio::task::spawn_blocking(move || {
            let response = handler(&Request::fake_http("GET", url, headers, Vec::new()));
            let ids = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-request-id"));
            ids.map(|(_, id)| id.to_string()).collect::<Vec<_>>()
        });
        let [id] = <[String; 1]>::try_from(answer.await.unwrap()).unwrap();
        id
    };
    let longest = "x".repeat(64);
    for given in ["a", "0197-af_3.B", longest.as_str()] {
        assert_eq!(ask("/status", &[given]).await, given);
        assert_eq!(ask("/nothing", &[given]).await, given);
    }
    let mut made = Vec::new();
    let too_long = "x".repeat(65);
    for given in
        [&[][..], &[""], &["a b"], &["a\"b"], &["a=b"], &["a\u{e9}"], &[too_long.as_str()], &["a", "b"]]
    {
        made.push(ask("/status", given).await);
    }
    // No URI, so that no route sees it.
    made.push(ask("/<>", &[]).await);
    let (start, _) = made[0].split_once('-').unwrap();
    assert_eq!(start.len(), 8);
    let expected: Vec<_> = (0..made.len()).map(|number| format!("{start}-{number}")).collect();
    assert_eq!(made, expected);
}
