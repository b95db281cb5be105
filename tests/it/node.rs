//! One node and its handles: what mining, reading, subscribing and stopping promise.

mod handle;
mod mining;
mod shutdown;
mod unfit;
