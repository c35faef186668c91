//! Whose patterns a text is compared with, where several namespaces share a regex host, or have aliases that
//! are regular expressions: what is not known of those of one costs that one and who came later, never who was
//! there before.

use super::pattern::{Match, Work};
use crate::sorted::sorted_by;

/// Whose each candidate is. Empty: all are of one.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    /// For each candidate the age of its namespace among them, the oldest least.
    ages: Vec<usize>,
    /// The places of the candidates, those of the oldest first.
    oldest_first: Vec<usize>,
}

/// What a text is compared with, one after the other.
pub(super) trait Candidate {
    /// As far as that is known; `tries`: a regular expression is run.
    fn compare(&self, text: &[u8], work: &Work, tries: bool) -> Match;
    /// What it takes to know.
    fn steps(&self, text: &[u8]) -> u64;
}

/// A candidate that may be the first one that matches; it is not known whether it is.
struct Doubt<'p, T> {
    /// The oldest namespace that has such a one.
    age: usize,
    /// `None`: its pattern would have been too much work.
    candidate: Option<&'p T>,
}

impl Tenants {
    /// `ages`: of the namespace of each candidate.
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

    /// The first candidate that matches. More work than a request may cost: what the oldest namespaces need is
    /// done, and whoever has no room left is in doubt.
    pub(super) fn find<'p, T: Candidate>(
        &self,
        candidates: &'p [T],
        text: &[u8],
        work: &Work,
    ) -> Option<&'p T> {
        if self.ages.is_empty() {
            let mut candidates = candidates.iter();
            return candidates.find(|one| one.compare(text, work, true) != Match::No);
        }
        let first = self.first(candidates, text, work, usize::MAX);
        if work.is_spent() && work.renew() {
            let room = self.room(candidates, text, work);
            return self.first(candidates, text, work, room);
        }
        first
    }

    /// `room`: the age from which on no pattern is tried.
    fn first<'p, T: Candidate>(
        &self,
        candidates: &'p [T],
        text: &[u8],
        work: &Work,
        room: usize,
    ) -> Option<&'p T> {
        let mut doubt: Option<Doubt<T>> = None;
        for (one, age) in candidates.iter().zip(&self.ages) {
            let candidate = match one.compare(text, work, *age < room) {
                Match::No => continue,
                Match::Yes if doubt.as_ref().is_none_or(|doubt| *age < doubt.age) => {
                    return Some(one);
                }
                Match::Yes => break,
                Match::Perhaps => Some(one),
                Match::Untried => None,
            };
            match &mut doubt {
                None => {
                    let age = *age;
                    doubt = Some(Doubt { age, candidate });
                }
                Some(doubt) => doubt.age = doubt.age.min(*age),
            }
        }
        let doubt = doubt?;
        if doubt.candidate.is_none() {
            work.spend();
        }
        doubt.candidate
    }

    /// The age of the first namespace whose patterns, with those of all older ones, are too much work.
    fn room<T: Candidate>(&self, candidates: &[T], text: &[u8], work: &Work) -> usize {
        let mut all = 0_u64;
        let over = self.oldest_first.iter().find(|at| {
            let one = candidates.get(**at);
            all = all.saturating_add(one.map_or(0, |one| one.steps(text)));
            // Once to find a location, and its groups once more.
            !work.has(all.saturating_mul(2))
        });
        let age = over.and_then(|at| self.ages.get(*at));
        age.copied().unwrap_or(usize::MAX)
    }
}
