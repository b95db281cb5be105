//! How far a task has come that its caller advances step by step.

/// How far verifying, exporting or importing has come.
///
/// Such a task has no thread, clock or callback of its own: each step does as many blocks as it is asked to, so
/// its caller sets the pace, shows the progress, and stops whenever it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Progress {
    /// Blocks that are done.
    pub done: u64,
    /// Blocks in all. In an import this is what the file says, and proven only by its end.
    pub total: u64,
    /// Whether nothing is left to do, the file's end included.
    pub is_complete: bool,
}
