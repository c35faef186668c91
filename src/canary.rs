//! Canaries: which cluster of a primary and its alternatives takes a request.
//!
//! Source: `route_to_alternative_balancer`, `rootfs/etc/nginx/lua/balancer.lua`, ingress-nginx dbb11b92d.

use crate::affinity;
use crate::cluster::{Cluster, ClusterId};
use crate::edit::Headers;
use crate::endpoints::{ClusterTable, EndpointTable};
use crate::facts::Facts;
use crate::policy::Policy;
use crate::route::pattern::Pattern;
use crate::session_cookie::read::{trim_spaces, variable};
use std::borrow::Cow;

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
    /// `enable-underscores-in-headers`: headers with `_` in their names count, as those with `-`.
    pub underscores: bool,
    annotations: CanaryAnnotations,
    /// `None`: no pattern. An inner `None`: one that does not compile, and then never matches.
    pattern: Option<Option<Pattern>>,
}

impl CanaryPolicy {
    /// Compiles the annotations. The second value says why the pattern is not usable.
    #[must_use]
    pub fn new(annotations: CanaryAnnotations) -> (Self, Option<String>) {
        let pattern = Some(annotations.header_pattern.as_str());
        let (pattern, remark) = match pattern.filter(|pattern| !pattern.is_empty()).map(compile) {
            None => (None, None),
            Some(Ok(pattern)) => (Some(Some(pattern)), None),
            Some(Err(why)) => (
                Some(None),
                Some(format!(
                    "{why}; a request with this header never goes to the canary"
                )),
            ),
        };
        let policy = Self {
            underscores: false,
            annotations,
            pattern,
        };
        (policy, remark)
    }

    /// Whether the canary takes a request whose session says nothing.
    fn takes(&self, headers: &Headers, facts: &Facts) -> bool {
        self.by_header(headers)
            .or_else(|| self.by_cookie(headers))
            .unwrap_or_else(|| self.by_weight(facts))
    }

    fn by_header(&self, headers: &Headers) -> Option<bool> {
        let value = header(headers, &self.annotations.header, self.underscores)?;
        if !self.annotations.header_value.is_empty() {
            return (*value == *self.annotations.header_value.as_bytes()).then_some(true);
        }
        match &self.pattern {
            Some(Some(pattern)) => pattern.is_match(&value).then_some(true),
            Some(None) => Some(false),
            None => always_or_never(&value),
        }
    }

    fn by_cookie(&self, headers: &Headers) -> Option<bool> {
        always_or_never(variable(headers, &self.annotations.cookie)?)
    }

    fn by_weight(&self, facts: &Facts) -> bool {
        let total = u64::try_from(self.annotations.weight_total.max(100)).unwrap_or(100);
        let draw = (facts.random)() % total + 1;
        u64::try_from(self.annotations.weight).is_ok_and(|weight| draw <= weight)
    }
}

/// As `ngx.re.match` without options: anywhere in the value, case matters.
fn compile(pattern: &str) -> Result<Pattern, String> {
    Pattern::anywhere(pattern)
}

fn always_or_never(value: &[u8]) -> Option<bool> {
    match value {
        b"always" => Some(true),
        b"never" => Some(false),
        _ => None,
    }
}

/// The value of a header as nginx's `$http_name`: `-` and `_` of the name asked for are one,
/// names with `_` in the request count where `underscores` says so, several values are joined,
/// outer spaces cut.
///
/// Source: `ngx_http_variable_headers_internal`, `ngx_http_variable_unknown_header`
/// (`src/http/ngx_http_variables.c`, nginx 1.27.1).
fn header<'h>(headers: &Headers<'h>, name: &str, underscores: bool) -> Option<Cow<'h, [u8]>> {
    let dash = |byte: &u8| if *byte == b'_' { b'-' } else { *byte };
    let same = |found: &[u8]| {
        let found = if found == b":authority" {
            b"host"
        } else {
            found
        };
        found.len() == name.len()
            && (underscores || !found.contains(&b'_'))
            && found
                .iter()
                .zip(name.as_bytes())
                .all(|(found, name)| dash(found).eq_ignore_ascii_case(&dash(name)))
    };
    let mut values = headers
        .iter()
        .filter(|(found, _)| same(found))
        .map(|(_, value)| trim_spaces(value));
    let first = values.next()?;
    let between = match name.eq_ignore_ascii_case("cookie") {
        true => b"; ",
        false => b", ",
    };
    Some(values.fold(Cow::Borrowed(first), |mut joined, value| {
        joined.to_mut().extend_from_slice(between);
        joined.to_mut().extend_from_slice(value);
        joined
    }))
}

/// The cluster that takes a request of the cluster `primary`: itself or its first canary.
///
/// A session stays with its cluster, and beats everything else. A cluster that is known to have
/// no endpoints takes part in nothing. Draws from `facts.random` only where a weight decides,
/// as `1 + random % total`.
#[must_use]
pub fn choose(
    policy: &Policy,
    endpoints: &EndpointTable,
    primary: ClusterId,
    headers: &Headers,
    facts: &Facts,
) -> ClusterId {
    choose_among(&policy.clusters, endpoints, primary, headers, facts)
}

/// [`choose`] among the clusters of a policy.
#[must_use]
pub fn choose_among(
    clusters: &[Cluster],
    endpoints: &EndpointTable,
    primary: ClusterId,
    headers: &Headers,
    facts: &Facts,
) -> ClusterId {
    let canary = || {
        let cluster = clusters.get(primary.0)?;
        let id = *cluster.alternatives.first()?;
        let canary = clusters.get(id.0)?;
        let table = endpoints.get(&cluster.envoy_name).map(AsRef::as_ref);
        let canary_table = endpoints.get(&canary.envoy_name).map(AsRef::as_ref);
        if is_empty(table) || is_empty(canary_table) || affinity::is_of(cluster, table, headers) {
            return None;
        }
        let takes = affinity::is_of(canary, canary_table, headers)
            || canary.canary.as_ref()?.takes(headers, facts);
        takes.then_some(id)
    };
    canary().unwrap_or(primary)
}

fn is_empty(table: Option<&ClusterTable>) -> bool {
    table.is_some_and(|table| table.endpoints().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::fields;

    /// The recorded decisions are replayed by `tests/recordings/on_core/affinity.rs`.
    #[test]
    fn a_header_is_read_as_nginx_reads_it() {
        for (sent, name, value) in [
            (&[("x-canary", " always ")][..], "X-Canary", Some("always")),
            (
                &[("x-canary", "a"), ("x-canary", "b")],
                "x-canary",
                Some("a, b"),
            ),
            (&[("x-canary", "a")], "X_Canary", Some("a")),
            (&[("x_canary", "a")], "X-Canary", None),
            (&[("x_canary", "a")], "X_Canary", None),
            (&[(":authority", "h")], "Host", Some("h")),
            (&[("x-canary", "")], "x-canary", Some("")),
            (&[("x-canary", "  ")], "x-canary", Some("")),
            (&[("x-canary", "\talways ")], "x-canary", Some("\talways")),
            (
                &[("cookie", "a=b"), ("cookie", "c")],
                "Cookie",
                Some("a=b; c"),
            ),
            (&[("x-canary-2", "a")], "x-canary", None),
            (&[("x", "a")], "", None),
        ] {
            let headers = fields(sent);
            let found = header(&headers, name, false);
            let found = found.as_deref().map(|value| str::from_utf8(value).unwrap());
            assert_eq!(found, value, "{sent:?} {name}");
        }
        let sent = [("x_canary", "a"), ("x-canary", "b")];
        for name in ["X-Canary", "x_canary"] {
            let sent = fields(&sent);
            let found = header(&sent, name, true);
            assert_eq!(found.as_deref(), Some(&b"a, b"[..]), "{name}");
        }
    }

    #[test]
    fn a_pattern_is_pcres_and_looked_for_anywhere() {
        for (pattern, value, takes) in [
            ("ab", "xaby", Some(true)),
            ("AB", "xaby", None),
            ("^(?!never).*$", "always", Some(true)),
            ("^(?!never).*$", "never", None),
            ("a{,2}", "aa", None),
            (r"^\Qa.b\E$", "a.b", Some(true)),
            ("^a$", "a", Some(true)),
            // What PCRE could do and limpet cannot is no canary, as what PCRE cannot do.
            ("(?=a)", "a", Some(false)),
            ("a**", "a", Some(false)),
            (r"(a)\1", "aa", Some(false)),
        ] {
            let (policy, _) = CanaryPolicy::new(CanaryAnnotations {
                header: "X-Canary".to_owned(),
                header_pattern: pattern.to_owned(),
                ..CanaryAnnotations::default()
            });
            let found = policy.by_header(&fields(&[("x-canary", value)]));
            assert_eq!(found, takes, "{pattern} {value}");
        }
    }

    #[test]
    fn a_pattern_that_does_not_compile_is_said_and_never_matches() {
        let (policy, remark) = CanaryPolicy::new(CanaryAnnotations {
            header: "X-Canary".to_owned(),
            header_pattern: "[".to_owned(),
            weight: 100,
            ..CanaryAnnotations::default()
        });
        assert!(remark.unwrap().contains("never goes to the canary"));
        let with = fields(&[("x-canary", "[")]);
        assert_eq!(policy.by_header(&with), Some(false));
        assert_eq!(policy.by_header(&[]), None);
    }
}
