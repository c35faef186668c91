//! How a proxy is run, and what it says of a request or of its start.

use crate::engine::EngineConfig;
use crate::plugin::StartError;
use crate::summary::Summary;
use http::HeaderName;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How a proxy is run.
#[derive(Clone)]
pub struct ProxyConfig {
    /// What to listen on; port 0: any free one.
    pub listen: SocketAddr,
    /// What the admin listens on; `None`: it does not.
    pub admin: Option<SocketAddr>,
    /// How many worker threads, each with its own VM; at least 1.
    pub workers: usize,
    /// What requests go through.
    pub engine: EngineConfig,
    /// How long a connection to an endpoint may take to come about.
    pub connect_timeout: Duration,
    /// How long a connection may be silent.
    pub idle_timeout: Duration,
    /// How many connections a worker has at a time; further ones are closed at once.
    pub connections_per_worker: usize,
    /// The host of a request that names none: HTTP/1.0 (Envoy's `default_host_for_http_10`);
    /// `None`: 400.
    pub default_host: Option<String>,
    /// In which the downstream, a proxy that ends TLS, says `https`; it is taken off. `None`: every
    /// request came by http.
    pub scheme_header: Option<HeaderName>,
    /// The names of the properties that [`AccessRecord::properties`] has.
    pub log_properties: Vec<String>,
    /// Called after each request, on the worker's thread.
    pub access_log: Option<Arc<AccessLog>>,
}

/// Called after each request.
pub type AccessLog = dyn Fn(&AccessRecord) + Send + Sync;

impl ProxyConfig {
    /// `workers` as many as there are processors, 5 s to connect, 60 s of silence, 4,096 connections
    /// for each worker.
    #[must_use]
    pub fn new(listen: SocketAddr, engine: EngineConfig) -> Self {
        Self {
            listen,
            admin: None,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            engine,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            connections_per_worker: 4096,
            default_host: None,
            scheme_header: None,
            log_properties: Vec::new(),
            access_log: None,
        }
    }
}

/// One finished request.
#[derive(Debug, Clone)]
pub struct AccessRecord {
    /// When its head had arrived.
    pub time: SystemTime,
    /// From its head to the end of its response.
    pub duration: Duration,
    /// The downstream's address.
    pub source: SocketAddr,
    /// The method as sent.
    pub method: String,
    /// The authority as sent; bytes that are not UTF-8 replaced.
    pub authority: String,
    /// The path as sent; bytes that are not UTF-8 replaced.
    pub path: String,
    /// Cluster, endpoint, status and the like.
    pub summary: Summary,
    /// What the module stored under the names of [`ProxyConfig::log_properties`].
    pub properties: HashMap<String, Vec<u8>>,
}

/// Why a proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A worker's engine did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A worker thread could not be started.
    #[error("cannot start a worker")]
    Worker(#[source] std::io::Error),
}
