//! Signed notes, as <https://c2sp.org/signed-note> has them.
