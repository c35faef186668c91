//! Canaries: when one takes a request of its primary.
//!
//! Source: `route_to_alternative_balancer`, `rootfs/etc/nginx/lua/balancer.lua`, ingress-nginx dbb11b92d.

use crate::annotations::CanaryAnnotations;
use crate::edit::Headers;
use crate::facts::Facts;
use crate::remark::Problem;
use crate::route::pattern::{Pattern, Work};
use crate::session_cookie::read::{trim_spaces, variable};
use std::borrow::Cow;

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
    pub fn new(annotations: CanaryAnnotations) -> (Self, Option<Problem>) {
        let pattern = Some(annotations.header_pattern.as_str());
        let (pattern, problem) = match pattern.filter(|pattern| !pattern.is_empty()).map(compile) {
            None => (None, None),
            Some(Ok(pattern)) => (Some(Some(pattern)), None),
            Some(Err(why)) => (Some(None), Some(Problem::UnusablePattern(why))),
        };
        let policy = Self {
            underscores: false,
            annotations,
            pattern,
        };
        (policy, problem)
    }

    /// Whether the canary takes a request whose session says nothing.
    pub(crate) fn takes(&self, headers: &Headers, facts: &Facts) -> bool {
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
            Some(Some(pattern)) => pattern
                .is_match(&value, &Work::of_a_header())
                .then_some(true),
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
    let between = if name.eq_ignore_ascii_case("cookie") {
        b"; "
    } else {
        b", "
    };
    Some(values.fold(Cow::Borrowed(first), |mut joined, value| {
        joined.to_mut().extend_from_slice(between);
        joined.to_mut().extend_from_slice(value);
        joined
    }))
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
        let (policy, problem) = CanaryPolicy::new(CanaryAnnotations {
            header: "X-Canary".to_owned(),
            header_pattern: "[".to_owned(),
            weight: 100,
            ..CanaryAnnotations::default()
        });
        assert!(matches!(problem, Some(Problem::UnusablePattern(_))));
        let with = fields(&[("x-canary", "[")]);
        assert_eq!(policy.by_header(&with), Some(false));
        assert_eq!(policy.by_header(&[]), None);
    }
}
