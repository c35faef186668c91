//! A regex host that several namespaces may share: how old each is on it, and whose paths stand behind
//! patterns that are too much work together.

use super::{Context, of};
use crate::policy::merge::Draft;
use crate::remark::{Effect, Field, Problem, Remark};
use crate::route::location::Location;
use crate::route::pattern::{Load, Pattern};
use crate::sorted::sorted_by;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of a path that people do send.
pub(super) const LONG_PATH: u64 = 2048;

impl Context<'_> {
    /// For each Ingress the age of its namespace among them, the oldest least.
    pub(super) fn ages(&self, ingresses: &[Option<usize>]) -> Vec<usize> {
        let mut oldest: HashMap<&str, usize> = HashMap::new();
        for ingress in ingresses {
            let age = ingress.unwrap_or(usize::MAX);
            let oldest = oldest.entry(self.namespace(*ingress)).or_insert(age);
            *oldest = age.min(*oldest);
        }
        let age = |ingress: &Option<usize>| oldest.get(self.namespace(*ingress)).copied();
        let ages = ingresses.iter().map(age);
        ages.map(Option::unwrap_or_default).collect()
    }

    /// Empty: it is nobody's.
    fn namespace(&self, ingress: Option<usize>) -> &str {
        let one = ingress.and_then(|at| self.loaded.get(at));
        one.map_or("", |one| &one.ingress.namespace)
    }

    /// Tells each namespace whose paths are answered 500 for what its own patterns and those of older ones
    /// are together.
    pub(super) fn tell_cost(
        &self,
        host: &str,
        drafts: &[&Draft],
        locations: &[Arc<Location>],
        ages: &[usize],
        remarks: &mut Vec<Remark>,
    ) {
        let Some((youngest, longest)) = too_much(locations, ages) else {
            return;
        };
        let is_told = |location: &Location| {
            let pattern = location.pattern.as_ref();
            pattern.is_some_and(|pattern| pattern.longest() < LONG_PATH)
        };
        let mut told: HashMap<&str, usize> = HashMap::new();
        for ((location, draft), age) in locations.iter().zip(drafts).zip(ages) {
            if is_told(location) {
                told.insert(self.namespace(draft.ingress), *age);
            }
        }
        for (draft, age) in drafts.iter().zip(ages) {
            if *age < youngest || draft.ingress.is_none() {
                continue;
            }
            if told.insert(self.namespace(draft.ingress), *age).is_some() {
                continue;
            }
            let host = host.to_owned();
            let problem = Problem::CostlyTogether { host, longest };
            let remark = Remark::new(Field::Path, &draft.written, problem, Effect::Setting);
            remarks.push(of(self.ingress(draft), remark));
        }
    }
}

/// The age of the oldest namespace whose patterns do not fit, and the longest path for which they do.
/// `None`: paths as people send them fit.
fn too_much(locations: &[Arc<Location>], ages: &[usize]) -> Option<(usize, u64)> {
    let patterns = locations.iter().map(|location| location.pattern.as_ref());
    let loads = patterns.zip(ages);
    let loads = loads.filter_map(|(pattern, age)| Some((pattern?.load()?, *age)));
    let loads: Vec<(Load, usize)> = loads.collect();
    let loads = sorted_by(loads, |(one, _), (two, _)| one.literal.cmp(two.literal));
    let longest = |until: usize| {
        let loads = loads.iter().filter(|(_, age)| *age <= until);
        Pattern::longest_of(loads.map(|(load, _)| *load))
    };
    // Between an age that fits and one that does not.
    let youngest = ages.iter().filter(|age| **age < usize::MAX).max()?;
    let (mut first, mut count) = (0_usize, youngest.saturating_add(1));
    if longest(*youngest) >= LONG_PATH {
        return None;
    }
    // The first age that does not fit is one of `count` from `first` on.
    while count > 1 {
        let half = count >> 1;
        if longest(first.saturating_add(half).saturating_sub(1)) >= LONG_PATH {
            first = first.saturating_add(half);
            count = count.saturating_sub(half);
        } else {
            count = half;
        }
    }
    Some((first, longest(first)))
}
