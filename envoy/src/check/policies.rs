//! Policies of other kinds of resources beside limpet's: those that will not run on what it serves, and
//! those that see another request than their author may think.
//!
//! Source: Envoy Gateway 1.9.1 and istiod of 2026-08-27 were given each, and an Envoy with what they
//! made of it was asked (`tests/platforms/policies.rs`).

mod envoy_gateway;
mod istio;
mod istio_gateways;
mod remark;

pub(super) use istio_gateways::run as istio_gateways;

use super::finding::Finding;
use crate::compiled::Compiled;
use crate::manifests::Object;

/// What is to be said of those among the manifests on Istio.
pub(super) fn on_istio(compiled: &Compiled<'_>) -> Vec<Finding> {
    let all = others(compiled);
    all.flat_map(|policy| istio::of(compiled, policy)).collect()
}

/// What is to be said of them on Envoy Gateway.
pub(super) fn on_envoy_gateway(compiled: &Compiled<'_>) -> Vec<Finding> {
    let all = others(compiled);
    all.flat_map(|policy| envoy_gateway::of(compiled, policy))
        .collect()
}

/// But for what was rendered before.
fn others<'c>(compiled: &'c Compiled<'_>) -> impl Iterator<Item = &'c Object> {
    let policies = compiled.manifests.policies.iter();
    policies.filter(|policy| !policy.name().starts_with("limpet"))
}

#[cfg(test)]
mod tests;
