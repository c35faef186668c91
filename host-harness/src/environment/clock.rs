//! Time, so that a caller can stand in for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the host takes the time from.
pub trait Clock: Send + Sync {
    /// Nanoseconds since 1970, UTC; what `proxy_get_current_time_nanoseconds` answers.
    fn unix_nanos(&self) -> u64;

    /// Time since some fixed moment; never goes back. For durations and back-off.
    fn monotonic(&self) -> Duration;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn unix_nanos(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, saturating_nanos)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that stands still until it is set.
#[derive(Debug, Default)]
pub struct SettableClock {
    nanos: AtomicU64,
}

impl SettableClock {
    /// Stands at `since_1970`.
    #[must_use]
    pub fn at(since_1970: Duration) -> Self {
        Self {
            nanos: AtomicU64::new(saturating_nanos(since_1970)),
        }
    }

    /// Moves on by `step`.
    pub fn advance(&self, step: Duration) {
        self.nanos
            .fetch_add(saturating_nanos(step), Ordering::Relaxed);
    }

    /// Moves to `since_1970`.
    pub fn set(&self, since_1970: Duration) {
        self.nanos
            .store(saturating_nanos(since_1970), Ordering::Relaxed);
    }
}

impl Clock for SettableClock {
    fn unix_nanos(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.unix_nanos())
    }
}

fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
