//! Block locators: a few hashes from which a peer finds the fork point of two chains.

/// The heights of a locator for a chain whose tip is at `tip`: the last ten one by one, then at doubling
/// distances, and genesis last. The scheme of Bitcoin's `CBlockLocator`.
pub(super) fn heights(tip: u64) -> impl Iterator<Item = u64> {
    let mut next = Some(tip);
    let mut step = 1;
    let mut listed = 0;
    core::iter::from_fn(move || {
        let height = next?;
        listed += 1;
        if listed >= 10 {
            step *= 2;
        }
        next = if height == 0 { None } else { Some(height.saturating_sub(step)) };
        Some(height)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::limits::MAX_LOCATOR_HASHES;

    #[test]
    fn lists_the_end_closely_and_the_rest_sparsely() {
        assert_eq!(heights(0).collect::<Vec<_>>(), [0]);
        assert_eq!(heights(3).collect::<Vec<_>>(), [3, 2, 1, 0]);
        let long = heights(100).collect::<Vec<_>>();
        assert_eq!(long, [100, 99, 98, 97, 96, 95, 94, 93, 92, 91, 89, 85, 77, 61, 29, 0]);
    }

    #[test]
    fn stays_within_the_limit_of_the_protocol() {
        assert!(heights(u64::MAX >> 1).count() <= MAX_LOCATOR_HASHES);
    }
}
