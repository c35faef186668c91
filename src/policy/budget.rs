//! What all paths and patterns together may be, so that no tenant's keep a proxy from starting: spent
//! Ingress by Ingress, the oldest first, and no namespace takes what others need. 3,000 paths of 2,400
//! places each took `limpet check` 3.1 s and 266 MB with it.

use super::merge::{Draft, Loaded, Merged, is_regex};
use crate::route::pattern::Pattern;
use std::collections::{HashMap, HashSet};

/// Places in all patterns: 40,000 as people write them have so many.
const PLACES: usize = 2_000_000;
/// What a path takes of them, for it takes some KiB of memory.
const OF_A_PATH: usize = 10;
/// What one that is a pattern takes beside its own places: a request is compared with each, however short it is.
const OF_A_PATTERN: usize = 30;

/// The paths that do not fit any more, by the place of their Ingress.
#[derive(Debug, Default)]
pub(super) struct Budget {
    over: HashSet<(usize, String)>,
}

impl Budget {
    /// `loaded`: the oldest first.
    pub(super) fn of(merged: &Merged, loaded: &[Loaded]) -> Self {
        let mut asked: Vec<Vec<(&Draft, usize)>> = vec![Vec::new(); loaded.len()];
        for server in merged.servers.values() {
            let drafts = &server.locations;
            let is_regex = drafts.iter().any(|draft| is_regex(draft, loaded));
            for draft in drafts {
                let Some((one, of_one)) = draft
                    .ingress
                    .and_then(|one| loaded.get(one).zip(asked.get_mut(one)))
                else {
                    continue;
                };
                let places = if is_regex {
                    Pattern::places(&draft.path)
                        .saturating_add(own_texts(draft, one))
                        .saturating_add(OF_A_PATTERN)
                } else {
                    OF_A_PATH
                };
                of_one.push((draft, places));
            }
        }
        let namespaces = loaded.iter().map(|one| one.ingress.namespace.as_str());
        let mut wanted: HashMap<&str, usize> = HashMap::new();
        for (namespace, drafts) in namespaces.clone().zip(&asked) {
            let all = wanted.entry(namespace).or_default();
            for (_, places) in drafts {
                *all = all.saturating_add(*places);
            }
        }
        let most = most_for_one(&wanted);
        let mut spent: HashMap<&str, usize> = HashMap::new();
        let mut over = HashSet::new();
        for (one, (namespace, drafts)) in namespaces.zip(asked).enumerate() {
            let spent = spent.entry(namespace).or_default();
            for (draft, places) in drafts {
                let with_it = spent.saturating_add(places);
                if with_it <= most {
                    *spent = with_it;
                } else {
                    over.insert((one, draft.path.clone()));
                }
            }
        }
        Self { over }
    }

    /// Why the path of `draft` is not compiled.
    pub(super) fn refuses(&self, draft: &Draft) -> Option<String> {
        let is_over = !self.over.is_empty()
            && draft
                .ingress
                .is_some_and(|one| self.over.contains(&(one, draft.path.clone())));
        is_over.then(|| {
            format!(
                "does not fit: all paths and patterns share {PLACES} places, of one namespace those of older Ingresses come first"
            )
        })
    }
}

/// A text with the named groups of a path is that path's own, and counts with it: nothing else is written
/// again for each path.
fn own_texts(draft: &Draft, one: &Loaded) -> usize {
    if !["(?<", "(?P<", "(?'"]
        .iter()
        .any(|group| draft.path.contains(group))
    {
        return 0;
    }
    let said = &one.annotations;
    let texts = [
        &said.upstream_vhost,
        &said.redirect.url,
        &said.rewrite.target,
        &said.forwarded_prefix,
        &said.hash_by,
    ];
    let bytes = texts.into_iter().map(String::len);
    bytes.fold(0, usize::saturating_add)
}

/// How many places a namespace may have, where each wants so many and all together have [`PLACES`].
fn most_for_one(wanted: &HashMap<&str, usize>) -> usize {
    let fits = |most: usize| {
        let mut left = PLACES;
        wanted.values().all(|one| {
            let fits = left.checked_sub(most.min(*one));
            left = fits.unwrap_or_default();
            fits.is_some()
        })
    };
    // Bit by bit, the largest first.
    (0..usize::BITS).rev().fold(0, |most, bit| {
        let more = most | 1_usize.wrapping_shl(bit);
        if fits(more) { more } else { most }
    })
}
