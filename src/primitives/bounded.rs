//! Decoding of lists from untrusted bytes, with a limit on their length and on the memory that they take
//! while they grow.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The most bytes of items in one piece of a growing list.
const PIECE_BYTES: usize = 16 << 10;

/// Decodes a sequence of at most `limit` items; refuses a longer one at the first item beyond the limit.
pub(crate) fn bounded_vec<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    limit: usize,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(Bounded { limit, weigh: |_| 0, max_weight: 1, item: PhantomData })
}

/// Decodes a sequence of at most `limit` items that have weights: refuses an item if the sum of the weights
/// of the items before it is `max_weight` or more.
pub(crate) fn bounded_by_weight<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    limit: usize,
    weigh: fn(&T) -> usize,
    max_weight: usize,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(Bounded { limit, weigh, max_weight, item: PhantomData })
}

struct Bounded<T> {
    limit: usize,
    weigh: fn(&T) -> usize,
    max_weight: usize,
    item: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Bounded<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} items", self.limit)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let claimed = seq.size_hint().unwrap_or(0);
        if claimed > self.limit {
            return Err(de::Error::invalid_length(claimed, &self));
        }
        let mut items = Pieces::for_claim(claimed);
        let mut weight: usize = 0;
        while let Some(item) = seq.next_element()? {
            if items.len == self.limit {
                return Err(de::Error::invalid_length(self.limit + 1, &self));
            }
            if weight >= self.max_weight {
                return Err(de::Error::custom(format_args!(
                    "another item behind a weight of {weight}, expected at most {}",
                    self.max_weight
                )));
            }
            weight = weight.saturating_add((self.weigh)(&item));
            items.push(item);
        }
        Ok(items.into_vec())
    }
}

/// A list that grows piece by piece. A vector that doubles allocates up to three times the memory of its
/// items while it moves them. This list allocates at most twice that memory, when it joins the pieces of a
/// complete list, and a claimed length allocates at most one piece.
struct Pieces<T> {
    full: Vec<Vec<T>>,
    last: Vec<T>,
    len: usize,
}

impl<T> Pieces<T> {
    /// The number of items that fit into a piece.
    const MAX_ITEMS: usize = match PIECE_BYTES / if size_of::<T>() == 0 { 1 } else { size_of::<T>() } {
        0 => 1,
        items => items,
    };

    /// The initial capacity of a list without a claimed length.
    const MIN_ITEMS: usize = 4;

    fn for_claim(claimed: usize) -> Self {
        Self { full: Vec::new(), last: Vec::with_capacity(claimed.min(Self::MAX_ITEMS)), len: 0 }
    }

    fn push(&mut self, item: T) {
        if self.last.len() == self.last.capacity() {
            let next = (self.last.len() * 2).max(Self::MIN_ITEMS).min(Self::MAX_ITEMS);
            let full = core::mem::replace(&mut self.last, Vec::with_capacity(next));
            if !full.is_empty() {
                self.full.push(full);
            }
        }
        self.last.push(item);
        self.len += 1;
    }

    fn into_vec(self) -> Vec<T> {
        if self.full.is_empty() {
            return self.last;
        }
        let mut items = Vec::with_capacity(self.len);
        for piece in self.full {
            items.extend(piece);
        }
        items.extend(self.last);
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Heavy(#[serde(deserialize_with = "heavy")] Vec<u8>);

    fn heavy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        bounded_by_weight(deserializer, 5, |weight| usize::from(*weight), 10)
    }

    #[rstest]
    #[case::light("[1,1,1,1,1]", Ok(vec![1; 5]))]
    #[case::the_last_may_cross_the_line("[9,200]", Ok(vec![9, 200]))]
    #[case::none_may_follow("[9,1,0]", Err("another item behind a weight of 10, expected at most 10"))]
    #[case::too_many("[1,1,1,1,1,1]", Err("invalid length 6, expected at most 5 items"))]
    fn a_list_ends_at_its_limits(#[case] json: &str, #[case] expected: Result<Vec<u8>, &str>) {
        let parsed = serde_json::from_str::<Heavy>(json).map_err(|error| error.to_string());
        match expected {
            Ok(expected) => assert_eq!(parsed, Ok(Heavy(expected))),
            Err(expected) => {
                assert!(parsed.as_ref().is_err_and(|error| error.starts_with(expected)), "{parsed:?}");
            }
        }
    }

    #[test]
    fn pieces_keep_the_order_and_one_piece_is_not_copied() {
        for (claimed, len) in [(0, 0_u64), (0, 1), (3, 3), (3, 20_000), (20_000, 20_000), (20_000, 2)] {
            let mut pieces = Pieces::for_claim(claimed);
            for item in 0..len {
                pieces.push(item);
                assert!(pieces.last.capacity() <= PIECE_BYTES / 8, "{} items", pieces.last.capacity());
            }
            assert_eq!(pieces.into_vec(), (0..len).collect::<Vec<_>>());
        }
        let mut nothings = Pieces::for_claim(7);
        (0..100_000).for_each(|_| nothings.push(()));
        assert!(nothings.full.is_empty() && nothings.into_vec().len() == 100_000);
    }
}
