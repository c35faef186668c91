//! When the next poll is due.

use super::news::Shared;

/// Early polls of one process begin at least so far apart, in µs.
pub(super) const EARLY: u64 = 100_000;

/// No poll takes longer, in µs: whoever holds the lease longer is gone.
pub(super) const TIMEOUT: u64 = 5_000_000;

/// A VM that serves requests leaves polls at most that long to one that does not, in µs: what is
/// read of thousands of endpoints keeps requests waiting.
const COURTESY: u64 = 1_000_000;

/// Intervals grow up to this, in µs, unless the configured one is longer.
const LONGEST: u64 = 10_000_000;

/// A poll may take this part of the time: one in a hundred.
const SHARE: u64 = 100;

/// Early polls may take the same part of the time besides, and run ahead of it by so much, in µs:
/// whoever sends cookies that nobody knows must not keep the main thread busy.
const CREDIT: u64 = 30_000_000;

/// When the next regular poll is due, µs since 1970; `None`: at once.
pub(super) fn due(shared: &Shared, interval: u64, serving: bool) -> Option<u64> {
    let (lease, _) = shared.lease?;
    let finished = finished(shared);
    let courtesy = if serving {
        // The more a poll costs, the longer its interval.
        COURTESY.min(finished.unwrap_or(interval) / 4)
    } else {
        0
    };
    let pause = finished.unwrap_or(interval.max(TIMEOUT));
    Some(lease.began.saturating_add(pause).saturating_add(courtesy))
}

/// When a poll may begin for a request that arrived at `wanted`; `None`: not before the
/// regular one.
pub(super) fn early(shared: &Shared, wanted: u64) -> Option<Option<u64>> {
    let Some((lease, _)) = shared.lease else {
        return Some(None);
    };
    let well = shared.news.is_some_and(|(news, _)| news.failures == 0);
    let on_its_way = lease.began > wanted;
    (well && !on_its_way && finished(shared).is_some()).then_some(Some(earliest(shared)))
}

/// When the next poll can begin if a request wants one now, µs since 1970. `regular`: see [`due`].
pub(super) fn next(shared: &Shared, regular: Option<u64>) -> u64 {
    regular.unwrap_or(0).min(earliest(shared))
}

/// Early polls are apart, and keep to their part of the time.
fn earliest(shared: &Shared) -> u64 {
    let apart = shared
        .lease
        .map_or(0, |(lease, _)| lease.began.saturating_add(EARLY));
    let afforded = shared
        .news
        .map_or(0, |(news, _)| news.spent.saturating_sub(CREDIT));
    apart.max(afforded)
}

/// What a poll costs Envoy's main thread at most, in µs: 48 ms were measured at 15,000 endpoints. What
/// it takes by the clock is more on a busy machine.
pub(super) fn cost(took: u64, endpoints: usize) -> u64 {
    let endpoints = u64::try_from(endpoints).unwrap_or(u64::MAX);
    took.min(endpoints.saturating_mul(4).saturating_add(1000))
}

/// Until when the early polls have used up their part, after one that began at `began` and cost
/// `cost` µs. A clock that is set back forgives all but the credit.
pub(super) fn spend(spent: u64, began: u64, cost: u64) -> u64 {
    let so_far = spent.clamp(began, began.saturating_add(CREDIT));
    so_far.saturating_add(cost.saturating_mul(SHARE))
}

/// The interval that the latest poll asks for; `None` while it is under way.
fn finished(shared: &Shared) -> Option<u64> {
    let ((lease, _), (news, _)) = shared.lease.zip(shared.news)?;
    (news.began >= lease.began).then_some(news.interval)
}

/// Whether `due` is still to come. A time far ahead is no time: the clock was set back.
pub(super) fn is_before(now: u64, due: Option<u64>) -> bool {
    due.is_some_and(|due| now < due && due - now <= 4 * LONGEST)
}

/// The interval after a poll that took `took` µs.
pub(super) fn after_success(interval: u64, took: u64) -> u64 {
    took.saturating_mul(SHARE)
        .clamp(interval, LONGEST.max(interval))
}

/// The interval after so many failures in a row.
pub(super) fn after_failure(interval: u64, failures: u64) -> u64 {
    let doubled = u32::try_from(failures)
        .ok()
        .and_then(|f| EARLY.checked_shl(f.min(16)));
    doubled.unwrap_or(LONGEST).min(LONGEST.max(interval))
}
