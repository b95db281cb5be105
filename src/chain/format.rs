//! The version of the store's format.

/// The version of the store's format that a chain writes, and the newest that it reads. A store of an older version
/// gets this version with the first change, and keeps the older form of the values that do not change.
pub const FORMAT_VERSION: u32 = 2;
