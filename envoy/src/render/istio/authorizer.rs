//! Whom `auth-url` names: istiod's cluster of a Service, or one of its own for what no Service is and for TLS.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::args::IstioArgs;
use crate::clusters::Cluster;
use crate::render::authorizer::{apart, is_a_services};
use crate::render::served::Served;

/// What each origin is called.
pub(super) fn names(served: &Served<'_>, args: &IstioArgs) -> BTreeMap<String, String> {
    let services = served.asked_services();
    let services = services.filter(|(cluster, _)| is_a_services(cluster));
    let services = services.filter_map(|(cluster, number)| {
        let name = args.cluster_name(&cluster.service_port, number);
        Some((cluster.authorizer.clone()?, name))
    });
    let others = apart(served, &args.cluster_domain).filter_map(|(cluster, rendered)| {
        rendered.ok()?;
        Some((cluster.authorizer.clone()?, cluster.name()))
    });
    services.chain(others).collect()
}

/// The clusters of their own, each with what adds it.
pub(super) fn patches<'s>(served: &'s Served<'_>, args: &IstioArgs) -> Vec<(&'s Cluster, Value)> {
    let all = apart(served, &args.cluster_domain);
    let rendered = all.filter_map(|(cluster, rendered)| Some((cluster, rendered.ok()?)));
    let patches = rendered.map(|(cluster, rendered)| {
        let patch = json!({
            "applyTo": "CLUSTER",
            "match": { "context": args.context() },
            "patch": { "operation": "ADD", "value": rendered },
        });
        (cluster, patch)
    });
    patches.collect()
}
