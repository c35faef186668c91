//! What all paths, patterns, aliases and long annotations together may be, so that no tenant's keep a proxy from starting: spent
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

/// What an alias takes of them.
const OF_AN_ALIAS: usize = 3;
/// So many bytes of annotations take nothing beside what they are about,
const SHORT: usize = 4_096;
/// and so many more a place.
const OF_A_PLACE: usize = 32;

/// What does not fit any more.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// By the place of an Ingress: a path of it, or `None` for all that it says.
    over: HashSet<(usize, Option<String>)>,
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
        for ((namespace, drafts), one) in namespaces.clone().zip(&asked).zip(loaded) {
            let all = wanted.entry(namespace).or_default();
            *all = all.saturating_add(said(one));
            for (_, places) in drafts {
                *all = all.saturating_add(*places);
            }
        }
        let most = most_for_one(&wanted);
        let mut spent: HashMap<&str, usize> = HashMap::new();
        let mut over = HashSet::new();
        for (at, ((namespace, drafts), one)) in namespaces.zip(asked).zip(loaded).enumerate() {
            let spent = spent.entry(namespace).or_default();
            let with_it = spent.saturating_add(said(one));
            if with_it > most {
                over.insert((at, None));
                continue;
            }
            *spent = with_it;
            for (draft, places) in drafts {
                let with_it = spent.saturating_add(places);
                if with_it <= most {
                    *spent = with_it;
                } else {
                    over.insert((at, Some(draft.path.clone())));
                }
            }
        }
        Self { over }
    }

    /// Why the path of `draft` is not compiled.
    pub(super) fn refuses(&self, draft: &Draft) -> Option<String> {
        if self.over.is_empty() {
            return None;
        }
        let of_path = || self.refusal(draft.ingress, Some(draft.path.clone()));
        self.refuses_all(draft.ingress).or_else(of_path)
    }

    /// Why nothing of an Ingress is compiled.
    pub(super) fn refuses_all(&self, ingress: Option<usize>) -> Option<String> {
        self.refusal(ingress, None)
    }

    fn refusal(&self, ingress: Option<usize>, path: Option<String>) -> Option<String> {
        let is_over = self.over.contains(&(ingress?, path));
        is_over.then(|| {
            format!(
                "does not fit: all paths and patterns share {PLACES} places, and aliases and long annotations take of them; of one namespace those of older Ingresses come first"
            )
        })
    }
}

/// What an Ingress takes beside its paths.
fn said(one: &Loaded) -> usize {
    let annotations = one.ingress.annotations.iter();
    let bytes = annotations.map(|(name, value)| name.len().saturating_add(value.len()));
    let bytes = bytes.fold(0, usize::saturating_add).saturating_sub(SHORT);
    let places = bytes.checked_div(OF_A_PLACE).unwrap_or_default();
    let aliases = one.annotations.aliases.len().saturating_mul(OF_AN_ALIAS);
    places.saturating_add(aliases)
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
