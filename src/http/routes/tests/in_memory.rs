//! What is answered without a thread, and that the answers equal those of a thread.

use http_body_util::BodyExt;

use super::*;

/// Asks a server whose threads are all taken.
fn ask_without_threads(fixture: &Fixture, method: &str, url: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let server = HttpConfig::default()
        .with_max_reads(0)
        .with_max_writes(0)
        .with_queue_timeout(Duration::from_millis(1));
    let routes = Routes::new(fixture.node.clone(), RoutesConfig::default(), Threads::pool(&server));
    let mut request = Request::builder().method(method).uri(url);
    for &(name, value) in headers {
        request = request.header(name, value);
    }
    fixture.runtime.block_on(async {
        let response = Arc::new(routes).respond(request.body(Bytes::new()).unwrap()).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() })
    })
}

#[rstest]
#[case::status("/status", 200)]
#[case::with_a_query("/status?x", 200)]
#[case::by_height("/blocks/3", 200)]
#[case::by_hash("/blocks/{3}", 200)]
#[case::genesis("/blocks/0", 200)]
#[case::bad_id("/blocks/x", 400)]
#[case::bad_query("/blocks?limit=0", 400)]
#[case::no_route("/nothing", 404)]
fn what_is_in_memory_and_what_is_refused_needs_no_thread(
    #[case] url: &str,
    #[case] status: u16,
    #[values("GET", "HEAD")] method: &str,
) {
    let fixture = Fixture::new();
    let (url, known) = (fixture.fill(url), fixture.fill("\"{3}\""));
    for headers in [&[][..], &[("If-None-Match", &*known)], &[("Host", "localhost:1")]] {
        let with_threads = fixture.ask(method, &url, headers, "");
        let without = ask_without_threads(&fixture, method, &url, headers);
        assert_eq!(without, (with_threads.status, with_threads.body), "{headers:?}");
        if headers.is_empty() {
            assert_eq!(without.0, status);
        }
    }
}

/// Requests for blocks that are not cached, and requests that take long or change something.
#[rstest]
#[case("GET", "/blocks/2")]
#[case("GET", "/blocks/{2}")]
#[case("GET", "/blocks/7")]
#[case("GET", "/blocks/99")]
#[case("GET", "/blocks")]
#[case("GET", "/transactions")]
#[case("GET", "/peers")]
#[case("POST", "/mine")]
#[case("DELETE", "/peers/1")]
fn all_else_waits_for_a_thread(#[case] method: &str, #[case] url: &str) {
    let chain = ChainConfig::default().with_max_cached_bytes(0);
    let fixture = Fixture::with(ProtocolConfig::default().with_chain(chain));
    let (status, body) = ask_without_threads(&fixture, method, &fixture.fill(url), &[]);
    assert_eq!((status, body["error"]["code"].as_str()), (503, Some("busy")));
}

#[test]
fn a_block_from_a_thread_is_that_from_memory() {
    let chain = ChainConfig::default().with_max_cached_bytes(0);
    let fixture = Fixture::with(ProtocolConfig::default().with_chain(chain));
    for url in ["/blocks/3", "/blocks/{3}"] {
        let answer = fixture.ask("GET", &fixture.fill(url), &[], "");
        let block = fixture.node.block_at(3).unwrap().unwrap();
        let view = BlockView::new(&block, fixture.node.chain().spec().easiest_target());
        assert_eq!((answer.status, answer.body), (200, serde_json::to_value(view).unwrap()));
    }
}

#[test]
fn a_large_block_is_not_serialized_on_the_task() {
    let fixture = Fixture::new();
    // A header of 180 bytes.
    for (len, is_small) in [(MAX_BYTES_ON_TASK - 180, true), (MAX_BYTES_ON_TASK - 179, false)] {
        let block = fixture.node.mine_blocking(vec![text(&"x".repeat(len))]).unwrap();
        for id in [BlockId::Height(block.height()), BlockId::Hash(*block.hash())] {
            let in_memory = fixture.node.chain().block_in_memory(id, MAX_BYTES_ON_TASK);
            assert_eq!(in_memory.as_ref(), is_small.then_some(&block));
        }
        let body = json!({"data": "y".repeat(len)}).to_string();
        let answer = fixture.ask("POST", "/mine", &[JSON], &body);
        assert_eq!((answer.status, answer.body["data"][0].as_str().map(str::len)), (201, Some(len)));
    }
    assert_eq!(fixture.node.chain().block_in_memory(BlockId::Height(11), usize::MAX), None);
    assert_eq!(fixture.node.chain().block_in_memory(BlockId::Hash(Hash::ZERO), usize::MAX), None);
}

#[test]
fn a_page_ends_with_the_block_that_reaches_its_bytes() {
    let fixture = Fixture::new();
    let page = |query: &str, max_bytes| {
        let config = RoutesConfig::default().with_max_page_bytes(max_bytes);
        heights(&fixture.ask_with(config, "GET", &format!("/blocks?{query}"), &[], b""))
    };
    let block = fixture.node.block_at(1).unwrap().unwrap();
    let view = BlockView::new(&block, fixture.node.chain().spec().easiest_target());
    // A bracket is before the first one, and a comma before the second one.
    let one = serde_json::to_vec(&view).unwrap().len() + 1;
    assert_eq!(page("from=0", usize::MAX), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(page("from=1", one), [1]);
    assert_eq!(page("from=1", one + 1), [1, 2]);
    assert_eq!(page("from=1", 2 * one), [1, 2]);
    assert_eq!(page("from=1", 2 * one + 1), [1, 2, 3]);
    assert_eq!(page("from=5&order=desc", one), [5]);
    assert!(page("from=7", 1).is_empty());
}
