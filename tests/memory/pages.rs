//! The memory of the largest page of blocks that a node answers with.

use std::io::Read;

use hashloom::http::{RoutesConfig, routes};
use hashloom::{ChainConfig, Node, ProtocolConfig};
use libtest_mimic::{Failed, Trial};
use rouille::Request;
use tokio::runtime::Runtime;

use super::{peak, spec};

/// The documented factor: a page takes at most this many times its size while it is written.
const FACTOR: usize = 4;

pub(super) fn trials() -> Vec<Trial> {
    vec![Trial::test("largest_page", || {
        largest_page();
        Ok::<(), Failed>(())
    })]
}

fn largest_page() {
    let runtime = Runtime::new().unwrap();
    // Every block is read from the store.
    let protocol = ProtocolConfig::default().with_chain(ChainConfig::default().with_max_cached_bytes(0));
    let start = async { Node::<String>::builder(spec()).protocol(protocol).start().await.unwrap() };
    let node = runtime.block_on(start);
    let config = RoutesConfig::default();
    // A page that is nearly full, and a block whose characters take six bytes each in JSON.
    let (header, max_block_bytes) = (1_200, 1 << 20);
    for text in ["x".repeat(config.max_page_bytes - 2 * header), "\u{1}".repeat(max_block_bytes - header)] {
        runtime.block_on(node.mine(vec![text])).unwrap();
    }
    let limit = config.max_page_bytes + 6 * max_block_bytes;
    let handler = routes(node, config);
    let request = Request::fake_http("GET", "/blocks?from=1", Vec::new(), Vec::new());
    let mut page = Vec::with_capacity(limit);
    let taken = peak(&mut || {
        let _ = handler(&request).data.into_reader_and_size().0.read_to_end(&mut page).unwrap();
    });
    assert!((limit - 4 * header * 6..=limit).contains(&page.len()), "{} bytes, expected {limit}", page.len());
    assert!(taken <= FACTOR * limit, "{taken} bytes of memory, expected at most {}", FACTOR * limit);
}
