//! L1: the consensus rules: the spec of a chain, and the checks of its blocks. Pure functions of their
//! arguments, without a stored chain or a clock.

pub(crate) mod check;
mod error;
pub(crate) mod headers;
pub mod retarget;
mod spec;

pub use error::RuleError;
pub use headers::HeaderChain;
pub use retarget::{Retarget, RetargetError};
pub use spec::{ChainSpec, ChainSpecBuilder, GenesisError, SpecError};
