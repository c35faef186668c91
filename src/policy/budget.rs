//! What all patterns together may be: spent Ingress by Ingress, the oldest first, so that no
//! tenant's paths keep a proxy from starting. 3,000 paths of 2,400 places each took `limpet check` 3.1 s
//! and 266 MB with it.

use super::merge::{Draft, Loaded, Merged, is_regex};
use crate::route::pattern::Pattern;
use std::collections::HashSet;

/// Places in all patterns: 50,000 paths as people write them have a million.
const PLACES: u64 = 2_000_000;

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
        let mut left = PLACES;
        let mut over = HashSet::new();
        for (one, draft) in asked
            .iter()
            .enumerate()
            .flat_map(|(one, d)| d.iter().map(move |d| (one, d)))
        {
            match left.checked_sub(Pattern::places(&draft.path)) {
                Some(rest) => left = rest,
                None => drop(over.insert((one, draft.path.clone()))),
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
            format!("does not fit: all patterns share {PLACES} places, and those of older Ingresses come first")
        })
    }
}
