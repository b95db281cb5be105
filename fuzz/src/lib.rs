//! Shared by the fuzz targets: a counting allocator, a mined chain, and a node whose every output is checked.
//! A target itself is a few lines in `fuzz_targets/`.

pub mod allocations;
pub mod archive;
pub mod fixture;
pub mod frame;
pub mod model;
pub mod mutation;
pub mod node;
pub mod talk;
