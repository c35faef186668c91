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
