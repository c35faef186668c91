//! What an engine is made of, and what it is told about a connection.

use crate::header_edit::HeaderEdit;
use crate::plugin::PluginConfig;
use crate::route::Route;
use std::net::{Ipv4Addr, SocketAddr};

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

/// Which way the traffic of a listener goes: the property `xds.listener_direction`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// Not said, 0.
    #[default]
    Unspecified,
    /// Into the workload, 1.
    Inbound,
    /// Out of the workload, 2.
    Outbound,
}

/// What is known about the downstream connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The downstream's address, `source.address`.
    pub source: SocketAddr,
    /// The address it connected to, `destination.address`.
    pub destination: SocketAddr,
    /// `connection.tls_version`, such as `TLSv1.3`; `None`: no TLS.
    pub tls_version: Option<String>,
    /// `request.protocol`, such as `HTTP/1.1`.
    pub protocol: String,
    /// `xds.listener_direction`.
    pub direction: Direction,
}

impl Default for Connection {
    fn default() -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            source: nowhere,
            destination: nowhere,
            tls_version: None,
            protocol: "HTTP/1.1".to_owned(),
            direction: Direction::default(),
        }
    }
}

/// Why an engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The module could not be instantiated, or trapped while starting.
    #[error("plugin {plugin:?} did not start: {reason}")]
    Failed {
        /// The plugin's name.
        plugin: String,
        /// What happened.
        reason: String,
    },
    /// The module refused its configuration; why is in its log lines.
    #[error("plugin {plugin:?} refused its configuration: {callback} returned false")]
    Refused {
        /// The plugin's name.
        plugin: String,
        /// `proxy_on_vm_start` or `proxy_on_configure`.
        callback: &'static str,
    },
}
