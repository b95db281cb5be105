//! Evidence: checkpoints, receipts and audits, through the public interface.

mod audit;
mod checkpoint;
mod note;
mod receipt;
mod tile;
