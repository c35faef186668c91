//! What a control plane writes into the status of what was applied.

use super::cluster::Cluster;
use super::processes::wait_for;
use anyhow::Result;
use serde_json::{Map, Value, json};

/// The kinds that have one.
const KINDS: &str = "gatewayclasses,gateways.gateway.networking.k8s.io,httproutes,tlsroutes,\
    clienttrafficpolicies,backendtrafficpolicies,envoyextensionpolicies,securitypolicies,envoypatchpolicies";

/// Every condition, once each object has some and two looks are the same.
///
/// # Errors
/// They never are.
pub(super) fn settled(cluster: &Cluster) -> Result<Map<String, Value>> {
    let mut before = None;
    wait_for("every object has a status", || {
        let mut all = Map::new();
        for object in cluster.all(KINDS)? {
            // istiod makes some of its own where it runs.
            if name(&object).starts_with("GatewayClass /istio") {
                continue;
            }
            all.insert(name(&object), json!(conditions(&object)));
        }
        let is_there = |status: &Value| status.as_array().is_some_and(|list| !list.is_empty());
        let is_complete = all.values().all(is_there);
        let is_same = before.as_ref() == Some(&all);
        before = Some(all.clone());
        Ok((is_complete && is_same).then_some(all))
    })
}

fn name(object: &Value) -> String {
    let text = |key: &str| {
        object
            .pointer(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (kind, namespace) = (text("/kind"), text("/metadata/namespace"));
    format!("{kind} {namespace}/{}", text("/metadata/name"))
}

fn conditions(object: &Value) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(status) = object.get("status") {
        collect(status, "", &mut said);
    }
    said.sort();
    said
}

/// Conditions are in the status itself, of listeners by their names, and of parents and ancestors.
fn collect(value: &Value, of: &str, said: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, of, said)),
        Value::Object(fields) => {
            let of = fields.get("name").and_then(Value::as_str).unwrap_or(of);
            for (key, field) in fields {
                match (key.as_str(), field.as_array()) {
                    ("conditions", Some(list)) => said.extend(list.iter().map(|one| line(of, one))),
                    _ => collect(field, of, said),
                }
            }
        }
        _ => {}
    }
}

/// What is as wanted needs no words.
fn line(of: &str, condition: &Value) -> String {
    let text = |key: &str| {
        condition
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (kind, status, reason) = (text("type"), text("status"), text("reason"));
    let space = if of.is_empty() { "" } else { " " };
    let short = format!("{of}{space}{kind}={status} {reason}");
    let is_fine = status == "True" && ["Accepted", "Programmed", "ResolvedRefs"].contains(&kind);
    if is_fine {
        short
    } else {
        format!("{short}: {}", text("message"))
    }
}
