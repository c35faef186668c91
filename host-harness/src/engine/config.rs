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
    /// Changes of the request head before the first filter sees it.
    pub early_edits: Vec<HeaderEdit>,
    /// The route table; no match: 404.
    pub routes: Vec<Route>,
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
            early_edits: Vec::new(),
            routes,
            admin_clusters: vec!["prometheus_stats".to_owned()],
        }
    }
}
