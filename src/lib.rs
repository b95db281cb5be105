//! hashloom

mod primitives;

pub use primitives::*;
