//! Whose locations stand on a regex host that several namespaces share: what is not known of the
//! patterns of one costs that one and who came later, never who was there before.

use super::location::{Location, Match};
use super::pattern::Work;
use crate::sorted::sorted_by;
use std::sync::Arc;

/// Whose each location is. Empty: all are of one.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    /// For each location the age of its namespace on the host, the oldest least.
    ages: Vec<usize>,
    /// The places of the locations, those of the oldest first.
    oldest_first: Vec<usize>,
}

/// A location that may be the one of a request; it is not known whether it is.
struct Doubt<'p> {
    /// The oldest namespace that has such a one.
    age: usize,
    /// `None`: its pattern would have been too much work.
    location: Option<&'p Arc<Location>>,
}

impl Tenants {
    /// `ages`: of the namespace of each location.
    pub(crate) fn new(ages: Vec<usize>) -> Self {
        let is_one = ages.windows(2).all(|pair| pair.first() == pair.last());
        if is_one {
            return Self::default();
        }
        let age = |at: &usize| ages.get(*at).copied();
        Self {
            oldest_first: sorted_by((0..ages.len()).collect(), |one, two| {
                age(one).cmp(&age(two))
            }),
            ages,
        }
    }

    /// The first location that matches. More work than a request may cost: what the oldest namespaces need is
    /// done, and whoever has no room left is in doubt.
    pub(super) fn find<'p>(
        &self,
        locations: &'p [Arc<Location>],
        uri: &[u8],
        work: &Work,
    ) -> Option<&'p Arc<Location>> {
        if self.ages.is_empty() {
            let mut locations = locations.iter();
            return locations.find(|location| location.is_match(uri, work));
        }
        let first = self.first(locations, uri, work, usize::MAX);
        if work.is_spent() && work.renew() {
            return self.first(locations, uri, work, self.room(locations, uri, work));
        }
        first
    }

    /// `room`: the age from which on no pattern is tried.
    fn first<'p>(
        &self,
        locations: &'p [Arc<Location>],
        uri: &[u8],
        work: &Work,
        room: usize,
    ) -> Option<&'p Arc<Location>> {
        let mut doubt: Option<Doubt> = None;
        for (location, age) in locations.iter().zip(&self.ages) {
            let unsure = match location.compare(uri, work, *age < room) {
                Match::No => continue,
                Match::Yes if doubt.as_ref().is_none_or(|doubt| *age < doubt.age) => {
                    return Some(location);
                }
                Match::Yes => break,
                Match::Perhaps => Some(location),
                Match::Untried => None,
            };
            match &mut doubt {
                None => {
                    doubt = Some(Doubt {
                        age: *age,
                        location: unsure,
                    });
                }
                Some(doubt) => doubt.age = doubt.age.min(*age),
            }
        }
        let doubt = doubt?;
        if doubt.location.is_none() {
            work.spend();
        }
        doubt.location
    }

    /// The age of the first namespace whose patterns, with those of all older ones, are too much work.
    fn room(&self, locations: &[Arc<Location>], uri: &[u8], work: &Work) -> usize {
        let mut all = 0_u64;
        let over = self.oldest_first.iter().find(|at| {
            let location = locations.get(**at);
            all = all.saturating_add(location.map_or(0, |location| location.steps(uri)));
            // Once to find the location, and its groups once more.
            !work.has(all.saturating_mul(2))
        });
        let age = over.and_then(|at| self.ages.get(*at));
        age.copied().unwrap_or(usize::MAX)
    }
}
