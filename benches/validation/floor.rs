//! The compressions of SHA-256 without which a header or a block cannot be checked.

use core::hint::black_box;
use core::slice;
use std::time::{Duration, Instant};

use hashloom::Header;
use sha2::block_api::compress256;

/// Of 180 bytes and their padding.
const HEADER: u32 = 3;
/// Of a hash behind the prefix of a leaf.
const HISTORY_LEAF: u32 = 1;
/// Of two hashes behind the prefix of an inner node.
const NODE: u32 = 2;

/// What a header asks for whatever its height is, where each leaf completes one subtree on average: the roots over
/// subtrees of other sizes are left out.
pub(crate) const CONSTANT: u32 = HEADER + HISTORY_LEAF + NODE;

/// What a header asks for: its hash, and the root over the hashes before it. No two such roots share a node but those
/// of perfect subtrees, so one more leaf asks for as many nodes as there are ones in the number of leaves before.
pub(crate) fn of_header(header: &Header) -> u32 {
    HEADER + HISTORY_LEAF + NODE * header.height.saturating_sub(1).count_ones()
}

/// What the body asks for: its leaves, of so many bytes, and the nodes above them.
pub(crate) fn of_body(leaves: impl IntoIterator<Item = usize>) -> u32 {
    /// The prefix, one bit and the length.
    const PADDING: usize = 1 + 1 + 8;
    let mut compressions = 0;
    let mut count = 0;
    for bytes in leaves {
        compressions += u32::try_from((bytes + PADDING).div_ceil(64)).unwrap_or(u32::MAX);
        count += 1;
    }
    compressions + NODE * u32::saturating_sub(count, 1)
}

/// How long so many compressions take, one after the other.
pub(crate) fn compress(count: u32) -> Duration {
    let block = black_box([7; 64]);
    let mut state = black_box([1; 8]);
    let start = Instant::now();
    for _ in 0..count {
        compress256(&mut state, slice::from_ref(&block));
    }
    let elapsed = start.elapsed();
    black_box(state);
    elapsed
}
