//! The progress of a task that its caller advances step by step.

/// The progress of verifying, exporting or importing a chain.
///
/// These tasks have no thread, clock or callback: each step handles as many blocks as the caller asks for, so
/// the caller sets the pace, displays the progress, and may stop at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Progress {
    /// The number of blocks that are done.
    pub done: u64,
    /// The total number of blocks. In an import, the number that the file claims, proven only at its end.
    pub total: u64,
    /// Whether nothing is left to do, the file's end included.
    pub is_complete: bool,
}
