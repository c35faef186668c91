//! What an engine is made of.

use crate::header_edit::HeaderEdit;
use crate::plugin::PluginConfig;
use crate::route::Route;

/// What one listener does with its requests.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The wasm filter; `None`: there is none.
    pub plugin: Option<PluginConfig>,
    /// The header of `stateful_session` with header state, not strict: base64 of `ip:port`
    /// in this request header names the endpoint; the same header on the response tells
    /// that another one served. `None`: the filter is not there.
    pub session_header: Option<String>,
    /// Whether header fields with an underscore in their name are dropped before anything else
    /// (Envoy's `headers_with_underscores_action`).
    pub drops_underscores: bool,
    /// Changes of the request head before the first filter sees it.
    pub early_edits: Vec<HeaderEdit>,
    /// The route table; no match: 404.
    pub routes: Vec<Route>,
    /// Header fields that the module's calls lose on their way.
    pub dropped_from_calls: Vec<String>,
    /// What is answered in place of 503 where no endpoint has answered (Envoy's
    /// `local_reply_config`); `None`: 503.
    pub unanswered: Option<u16>,
    /// Clusters whose calls the host's own admin answers, in the process.
    pub admin_clusters: Vec<String>,
}

impl EngineConfig {
    /// `routes` and nothing before them; the admin is cluster `prometheus_stats`.
    #[must_use]
    pub fn new(routes: Vec<Route>) -> Self {
        Self {
            plugin: None,
            session_header: None,
            drops_underscores: false,
            early_edits: Vec::new(),
            routes,
            dropped_from_calls: Vec::new(),
            unanswered: None,
            admin_clusters: vec!["prometheus_stats".to_owned()],
        }
    }
}
