//! Throttles log lines that strangers can cause repeatedly: a few per minute are written and the rest is
//! counted, so that a stranger can neither fill the log nor hide other lines in it.

use core::time::Duration;

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// Limits how often one kind of line is written.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// The limit of lines per period.
    lines: u32,
    /// The interval over which lines are counted.
    period: Duration,
    /// When the current period began.
    began: Option<Instant>,
    written: u32,
    skipped: u64,
}

impl Throttle {
    /// A throttle that admits at most `lines` lines per minute.
    pub(crate) const fn per_minute(lines: u32) -> Self {
        Self { lines, period: MINUTE, began: None, written: 0, skipped: 0 }
    }

    /// A throttle that admits at most one line per `period`.
    pub(crate) const fn once_in(period: Duration) -> Self {
        Self { period, ..Self::per_minute(1) }
    }

    /// Decides whether to write the line of an event that happens now. Returns the number of lines that were
    /// skipped since the last one, which belongs into the line; `None` if the line is only counted.
    pub(crate) fn admit(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.began.is_none_or(|began| now.duration_since(began) >= self.period) {
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
        advance(MINUTE * 100).await;
        assert_eq!(flood(1), [32_998]);
    }
}
