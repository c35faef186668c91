//! Counts requests in what all VMs of the process share.

use super::Host;
use crate::limits::{Demand, Verdict, hold, leak, release};

/// So often a slot is tried again that somebody else wrote meanwhile.
const TRIES: u32 = 64;

/// A request that counts as long as it is under way.
#[derive(Debug)]
pub struct UnderWay {
    key: String,
    client: u64,
    since: u64,
}

/// Counts a request; what it says is to be told to [`end`] when it has ended.
pub fn count(host: &dyn Host, demand: &Demand) -> (Verdict, Option<UnderWay>) {
    let now = host.now_ns() / 1_000_000;
    let client = demand.client();
    // All have to let it pass before it counts for one.
    for is_counted in [false, true] {
        for (key, rate) in demand.buckets() {
            let next = |slot: &[u8]| leak(slot, client, rate, now);
            let passes = if is_counted {
                change(host, &key, next)
            } else {
                next(&read(host, &key).0).is_some()
            };
            if !passes {
                return (Verdict::TooFast, None);
            }
        }
    }
    let Some((key, most)) = demand.connections() else {
        return (Verdict::Within, None);
    };
    if !change(host, &key, |slot| hold(slot, client, most, now)) {
        return (Verdict::TooMany, None);
    }
    let since = now;
    let under_way = UnderWay { key, client, since };
    (Verdict::Within, Some(under_way))
}

/// The request has ended.
pub fn end(host: &dyn Host, it: &UnderWay) {
    change(host, &it.key, |slot| {
        Some(release(slot, it.client, it.since))
    });
}

fn read(host: &dyn Host, key: &str) -> (Vec<u8>, u32) {
    host.shared_data(key).unwrap_or_default()
}

/// `false`: there is no next value, or others write all the time.
fn change(host: &dyn Host, key: &str, next: impl Fn(&[u8]) -> Option<Vec<u8>>) -> bool {
    for _ in 0..TRIES {
        let (slot, number) = read(host, key);
        let Some(next) = next(&slot) else {
            return false;
        };
        if host.set_shared_data(key, &next, number) {
            return true;
        }
    }
    false
}
