//! One slot: a few clients and what is known of each, the latest first.

use super::Rate;

/// So many clients' buckets are in a slot.
const BUCKETS: usize = 16;

/// So many requests under way are in one: no limit counts further.
const HELD: usize = 1024;

/// A request counts so long, in ms: one whose end nobody told, for its worker is gone, does not count
/// for ever.
const HELD_FOR: u64 = 3_600_000;

/// What is known of a client's bucket.
struct Bucket {
    client: u64,
    /// When something came last, ms.
    last: u64,
    /// Thousandths of requests that have not leaked yet.
    excess: u64,
}

/// A request under way.
struct Held {
    client: u64,
    /// When it came, ms.
    since: u64,
}

/// One more request of `client`: the slot after it; `None`: its bucket is full.
#[must_use]
pub fn leak(slot: &[u8], client: u64, rate: &Rate, now: u64) -> Option<Vec<u8>> {
    let mut buckets: Vec<Bucket> = numbers(slot)
        .map(|[client, last, excess]| Bucket {
            client,
            last,
            excess,
        })
        .collect();
    let known = buckets.iter().position(|bucket| bucket.client == client);
    let mut bucket = match known {
        Some(at) => buckets.remove(at),
        None => Bucket {
            client,
            last: now,
            excess: 0,
        },
    };
    if known.is_some() {
        // A clock that goes back by more than a minute was set, and begins anew.
        let passed = match now.checked_sub(bucket.last) {
            Some(passed) => passed,
            None if bucket.last.saturating_sub(now) > 60_000 => 1,
            None => 0,
        };
        let leaked = rate.rate.saturating_mul(passed) / 1000;
        let full = bucket.excess.saturating_add(1000);
        bucket.excess = full.saturating_sub(leaked);
        if bucket.excess > rate.burst {
            return None;
        }
        if passed > 0 {
            bucket.last = now;
        }
    }
    buckets.insert(0, bucket);
    buckets.truncate(BUCKETS);
    let numbers = buckets.iter();
    Some(bytes(numbers.map(|b| [b.client, b.last, b.excess])))
}

/// One more request of `client` under way; `None`: it has `most` already.
#[must_use]
pub fn hold(slot: &[u8], client: u64, most: u32, now: u64) -> Option<Vec<u8>> {
    let mut all = held(slot);
    all.retain(|one| one.since.saturating_add(HELD_FOR) > now);
    let own = all.iter().filter(|one| one.client == client).count();
    let most = usize::try_from(most).unwrap_or(HELD).min(HELD);
    if own >= most {
        return None;
    }
    all.insert(0, Held { client, since: now });
    all.truncate(HELD);
    Some(bytes(all.iter().map(|one| [one.client, one.since])))
}

/// The slot when a request of `client` has ended that came at `since`.
#[must_use]
pub fn release(slot: &[u8], client: u64, since: u64) -> Vec<u8> {
    let mut all = held(slot);
    let is_it = |one: &Held| one.client == client && one.since == since;
    if let Some(at) = all.iter().position(is_it) {
        all.remove(at);
    }
    bytes(all.iter().map(|one| [one.client, one.since]))
}

fn held(slot: &[u8]) -> Vec<Held> {
    let all = numbers(slot);
    all.map(|[client, since]| Held { client, since }).collect()
}

/// Rows of `N` numbers each.
fn numbers<const N: usize>(slot: &[u8]) -> impl Iterator<Item = [u64; N]> {
    slot.chunks_exact(N.saturating_mul(8)).map(|row| {
        let mut out = [0; N];
        for (number, bytes) in out.iter_mut().zip(row.chunks_exact(8)) {
            *number = bytes.try_into().map_or(0, u64::from_le_bytes);
        }
        out
    })
}

fn bytes<const N: usize>(rows: impl Iterator<Item = [u64; N]>) -> Vec<u8> {
    rows.flatten().flat_map(u64::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(rate: u64, burst: u64) -> Rate {
        Rate {
            name: "t",
            rate,
            burst: burst * 1000,
        }
    }

    /// What became of requests of one client at these times.
    fn pass(rate: &Rate, times: impl IntoIterator<Item = u64>) -> Vec<bool> {
        let mut slot = Vec::new();
        let times = times.into_iter();
        times
            .map(|now| match leak(&slot, 7, rate, now) {
                Some(next) => {
                    slot = next;
                    true
                }
                None => false,
            })
            .collect()
    }

    #[test]
    fn the_burst_and_one_more_pass_at_once_and_then_as_many_as_leak() {
        let one_a_second = rate(1000, 5);
        let passed = pass(&one_a_second, [10; 9]);
        assert_eq!(passed.iter().filter(|passed| **passed).count(), 6);
        // What is refused does not count: a second later one more passes.
        let passed = pass(&rate(1000, 1), [0, 0, 0, 0, 500, 1000, 1000]);
        assert_eq!(passed, [true, true, false, false, false, true, false]);
        // limit-rpm 30: one in two seconds.
        let mut times = vec![0; 35];
        times.extend([2300, 2300]);
        let passed = pass(&rate(500, 30), times);
        assert_eq!(passed.iter().filter(|passed| **passed).count(), 32);
    }

    #[test]
    fn a_clock_that_goes_back_lets_nobody_through_and_locks_nobody_out() {
        let passed = pass(&rate(1000, 1), [5000, 5000, 4000, 4500, 6000]);
        assert_eq!(passed, [true, true, false, false, true]);
        let passed = pass(&rate(1000, 1), [900_000, 900_000, 1000, 2000, 3000]);
        assert_eq!(passed, [true, true, false, false, false]);
        // Set back by a minute and more: whoever still has room is counted by the new clock.
        let passed = pass(&rate(1000, 2), [900_000, 1000, 1000, 1000, 3000]);
        assert_eq!(passed, [true, true, true, false, true]);
        // By less: by the old one, until it is there again.
        let passed = pass(&rate(1000, 1), [5000, 4000, 5000, 6000]);
        assert_eq!(passed, [true, true, false, true]);
        let passed = pass(&rate(1000, 1), [65_000, 5000, 6000]);
        assert_eq!(passed, [true, true, false]);
    }

    #[test]
    fn a_slot_stays_small_whoever_comes() {
        let (mut buckets, mut held) = (Vec::new(), Vec::new());
        for client in 0..5000 {
            buckets = leak(&buckets, client, &rate(1, 0), 1).unwrap();
            held = hold(&held, client, 1, 1).unwrap();
        }
        assert_eq!((buckets.len(), held.len()), (16 * 24, 1024 * 16));
        assert_eq!(leak(&buckets, 4999, &rate(1, 0), 1), None, "still known");
        assert!(leak(&buckets, 1, &rate(1, 0), 1).is_some(), "forgotten");
    }

    #[test]
    fn what_has_ended_does_not_count_nor_what_nobody_ended() {
        let slot = hold(&[], 1, 2, 10).unwrap();
        let slot = hold(&slot, 1, 2, 11).unwrap();
        assert_eq!(hold(&slot, 1, 2, 12), None);
        assert!(hold(&slot, 2, 2, 12).is_some(), "another client");
        let ended = release(&slot, 1, 10);
        assert!(hold(&ended, 1, 2, 12).is_some());
        assert_eq!(hold(&ended, 1, 1, 12), None, "the other one is under way");
        assert_eq!(release(&ended, 1, 10), ended, "ended once");
        assert!(hold(&ended, 1, 1, 11 + HELD_FOR).is_some());
        assert!(hold(&slot, 1, 2, 11 + HELD_FOR).is_some());
    }

    #[test]
    fn a_slot_that_somebody_else_wrote_is_read_as_far_as_it_goes() {
        let odd = [1; 61];
        assert!(leak(&odd, 3, &rate(1, 0), 1).is_some());
        assert!(hold(&odd, 3, 1, 1).is_some());
        let _ = release(&odd, 3, 1);
    }
}
