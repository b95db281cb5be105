//! Checkpoints: the head of a log, as <https://c2sp.org/tlog-checkpoint> has it.
