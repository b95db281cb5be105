//! Why transactions left the mempool without being mined, for later questions.

use core::fmt::Write;
use std::collections::VecDeque;

use super::limits;
use crate::mempool::RemovalReason;
use crate::primitives::Hash;

/// The last transactions that were dropped, oldest first, with their reasons as text.
#[derive(Debug, Default)]
pub(super) struct Dropped(VecDeque<(Hash, Box<str>)>);

impl Dropped {
    pub(super) fn add(&mut self, removed: &[(Hash, RemovalReason)]) {
        for (id, reason) in removed {
            if self.0.len() == limits::MAX_DROPPED_TRANSACTIONS {
                self.0.pop_front();
            }
            let mut text = Limited(String::new());
            // Fails where the text is cut.
            let _ = write!(text, "{reason}");
            self.0.push_back((*id, text.0.into()));
        }
    }

    /// The last reason for which a transaction was dropped.
    pub(super) fn reason(&self, id: &Hash) -> Option<&str> {
        self.0.iter().rev().find(|(dropped, _)| dropped == id).map(|(_, reason)| &**reason)
    }
}

/// A text of at most [`limits::MAX_DROP_REASON_BYTES`]: the application's part of a reason may have any length.
struct Limited(String);

impl Write for Limited {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for c in text.chars() {
            if self.0.len() + c.len_utf8() > limits::MAX_DROP_REASON_BYTES {
                return Err(core::fmt::Error);
            }
            self.0.push(c);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rejected;
    use crate::mempool::MempoolError;

    #[test]
    fn the_last_reasons_are_kept_up_to_a_length() {
        let mut dropped = Dropped::default();
        let rejected = |text: &str| {
            RemovalReason::Inapplicable(MempoolError::Rejected(Rejected::new("rule", text.to_owned())))
        };
        let id = |number: usize| Hash::digest(&number.to_be_bytes());
        dropped.add(&[(id(0), rejected(&"\u{2713}".repeat(1_000)))]);
        let reason = dropped.reason(&id(0)).unwrap();
        assert!(
            reason
                .starts_with("does not apply on top of the new tip: transaction is rejected: rule: \u{2713}"),
            "{reason}"
        );
        assert!((limits::MAX_DROP_REASON_BYTES - 2..=limits::MAX_DROP_REASON_BYTES).contains(&reason.len()));

        dropped.add(&[(id(0), RemovalReason::Evicted)]);
        assert_eq!(dropped.reason(&id(0)), Some("evicted from a full mempool"));
        let many: Vec<_> = (1..=limits::MAX_DROPPED_TRANSACTIONS)
            .map(|number| (id(number), RemovalReason::Requested))
            .collect();
        dropped.add(&many);
        assert_eq!(dropped.0.len(), limits::MAX_DROPPED_TRANSACTIONS);
        assert_eq!(dropped.reason(&id(0)), None);
        assert_eq!(dropped.reason(&id(1)), Some("removed on request"));
    }
}
