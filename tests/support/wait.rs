//! Waiting for a condition instead of for a time.

use std::time::{Duration, Instant};

/// How often a condition is asked.
const PAUSE: Duration = Duration::from_millis(5);

/// Asks `condition` until it gives a value, at most `limit` long.
///
/// # Errors
/// The limit has passed; says how long it was.
pub fn for_some<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Result<T, String> {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if start.elapsed() > limit {
            return Err(format!("not within {limit:?}"));
        }
        std::thread::sleep(PAUSE);
    }
}

/// How long what must come may take, on a machine with far more to do than it can.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Asks `condition` until it holds.
///
/// # Panics
/// It does not hold within [`PATIENCE`]; `what` says what was waited for.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let held = for_some(PATIENCE, || condition().then_some(()));
    assert!(held.is_ok(), "{what}: not within {PATIENCE:?}");
}
