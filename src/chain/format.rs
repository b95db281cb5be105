//! The version of the store's format.

/// The version of the store's format that a chain writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;
