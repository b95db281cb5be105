//! What a machine may use of the protocol while it handles a call.

use super::config::ProtocolConfig;
use super::local::Local;
use super::now::Now;
use super::outbox::Outbox;
use crate::primitives::Transaction;

/// One call of the protocol, as each machine sees it.
#[derive(Debug)]
pub(super) struct Call<'a, T: Transaction> {
    pub(super) config: &'a ProtocolConfig,
    pub(super) local: &'a mut Local<T>,
    pub(super) outbox: &'a mut Outbox<T>,
    /// The time of the call.
    pub(super) now: Now,
}

/// Borrows the [`Call`] of a machine from a protocol. A macro, because a method would borrow the machines
/// too.
macro_rules! call {
    ($protocol:ident, $now:expr) => {
        &mut $crate::protocol::call::Call {
            config: &$protocol.config,
            local: &mut $protocol.local,
            outbox: &mut $protocol.outbox,
            now: $now,
        }
    };
}
pub(super) use call;
