//! The SHA-256 compressions without which a header or a block cannot be validated.

use core::hint::black_box;
use core::slice;
use std::time::{Duration, Instant};

use hashloom::Header;
use sha2::block_api::compress256;

/// Compressions for 180 bytes and their padding.
const HEADER: u32 = 3;
/// Compressions for a hash with the prefix of a leaf.
const HISTORY_LEAF: u32 = 1;
/// Compressions for two hashes with the prefix of an inner node.
const NODE: u32 = 2;

/// The part of a header's compressions that does not depend on its height: each leaf completes one subtree on
/// average, and roots over subtrees of different sizes are not counted.
pub(crate) const CONSTANT: u32 = HEADER + HISTORY_LEAF + NODE;

/// The compressions of a header: its hash, and the root over the hashes before it. Two such roots share only
/// the nodes of perfect subtrees, so one more leaf needs as many nodes as there are ones in the binary number
/// of earlier leaves.
pub(crate) fn of_header(header: &Header) -> u32 {
    HEADER + HISTORY_LEAF + NODE * header.height.saturating_sub(1).count_ones()
}

/// The compressions of a body: its leaves, of these lengths, and the nodes above them.
pub(crate) fn of_body(leaves: impl IntoIterator<Item = usize>) -> u32 {
    /// The prefix, one bit, and the length.
    const PADDING: usize = 1 + 1 + 8;
    let mut compressions = 0;
    let mut count = 0;
    for bytes in leaves {
        compressions += u32::try_from((bytes + PADDING).div_ceil(64)).unwrap_or(u32::MAX);
        count += 1;
    }
    compressions + NODE * u32::saturating_sub(count, 1)
}

/// The duration of this many compressions in sequence.
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
