//! A regex host that several namespaces may share: how old each is on it, and whose paths stand behind
//! patterns that are too much work together.

use super::{Context, of};
use crate::policy::merge::Draft;
use crate::remark::{Effect, Field, Problem, Remark};
use crate::route::host::Hosts;
use crate::route::location::Location;
use crate::route::pattern::{Load, Pattern};
use crate::sorted::sorted_by;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of a path that people do send.
pub(super) const LONG_PATH: u64 = 2048;
/// The same of a host's name.
const LONG_NAME: u64 = 100;

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
        remarks: &mut Vec<Remark>,
    ) {
        let loads = locations.iter().filter_map(|location| {
            let pattern = location.pattern.as_ref()?;
            Some((pattern.load()?, location.age))
        });
        let Some((youngest, longest)) = too_much(loads.collect(), LONG_PATH) else {
            return;
        };
        let is_told = |location: &Location| {
            let pattern = location.pattern.as_ref();
            pattern.is_some_and(|pattern| pattern.longest() < LONG_PATH)
        };
        let mut told: HashMap<&str, usize> = HashMap::new();
        let all = || locations.iter().zip(drafts);
        for (location, draft) in all().filter(|(location, _)| is_told(location)) {
            told.insert(self.namespace(draft.ingress), location.age);
        }
        for (location, draft) in all() {
            if location.age < youngest || draft.ingress.is_none() {
                continue;
            }
            let namespace = self.namespace(draft.ingress);
            if told.insert(namespace, location.age).is_some() {
                continue;
            }
            let host = host.to_owned();
            let problem = Problem::CostlyTogether { host, longest };
            let remark = Remark::new(Field::Path, &draft.written, problem, Effect::Setting);
            remarks.push(of(self.ingress(draft), remark));
        }
    }

    /// The same of aliases that are regular expressions.
    pub(super) fn tell_aliases(&self, hosts: &Hosts, remarks: &mut Vec<Remark>) {
        let loads = hosts.alias_loads().map(|(load, age, _)| (load, age));
        let Some((youngest, longest)) = too_much(loads.collect(), LONG_NAME) else {
            return;
        };
        let mut told: HashMap<&str, usize> = HashMap::new();
        for (_, age, ingress) in hosts.alias_loads().filter(|(_, age, _)| *age >= youngest) {
            let Some(one) = ingress.and_then(|at| self.loaded.get(at)) else {
                continue;
            };
            if told.insert(&one.ingress.namespace, age).is_none() {
                let field = Field::annotation("server-alias");
                let value = one.annotations.aliases.join(",");
                let problem = Problem::CostlyAliases { longest };
                remarks.push(of(
                    Some(one),
                    Remark::new(field, &value, problem, Effect::Setting),
                ));
            }
        }
    }
}

/// The age of the oldest namespace whose patterns do not fit, and the longest text for which they do.
/// `None`: they do for texts as `long` as people send them.
fn too_much(loads: Vec<(Load, usize)>, long: u64) -> Option<(usize, u64)> {
    let loads = sorted_by(loads, |(one, _), (two, _)| one.literal.cmp(two.literal));
    let longest = |until: usize| {
        let loads = loads.iter().filter(|(_, age)| *age <= until);
        Pattern::longest_of(loads.map(|(load, _)| *load))
    };
    // Between an age that fits and one that does not.
    let youngest = loads.iter().map(|(_, age)| *age).max()?;
    let (mut first, mut count) = (0_usize, youngest.saturating_add(1));
    if longest(youngest) >= long {
        return None;
    }
    // The first age that does not fit is one of `count` from `first` on.
    while count > 1 {
        let half = count >> 1;
        if longest(first.saturating_add(half).saturating_sub(1)) >= long {
            first = first.saturating_add(half);
            count = count.saturating_sub(half);
        } else {
            count = half;
        }
    }
    Some((first, longest(first)))
}
