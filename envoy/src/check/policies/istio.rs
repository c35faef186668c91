//! On Istio authorization comes before limpet at the gateway, and behind it at the pods.

use serde_json::Value;

use super::remark::{finding, rewrites};
use crate::check::finding::{Finding, Level};
use crate::compiled::Compiled;
use crate::manifests::Object;

/// Where meshConfig's root namespace and the gateway are by default.
const ROOT: &str = "istio-system";

/// The label of the gateway's pods.
pub(super) const GATEWAY: (&str, &str) = ("istio", "ingressgateway");

pub(super) fn of(compiled: &Compiled<'_>, policy: &Object) -> Vec<Finding> {
    match policy.kind() {
        "AuthorizationPolicy" | "RequestAuthentication" => {
            let never = for_gateway_api(policy).or_else(|| in_vain(compiled, policy));
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
    policy.namespace() == ROOT && selects_gateway(policy, labels).unwrap_or(true)
}

/// Whether the pods of Istio's own gateway have that label.
pub(super) fn is_gateways(key: &str, value: &Value) -> bool {
    let labels = [GATEWAY, ("app", "istio-ingressgateway")];
    labels.iter().any(|(k, v)| key == *k && value == *v)
}

/// Whether it has the labels of the gateway's pods; `None`: it has none.
fn selects_gateway(policy: &Object, labels: &str) -> Option<bool> {
    let labels = policy.value.pointer(labels)?.as_object()?;
    let mut all = labels.iter();
    (!labels.is_empty()).then(|| all.all(|(key, value)| is_gateways(key, value)))
}

/// A selector holds in the policy's own namespace, but for that of the mesh.
///
/// Source: `ListAuthorizationPolicies`, `pilot/pkg/model/authorization.go`, istio eed52ebb66ad.
fn in_vain(compiled: &Compiled<'_>, policy: &Object) -> Option<Finding> {
    const SELECTOR: &str = "/spec/selector/matchLabels";
    let namespace = policy.namespace();
    let selects = selects_gateway(policy, SELECTOR) == Some(true);
    if !selects || namespace == ROOT || has_gateway(compiled, namespace) {
        return None;
    }
    let found = finding(
        Level::Warning,
        policy,
        SELECTOR,
        format!(
            "has the label of the gateway's pods, and selects pods of namespace {namespace} alone"
        ),
        "it never runs on what limpet serves, unless the gateway runs there",
    );
    Some(found.help("put it into the gateway's namespace, by default istio-system"))
}

/// Whether such pods are known to run in a namespace.
fn has_gateway(compiled: &Compiled<'_>, namespace: &str) -> bool {
    let (key, value) = GATEWAY;
    let label = format!("/spec/template/metadata/labels/{key}");
    let mut all = compiled.manifests.deployments.iter();
    all.any(|one| one.namespace() == namespace && one.text(&label) == Some(value))
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
