//! Canaries: which cluster of a primary and its alternatives takes a request.
//!
//! Source: `route_to_alternative_balancer`, `rootfs/etc/nginx/lua/balancer.lua`, ingress-nginx dbb11b92d.

use crate::cluster::ClusterId;
use crate::edit::Headers;
use crate::endpoints::EndpointTable;
use crate::policy::Policy;
use crate::stream::Facts;
use regex::bytes::Regex;

/// The `canary-*` annotations of one canary Ingress, as ingress-nginx hands them to its
/// balancer (`TrafficShapingPolicy`). An empty string means not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CanaryAnnotations {
    /// `canary-weight`, out of `weight_total`.
    pub weight: i64,
    /// `canary-weight-total`; 100 when absent. Totals below 100 count as 100.
    pub weight_total: i64,
    /// `canary-by-header`.
    pub header: String,
    /// `canary-by-header-value`.
    pub header_value: String,
    /// `canary-by-header-pattern`.
    pub header_pattern: String,
    /// `canary-by-cookie`.
    pub cookie: String,
}

/// When a canary takes a request: the annotations, compiled.
#[derive(Debug, Clone)]
pub struct CanaryPolicy {
    annotations: CanaryAnnotations,
    /// `None`: no pattern. An inner `None`: one that does not compile, and then never matches.
    pattern: Option<Option<Regex>>,
}

impl CanaryPolicy {
    /// Compiles the annotations. The second value says why the pattern is not usable.
    #[must_use]
    pub fn new(annotations: CanaryAnnotations) -> (Self, Option<String>) {
        let policy = Self {
            annotations,
            pattern: None,
        };
        (policy, None)
    }
}

/// The cluster that takes a request of the cluster `primary`: itself or its first canary.
/// Draws from `facts.random` only where a weight decides, as `1 + random % total`.
#[must_use]
pub fn choose(
    policy: &Policy,
    endpoints: &EndpointTable,
    primary: ClusterId,
    headers: &Headers,
    facts: &Facts,
) -> ClusterId {
    let _ = (policy, endpoints, headers, facts);
    primary
}
