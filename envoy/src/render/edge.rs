//! What a proxy needs that strangers reach: "Configuring Envoy as an edge proxy", Envoy 1.40, point
//! by point. What is declined there stands in `envoy/README.md`, with the reasons.

use serde_json::{Value, json};

use crate::manifests::Manifests;

/// Envoy counts each crumb of an HTTP/2 cookie, and nginx has no such limit; a head is bounded in
/// bytes all the same.
pub(super) const HEADERS: u32 = 1000;

/// What Envoy takes as `max_concurrent_streams`.
const MOST_STREAMS: u32 = 0x7fff_ffff;

/// nginx's `client_header_timeout`, which bounds the handshake too, in seconds.
pub(super) fn header_timeout(manifests: &Manifests) -> u64 {
    seconds(manifests, "client-header-timeout", 60)
}

/// nginx's `keepalive_timeout`, in seconds.
pub(super) fn idle_timeout(manifests: &Manifests) -> u64 {
    seconds(manifests, "keep-alive", 75)
}

/// How many requests an HTTP/2 connection may have at once.
pub(super) fn streams(manifests: &Manifests) -> u32 {
    let given = manifests.setting("http2-max-concurrent-streams");
    let streams = given.and_then(|value| value.parse::<u32>().ok());
    streams.map_or(128, |streams| streams.clamp(1, MOST_STREAMS))
}

/// `http2_protocol_options`: as many streams at once as nginx takes, and windows that bound what is
/// buffered for each.
pub(super) fn http2(manifests: &Manifests) -> Value {
    json!({
        "max_concurrent_streams": streams(manifests),
        "initial_stream_window_size": 64 << 10,
        "initial_connection_window_size": 1 << 20,
    })
}

fn seconds(manifests: &Manifests, key: &str, default: u64) -> u64 {
    let given = manifests.setting(key);
    let given = given.and_then(|value| value.parse::<u64>().ok());
    // 0 is "at once" to nginx and "never" to Envoy; more than a year is nobody's patience.
    given.unwrap_or(default).clamp(1, 31_536_000)
}
