//! Which Ingresses count, and in which order.
//!
//! Source: `AddFunc`, `syncIngress`, `GetIngressClass` and `sortIngressSlice` in
//! `internal/ingress/controller/store/store.go`; `internal/ingress/inspector`,
//! ingress-nginx dbb11b92d.

use super::merge::{Loaded, host_of};
use crate::annotations;
use crate::annotations::validator::Patterns;
use crate::config::Config;
use crate::config::settings::Settings;
use crate::ingress::Ingress;
use crate::remark::{Effect, Field, Problem, Remark};
use crate::sorted::sorted_by;
use std::cmp::Ordering;
use std::collections::HashSet;

pub(super) fn load(config: &Config, settings: &Settings, remarks: &mut Vec<Remark>) -> Vec<Loaded> {
    let mut ingresses = Vec::new();
    for value in &config.ingresses {
        match Ingress::read(value, &config.annotations_prefix) {
            Ok(ingress) => ingresses.push(ingress),
            Err(remark) => remarks.push(*remark),
        }
    }
    let ingresses = sorted_by(ingresses, order);
    let mut loaded: Vec<Loaded> = Vec::with_capacity(ingresses.len());
    let mut keys = HashSet::new();
    let mut patterns = Patterns::default();
    for mut ingress in ingresses {
        if keys.contains(&ingress.key) {
            let (key, problem) = (&ingress.key, Problem::GivenTwice);
            remarks.push(Remark::new(Field::Name, key, problem, Effect::Ingress).of(key));
            continue;
        }
        if !is_ours(&ingress, config, remarks) || !is_harmless(&ingress, config.strict, remarks) {
            continue;
        }
        remarks.append(&mut ingress.remarks);
        let annotations = annotations::parse(&ingress, settings, config, &mut patterns, remarks);
        if let Some(annotations) = annotations {
            keys.insert(ingress.key.clone());
            let closed = config
                .close
                .iter()
                .any(|name| *name == ingress.key || name == "*");
            // A canary has no locations that could answer: it takes no requests.
            if closed && annotations.canary.is_some() {
                continue;
            }
            loaded.push(Loaded {
                ingress,
                annotations,
                closed,
            });
        }
    }
    if !config.close.is_empty() {
        let rules = loaded.iter().flat_map(|one| &one.ingress.rules);
        keys.extend(rules.map(|rule| host_of(&rule.host).to_owned()));
    }
    for name in config.close.iter().filter(|name| *name != "*") {
        if !keys.contains(name) {
            let (problem, effect) = (Problem::NothingToClose, Effect::Setting);
            remarks.push(Remark::key("close", Some(name.clone()), problem, effect));
        }
    }
    loaded
}

/// The oldest first; of one age in descending order of `namespace/name`. Manifests that were
/// never applied have no age: they come last, in the order given.
fn order(one: &Ingress, two: &Ingress) -> Ordering {
    match (&one.created, &two.created) {
        (Some(a), Some(b)) => a.cmp(b).then_with(|| two.key.cmp(&one.key)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// An Ingress of another class is another controller's. One without a class is ours, it was
/// given to limpet; `strict` ignores it, as ingress-nginx does without
/// `--watch-ingress-without-class`.
fn is_ours(ingress: &Ingress, config: &Config, remarks: &mut Vec<Remark>) -> bool {
    let class = ingress.class.as_deref().unwrap_or_default();
    let named = config.ingress_classes.iter();
    let named = named.filter(|ours| !ours.is_empty());
    if config.ingress_classes.iter().any(|ours| ours == class)
        || (ingress.class.is_none() && !config.strict)
    {
        return true;
    }
    let served: Vec<String> = named.cloned().collect();
    let problem = if ingress.class.is_none() {
        Problem::NoClass
    } else if served.is_empty() {
        Problem::NoClassServed
    } else {
        Problem::OtherClass { served }
    };
    let remark = Remark::new(Field::Class, class, problem, Effect::Ingress);
    remarks.push(remark.of(&ingress.key));
    false
}

/// ingress-nginx ignores an Ingress whose texts look like nginx configuration. They are
/// harmless here, so without `strict` they are only told.
fn is_harmless(ingress: &Ingress, strict: bool, remarks: &mut Vec<Remark>) -> bool {
    let hosts = ingress.rules.iter().map(|rule| rule.host.as_str());
    let paths = ingress.rules.iter().flat_map(|rule| &rule.paths).flatten();
    let texts = hosts.chain(paths.map(|path| path.path.as_str()));
    let listed = ingress.tls.iter().flat_map(|tls| &tls.hosts);
    let mut texts = texts.chain(listed.map(String::as_str));
    let Some(text) = texts.find(|text| looks_like_configuration(text)) else {
        return true;
    };
    let effect = if strict {
        Effect::Ingress
    } else {
        Effect::Tolerated
    };
    let remark = Remark::new(Field::Path, text, Problem::LooksLikeConfiguration, effect);
    remarks.push(remark.of(&ingress.key));
    !strict
}

/// `CheckRegex`, `internal/ingress/inspector/rules.go`.
fn looks_like_configuration(text: &str) -> bool {
    let directive = |name: &str| {
        let after = text.find(name).and_then(|at| text.get(at..));
        after.is_some_and(|after| after.contains(';'))
    };
    let etc = ["passwd", "shadow", "group", "nginx", "ingress-controller"];
    directive("alias")
        || directive("root")
        || etc
            .iter()
            .any(|name| text.contains(&format!("/etc/{name}")))
        || text.contains("/var/run/secrets")
        || text.contains("_by_lua")
}
