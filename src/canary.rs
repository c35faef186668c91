//! Canaries: which cluster of a primary and its alternatives takes a request.
//!
//! Source: `route_to_alternative_balancer`, `rootfs/etc/nginx/lua/balancer.lua`, ingress-nginx dbb11b92d.

/// The `canary-*` annotations of one canary Ingress, as ingress-nginx hands them to its
/// balancer (`TrafficShapingPolicy`). An empty string means not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CanaryPolicy {
    /// `canary-weight`, out of `weight_total`.
    pub weight: i64,
    /// `canary-weight-total`; 100 when absent or not greater than 0.
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
