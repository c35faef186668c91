//! The chain that `render envoy` writes, for the harness: strip, module, session state, router.

mod forwarding;

use host_harness::{
    ClusterSpecifier, EngineConfig, FailurePolicy, HeaderEdit, Health as HostHealth, Module,
    PluginConfig, RetryPolicy, Route, RouteMatch,
};
use limpet_envoy::clusters::{Cluster, Health};
use limpet_envoy::compiled::Compiled;
use limpet_envoy::filter_chain::{NOT_RETRIED, PLUGIN_NAME, RELOAD_BACKOFF, RETRIES};
use limpet_envoy::forwarding::{
    CLUSTER_HEADER, ENDPOINT_HEADER, FORWARDED_FOR_HEADER, INTERNAL_HEADERS, drops_underscores,
};
use limpet_envoy::plugin_config;
use serde_json::Value;

/// The property that holds the module's record of a request.
pub(crate) const RECORD: &str = "limpet_decision";

/// The engine's configuration: `config` is the plugin's.
#[must_use]
pub fn engine_config(module: Module, config: &Value, compiled: &Compiled<'_>) -> EngineConfig {
    let bytes = config.to_string().into_bytes();
    let variables =
        limpet::config::read(&bytes).map(|(config, _)| plugin_config::variables(&config));
    let mut plugin = PluginConfig::new(module, PLUGIN_NAME, bytes);
    plugin.vm_id = PLUGIN_NAME.to_owned();
    plugin.failure_policy = FailurePolicy::FailReload {
        base_interval: RELOAD_BACKOFF,
    };
    plugin.environment_variables = of_this_process(variables.unwrap_or_default());
    let mut engine = EngineConfig::new(routes());
    engine.plugin = Some(plugin);
    engine.session_header = Some(ENDPOINT_HEADER.to_owned());
    engine.drops_underscores = drops_underscores(compiled.manifests.settings());
    engine.early_edits = forwarding::early_edits(&compiled.forwarding);
    // What the module tells Envoy of X-Forwarded-For, which would write its own.
    engine.dropped_from_calls = vec![FORWARDED_FOR_HEADER.to_owned()];
    engine.unanswered = Some(502);
    engine
}

/// The variables of these names: what `host_env_keys` are to Envoy.
fn of_this_process(names: Vec<String>) -> Vec<(String, Vec<u8>)> {
    let value = |name: &String| std::env::var_os(name).map(|value| value.into_encoded_bytes());
    let variables = names.into_iter();
    variables
        .filter_map(|name| value(&name).map(|value| (name, value)))
        .collect()
}

/// One route for the methods that are not idempotent, one for all others.
fn routes() -> Vec<Route> {
    let fragile = NOT_RETRIED.map(|method| {
        let mut route = route(false);
        route.name = format!("limpet-{}", method.to_ascii_lowercase());
        route.matches = RouteMatch {
            header: Some((":method".to_owned(), method.to_owned())),
            ..RouteMatch::any()
        };
        route
    });
    fragile.into_iter().chain([route(true)]).collect()
}

fn route(idempotent: bool) -> Route {
    let mut route = Route::to(ClusterSpecifier::Header {
        name: CLUSTER_HEADER.to_owned(),
        fallback: None,
    });
    route.name = PLUGIN_NAME.to_owned();
    route.request_edits = INTERNAL_HEADERS
        .map(|name| HeaderEdit::Remove(name.to_owned()))
        .into();
    route.retry = RetryPolicy {
        retries: RETRIES,
        on_connect_failure: true,
        on_reset: idempotent,
        on_statuses: Vec::new(),
        previous_hosts: true,
    };
    route
}

/// The clusters as the harness wants them, those of authorizers too.
#[must_use]
pub fn host_clusters(compiled: &Compiled<'_>) -> host_harness::Clusters {
    let all = compiled.clusters.iter().chain(&compiled.authorizers);
    all.map(|cluster| (cluster.name(), host_cluster(cluster)))
        .collect()
}

/// One cluster as the harness wants it.
#[must_use]
pub fn host_cluster(cluster: &Cluster) -> host_harness::Cluster {
    let endpoints = cluster.endpoints.iter().filter_map(|endpoint| {
        Some(host_harness::Endpoint {
            address: endpoint.address.parse().ok()?,
            health: match endpoint.health {
                Health::Healthy => HostHealth::Healthy,
                Health::Draining => HostHealth::Draining,
            },
        })
    });
    host_harness::Cluster {
        // As rendered: health is overlooked only where no endpoint is healthy.
        panic_threshold: 1,
        ..host_harness::Cluster::new(endpoints.collect())
    }
}
