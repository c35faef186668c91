//! On Istio authorization comes before limpet at the gateway, and behind it at the pods.

use serde_json::Value;

use super::remark::{finding, rewrites};
use crate::check::finding::{Finding, Level};
use crate::compiled::Compiled;
use crate::manifests::Object;

/// Where meshConfig's root namespace and the gateway are by default.
const ROOT: &str = "istio-system";

/// The label of the gateway's pods.
const GATEWAY: (&str, &str) = ("istio", "ingressgateway");

pub(super) fn of(compiled: &Compiled<'_>, policy: &Object) -> Vec<Finding> {
    match policy.kind() {
        "AuthorizationPolicy" | "RequestAuthentication" => {
            let never = for_gateway_api(policy);
            let paths = || paths(compiled, policy);
            let sources = former_sources(policy);
            never.or_else(paths).into_iter().chain(sources).collect()
        }
        "EnvoyFilter" if is_of_gateway(policy, "/spec/workloadSelector/labels") => {
            filters(compiled, policy)
        }
        _ => Vec::new(),
    }
}

/// Whether it is for the gateway's pods, or for all there.
fn is_of_gateway(policy: &Object, labels: &str) -> bool {
    let labels = policy.value.pointer(labels).and_then(Value::as_object);
    let (key, value) = GATEWAY;
    let is_it = |labels: &serde_json::Map<String, Value>| {
        labels.iter().all(|(k, v)| k == key && v == value)
    };
    policy.namespace() == ROOT && labels.is_none_or(is_it)
}

fn for_gateway_api(policy: &Object) -> Option<Finding> {
    let pointer = ["/spec/targetRefs", "/spec/targetRef"]
        .into_iter()
        .find(|pointer| policy.value.pointer(pointer).is_some())?;
    let found = finding(
        Level::Warning,
        policy,
        pointer,
        "is for a Gateway of Gateway API, or for a waypoint: Istio's ingress gateway is none",
        "Istio accepts it, and it never runs on what limpet serves",
    );
    Some(
        found.help(
            "for the gateway: in its namespace, with selector.matchLabels istio: ingressgateway",
        ),
    )
}

/// At the gateway paths are as clients send them.
fn paths(compiled: &Compiled<'_>, policy: &Object) -> Option<Finding> {
    if !is_of_gateway(policy, "/spec/selector/matchLabels") || !rewrites(compiled) {
        return None;
    }
    let (n, m, key) = operations(policy)?;
    Some(finding(
        Level::Warning,
        policy,
        &format!("/spec/rules/{n}/to/{m}/operation/{key}"),
        "is decided before limpet, on the path that clients send",
        "pods get the rewritten one: name these prefixes in `protect`, so that no rewrite leads under them",
    ))
}

/// The first operation that names paths.
fn operations(policy: &Object) -> Option<(usize, usize, &'static str)> {
    for (n, rule) in policy.list("/spec/rules").iter().enumerate() {
        let to = rule
            .get("to")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for (m, to) in to.enumerate() {
            let has = |key: &&str| to.pointer(&format!("/operation/{key}")).is_some();
            if let Some(key) = ["paths", "notPaths"].into_iter().find(has) {
                return Some((n, m, key));
            }
        }
    }
    None
}

/// Who ingress-nginx was: requests come from the gateway now.
fn former_sources(policy: &Object) -> Option<Finding> {
    for (n, rule) in policy.list("/spec/rules").iter().enumerate() {
        let from = rule
            .get("from")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for (m, from) in from.enumerate() {
            for key in ["principals", "namespaces", "serviceAccounts"] {
                let pointer = format!("/source/{key}");
                let names = from.pointer(&pointer).and_then(Value::as_array);
                let mut names = names.into_iter().flatten().filter_map(Value::as_str);
                if let Some(name) = names.find(|name| name.contains("nginx")) {
                    let found = finding(
                        Level::Warning,
                        policy,
                        &format!("/spec/rules/{n}/from/{m}/source/{key}"),
                        format!("names {name:?}, and requests come from the gateway now"),
                        "the rule does not match them any more",
                    );
                    return Some(
                        found.help("add the gateway's: its namespace, or its service account"),
                    );
                }
            }
        }
    }
    None
}

/// Filters that are put before limpet.
fn filters(compiled: &Compiled<'_>, policy: &Object) -> Vec<Finding> {
    let patches = policy.list("/spec/configPatches").iter().enumerate();
    let first = patches.filter(|(_, patch)| {
        let text = |path| patch.pointer(path).and_then(Value::as_str);
        text("/applyTo") == Some("HTTP_FILTER")
            && text("/patch/operation") == Some("INSERT_FIRST")
            && text("/match/context").is_none_or(|context| ["GATEWAY", "ANY"].contains(&context))
    });
    if !rewrites(compiled) {
        return Vec::new();
    }
    let found = first.map(|(n, _)| {
        finding(
            Level::Note,
            policy,
            &format!("/spec/configPatches/{n}/patch/operation"),
            "puts a filter before limpet: it sees the path that clients send",
            "pods get the rewritten one; with INSERT_BEFORE of envoy.filters.http.router it sees that",
        )
    });
    found.collect()
}
