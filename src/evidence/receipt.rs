//! Receipts: the proof that a transaction is in the log.
