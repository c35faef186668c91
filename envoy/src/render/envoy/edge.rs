//! What a proxy needs that strangers reach: "Configuring Envoy as an edge proxy", Envoy 1.40, point
//! by point. What is declined there stands in `envoy/README.md`, with the reasons.

use super::settings::EnvoySettings;
use crate::manifests::Manifests;
use serde_json::{Value, json};

/// Envoy counts each crumb of an HTTP/2 cookie, and nginx has no such limit; a head is bounded in
/// bytes all the same.
pub(super) const HEADERS: u32 = 1000;

/// What Envoy takes as `max_concurrent_streams`.
const MOST_STREAMS: u32 = 0x7fff_ffff;

/// nginx's `client_header_timeout`, which bounds the handshake too, as a Duration.
pub(super) fn header_timeout(manifests: &Manifests) -> String {
    super::cluster::seconds(manifests, "client-header-timeout", 60)
}

/// `http2_protocol_options`: as many streams at once as nginx takes, and windows that bound what is
/// buffered for each.
pub(super) fn http2(manifests: &Manifests) -> Value {
    let given = manifests.setting("http2-max-concurrent-streams");
    let streams = given.and_then(|value| value.parse::<u32>().ok());
    json!({
        "allow_connect": true,
        "max_concurrent_streams": streams.map_or(128, |streams| streams.clamp(1, MOST_STREAMS)),
        "initial_stream_window_size": 64 << 10,
        "initial_connection_window_size": 1 << 20,
    })
}

/// Bounds what all connections take together, before the kernel does.
pub(super) fn overload_manager(settings: &EnvoySettings) -> Value {
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
