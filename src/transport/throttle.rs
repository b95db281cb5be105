//! Log lines that strangers can cause again and again: a few a minute are written and the rest counted, so that a
//! stranger can neither fill a log nor hide other lines in it.

use core::time::Duration;

use tokio::time::Instant;

/// Over how long lines are counted.
const PERIOD: Duration = Duration::from_secs(60);

/// Bounds how often one kind of line is written.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// How many lines a minute.
    lines: u32,
    /// When the present minute began.
    began: Option<Instant>,
    written: u32,
    skipped: u64,
}

impl Throttle {
    /// Writes at most so many lines a minute.
    pub(crate) const fn per_minute(lines: u32) -> Self {
        Self { lines, began: None, written: 0, skipped: 0 }
    }

    /// Whether the line of an event that happens now is written, and how many were skipped since the last one that
    /// was; that number belongs into the line. `None` if it is only counted.
    pub(crate) fn admit(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.began.is_none_or(|began| now.duration_since(began) >= PERIOD) {
            (self.began, self.written) = (Some(now), 0);
        }
        if self.written == self.lines {
            self.skipped += 1;
            return None;
        }
        self.written += 1;
        Some(core::mem::take(&mut self.skipped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_a_few_lines_a_minute_and_a_count() {
        let mut throttle = Throttle::per_minute(2);
        let mut flood = |events| (0..events).filter_map(|_| throttle.admit()).collect::<Vec<_>>();
        assert_eq!(flood(1_000), [0, 0]);
        advance(Duration::from_millis(59_999)).await;
        assert!(flood(7).is_empty());
        advance(Duration::from_millis(1)).await;
        assert_eq!(flood(33_000), [1_005, 0]);
        advance(PERIOD * 100).await;
        assert_eq!(flood(1), [32_998]);
    }
}
