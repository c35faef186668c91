//! What of Ingresses would take calls inside the cluster that under ingress-nginx no Ingress ever took: a sidecar
//! asks the module about every call of its pod, and a tenant writes the hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::ptr;

use limpet::config::ConfigError;
use serde_json::{Value, json};

use super::inside::{CLUSTER_DOMAIN, Inside};
use crate::compiled::answered::aliases;
use crate::compiled::{Compiled, Flags};
use crate::inert;
use crate::manifests::{Manifests, Object};
use crate::render::left_out;

/// What becomes of those calls.
const CONSEQUENCE: &str =
    "sidecars do nothing for it, and calls to that name go where they went without limpet";

/// Why a rule without host is none for them.
const WITHOUT_HOST: &str = "cannot be served by sidecars, which route by host";

/// What would become of other calls.
const OTHERWISE: &str = "limpet would answer every other call of their pods";

/// A part of an Ingress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// A rule, by its place.
    Rule(usize),
    /// A name in `server-alias`.
    Alias,
    /// The backend of one without rules.
    DefaultBackend,
}

/// What would take calls.
#[derive(Debug)]
pub(crate) struct TakingOver<'m> {
    pub(crate) object: &'m Object,
    pub(crate) part: Part,
    /// The host, as written; empty: every one.
    pub(crate) host: String,
    /// How it would.
    why: String,
}

impl TakingOver<'_> {
    /// Its JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        match self.part {
            Part::Rule(at) if self.host.is_empty() => format!("/spec/rules/{at}"),
            Part::Rule(at) => format!("/spec/rules/{at}/host"),
            Part::Alias => self.object.own_pointer("server-alias"),
            Part::DefaultBackend => "/spec/defaultBackend".to_owned(),
        }
    }

    /// What it is called.
    pub(crate) fn field(&self) -> &'static str {
        match self.part {
            Part::Rule(_) => "host",
            Part::Alias => "server-alias",
            Part::DefaultBackend => "defaultBackend",
        }
    }

    /// How it would, in words.
    pub(crate) fn why(&self) -> &str {
        match self.part {
            Part::DefaultBackend => "is of every host, and sidecars route by host",
            Part::Rule(_) if self.host.is_empty() => "is missing, and sidecars route by host",
            Part::Rule(_) | Part::Alias => &self.why,
        }
    }

    /// What happens instead.
    pub(crate) fn consequence(&self) -> String {
        let what = if self.host.is_empty() {
            OTHERWISE
        } else {
            CONSEQUENCE
        };
        format!("render istio --sidecar leaves it out: {what}")
    }

    fn note(&self) -> String {
        let place = self.object.place_of(&self.pointer());
        let id = self.object.id();
        if self.host.is_empty() {
            return format!(
                "{place}: ingress {id}: a rule without host {WITHOUT_HOST}: {OTHERWISE}; it is left out"
            );
        }
        let (field, host, why) = (self.field(), inert::line(&self.host), &self.why);
        format!("{place}: ingress {id}: {field} {host} {why}: {CONSEQUENCE}")
    }
}

/// All of that; those without a host too, and what Istio takes from nobody.
fn all<'m>(compiled: &Compiled<'m>, inside: &Inside<'_>) -> Vec<TakingOver<'m>> {
    let mut namespaces: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in &compiled.ingresses {
        for rule in &one.ingress.rules {
            let of_host = namespaces.entry(&rule.host).or_default();
            of_host.insert(one.object.namespace());
        }
    }
    let mut all = Vec::new();
    for one in &compiled.ingresses {
        let object = one.object;
        let own = object.namespace();
        let mut add = |part, host: &str, why: String| {
            all.push(TakingOver {
                object,
                part,
                host: host.to_owned(),
                why,
            });
        };
        let rules = object.list("/spec/rules");
        if rules.is_empty() && one.ingress.default_backend.is_some() {
            add(Part::DefaultBackend, "", String::new());
        }
        let has_twin = one.annotation("from-to-www-redirect").is_some();
        for (at, rule) in rules.iter().enumerate() {
            let host = rule.get("host").and_then(Value::as_str).unwrap_or_default();
            if host.is_empty() {
                add(Part::Rule(at), "", String::new());
            } else if let Some(why) = inside.of_others(host, own) {
                add(Part::Rule(at), host, why);
            } else if has_twin {
                let twin = twin(host);
                if let Some(why) = inside.of_others(&twin, own).filter(|_| !twin.contains('*')) {
                    let why = format!("answers for {twin} too (from-to-www-redirect), which {why}");
                    add(Part::Rule(at), host, why);
                }
            }
        }
        // The paths of whoever has a host beside it are served under its aliases.
        let is_shared = one.ingress.rules.iter().any(|rule| {
            let of_host = namespaces.get(rule.host.as_str());
            of_host.is_some_and(|all| all.len() > 1)
        });
        for alias in aliases(object) {
            if let Some(why) = inside.of_others(alias, own) {
                add(Part::Alias, alias, why);
            } else if is_shared && inside.is_of(alias, own) {
                let why = "is the name of a Service, and other namespaces have paths on that host";
                add(Part::Alias, alias, why.to_owned());
            }
        }
    }
    all
}

/// The host that `from-to-www-redirect` takes beside it.
fn twin(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    let bare = host.strip_prefix("www.").map(str::to_owned);
    bare.unwrap_or_else(|| format!("www.{host}"))
}

/// What sidecars would not take, for `check`: without what is told there anyway, or cannot be known without flags.
pub(crate) fn on_istio<'m>(compiled: &Compiled<'m>) -> Vec<TakingOver<'m>> {
    let inside = Inside::new(compiled.manifests, CLUSTER_DOMAIN, None);
    let mut all = all(compiled, &inside);
    all.retain(|one| {
        let is_taken = crate::names::is_host(&one.host) && left_out::by_istio(&one.host).is_none();
        one.host.is_empty() || is_taken
    });
    all
}

/// Takes all of that out of the Ingresses, and notes it. `workloads`: their namespace.
///
/// # Errors
/// When a key of `--config` has no usable shape.
pub(super) fn leave_out(
    manifests: &mut Manifests,
    flags: &Flags,
    (cluster_domain, workloads): (&str, &str),
) -> Result<(), ConfigError> {
    // What is taken may be others then.
    loop {
        let compiled = Compiled::new(manifests, flags)?;
        let inside = Inside::new(manifests, cluster_domain, Some(workloads));
        let all = all(&compiled, &inside);
        if all.is_empty() {
            return Ok(());
        }
        let notes: Vec<String> = all.iter().map(TakingOver::note).collect();
        let mut without: Vec<(usize, Value)> = Vec::new();
        for (at, object) in manifests.ingresses.iter().enumerate() {
            let of_it = all.iter().filter(|one| ptr::eq(one.object, object));
            let of_it: Vec<&TakingOver<'_>> = of_it.collect();
            if !of_it.is_empty() {
                without.push((at, rest(object, &of_it)));
            }
        }
        drop(compiled);
        for (at, value) in without {
            if let Some(ingress) = manifests.ingresses.get_mut(at) {
                ingress.value = value;
            }
        }
        manifests.notes.extend(notes);
    }
}

/// An Ingress without these parts of it.
fn rest(object: &Object, parts: &[&TakingOver<'_>]) -> Value {
    let mut value = object.value.clone();
    let is_left_out = |part: &Part| parts.iter().any(|one| one.part == *part);
    let rules = object.list("/spec/rules").iter().enumerate();
    let rules = rules.filter(|(at, _)| !is_left_out(&Part::Rule(*at)));
    let rules: Vec<Value> = rules.map(|(_, rule)| rule.clone()).collect();
    if let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) {
        // It would be that of every host.
        if rules.is_empty() {
            spec.remove("defaultBackend");
            spec.remove("backend");
        }
        spec.insert("rules".to_owned(), json!(rules));
    }
    if is_left_out(&Part::Alias) {
        let is_kept = |alias: &&str| {
            let mut left_out = parts.iter().filter(|one| one.part == Part::Alias);
            !left_out.any(|one| one.host == *alias)
        };
        let kept: Vec<&str> = aliases(object).filter(is_kept).collect();
        if let Some(text) = value.pointer_mut(&object.own_pointer("server-alias")) {
            *text = json!(kept.join(","));
        }
    }
    value
}
