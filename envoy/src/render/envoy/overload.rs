//! What all connections together may take.

use super::settings::EnvoySettings;
use serde_json::{Value, json};

/// Bounds what all connections take together, before the kernel does.
pub(super) fn manager(settings: &EnvoySettings) -> Value {
    const CONNECTIONS: &str = "envoy.resource_monitors.global_downstream_max_connections";
    const HEAP: &str = "envoy.resource_monitors.fixed_heap";
    let mut monitors = vec![json!({
        "name": CONNECTIONS,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            "max_active_downstream_connections": settings.max_connections,
        },
    })];
    let mut actions = Vec::new();
    if let Some(mebibytes) = settings.max_heap {
        monitors.push(json!({
            "name": HEAP,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                "max_heap_size_bytes": u64::from(mebibytes) << 20,
            },
        }));
        let action = |name: &str, at: f64| {
            let threshold = json!({ "name": HEAP, "threshold": { "value": at } });
            json!({ "name": format!("envoy.overload_actions.{name}"), "triggers": [threshold] })
        };
        actions = vec![
            action("shrink_heap", 0.95),
            action("stop_accepting_requests", 0.98),
        ];
    }
    let mut manager = json!({ "refresh_interval": "0.25s", "resource_monitors": monitors });
    if let (false, Some(fields)) = (actions.is_empty(), manager.as_object_mut()) {
        fields.insert("actions".to_owned(), json!(actions));
    }
    manager
}

/// The longest answer of an authorizer, of a page or of the admin that Envoy holds for the module,
/// in bytes: `http.async_response_buffer_limit`, of which there is one for all three. The admin tells
/// some 1.5 KB of each endpoint of `clusters`, and without its answer no session is found: there is
/// room for more than twice that and, where endpoints come by files or names, up to Envoy's own 32 MiB
/// for eight times as many of them.
pub(super) fn longest_answer(clusters: &[Value], endpoints_change: bool) -> usize {
    const LEAST: usize = 2 << 20;
    const OF_ENVOY: usize = 32 << 20;
    const OF_AN_ENDPOINT: usize = 4 << 10;
    let assigned = clusters
        .iter()
        .filter_map(|cluster| cluster.pointer("/load_assignment/endpoints")?.as_array())
        .flatten();
    let endpoints: usize = assigned
        .filter_map(|locality| Some(locality.get("lb_endpoints")?.as_array()?.len()))
        .sum();
    let now = endpoints.saturating_mul(OF_AN_ENDPOINT);
    if endpoints_change {
        let later = now.saturating_mul(8).clamp(2 * LEAST, OF_ENVOY);
        later.max(now)
    } else {
        now.max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slow authorizer with much to say makes Envoy hold it; the admin says the more, the more
    /// endpoints there are.
    #[test]
    fn what_is_held_of_an_answer_grows_with_the_endpoints() {
        let limit = |endpoints: usize, by_files| {
            let endpoints = vec![json!({ "endpoint": {} }); endpoints];
            let cluster =
                json!({ "load_assignment": { "endpoints": [{ "lb_endpoints": endpoints }] } });
            longest_answer(&[cluster, json!({ "type": "STRICT_DNS" })], by_files)
        };
        assert_eq!(limit(3, false), 2 << 20);
        assert_eq!(limit(3, true), 4 << 20);
        assert_eq!(limit(5000, false), 5000 << 12);
        assert_eq!(limit(5000, true), 32 << 20);
        assert_eq!(limit(20_000, true), 20_000 << 12);
    }
}
