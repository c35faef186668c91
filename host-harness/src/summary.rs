//! What has become of a request so far.

use std::net::SocketAddr;

/// What has become of a request so far; for logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The route's name; `None`: no route.
    pub route: Option<String>,
    /// The cluster; `None`: none was chosen, or it does not exist.
    pub cluster: Option<String>,
    /// The endpoint of the last attempt.
    pub endpoint: Option<SocketAddr>,
    /// The endpoint that the session header asked for.
    pub asked: Option<SocketAddr>,
    /// How many attempts there were, one that found no endpoint included.
    pub attempts: u32,
    /// The status that the downstream got, 0 before that.
    pub status: u16,
    /// Envoy's response flags, as `response.flags` has them.
    pub flags: u64,
    /// Envoy's response code details.
    pub details: Option<String>,
    /// Why no connection came about.
    pub transport_failure: Option<String>,
}

/// Envoy's response flags, by their bits in `response.flags`.
pub(crate) mod flag {
    pub(crate) const NO_HEALTHY_UPSTREAM: u64 = 0x2;
    pub(crate) const UPSTREAM_REQUEST_TIMEOUT: u64 = 0x4;
    pub(crate) const UPSTREAM_CONNECTION_FAILURE: u64 = 0x20;
    pub(crate) const UPSTREAM_CONNECTION_TERMINATION: u64 = 0x40;
    pub(crate) const NO_ROUTE_FOUND: u64 = 0x100;
    pub(crate) const UPSTREAM_RETRY_LIMIT_EXCEEDED: u64 = 0x8000;
    pub(crate) const NO_CLUSTER_FOUND: u64 = 0x0100_0000;
    /// An endpoint was asked, and has not answered.
    pub(crate) const UNANSWERED: u64 = UPSTREAM_CONNECTION_FAILURE
        | UPSTREAM_CONNECTION_TERMINATION
        | UPSTREAM_RETRY_LIMIT_EXCEEDED;
}
