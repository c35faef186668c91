//! Whose patterns a text is compared with, where several namespaces share a regex host, or have aliases that
//! are regular expressions: what is not known of those of one costs that one and who came later, never who was
//! there before.

use super::openings::Openings;
use super::pattern::{Match, Work};
use crate::sorted::sorted_by;

/// Whose each candidate is.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    /// For each candidate the age of its namespace among them, the oldest least.
    ages: Vec<usize>,
    /// The places of the candidates, those of the oldest first. Empty: all are of one.
    oldest_first: Vec<usize>,
    /// Which ones a text may match. `None`: they are few.
    openings: Option<Openings>,
}

/// What a text is compared with, one after the other.
pub(super) trait Candidate {
    /// As far as that is known; `tries`: a regular expression is run.
    fn compare(&self, text: &[u8], work: &Work, tries: bool) -> Match;

    /// What every text that matches begins with, in upper or lower case: to know that costs no work.
    fn literal(&self) -> &[u8];
}

/// To know which candidate matches first would be more work than it may be: somebody's was not tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TooCostly {
    /// The age of the oldest namespace of those.
    pub age: usize,
}

/// The place of the first candidate that matches; `None`: none does.
pub(super) type Place = Result<Option<usize>, TooCostly>;

/// A candidate that may be the first one that matches; it is not known whether it is.
struct Doubt {
    /// The age of the oldest namespace that has such a one.
    age: usize,
    /// Its place. `None`: its pattern was not tried.
    candidate: Option<usize>,
}

impl Tenants {
    /// `ages`: of the namespace of each candidate.
    pub(super) fn new<T: Candidate>(candidates: &[T], ages: Vec<usize>) -> Self {
        let is_one = ages.windows(2).all(|pair| pair.first() == pair.last());
        let places = if is_one { 0 } else { ages.len() };
        let age = |at: &usize| ages.get(*at).copied();
        let oldest_first = sorted_by((0..places).collect(), |one, two| age(one).cmp(&age(two)));
        Self {
            ages,
            oldest_first,
            openings: Openings::of(candidates.iter().map(Candidate::literal)),
        }
    }

    /// For each candidate.
    pub(super) fn ages(&self) -> &[usize] {
        &self.ages
    }

    fn age(&self, at: usize) -> usize {
        self.ages.get(at).copied().unwrap_or_default()
    }

    /// The place of the first candidate that matches. Not inlined: a host that nobody names would pay for it too.
    #[inline(never)]
    pub(super) fn find<T: Candidate>(&self, candidates: &[T], text: &[u8]) -> Place {
        let work = if self.oldest_first.is_empty() {
            Work::of_a_search()
        } else {
            Work::of_a_glance()
        };
        let compare = |at: usize| Some((at, candidates.get(at)?.compare(text, &work, true)));
        let found = match &self.openings {
            None => self.first(&mut (0..candidates.len()).filter_map(compare)),
            Some(openings) => self.first(&mut openings.places(text).filter_map(compare)),
        };
        if !work.is_spent() {
            return found;
        }
        if self.oldest_first.is_empty() {
            let age = self.ages.first().copied();
            return Err(TooCostly {
                age: age.unwrap_or_default(),
            });
        }
        let compared = self.by_age(candidates, text);
        self.first(&mut compared.into_iter().enumerate())
    }

    /// The place of the first one that matches. `compared`: the places in their order, and what came of comparing
    /// each with a text; those that are left out do not match.
    fn first(&self, compared: &mut dyn Iterator<Item = (usize, Match)>) -> Place {
        let mut doubt: Option<Doubt> = None;
        for (at, compared) in compared {
            let candidate = match compared {
                Match::No => continue,
                Match::Yes if doubt.as_ref().is_none_or(|doubt| self.age(at) < doubt.age) => {
                    return Ok(Some(at));
                }
                Match::Yes => break,
                Match::Perhaps => Some(at),
                Match::Untried => None,
            };
            let age = self.age(at);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::pattern::Pattern;
    use std::iter;

    impl Candidate for Pattern {
        fn compare(&self, text: &[u8], work: &Work, tries: bool) -> Match {
            Self::compare(self, text, work, tries)
        }

        fn literal(&self) -> &[u8] {
            Self::literal(self)
        }
    }

    fn next(seed: &mut u64, below: usize) -> usize {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(*seed >> 40).unwrap() % below
    }

    /// What is found is what is found of all of them, one by one: of patterns with and without a literal, with a
    /// look-ahead, of which nothing is known, and too many for a long path.
    #[test]
    fn nothing_else_is_found_by_what_patterns_begin_with() {
        const PATTERNS: [&str; 8] = [
            "/[ab]+/c",
            "/a(?!b)",
            "/(a/b)?c",
            "/A/b(/|$)(.*)",
            "/ab(.*)",
            "/(a|b)/c",
            "/a|/b",
            "/a",
        ];
        let mut seed = 7;
        let (mut some, mut costly) = (0, 0);
        for (many, kinds) in [(20, 8), (40, 8), (2_000, 3)] {
            let pattern = |seed: &mut u64| {
                let source = PATTERNS[next(seed, kinds)];
                if kinds > 3 && next(seed, 8) == 0 {
                    return Pattern::around(source);
                }
                Pattern::location(source).unwrap()
            };
            let candidates: Vec<_> = (0..many).map(|_| pattern(&mut seed)).collect();
            let ages: Vec<_> = (0..many).map(|_| next(&mut seed, 3)).collect();
            let by_literal = Tenants::new(&candidates, ages.clone());
            let one_by_one = Tenants {
                openings: None,
                ..Tenants::new(&candidates, ages)
            };
            for length in 0..300 {
                let byte = |_| b"/abAc"[next(&mut seed, 5)];
                let text: Vec<u8> = iter::once(b'/').chain((0..length).map(byte)).collect();
                let of = |tenants: &Tenants| {
                    let found = tenants.find(&candidates, &text);
                    found.map_err(|costly| costly.age)
                };
                let found = of(&by_literal);
                assert_eq!(found, of(&one_by_one), "{}", text.escape_ascii());
                some += usize::from(matches!(found, Ok(Some(_))));
                costly += usize::from(found.is_err());
            }
        }
        assert!(some > 50 && costly > 20, "{some}, {costly}");
    }
}
