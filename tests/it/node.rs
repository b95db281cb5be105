//! One node and its handles: mining, reading, subscribing and shutdown.

mod clock;
mod equal;
#[cfg(feature = "http")]
mod failure;
mod handle;
mod mining;
mod refused;
#[cfg(feature = "redb")]
mod released;
mod shutdown;
mod unfit;
mod unreadable;
