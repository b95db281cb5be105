//! Statistics over turns.

/// The quartiles of some values, of which there must be at least one. The second is the median.
pub(crate) fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    quartiles(values)[1]
}
