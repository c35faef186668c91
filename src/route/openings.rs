//! Which of many patterns a text may match, by the literal text that each begins with: nginx tries a host's
//! locations one by one, and so much is known of all of them at once.

use crate::sorted::sorted_by;

/// Fewer are tried one by one sooner.
const FEW: usize = 16;

/// So many literals that begin with each other are told apart: what is longer stands with the last of them.
const DEEPEST: usize = 4;

/// The places of patterns by their literals.
#[derive(Debug)]
pub(super) struct Openings {
    /// In ascending order of their literals.
    groups: Vec<Group>,
    /// Bytes of the longest one.
    longest: usize,
}

/// Those that begin with one literal.
#[derive(Debug)]
struct Group {
    /// In lower case.
    literal: Vec<u8>,
    /// In ascending order.
    places: Vec<usize>,
    /// The group of the longest other literal that this one begins with.
    parent: Option<usize>,
}

/// Places in ascending order.
#[derive(Debug)]
pub(super) struct Places<'o>([&'o [usize]; DEEPEST]);

impl Openings {
    /// `literals`: of all patterns, in their order. `None`: they are few.
    pub(super) fn of<'l>(literals: impl Iterator<Item = &'l [u8]>) -> Option<Self> {
        let literals: Vec<_> = literals.map(<[u8]>::to_ascii_lowercase).collect();
        (literals.len() >= FEW).then(|| Self::sorted(&literals))
    }

    fn sorted(literals: &[Vec<u8>]) -> Self {
        let mut group_of = vec![0; literals.len()];
        let mut groups: Vec<Group> = Vec::new();
        // The groups whose literals the next one may begin with.
        let mut open: Vec<usize> = Vec::new();
        let places = (0..literals.len()).collect();
        for place in sorted_by(places, |one, two| {
            literals.get(*one).cmp(&literals.get(*two))
        }) {
            let Some(literal) = literals.get(place) else {
                continue;
            };
            let begins = |with: &Group| literal.starts_with(&with.literal);
            while open
                .pop_if(|last| !groups.get(*last).is_some_and(begins))
                .is_some()
            {}
            let parent = open.last().copied();
            let above = parent.and_then(|parent| groups.get(parent));
            let is_same = above.is_some_and(|above| above.literal == *literal);
            let group = match parent {
                Some(parent) if is_same || open.len() == DEEPEST => parent,
                _ => {
                    let at = groups.len();
                    open.push(at);
                    groups.push(Group {
                        literal: literal.clone(),
                        places: Vec::new(),
                        parent,
                    });
                    at
                }
            };
            if let Some(of_it) = group_of.get_mut(place) {
                *of_it = group;
            }
        }
        for (place, group) in group_of.into_iter().enumerate() {
            if let Some(group) = groups.get_mut(group) {
                group.places.push(place);
            }
        }
        let lengths = groups.iter().map(|group| group.literal.len());
        let longest = lengths.max().unwrap_or_default();
        Self { groups, longest }
    }

    /// All that `text` may match, and few others.
    pub(super) fn places(&self, text: &[u8]) -> Places<'_> {
        let text = text
            .get(..self.longest)
            .unwrap_or(text)
            .to_ascii_lowercase();
        let is_not_above = |group: &Group| group.literal <= text;
        let mut at = self.groups.partition_point(is_not_above).checked_sub(1);
        let mut places = [&[][..]; DEEPEST];
        let mut free = places.iter_mut();
        while let Some(group) = at.and_then(|at| self.groups.get(at)) {
            if text.starts_with(&group.literal)
                && let Some(free) = free.next()
            {
                *free = &group.places;
            }
            at = group.parent;
        }
        Places(places)
    }
}

impl Iterator for Places<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let open = self.0.iter_mut().filter(|places| !places.is_empty());
        let least = open.min_by_key(|places| places.first().copied())?;
        let (first, rest) = least.split_first()?;
        *least = rest;
        Some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text of `a`, `b` and `/`, mostly short.
    fn text(seed: &mut u64) -> Vec<u8> {
        let mut next = || {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(*seed >> 60).unwrap_or_default()
        };
        (0..next() / 2).map(|_| b"abAB/"[next() % 5]).collect()
    }

    #[test]
    fn all_that_a_text_begins_with_are_found_in_their_order() {
        let mut seed = 7;
        for count in FEW..FEW + 60 {
            let literals: Vec<_> = (0..count).map(|_| text(&mut seed)).collect();
            let openings = Openings::of(literals.iter().map(Vec::as_slice)).unwrap();
            for _ in 0..100 {
                let text = text(&mut seed).to_ascii_lowercase();
                let found: Vec<usize> = openings.places(&text).collect();
                assert!(found.is_sorted_by(|one, two| one < two), "{found:?}");
                for (place, literal) in literals.iter().enumerate() {
                    let begins = text.starts_with(&literal.to_ascii_lowercase());
                    assert!(!begins || found.contains(&place), "{text:?} {literal:?}");
                }
            }
        }
    }

    #[test]
    fn others_are_not_but_where_many_begin_with_each_other() {
        let literals: Vec<_> = (0..1000).map(|n| format!("/App{n:04}/")).collect();
        let all = ["", "/", "/app0007/x"].into_iter();
        let all = all.chain(literals.iter().map(String::as_str));
        let openings = Openings::of(all.map(str::as_bytes)).unwrap();
        let found = |text: &str| openings.places(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(found(""), [0]);
        assert_eq!(found("/aPP0007/x"), [0, 1, 2, 10]);
        assert_eq!(found("/app0999/"), [0, 1, 1002]);
        assert_eq!(found("/zzz"), [0, 1]);
        let nested = (0..FEW).map(|n| "aaaaaaaaaaaaaaaaaaaa".get(..n).unwrap().as_bytes());
        let openings = Openings::of(nested).unwrap();
        assert_eq!(openings.places(b"aa").collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(openings.places(b"aaa").count(), FEW);
    }

    #[test]
    fn a_few_are_tried_one_by_one() {
        let literals = (1..FEW).map(|_| &b"/"[..]);
        assert!(Openings::of(literals).is_none());
    }
}
