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
    /// Those that look like settings where another one is meant, said by the operator or not beside Ingresses.
    pub(super) set_aside: Vec<usize>,
    /// What was assumed.
    pub(super) note: Option<String>,
}

/// The one that the operator `said`; else one in the namespace that ingress-nginx's own manifests have; else the only
/// one that looks like settings. One looks so whose name is the chart's `ingress-nginx-controller` (or the older
/// `nginx-configuration`), or most of whose keys are ingress-nginx's; where none does, the only one there is may be meant.
///
/// Whoever writes Ingresses may write ConfigMaps too, and would decide for others: where several namespaces have
/// Ingresses, none of these namespaces' is taken by a guess, nor one of two namespaces.
pub(super) fn choose(
    config_maps: &[Object],
    said: Option<&str>,
    with_ingresses: &HashSet<&str>,
) -> Choice {
    let all = config_maps.iter().enumerate();
    let (mut candidates, rest): (Vec<_>, Vec<_>) = all.partition(|(_, map)| is_known(map));
    if let Some(said) = said {
        let map = config_maps.iter().position(|map| map.id() == said);
        let others = candidates.iter().filter(|(at, _)| Some(*at) != map);
        return Choice {
            map,
            set_aside: others.map(|(at, _)| *at).collect(),
            ..Choice::default()
        };
    }
    let is_shared = with_ingresses.len() > 1;
    let is_tenants = |map: &Object| {
        let namespace = map.namespace();
        namespace != OWN && with_ingresses.contains(namespace)
    };
    candidates.sort_by_key(|(_, map)| (map.namespace() != OWN, is_tenants(map), !is_named(map)));
    let Some(((at, map), others)) = candidates.split_first() else {
        return unlike(&rest, |map| !(is_shared && is_tenants(map)));
    };
    let is_own = map.namespace() == OWN;
    let elsewhere = || {
        others
            .iter()
            .filter(|(_, one)| one.namespace() != map.namespace())
    };
    let is_alone = elsewhere().next().is_none() && !(is_shared && is_tenants(map));
    // Where only one namespace has Ingresses, nobody's but its own are decided for.
    let is_nobodys = !is_shared && !is_tenants(map) && elsewhere().all(|(_, one)| is_tenants(one));
    let is_settled = is_own || is_alone || is_nobodys;
    let places = |of: &[(usize, &Object)]| of.iter().map(|(at, _)| *at).collect();
    if !is_settled {
        return Choice {
            others: places(&candidates),
            note: Some(undecided(map, others)),
            ..Choice::default()
        };
    }
    let mut note = format!(
        "{}: ConfigMap {} taken as ingress-nginx's settings",
        map.place(),
        map.id()
    );
    match others.first() {
        Some((_, second)) => note.push_str(&format!(
            "; {} looks like them too and is not used",
            second.id()
        )),
        None if !is_named(map) => note.push_str(": its keys are ingress-nginx's"),
        None => {}
    }
    let is_sure = is_own && is_named(map);
    let is_aside =
        |other: &Object| (is_tenants(other) && !is_tenants(map)) || (is_sure && !is_named(other));
    let (set_aside, others): (Vec<_>, Vec<_>) = others.iter().partition(|(_, one)| is_aside(one));
    let is_plain = is_named(map) && config_maps.len() == 1;
    Choice {
        map: Some(*at),
        others: places(&others),
        set_aside: places(&set_aside),
        note: (!is_plain).then_some(note),
    }
}

/// Where nothing tells whose is meant.
fn undecided(first: &Object, others: &[(usize, &Object)]) -> String {
    let why = match others.first() {
        Some((_, second)) => format!(
            "ConfigMaps {} and {} both look like ingress-nginx's settings",
            first.id(),
            second.id()
        ),
        None => format!(
            "ConfigMap {} looks like ingress-nginx's settings and stands beside Ingresses, whose authors would decide \
             for other namespaces",
            first.id()
        ),
    };
    format!(
        "{}: {why}: none is taken, and ingress-nginx's defaults are assumed; say --configmap NAMESPACE/NAME, as \
         the controller's arguments do",
        first.place()
    )
}

/// Where none looks like settings.
fn unlike(config_maps: &[(usize, &Object)], may_be: impl Fn(&Object) -> bool) -> Choice {
    match config_maps {
        [] => Choice::default(),
        [(at, only)] if !is_of_another(only) && may_be(only) => Choice {
            map: Some(*at),
            note: Some(format!(
                "{}: ConfigMap {} taken as ingress-nginx's settings: it is the only one",
                only.place(),
                only.id()
            )),
            ..Choice::default()
        },
        [(_, first), ..] => Choice {
            note: Some(format!(
                "{}: no ConfigMap is called ingress-nginx-controller or has its keys; ingress-nginx's \
                 defaults are assumed",
                first.place()
            )),
            ..Choice::default()
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
