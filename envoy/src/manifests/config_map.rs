//! Which ConfigMap holds ingress-nginx's settings.

use std::collections::HashSet;

use super::document::Object;
use crate::check::{is_key, nearest_key};

/// The namespace of ingress-nginx's own manifests.
const OWN: &str = "ingress-nginx";

/// The one that is meant, what else may be, each by its place among all of them, and a line for the
/// operator where that is a guess or there is none.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// The one that is meant.
    pub(super) map: Option<usize>,
    /// Those that look like settings too, and may be meant.
    pub(super) others: Vec<usize>,
    /// Those that look like settings beside Ingresses, whose authors may have written them, where one is meant that
    /// does not.
    pub(super) set_aside: Vec<usize>,
    /// What was assumed.
    pub(super) note: Option<String>,
}

/// One whose name looks like the chart's `ingress-nginx-controller` (or the older
/// `nginx-configuration`) wins; else one with keys that ingress-nginx has, and else the only one
/// there is. Of several the one in the namespace that ingress-nginx's own manifests have, and else one of a
/// namespace without Ingresses: whoever writes those may write a ConfigMap of that name beside them. Where two
/// namespaces are alike in that, none; and none of a namespace with Ingresses where others have some too.
pub(super) fn choose(config_maps: &[Object], with_ingresses: &HashSet<&str>) -> Choice {
    let all = config_maps.iter().enumerate();
    let (named, unnamed): (Vec<_>, Vec<_>) = all.partition(|(_, map)| is_named(map));
    let (filled, rest): (Vec<_>, Vec<_>) = unnamed.into_iter().partition(|(_, map)| is_filled(map));
    let is_tenants = |map: &Object| {
        let namespace = map.namespace();
        namespace != OWN && with_ingresses.contains(namespace)
    };
    let mut candidates: Vec<_> = named.into_iter().chain(filled).collect();
    let rank = |map: &Object| (is_tenants(map), !is_named(map), map.namespace() != OWN);
    candidates.sort_by_key(|(_, map)| rank(map));
    if let [(_, first), (_, second), ..] = candidates.as_slice()
        && rank(first) == rank(second)
        && first.namespace() != second.namespace()
    {
        return neither(&candidates, (first, second));
    }
    if let [(_, first), ..] = candidates.as_slice()
        && is_tenants(first)
        && with_ingresses.len() > 1
    {
        return a_tenants(&candidates, first);
    }
    let mut candidates = candidates.into_iter();
    let Some((place, map)) = candidates.next() else {
        return unlike(&rest);
    };
    let others: Vec<_> = candidates.collect();
    let is_set_aside = |other: &Object| is_tenants(other) && !is_tenants(map);
    let at = |aside: bool| {
        let of_it = others
            .iter()
            .filter(move |(_, other)| is_set_aside(other) == aside);
        of_it.map(|(at, _)| *at).collect()
    };
    let is_named = self::is_named(map);
    let mut note = format!(
        "{}: ConfigMap {} taken as ingress-nginx's settings",
        map.place(),
        map.id()
    );
    let second = others.first();
    match second {
        Some((_, second)) => {
            note.push_str(&format!(
                "; {} looks like them too and is not used",
                second.id()
            ));
        }
        None if !is_named => note.push_str(": its keys are ingress-nginx's"),
        None => {}
    }
    let is_plain = is_named && config_maps.len() == 1;
    Choice {
        map: Some(place),
        others: at(false),
        set_aside: at(true),
        note: (!is_plain).then_some(note),
    }
}

/// Where nothing tells whose of two namespaces is meant: a tenant may have written one.
fn neither(candidates: &[(usize, &Object)], (first, second): (&Object, &Object)) -> Choice {
    Choice {
        map: None,
        others: candidates.iter().map(|(at, _)| *at).collect(),
        set_aside: Vec::new(),
        note: Some(format!(
            "{}: ConfigMaps {} and {} both look like ingress-nginx's settings: none is taken, and its defaults \
             are assumed",
            first.place(),
            first.id(),
            second.id()
        )),
    }
}

/// Where whoever writes the Ingresses of one namespace may have written what would hold for all.
fn a_tenants(candidates: &[(usize, &Object)], first: &Object) -> Choice {
    Choice {
        map: None,
        others: candidates.iter().map(|(at, _)| *at).collect(),
        set_aside: Vec::new(),
        note: Some(format!(
            "{}: ConfigMap {} looks like ingress-nginx's settings and stands beside Ingresses, whose authors would \
             decide for other namespaces: it is not taken, and ingress-nginx's defaults are assumed; if it is \
             ingress-nginx's own, give its data as config_map (--config)",
            first.place(),
            first.id()
        )),
    }
}

/// Where none looks like settings.
fn unlike(config_maps: &[(usize, &Object)]) -> Choice {
    match config_maps {
        [] => Choice::default(),
        [(at, only)] if !is_of_another(only) => Choice {
            map: Some(*at),
            others: Vec::new(),
            set_aside: Vec::new(),
            note: Some(format!(
                "{}: ConfigMap {} taken as ingress-nginx's settings: it is the only one",
                only.place(),
                only.id()
            )),
        },
        [(_, first), ..] => Choice {
            map: None,
            others: Vec::new(),
            set_aside: Vec::new(),
            note: Some(format!(
                "{}: no ConfigMap is called ingress-nginx-controller or has its keys; ingress-nginx's \
                 defaults are assumed",
                first.place()
            )),
        },
    }
}

/// Whether its name or its keys say so.
pub(super) fn is_known(map: &Object) -> bool {
    is_named(map) || is_filled(map)
}

fn is_named(map: &Object) -> bool {
    let name = map.name();
    name.ends_with("ingress-nginx-controller")
        || name.ends_with("nginx-configuration")
        || name == "nginx-ingress-controller"
}

/// Whether it has keys, none of which is one of ingress-nginx's or nearly so.
fn is_of_another(map: &Object) -> bool {
    let mut keys = keys(map).peekable();
    keys.peek().is_some() && !keys.any(|key| is_key(key) || nearest_key(key).is_some())
}

fn keys(map: &Object) -> impl Iterator<Item = &String> {
    let data = map.value.get("data").and_then(serde_json::Value::as_object);
    data.into_iter().flat_map(serde_json::Map::keys)
}

/// Whether more of its keys are ingress-nginx's than are not: installations call it as they like.
fn is_filled(map: &Object) -> bool {
    let (known, unknown): (Vec<&String>, Vec<&String>) = keys(map).partition(|key| is_key(key));
    known.len() > unknown.len()
}
