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

#[cfg(test)]
mod tests {
    use super::super::news::{Lease, News};
    use super::*;

    const BEGAN: u64 = 1_700_000_000_000_000;
    const INTERVAL: u64 = 1_000_000;

    /// A poll that began at [`BEGAN`]; how the last one that ended went.
    fn shared(news: Option<News>) -> Shared {
        Shared {
            lease: Some((Lease { began: BEGAN }, 1)),
            news: news.map(|news| (news, 1)),
        }
    }

    fn news(began: u64) -> News {
        News {
            began,
            interval: INTERVAL,
            digest: 1,
            failures: 0,
            spent: 0,
        }
    }

    #[test]
    fn the_next_poll_is_an_interval_after_the_last_or_after_one_that_never_ended() {
        let after = |shared: &Shared, interval, serving| due(shared, interval, serving);
        assert_eq!(after(&Shared::default(), INTERVAL, false), None);
        let ended = shared(Some(news(BEGAN)));
        assert_eq!(after(&ended, 7, false), Some(BEGAN + INTERVAL));
        // Who serves leaves others a quarter of the interval, and no more than a second.
        assert_eq!(
            after(&ended, 7, true),
            Some(BEGAN + INTERVAL + INTERVAL / 4)
        );
        let interval = 40_000_000;
        let rare = shared(Some(News {
            interval,
            ..news(BEGAN)
        }));
        assert_eq!(after(&rare, 7, true), Some(BEGAN + interval + 1_000_000));
        for under_way in [shared(None), shared(Some(news(BEGAN - 1)))] {
            assert_eq!(after(&under_way, INTERVAL, false), Some(BEGAN + 5_000_000));
            assert_eq!(after(&under_way, 6_000_000, false), Some(BEGAN + 6_000_000));
            assert_eq!(after(&under_way, INTERVAL, true), Some(BEGAN + 5_250_000));
        }
    }

    #[test]
    fn a_request_has_no_poll_begin_early_while_one_answers_it_or_the_admin_is_away() {
        assert_eq!(early(&Shared::default(), BEGAN), Some(None));
        let ended = shared(Some(news(BEGAN)));
        assert_eq!(early(&ended, BEGAN), Some(Some(BEGAN + 100_000)));
        // The last one began after the request came.
        assert_eq!(early(&ended, BEGAN - 1), None);
        assert_eq!(early(&shared(None), BEGAN), None);
        assert_eq!(early(&shared(Some(news(BEGAN - 1))), BEGAN), None);
        let failed = News {
            failures: 1,
            ..news(BEGAN)
        };
        assert_eq!(early(&shared(Some(failed)), BEGAN), None);
    }

    #[test]
    fn early_polls_that_have_used_up_their_part_wait_for_the_regular_one() {
        let spent = |spent| {
            shared(Some(News {
                spent,
                ..news(BEGAN)
            }))
        };
        let within = spent(BEGAN + 30_100_000);
        assert_eq!(early(&within, BEGAN), Some(Some(BEGAN + 100_000)));
        let beyond = spent(BEGAN + 30_700_000);
        assert_eq!(early(&beyond, BEGAN), Some(Some(BEGAN + 700_000)));
        assert_eq!(next(&beyond, Some(BEGAN + INTERVAL)), BEGAN + 700_000);
        assert_eq!(next(&beyond, Some(BEGAN + 500_000)), BEGAN + 500_000);
        assert_eq!(next(&beyond, None), 0);
    }

    #[test]
    fn a_poll_costs_by_its_endpoints_and_no_more_than_it_took() {
        assert_eq!(cost(90_000, 15_000), 61_000);
        assert_eq!(cost(900, 15_000), 900);
        assert_eq!(cost(90_000, 0), 1000);
        // A hundred times its cost from where the others have come to.
        assert_eq!(spend(BEGAN + 5, BEGAN, 20), BEGAN + 2005);
        assert_eq!(spend(0, BEGAN, 20), BEGAN + 2000);
        let set_back = BEGAN + 400_000_000;
        assert_eq!(spend(set_back, BEGAN, 20), BEGAN + 30_002_000);
    }

    #[test]
    fn the_interval_grows_with_what_polls_take_and_with_failures() {
        for (took, expected) in [
            (5_000, INTERVAL),
            (20_000, 2_000_000),
            (900_000, 10_000_000),
        ] {
            assert_eq!(after_success(INTERVAL, took), expected, "{took}");
        }
        assert_eq!(after_success(20_000_000, 900_000), 20_000_000);
        for (failures, expected) in [(1, 200_000), (2, 400_000), (6, 6_400_000), (7, 10_000_000)] {
            assert_eq!(after_failure(INTERVAL, failures), expected, "{failures}");
        }
        assert_eq!(after_failure(INTERVAL, u64::MAX), 10_000_000);
        assert_eq!(after_failure(20_000_000, 9), 20_000_000);
    }

    #[test]
    fn a_time_far_ahead_is_of_a_clock_that_was_set_back() {
        assert!(!is_before(BEGAN, None));
        assert!(!is_before(BEGAN, Some(BEGAN)));
        assert!(is_before(BEGAN, Some(BEGAN + 1)));
        assert!(is_before(BEGAN, Some(BEGAN + 40_000_000)));
        assert!(!is_before(BEGAN, Some(BEGAN + 40_000_001)));
    }
}
