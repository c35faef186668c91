//! Who may read answers from another site's page.
//!
//! Source: `internal/ingress/annotations/cors`, `buildCorsOriginRegex` of `template.go`, and the
//! template `CORS` of `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx dbb11b92d.

use crate::edit::{FieldValue, Headers, Name, all};
use crate::sorted::sorted_by;
use std::sync::Arc;

/// The rules of one location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// The entries of `cors-allow-origin` in lower case, sorted. `None`: every origin, and `*` is the answer.
    origins: Option<Arc<[String]>>,
    /// What else is told an origin that may.
    fields: Arc<[(&'static str, String)]>,
}

/// What the annotations beside `cors-allow-origin` say.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// `cors-allow-credentials`.
    pub credentials: bool,
    /// `cors-allow-methods`.
    pub methods: String,
    /// `cors-allow-headers`.
    pub headers: String,
    /// `cors-expose-headers`; empty: nothing is said.
    pub expose: String,
    /// `cors-max-age`.
    pub max_age: i64,
}

impl Cors {
    /// Whether both are one in memory.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.fields, &other.fields)
    }

    /// Reads `cors-allow-origin`; entries that are no origin are passed over. `None`: it lists
    /// nobody.
    #[must_use]
    pub fn new(origins: &str, told: Told) -> Option<Self> {
        let texts = || origins.split(',').map(str::trim);
        let origins = if texts().any(|text| text == "*") {
            None
        } else {
            let origins: Vec<String> = texts().filter_map(origin).collect();
            if origins.is_empty() {
                return None;
            }
            let mut origins = sorted_by(origins, Ord::cmp);
            origins.dedup();
            Some(origins.into())
        };
        let credentials = told.credentials.then(|| "true".to_owned());
        let expose = Some(told.expose).filter(|names| !names.is_empty());
        let fields = [
            ("access-control-allow-credentials", credentials),
            ("access-control-allow-methods", Some(told.methods)),
            ("access-control-allow-headers", Some(told.headers)),
            ("access-control-expose-headers", expose),
            ("access-control-max-age", Some(told.max_age.to_string())),
        ];
        let fields = fields.into_iter();
        let fields = fields.filter_map(|(name, value)| Some((name, value?)));
        Some(Self {
            origins,
            fields: fields.collect(),
        })
    }

    /// Whether every origin may.
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        self.origins.is_none()
    }

    /// What a request from an origin that may is answered as Access-Control-Allow-Origin. Where
    /// ingress-nginx looks for an entry at the end of Origin, it has to be all of it here.
    pub(crate) fn allowed(&self, headers: &Headers) -> Option<Vec<u8>> {
        let Some(origins) = &self.origins else {
            return Some(b"*".to_vec());
        };
        let mut sent = all(headers, "origin");
        let origin = sent.next().filter(|_| sent.next().is_none())?;
        let lower = origin.to_ascii_lowercase();
        let lists = |name: &[u8]| {
            let found = origins.binary_search_by(|listed| listed.as_bytes().cmp(name));
            found.is_ok()
        };
        let is_listed = !lower.contains(&b'*')
            && (lists(&lower) || starred(&lower).is_some_and(|name| lists(&name)));
        is_listed.then(|| origin.to_vec())
    }

    /// All that an origin that may is told; `allowed`: see [`Cors::allowed`].
    pub(crate) fn fields(
        &self,
        allowed: Vec<u8>,
    ) -> impl Iterator<Item = (Name<'static>, FieldValue<'static>)> {
        let origin = (
            "access-control-allow-origin".into(),
            FieldValue::received(allowed),
        );
        let further = self.fields.iter().map(|(name, value)| {
            let value = FieldValue::new(value.clone().into_bytes());
            (Name::Borrowed(*name), value)
        });
        [origin].into_iter().chain(further)
    }
}

/// What an origin with a star in place of its first label is listed as, in lower case; `None`: it has no such label.
fn starred(origin: &[u8]) -> Option<Vec<u8>> {
    let scheme = origin.windows(3).position(|at| at == b"://")?;
    let (scheme, host) = origin.split_at_checked(scheme.checked_add(3)?)?;
    let label = host.iter().position(|byte| *byte == b'.')?;
    let (label, rest) = host.split_at_checked(label)?;
    let is_of_label = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let is_label = !label.is_empty() && label.iter().all(is_of_label);
    is_label.then(|| [scheme, b"*", rest].concat())
}

/// `null`, or a scheme and a host, whose first label may be a star, with or without a port; in lower case.
fn origin(text: &str) -> Option<String> {
    if text == "null" {
        return Some(text.to_owned());
    }
    let (scheme, host) = text.split_once("://")?;
    let host = host.strip_prefix("*.").unwrap_or(host);
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_origin = !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_lowercase())
        && !name.is_empty()
        && name.bytes().all(is_of_name)
        && !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit());
    is_origin.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::fields;

    fn answer(origins: &str, origin: &[&str]) -> Option<String> {
        let cors = Cors::new(origins, Told::default())?;
        let sent: Vec<_> = origin.iter().map(|origin| ("origin", *origin)).collect();
        let allowed = cors.allowed(&fields(&sent))?;
        Some(String::from_utf8(allowed).unwrap())
    }

    #[test]
    fn an_origin_is_allowed_that_is_listed_and_no_other() {
        for (origins, origin, is_allowed) in [
            ("https://a.test", "https://a.test", true),
            ("https://a.test", "HTTPS://A.test", true),
            ("https://a.test", "http://a.test", false),
            ("https://a.test", "https://a.test:8443", false),
            ("https://a.test", "https://a.test.evil.test", false),
            ("https://a.test", "https://evil.test/https://a.test", false),
            ("https://a.test", "null", false),
            ("https://a.test", "", false),
            ("https://a.test,", "https://b.test", false),
            ("https://b.test, https://a.test", "https://a.test", true),
            ("null,https://a.test", "null", true),
            ("null", "https://evilnull", false),
            ("http://*.foo.test:8080", "http://a.foo.test:8080", true),
            ("http://*.foo.test:8080", "http://a.foo.test", false),
            ("http://*.foo.test:8080", "http://a.foo.test:80801", false),
            ("https://*.foo.test", "https://a.b.foo.test", false),
            ("https://*.foo.test", "https://.foo.test", false),
            ("https://*.foo.test", "https://foo.test", false),
            ("https://*.foo.test", "https://evil.test/.foo.test", false),
            ("origin.test,https://a.test", "https://origin.test", false),
            ("https://*.foo.test", "https://*.foo.test", false),
        ] {
            let answer = answer(origins, &[origin]);
            assert_eq!(
                answer.as_deref(),
                is_allowed.then_some(origin),
                "{origins} {origin}"
            );
        }
        assert_eq!(
            answer("https://a.test", &["https://a.test", "https://a.test"]),
            None
        );
    }

    #[test]
    fn a_star_is_answered_a_star_whoever_asks() {
        for origins in ["*", "https://a.test, *"] {
            assert_eq!(answer(origins, &["https://x.test"]).as_deref(), Some("*"));
            assert_eq!(answer(origins, &[]).as_deref(), Some("*"));
        }
    }

    #[test]
    fn entries_that_are_no_origin_are_passed_over() {
        for origins in [
            "",
            "a.test",
            "*.a.test",
            "https://*.*.test",
            "https://*",
            "https://a.test/x",
            "https://a.test:",
            "://a.test",
            "https://",
            "https://[::1]",
        ] {
            assert_eq!(Cors::new(origins, Told::default()), None, "{origins}");
        }
    }
}
