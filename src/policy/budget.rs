//! What all patterns together may be, so that no tenant's paths keep a proxy from starting: spent
//! Ingress by Ingress, the oldest first, and no namespace takes what others need. 3,000 paths of 2,400
//! places each took `limpet check` 3.1 s and 266 MB with it.

use super::merge::{Draft, Loaded, Merged, is_regex};
use crate::route::pattern::Pattern;
use std::collections::{HashMap, HashSet};

/// Places in all patterns: 50,000 paths as people write them have a million.
const PLACES: usize = 2_000_000;

/// The paths that do not fit any more, by the place of their Ingress.
#[derive(Debug, Default)]
pub(super) struct Budget {
    over: HashSet<(usize, String)>,
}

impl Budget {
    /// `loaded`: the oldest first.
    pub(super) fn of(merged: &Merged, loaded: &[Loaded]) -> Self {
        let mut asked: Vec<Vec<&Draft>> = vec![Vec::new(); loaded.len()];
        let servers = merged.servers.values();
        let places = |draft: &Draft| {
            let texts = draft.ingress.and_then(|one| loaded.get(one));
            Pattern::places(&draft.path)
                .saturating_add(texts.map_or(0, |one| own_texts(draft, one)))
        };
        let is_a_regex_host =
            |drafts: &&Vec<Draft>| drafts.iter().any(|draft| is_regex(draft, loaded));
        let hosts = servers
            .map(|server| &server.locations)
            .filter(is_a_regex_host);
        for draft in hosts.flatten() {
            if let Some(of_one) = draft.ingress.and_then(|one| asked.get_mut(one)) {
                of_one.push(draft);
            }
        }
        let namespaces = loaded.iter().map(|one| one.ingress.namespace.as_str());
        let mut wanted: HashMap<&str, usize> = HashMap::new();
        for (namespace, drafts) in namespaces.clone().zip(&asked) {
            let all = wanted.entry(namespace).or_default();
            for draft in drafts {
                *all = all.saturating_add(places(draft));
            }
        }
        let most = most_for_one(&wanted);
        let mut spent: HashMap<&str, usize> = HashMap::new();
        let mut over = HashSet::new();
        for (one, (namespace, drafts)) in namespaces.zip(asked).enumerate() {
            let spent = spent.entry(namespace).or_default();
            for draft in drafts {
                let with_it = spent.saturating_add(places(draft));
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
                "does not fit: all patterns share {PLACES} places, of one namespace those of older Ingresses come first"
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
