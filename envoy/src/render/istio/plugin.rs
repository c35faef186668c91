//! The module itself.

use serde_json::{Value, json};

use super::args::{IstioArgs, RELOADS};
use super::authorizer;
use super::pods;
use crate::plugin_config::Unmatched;
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;

/// What `proxyStatsMatcher` must let through: limpet's counters, and the sizes of clusters that
/// spare it from fetching unchanged endpoints.
pub(super) const STATS_INCLUSION: &str = "{\"proxyStatsMatcher\": {\"inclusionPrefixes\": \
    [\"wasmcustom.limpet_\"], \"inclusionRegexps\": [\"cluster\\\\..*\\\\.membership_.*\"]}}";

pub(super) fn resource(served: &Served<'_>, args: &IstioArgs) -> Resource {
    let names = served
        .clusters
        .iter()
        .map(|(cluster, number)| {
            let name = pods::cluster_name(served, args, cluster, *number);
            (cluster.service_port.key(), name)
        })
        .collect();
    let asked = authorizer::names(served, args);
    let config = served.plugin_config(&names, asked, Unmatched::Pass);
    let mut spec = json!({
        "selector": { "matchLabels": args.labels() },
        "url": args.image,
        "imagePullPolicy": "IfNotPresent",
        "pluginName": "limpet",
        "failStrategy": if args.istio < RELOADS { "FAIL_CLOSE" } else { "FAIL_RELOAD" },
        // A gateway's listeners are CLIENT, as the outbound ones of a sidecar: there is no GATEWAY.
        // Source: `workloadModeForListenerClass`, `pilot/pkg/model/extensions.go`, istio 86c9f01f;
        // `WorkloadMode`, `type/v1beta1/selector.proto`, istio/api b8f8791d.
        "match": [{ "mode": "CLIENT" }],
        "pluginConfig": config,
    });
    let variables = served.variables();
    if let (false, Some(fields)) = (variables.is_empty(), spec.as_object_mut()) {
        let variable = |name: &String| json!({ "name": name, "valueFrom": "HOST" });
        let env: Value = variables.iter().map(variable).collect();
        fields.insert("vmConfig".to_owned(), json!({ "env": env }));
    }
    if let (Some(secret), Some(fields)) = (&args.image_pull_secret, spec.as_object_mut()) {
        fields.insert("imagePullSecret".to_owned(), json!(secret));
    }
    Resource::new(
        Kind { api_version: "extensions.istio.io/v1alpha1", name: "WasmPlugin" },
        &args.namespace, "limpet",
        spec,
    )
    .comment("The module, with the Ingresses as they are.")
    .comment("mode CLIENT is outbound traffic and, on a gateway, everything; inbound traffic does not pass it.")
}
