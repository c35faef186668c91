//! What the filter chain is on every target: the plugin's name, its reloads, the retries of routes.

use serde_json::{Value, json};
use std::time::Duration;

/// How often nginx tries again: `proxy-next-upstream-tries` is 3 by default.
pub const RETRIES: u32 = 2;

/// Methods that nginx tries again after the request may have reached a pod.
///
/// Source: `proxy_next_upstream`, ngx_http_proxy_module: without `non_idempotent` requests with
/// POST, LOCK, PATCH are not passed to the next server.
pub const NOT_RETRIED: [&str; 3] = ["POST", "LOCK", "PATCH"];

/// What nginx calls its default server, and hands on as the Host of a request without one.
pub const DEFAULT_HOST: &str = "_";

/// The plugin's name in logs and statistics.
pub const PLUGIN_NAME: &str = "limpet";

/// After a trap, a worker answers 503 until its VM is so old, and then loads a new one. The
/// shortest that Envoy bears: it divides by half of it, as an integer, so that 1 ms, which its
/// configuration allows, ends the process. Nothing else of `backoff` is read.
///
/// Source: `PluginConfig::maybeReloadHandleIfNeeded`,
/// `JitteredLowerBoundBackOffStrategy::nextBackOffMs`; seen on Envoy 1.40.
pub const RELOAD_BACKOFF: Duration = Duration::from_millis(2);

/// The listener filter of `use-proxy-protocol`: a connection without its line is closed.
pub(crate) fn proxy_protocol() -> Value {
    json!({
        "name": "envoy.filters.listener.proxy_protocol",
        "typed_config": { "@type":
            "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol" },
    })
}
