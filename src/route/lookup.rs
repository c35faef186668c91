//! The location of a path, as nginx finds one.
//!
//! Source: `ngx_http_core_find_location` and `ngx_http_core_find_static_location` of
//! nginx 1.27.1.

use super::location::{Kind, Location};
use super::tenants::{Place, Tenants};
use crate::sorted::sorted_by;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

/// How the locations of one host are looked up.
#[derive(Debug)]
pub(crate) enum Lookup {
    /// Exact paths and prefixes.
    Static {
        exact: HashMap<Vec<u8>, usize>,
        /// In ascending order.
        prefixes: Vec<Prefix>,
        /// Paths that end with a slash, without it: requests are sent to the slash.
        slashed: HashMap<Vec<u8>, usize>,
    },
    /// In order: the first match counts.
    Regex(Tenants),
}

/// A prefix and the place of its location.
#[derive(Debug)]
pub(crate) struct Prefix {
    name: Vec<u8>,
    location: usize,
    /// The place of the longest other prefix that it begins with.
    parent: Option<usize>,
}

/// What is found.
#[derive(Clone, Copy)]
pub(crate) enum Found<'p> {
    Location(&'p Arc<Location>),
    /// The path and a slash would be this location.
    MissingSlash(&'p Arc<Location>),
    Nothing,
    /// To know it would be too much work.
    TooCostly,
}

impl Lookup {
    /// Of a host whose paths are no regular expressions.
    pub(crate) fn fixed(locations: &[Arc<Location>]) -> Self {
        let mut exact = HashMap::new();
        let mut slashed = HashMap::new();
        let mut prefixes = Vec::new();
        for (at, location) in locations.iter().enumerate() {
            let name = location.name.as_bytes().to_vec();
            if let Some(bare) = name
                .strip_suffix(b"/")
                .filter(|_| location.kind != Kind::Regex)
            {
                slashed.entry(bare.to_vec()).or_insert(at);
            }
            match location.kind {
                Kind::Exact => {
                    exact.insert(name, at);
                }
                Kind::Prefix => prefixes.push(Prefix {
                    name,
                    location: at,
                    parent: None,
                }),
                Kind::Regex => {}
            }
        }
        let mut prefixes = sorted_by(prefixes, |one, two| one.name.cmp(&two.name));
        // Where a path itself is a prefix, nobody is sent to another one: `/` is not sent to `//`.
        for prefix in &prefixes {
            slashed.remove(&prefix.name);
        }
        let parents = parents(&prefixes);
        for (prefix, parent) in prefixes.iter_mut().zip(parents) {
            prefix.parent = parent;
        }
        Self::Static {
            exact,
            prefixes,
            slashed,
        }
    }

    /// Of a host whose paths are.
    pub(crate) fn patterns(locations: &[Arc<Location>]) -> Self {
        let ages = locations.iter().map(|location| location.age);
        Self::Regex(Tenants::new(locations, ages.collect()))
    }

    /// `known`: the place that was found before, where to find it is dear.
    pub(crate) fn find<'p>(
        &self,
        locations: &'p [Arc<Location>],
        uri: &[u8],
        known: &OnceCell<Place>,
    ) -> Found<'p> {
        let found = |at: Option<&usize>| at.and_then(|at| locations.get(*at));
        match self {
            Self::Regex(tenants) => match *known.get_or_init(|| tenants.find(locations, uri)) {
                Ok(at) => found(at.as_ref()).map_or(Found::Nothing, Found::Location),
                Err(_) => Found::TooCostly,
            },
            Self::Static {
                exact,
                prefixes,
                slashed,
            } => {
                if let Some(location) = found(exact.get(uri)) {
                    return Found::Location(location);
                }
                if let Some(location) = found(slashed.get(uri)) {
                    return Found::MissingSlash(location);
                }
                let at = prefixes.partition_point(|prefix| prefix.name.as_slice() <= uri);
                let longest = longest(prefixes, at.checked_sub(1), uri);
                found(longest.as_ref()).map_or(Found::Nothing, Found::Location)
            }
        }
    }
}

/// The greatest prefix not above `uri`, or the first of its parents that `uri` begins with.
fn longest(prefixes: &[Prefix], start: Option<usize>, uri: &[u8]) -> Option<usize> {
    let mut at = start;
    while let Some(prefix) = at.and_then(|at| prefixes.get(at)) {
        if uri.starts_with(&prefix.name) {
            return Some(prefix.location);
        }
        at = prefix.parent;
    }
    None
}

fn parents(prefixes: &[Prefix]) -> Vec<Option<usize>> {
    let mut open: Vec<usize> = Vec::new();
    let mut parents = Vec::with_capacity(prefixes.len());
    for (at, prefix) in prefixes.iter().enumerate() {
        let begins = |other: &Prefix| prefix.name.starts_with(&other.name);
        while open
            .last()
            .and_then(|last| prefixes.get(*last))
            .is_some_and(|last| !begins(last))
        {
            open.pop();
        }
        parents.push(open.last().copied());
        open.push(at);
    }
    parents
}
