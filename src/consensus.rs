//! L1: the rules. What a chain agrees on before it starts, and whether a block follows it. Pure functions of
//! their arguments: no stored chain, no clock.

pub(crate) mod check;
mod error;
pub(crate) mod headers;
pub mod retarget;
mod spec;

pub use error::{BlockError, Fault};
pub use headers::HeaderChain;
pub use retarget::{Retarget, RetargetError};
pub use spec::{ChainSpec, ChainSpecBuilder, GenesisError, SpecError};
