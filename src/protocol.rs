//! L3: the peer protocol as a pure state machine. It reads no clock, opens no socket, starts no thread and
//! draws no randomness of its own: time comes in with every call, randomness from a seed in the
//! configuration, and whatever it wants done comes out of [`Protocol::poll_output`].

mod address;
mod io;
pub mod limits;
mod message;

pub use address::{PeerAddr, PeerAddrError};
pub use io::{CloseReason, Direction, Event, Input, Now, Output, PeerId};
pub use message::{Hello, Message, Tip};
