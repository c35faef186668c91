//! Gateways of others on the pods of Istio's gateway: of two that have a host on 443 the older one has it.
//!
//! Source: `mergeGateways` and `CheckDuplicates`, `pilot/pkg/model/gateway.go`, istio eed52ebb66ad, which skips the
//! whole server of the younger one; run there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::istio::is_gateways;
use super::others;
use super::remark::finding;
use crate::check::finding::{Finding, Level};
use crate::compiled::Compiled;
use crate::manifests::Object;
use crate::render::served::Served;

const HTTPS: u64 = 443;

/// One finding for each server that has a host of limpet's https.
pub(crate) fn run(compiled: &Compiled<'_>, served: &Served<'_>) -> Vec<Finding> {
    let hosts = served.tls_hosts();
    let gateways = others(compiled).filter(|one| is_of_gateways_pods(one));
    let gateways = gateways.filter(|one| is_older(compiled, one));
    gateways.flat_map(|one| servers(one, &hosts)).collect()
}

/// A selector holds in all namespaces, and none is for every gateway.
fn is_of_gateways_pods(gateway: &Object) -> bool {
    let labels = gateway.value.pointer("/spec/selector");
    let labels = labels.and_then(Value::as_object);
    gateway.kind() == "Gateway"
        && labels.is_none_or(|labels| labels.iter().all(|(key, value)| is_gateways(key, value)))
}

/// One that is there before anything is rendered is, and Istio takes the older first.
fn is_older(compiled: &Compiled<'_>, gateway: &Object) -> bool {
    const CREATED: &str = "/metadata/creationTimestamp";
    let mut all = compiled.manifests.policies.iter();
    let limpets = all.find(|one| one.kind() == "Gateway" && one.name() == "limpet");
    let limpets = limpets.and_then(|one| one.text(CREATED));
    match (limpets, gateway.text(CREATED)) {
        (Some(limpets), Some(created)) => created <= limpets,
        (Some(_), None) => false,
        (None, _) => true,
    }
}

fn servers(gateway: &Object, hosts: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, server) in gateway.list("/spec/servers").iter().enumerate() {
        let number = server.pointer("/port/number").and_then(Value::as_u64);
        let is_bound = server.get("bind").is_some();
        let named = server.get("hosts").and_then(Value::as_array);
        let named = named.into_iter().flatten().filter_map(Value::as_str);
        // What has another namespace in front is no other host's to Istio.
        let named = named.map(|host| host.strip_prefix("*/").unwrap_or(host));
        let both: Vec<&str> = named.filter(|host| hosts.contains(host)).collect();
        if number != Some(HTTPS) || is_bound || both.is_empty() {
            continue;
        }
        let found = finding(
            Level::Warning,
            gateway,
            &format!("/spec/servers/{at}/hosts"),
            format!(
                "has {} on 443 too, on the pods of the same gateway, and is there already",
                both.join(", ")
            ),
            "Istio serves by the older Gateway alone and skips all hosts of that certificate in limpet's: limpet's routes \
             are not in it",
        );
        findings.push(found.help(
            "take those hosts off it, or leave limpet's Gateway out and name that one in the VirtualServices",
        ));
    }
    findings
}
