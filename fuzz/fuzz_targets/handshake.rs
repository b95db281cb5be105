//! The handshake with several peers: frames in bincode, and valid and invalid `Hello` messages. Without a
//! valid `Hello` no peer is accepted, and before it the node sends nothing but a `Hello` or a `Bye`.
#![no_main]

use core::time::Duration;

use arbitrary::Arbitrary;
use hashloom::wire::{Bincode, WireFormat};
use hashloom_fuzz::node::TestNode;
use hashloom_fuzz::talk::{Greeting, Speech};
use libfuzzer_sys::fuzz_target;

const MAX_STEPS: usize = 64;

/// More peers than the node accepts.
const PEERS: u8 = 5;

#[derive(Debug, Arbitrary)]
enum Step {
    Open(u8, bool),
    Connect(u8),
    Greet(u8, Greeting),
    /// A frame of arbitrary bytes.
    Frame(u8, Vec<u8>),
    Say(u8, Speech),
    Disconnect(u8),
    Pass(u16),
}

fuzz_target!(|steps: Vec<Step>| {
    let mut node = TestNode::new();
    for step in steps.iter().take(MAX_STEPS) {
        match step {
            Step::Open(peer, is_inbound) => node.open(peer % PEERS, *is_inbound),
            Step::Connect(peer) => node.connect(peer % PEERS),
            Step::Greet(peer, greeting) => node.receive(peer % PEERS, greeting.build(&node)),
            Step::Frame(peer, bytes) => match Bincode.decode(&bytes.clone().into()) {
                Ok(message) => node.receive(peer % PEERS, message),
                Err(_) => node.malformed(peer % PEERS),
            },
            Step::Say(peer, speech) => {
                let was_introduced = node.is_introduced(peer % PEERS);
                node.receive(peer % PEERS, speech.build());
                assert!(was_introduced || !node.is_introduced(peer % PEERS), "{speech:?} introduces");
            }
            Step::Disconnect(peer) => node.disconnect(peer % PEERS),
            Step::Pass(millis) => node.pass(Duration::from_millis((*millis).into())),
        }
    }
    node.finish();
});
