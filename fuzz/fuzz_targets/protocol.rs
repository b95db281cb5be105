//! Any inputs of a node in any order, with time passing: it never panics, never sends to a closed connection,
//! keeps all state within its limits, and has a valid chain at the end.
#![no_main]

use core::time::Duration;

use arbitrary::Arbitrary;
use hashloom_fuzz::mutation::{note, notes};
use hashloom_fuzz::node::TestNode;
use hashloom_fuzz::talk::{Greeting, Speech, answer};
use libfuzzer_sys::fuzz_target;

const MAX_STEPS: usize = 128;

/// The number of peers in a run, some of which are never connected.
const PEERS: u8 = 6;

#[derive(Debug, Arbitrary)]
enum Step {
    Open(u8, bool),
    /// Opens a connection and completes the handshake, so that most of a run is after the handshake.
    Join(u8, bool, Greeting),
    Greet(u8, Greeting),
    Say(u8, Speech),
    /// Answers the node's last request to this peer.
    Answer(u8),
    Malformed(u8),
    Disconnect(u8),
    Connect(u8),
    DialFailed(u8),
    Submit(u8),
    Mine(Option<Vec<u8>>),
    Pass(u16),
    Sleep(u8),
}

fuzz_target!(|steps: Vec<Step>| {
    let mut node = TestNode::new();
    for step in steps.iter().take(MAX_STEPS) {
        match step {
            Step::Open(peer, is_inbound) => node.open(peer % PEERS, *is_inbound),
            Step::Join(peer, is_inbound, greeting) => {
                node.open(peer % PEERS, *is_inbound);
                node.receive(peer % PEERS, greeting.build(&node));
            }
            Step::Greet(peer, greeting) => node.receive(peer % PEERS, greeting.build(&node)),
            Step::Say(peer, speech) => node.receive(peer % PEERS, speech.build()),
            Step::Answer(peer) => {
                if let Some(message) = node.take_asked(peer % PEERS).and_then(|request| answer(&request)) {
                    node.receive(peer % PEERS, message);
                }
            }
            Step::Malformed(peer) => node.malformed(peer % PEERS),
            Step::Disconnect(peer) => node.disconnect(peer % PEERS),
            Step::Connect(peer) => node.connect(peer % PEERS),
            Step::DialFailed(peer) => node.dial_failed(peer % PEERS),
            Step::Submit(number) => node.submit(note(*number)),
            Step::Mine(numbers) => node.mine(numbers.as_deref().map(notes)),
            Step::Pass(millis) => node.pass(Duration::from_millis((*millis).into())),
            Step::Sleep(seconds) => node.sleep(Duration::from_secs((*seconds).into())),
        }
    }
    node.finish();
});
