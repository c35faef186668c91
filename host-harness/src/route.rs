//! Which cluster a request goes to, and what is done when an endpoint fails it.

use crate::header_edit::HeaderEdit;
use crate::headers::Headers;
use std::time::Duration;

/// Which requests a route takes. An absent condition holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteMatch {
    /// The start of `:path`, byte by byte.
    pub prefix: Option<String>,
    /// The whole `:authority`, without regard to letter case.
    pub authority: Option<String>,
    /// A header that has exactly this value.
    pub header: Option<(String, String)>,
}

impl RouteMatch {
    /// Takes every request.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    pub(crate) fn matches(&self, head: &Headers) -> bool {
        let prefix = self.prefix.as_ref().is_none_or(|prefix| {
            head.first(":path")
                .is_some_and(|path| path.starts_with(prefix.as_bytes()))
        });
        let authority = self.authority.as_ref().is_none_or(|authority| {
            head.first(":authority")
                .is_some_and(|value| value.eq_ignore_ascii_case(authority.as_bytes()))
        });
        let header = self
            .header
            .as_ref()
            .is_none_or(|(name, value)| head.first(name) == Some(value.as_bytes()));
        prefix && authority && header
    }
}

/// How a route names its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterSpecifier {
    /// Always this one.
    Name(String),
    /// The value of this request header (Envoy's `cluster_header`). Missing, empty or
    /// unknown: 503 with an empty body, or `fallback` where the header is *missing*.
    Header {
        /// The header's name.
        name: String,
        /// The cluster of a request without that header; `None`: 503.
        fallback: Option<String>,
    },
}

/// One row of the route table; the first that matches is taken.
#[derive(Debug, Clone)]
pub struct Route {
    /// What the property `xds.route_name` says.
    pub name: String,
    /// Which requests it takes.
    pub matches: RouteMatch,
    /// Where they go.
    pub cluster: ClusterSpecifier,
    /// Changes of the request head on its way to the endpoint, in order, after the cluster
    /// and the override were read.
    pub request_edits: Vec<HeaderEdit>,
    /// Changes of the response head before the filters see it, in order.
    pub response_edits: Vec<HeaderEdit>,
    /// When to try again.
    pub retry: RetryPolicy,
    /// How long one try may take until the response head, `None`: as long as it takes
    /// (Envoy's default is 15 s).
    pub timeout: Option<Duration>,
}

impl Route {
    /// Takes every request to `cluster`; no retry, no time limit, no edits.
    #[must_use]
    pub fn to(cluster: ClusterSpecifier) -> Self {
        Self {
            name: String::new(),
            matches: RouteMatch::any(),
            cluster,
            request_edits: Vec::new(),
            response_edits: Vec::new(),
            retry: RetryPolicy::default(),
            timeout: None,
        }
    }
}

/// When and how often a request is tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many tries may follow the first.
    pub retries: u32,
    /// On a refused or timed-out connection (`connect-failure`).
    pub on_connect_failure: bool,
    /// On a connection that broke before the response head (`reset`).
    pub on_reset: bool,
    /// On these statuses (`retriable-status-codes`; `5xx` is 500 to 599).
    pub on_statuses: Vec<u16>,
    /// Prefer endpoints that were not tried yet (`previous_hosts`).
    pub previous_hosts: bool,
}
