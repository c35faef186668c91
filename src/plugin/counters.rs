//! Counts requests in what all VMs of the process share.

use super::Host;
use crate::zone::{Demand, Verdict, hold, leak, release};

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
        // What is not there yet has no number: whoever writes it would write over others.
        if number == 0 {
            host.set_shared_data(key, &[], 0);
            continue;
        }
        let Some(next) = next(&slot) else {
            return false;
        };
        if host.set_shared_data(key, &next, number) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::{Rate, Zone};
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    /// Slots with their numbers; `others` write so often before a write of one's own.
    #[derive(Default)]
    struct Slots {
        /// Later than the start, ms.
        passed: Cell<u64>,
        all: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
        others: Cell<u32>,
    }

    impl Host for Slots {
        fn now_ns(&self) -> u64 {
            (7 + self.passed.get()) * 1_000_000
        }

        fn property(&self, _: &[&str]) -> Option<Vec<u8>> {
            None
        }

        fn environment(&self) -> Vec<u8> {
            Vec::new()
        }

        fn shared_data(&self, key: &str) -> Option<(Vec<u8>, u32)> {
            self.all.borrow().get(key).cloned()
        }

        fn set_shared_data(&self, key: &str, value: &[u8], cas: u32) -> bool {
            let mut all = self.all.borrow_mut();
            let slot = all.entry(key.to_owned()).or_default();
            if cas != 0 && self.others.get() > 0 {
                self.others.set(self.others.get() - 1);
                slot.1 += 1;
            }
            if cas != 0 && cas != slot.1 {
                return false;
            }
            *slot = (value.to_vec(), slot.1 + 1);
            true
        }

        fn http_call(&self, _: &str, _: &str, _: u64) -> Result<u32, String> {
            Err("nobody is asked".to_owned())
        }
    }

    fn demand(rates: &[(&'static str, u64)], connections: u32) -> Demand {
        let rates = rates.iter().map(|(name, burst)| Rate {
            name,
            rate: 1,
            burst: burst * 1000,
        });
        let zone = Zone {
            name: "zone".to_owned(),
            rates: rates.collect(),
            connections,
        };
        Demand::new(Arc::new(zone), b"client")
    }

    #[test]
    fn what_one_limit_refuses_counts_for_none() {
        let slots = Slots::default();
        let both = demand(&[("rps", 5), ("rpm", 1)], 0);
        let passed = (0..9).map(|_| count(&slots, &both).0);
        let passed = passed.filter(|verdict| *verdict == Verdict::Within);
        assert_eq!(passed.count(), 2);
        let first = demand(&[("rps", 5)], 0);
        let passed = (0..9).map(|_| count(&slots, &first).0);
        let passed = passed.filter(|verdict| *verdict == Verdict::Within);
        assert_eq!(passed.count(), 4, "of six two are gone");
    }

    #[test]
    fn a_bucket_leaks_by_the_clock_of_the_host() {
        let slots = Slots::default();
        // A request in 1,000 s.
        let slow = demand(&[("rps", 0)], 0);
        let mut within = |at: u64| {
            slots.passed.set(at);
            count(&slots, &slow).0 == Verdict::Within
        };
        let passed = [0, 1, 999_999, 1_000_000, 1_000_001, 2_000_000].map(&mut within);
        assert_eq!(passed, [true, false, false, true, false, true]);
    }

    #[test]
    fn what_is_under_way_counts_until_its_end() {
        let slots = Slots::default();
        let one = demand(&[], 1);
        let (verdict, it) = count(&slots, &one);
        assert_eq!(verdict, Verdict::Within);
        assert_eq!(count(&slots, &one).0, Verdict::TooMany);
        end(&slots, &it.unwrap());
        assert_eq!(count(&slots, &one).0, Verdict::Within);
    }

    #[test]
    fn others_who_write_meanwhile_are_waited_for_but_not_for_ever() {
        let slots = Slots::default();
        slots.others.set(20);
        let one = demand(&[("rps", 0)], 0);
        assert_eq!(count(&slots, &one).0, Verdict::Within);
        assert_eq!(count(&slots, &one).0, Verdict::TooFast, "counted once");
        slots.others.set(1000);
        let other = demand(&[("rpm", 0)], 0);
        assert_eq!(count(&slots, &other).0, Verdict::TooFast);
    }
}
