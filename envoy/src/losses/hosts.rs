//! What is lost beyond the Ingress that said it: in the others of its hosts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::check::{Finding, is_of_host};
use crate::compiled::Compiled;
use crate::compiled::answered::aliases;
use crate::inert;
use crate::taken::TakenIngress;

/// In the list of what is closed: every Ingress.
pub(super) const EVERY: &str = "*";

/// What is closed for what an Ingress lost.
#[derive(Debug)]
pub(super) struct Beside {
    /// Its entry in the list of what is closed.
    pub(super) closed: String,
    /// The same, in words.
    what: String,
    /// What was lost, by which Ingress, and why it concerns this.
    why: String,
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, why) = (inert::line(&self.what), inert::line(&self.why));
        write!(f, "closed, answers 503: {what}: {why}")
    }
}

/// What others answer where a loss concerns them, but for what is `closed` anyway: a host, where the loss was the
/// whole host's; an Ingress, where requests of one that is left out fall to it.
pub(super) fn beside(
    compiled: &Compiled<'_>,
    lost: &[&Finding],
    closed: &BTreeSet<String>,
) -> Vec<Beside> {
    if closed.contains(EVERY) {
        return Vec::new();
    }
    let hosts = whole_hosts(compiled, lost, closed);
    hosts.chain(falling_to(compiled, lost, closed)).collect()
}

/// The hosts of a loss that was a whole host's, of which others have paths.
fn whole_hosts<'a>(
    compiled: &'a Compiled<'_>,
    lost: &[&Finding],
    closed: &'a BTreeSet<String>,
) -> impl Iterator<Item = Beside> + 'a {
    // By each host the first loss that was its own.
    let mut first: BTreeMap<&str, String> = BTreeMap::new();
    for loss in lost.iter().filter(|loss| is_of_host(&loss.field)) {
        let taken = loss.ingress.as_deref().and_then(|id| compiled.ingress(id));
        for (taken, rule) in taken
            .iter()
            .flat_map(|one| one.ingress.rules.iter().map(move |rule| (one, rule)))
        {
            let why = || format!("{} of ingress {} was its host's", loss.field, taken.id());
            first.entry(&rule.host).or_insert_with(why);
        }
    }
    first.into_iter().filter_map(|(host, why)| {
        let known = compiled.virtual_host(host)?;
        let of_ingresses = known.locations.iter().filter(|one| !one.ingress.is_empty());
        let mut open = of_ingresses.filter(|one| !closed.contains(&one.ingress));
        open.next()?;
        let (entry, what) = match host {
            "" => ("_".to_owned(), "hosts of no other name".to_owned()),
            host => (host.to_owned(), format!("host {host}")),
        };
        (!closed.contains(&entry)).then_some(Beside {
            closed: entry,
            what,
            why,
        })
    })
}

/// The Ingresses of its namespace to which requests of one fall that is left out. Nothing of what it protected
/// is behind those of others, who may only have named the same host.
fn falling_to<'a>(
    compiled: &'a Compiled<'_>,
    lost: &[&Finding],
    closed: &'a BTreeSet<String>,
) -> impl Iterator<Item = Beside> + 'a {
    let left_out = hosts_left_out(compiled);
    // By each host that answers in its place the first loss.
    let mut first: HashMap<(String, &str), (usize, String)> = HashMap::new();
    for (at, loss) in lost.iter().enumerate() {
        let Some((namespace, hosts)) = loss.ingress.as_deref().and_then(|id| left_out.get(id))
        else {
            continue;
        };
        let names = hosts.iter().flat_map(|host| compiled.answered_as(host));
        for name in names.map(|name| (name, *namespace)) {
            let why = || {
                let (of, lost) = (loss.ingress.as_deref().unwrap_or_default(), &loss.field);
                format!(
                    "ingress {of} with its {lost} is left out, and its paths would fall to this one"
                )
            };
            first.entry(name).or_insert_with(|| (at, why()));
        }
    }
    let open = compiled.ingresses.iter();
    let open = open.filter(|ingress| !closed.contains(ingress.id()));
    open.filter_map(move |ingress| {
        let namespace = ingress.ingress.namespace.as_str();
        let its = hosts(compiled, ingress).into_iter();
        let (_, why) = its.filter_map(|host| first.get(&(host, namespace))).min()?;
        Some(Beside {
            closed: ingress.id().to_owned(),
            what: format!("ingress {}", ingress.id()),
            why: why.clone(),
        })
    })
}

/// The hosts of its rules, with paths or without, and those of their aliases that are no host of others.
fn hosts(compiled: &Compiled<'_>, ingress: &TakenIngress<'_>) -> BTreeSet<String> {
    let rules = ingress.ingress.rules.iter().map(|rule| rule.host.clone());
    let aliases = ingress.annotations.aliases.iter();
    let is_its_own = |alias: &&String| {
        let known = compiled.virtual_host(alias);
        let mut locations = known.into_iter().flat_map(|known| known.locations.iter());
        known.is_none() || locations.any(|location| *location.ingress == *ingress.id())
    };
    let aliases = aliases.filter(is_its_own).cloned();
    rules.chain(aliases).collect()
}

/// The namespaces and hosts of the Ingresses of which nothing is taken, by `namespace/name`.
fn hosts_left_out<'m>(compiled: &Compiled<'m>) -> HashMap<String, (&'m str, BTreeSet<String>)> {
    let mut all: HashMap<String, (&str, BTreeSet<String>)> = HashMap::new();
    let left_out = compiled.manifests.left_out();
    for object in left_out.filter(|object| compiled.ingress(&object.id()).is_none()) {
        let rules = object.ingress().map(|ingress| ingress.rules);
        let hosts = rules.into_iter().flatten().map(|rule| rule.host);
        let aliases = aliases(object).map(str::to_owned);
        let (namespace, of_it) = all.entry(object.id()).or_default();
        *namespace = object.namespace();
        of_it.extend(hosts.chain(aliases));
    }
    all
}
