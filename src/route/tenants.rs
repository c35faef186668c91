//! Whose patterns a text is compared with, where several namespaces share a regex host, or have aliases that
//! are regular expressions: what is not known of those of one costs that one and who came later, never who was
//! there before.

use super::pattern::{Match, Work};
use crate::sorted::sorted_by;

/// Whose each candidate is.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    /// For each candidate the age of its namespace among them, the oldest least.
    ages: Vec<usize>,
    /// The places of the candidates, those of the oldest first. Empty: all are of one.
    oldest_first: Vec<usize>,
}

/// What a text is compared with, one after the other.
pub(super) trait Candidate {
    /// As far as that is known; `tries`: a regular expression is run.
    fn compare(&self, text: &[u8], work: &Work, tries: bool) -> Match;
}

/// To know which candidate matches first would be more work than it may be: somebody's was not tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TooCostly {
    /// The age of the oldest namespace of those.
    pub age: usize,
}

/// A candidate that may be the first one that matches; it is not known whether it is.
struct Doubt<'p, T> {
    /// The age of the oldest namespace that has such a one.
    age: usize,
    /// `None`: its pattern was not tried.
    candidate: Option<&'p T>,
}

impl Tenants {
    /// `ages`: of the namespace of each candidate.
    pub(crate) fn new(ages: Vec<usize>) -> Self {
        let is_one = ages.windows(2).all(|pair| pair.first() == pair.last());
        let places = if is_one { 0 } else { ages.len() };
        let age = |at: &usize| ages.get(*at).copied();
        let oldest_first = sorted_by((0..places).collect(), |one, two| age(one).cmp(&age(two)));
        Self { ages, oldest_first }
    }

    /// For each candidate.
    pub(super) fn ages(&self) -> &[usize] {
        &self.ages
    }

    /// The first candidate that matches.
    pub(super) fn find<'p, T: Candidate>(
        &self,
        candidates: &'p [T],
        text: &[u8],
    ) -> Result<Option<&'p T>, TooCostly> {
        let work = Work::of_a_search();
        let compared = candidates.iter().map(|one| one.compare(text, &work, true));
        let found = self.first(candidates, compared);
        if !work.is_spent() {
            return found;
        }
        if self.oldest_first.is_empty() {
            let age = self.ages.first().copied();
            return Err(TooCostly {
                age: age.unwrap_or_default(),
            });
        }
        self.first(candidates, self.by_age(candidates, text).into_iter())
    }

    /// `compared`: each of them with a text.
    fn first<'p, T>(
        &self,
        candidates: &'p [T],
        compared: impl Iterator<Item = Match>,
    ) -> Result<Option<&'p T>, TooCostly> {
        let mut ages = self.ages.iter();
        let mut doubt: Option<Doubt<T>> = None;
        for (one, compared) in candidates.iter().zip(compared) {
            let age = ages.next().copied().unwrap_or_default();
            let candidate = match compared {
                Match::No => continue,
                Match::Yes if doubt.as_ref().is_none_or(|doubt| age < doubt.age) => {
                    return Ok(Some(one));
                }
                Match::Yes => break,
                Match::Perhaps => Some(one),
                Match::Untried => None,
            };
            match &mut doubt {
                None => doubt = Some(Doubt { age, candidate }),
                Some(doubt) => doubt.age = doubt.age.min(age),
            }
        }
        match doubt {
            None => Ok(None),
            Some(Doubt { age, candidate }) => candidate.map(Some).ok_or(TooCostly { age }),
        }
    }

    /// Each compared, those of the oldest first, as far as that is no more work than it may be: what is found
    /// of theirs is what would be found without the others.
    fn by_age<T: Candidate>(&self, candidates: &[T], text: &[u8]) -> Vec<Match> {
        let work = Work::of_a_search();
        let mut all = vec![Match::Untried; candidates.len()];
        // Nothing matters behind one that matches.
        let mut end = candidates.len();
        for at in self.oldest_first.iter().copied() {
            if at > end {
                continue;
            }
            let Some((one, compared)) = candidates.get(at).zip(all.get_mut(at)) else {
                continue;
            };
            let tries = !work.is_spent();
            *compared = one.compare(text, &work, tries);
            if tries && work.is_spent() {
                *compared = Match::Untried;
            }
            if *compared == Match::Yes {
                end = at;
            }
        }
        all
    }
}
