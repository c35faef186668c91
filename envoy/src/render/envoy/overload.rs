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
/// up to 3.7 KB of each endpoint, by the length of its Service's name, and without its answer nobody's session is found:
/// there is room for all of `endpoints`, and where they may come to be more (in files, by names) no less than Envoy's
/// own 32 MiB.
pub(super) fn longest_answer(endpoints: usize, may_grow: bool) -> usize {
    const OF_AN_ENDPOINT: usize = 4 << 10;
    let least = if may_grow { 32 << 20 } else { 2 << 20 };
    endpoints.saturating_mul(OF_AN_ENDPOINT).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slow authorizer with much to say makes Envoy hold it; the admin says the more, the more
    /// endpoints there are.
    #[test]
    fn what_is_held_of_an_answer_grows_with_the_endpoints() {
        assert_eq!(longest_answer(3, false), 2 << 20);
        assert_eq!(longest_answer(5000, false), 5000 << 12);
        assert_eq!(longest_answer(5000, true), 32 << 20);
        assert_eq!(longest_answer(20_000, true), 20_000 << 12);
    }
}
