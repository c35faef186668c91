//! `auth-url` and what goes with it.
//!
//! Source: `Parse` of `internal/ingress/annotations/authreq`, `StringToURL` of its `parser`,
//! ingress-nginx dbb11b92d.

use super::read::{Reader, Unset};
use super::validator::parse_bool;
use crate::config::Config;
use crate::config::settings::Settings;
use crate::remark::{Effect, Expected, Problem, Remark};
use std::sync::Arc;

/// Who is asked whether a request may come in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorizerAnnotations {
    /// `auth-url`.
    pub url: AuthorizerUrl,
    /// `auth-method`; empty: GET.
    pub method: String,
    /// `auth-signin`; empty: none.
    pub signin: String,
    /// `auth-signin-redirect-param`.
    pub redirect_param: String,
    /// `auth-response-headers`.
    pub response_headers: Arc<[String]>,
    /// `auth-request-redirect`.
    pub request_redirect: String,
    /// `auth-proxy-set-headers`: a ConfigMap; empty: none.
    pub set_headers: String,
    /// `auth-always-set-cookie`.
    pub always_set_cookie: bool,
}

/// So many fields an Ingress may have its authorizer told, and so many its pods of the answer: each costs every
/// request.
pub(crate) const MOST_FIELDS: usize = 256;

/// The parts of `auth-url`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorizerUrl {
    /// Up to its path: `scheme://host:port`, the port also where it is the usual one.
    pub origin: String,
    /// It begins with `https`.
    pub tls: bool,
    /// In lower case; or a variable that is the host of the request.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its path and arguments; empty where there is none.
    pub path: String,
}

/// The variables that are the request's own host.
const OWN_HOST: [&str; 3] = ["$host", "$http_host", "$best_http_host"];

impl AuthorizerUrl {
    /// The parts of an absolute URL of http whose host is fixed, or that of the request.
    #[must_use]
    pub fn read(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let usual = match scheme.as_str() {
            "http" => "80",
            "https" => "443",
            _ => return None,
        };
        let own = OWN_HOST.into_iter().find(|own| {
            let rest = rest.strip_prefix(own);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', ':']))
        });
        let from = own.map_or(0, str::len);
        let end = rest.get(from..)?.find(['/', '?', '$']);
        let end = end.map_or(rest.len(), |end| from.saturating_add(end));
        let (authority, path) = rest.split_at_checked(end)?;
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, usual));
        let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_fixed = !host.is_empty() && host.bytes().all(is_of_host) && !host.contains("..");
        if path.starts_with('$') || !(is_fixed || own.is_some()) {
            return None;
        }
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| is_number && *port > 0)?;
        let host = host.to_ascii_lowercase();
        Some(Self {
            origin: format!("{scheme}://{host}:{port}"),
            tls: scheme == "https",
            host,
            port,
            path: if path.starts_with('?') {
                ["/", path].concat()
            } else {
                path.to_owned()
            },
        })
    }

    /// Whether the host is that of the request: whoever serves that path of it is asked.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.host.starts_with('$')
    }

    fn is_told(&self, config: &Config) -> bool {
        let mut told = config.authorizers.iter();
        self.is_own() || told.any(|told| told.contains_key(&self.origin))
    }
}

/// `Err`: nobody may come in. Nobody is asked where the configuration has no `authorizers`.
pub(super) fn authorizer(
    reader: &mut Reader,
    settings: &Settings,
    config: &Config,
) -> Result<Option<AuthorizerAnnotations>, ()> {
    if config.authorizers.is_none() {
        return Ok(None);
    }
    let text = match reader.text("auth-url") {
        Ok(url) => url,
        Err(Unset::Missing | Unset::Content) => return Ok(None),
        Err(Unset::Refused) => return Err(()),
    };
    let Some(url) = AuthorizerUrl::read(&text).filter(|url| url.is_told(config)) else {
        let problem = Problem::Not(Expected::Authorizer);
        reader.remark("auth-url", &text, problem, Effect::Path);
        return Err(());
    };
    let method = match reader.text("auth-method") {
        Ok(method) if METHODS.contains(&method.as_str()) => method,
        Err(Unset::Missing | Unset::Content) => String::new(),
        method => {
            let problem = Problem::Not(Expected::Method);
            let method = method.unwrap_or_default();
            reader.remark("auth-method", &method, problem, Effect::Path);
            return Err(());
        }
    };
    let names = reader.text("auth-response-headers");
    if names == Err(Unset::Refused) {
        return Err(());
    }
    let mut response_headers = Vec::new();
    let names = names.unwrap_or_default();
    // Pods have one Host: nginx sends a second one where an authorizer answers with that field, and they refuse both.
    for name in named(&names).filter(|name| !name.eq_ignore_ascii_case("host")) {
        if !is_header(name) {
            let problem = Problem::Not(Expected::HeaderName);
            reader.remark("auth-response-headers", name, problem, Effect::Path);
            return Err(());
        }
        let name = name.to_ascii_lowercase();
        if response_headers.len() <= MOST_FIELDS && !response_headers.contains(&name) {
            response_headers.push(name);
        }
    }
    if response_headers.len() > MOST_FIELDS {
        let problem = Problem::Unusable(format!("has more than {MOST_FIELDS} names"));
        reader.remark("auth-response-headers", &names, problem, Effect::Path);
        return Err(());
    }
    // ingress-nginx asks nobody any more where one of these is refused.
    let refused = ["auth-request-redirect", "auth-cache-duration"];
    let is_refused = |name| reader.text(name) == Err(Unset::Refused);
    if refused.into_iter().any(is_refused)
        || reader.flag("auth-always-set-cookie") == Err(Unset::Refused)
    {
        return Err(());
    }
    let durations = reader.text("auth-cache-duration").unwrap_or_default();
    if !named(&durations).all(is_duration) {
        let problem = Problem::Not(Expected::CacheDuration);
        reader.remark("auth-cache-duration", &durations, problem, Effect::Path);
        return Err(());
    }
    let set_headers = reader.text("auth-proxy-set-headers").unwrap_or_default();
    let namespace = set_headers.split_once('/').map(|(namespace, _)| namespace);
    let is_own = namespace.is_none_or(|one| one == reader.ingress.namespace);
    if !is_own && !settings.allow_cross_namespace_resources {
        let problem = Problem::Not(Expected::SetHeaders);
        reader.remark(
            "auth-proxy-set-headers",
            &set_headers,
            problem,
            Effect::Path,
        );
        return Err(());
    }
    Ok(Some(AuthorizerAnnotations {
        url,
        method,
        signin: reader.fit("auth-signin").unwrap_or_default(),
        redirect_param: reader
            .fit("auth-signin-redirect-param")
            .unwrap_or_else(|| REDIRECT_PARAM.to_owned()),
        response_headers: response_headers.into(),
        request_redirect: reader.text("auth-request-redirect").unwrap_or_default(),
        set_headers,
        always_set_cookie: reader.flag("auth-always-set-cookie").unwrap_or_default(),
    }))
}

/// `global-auth-url` and what goes with it; `Err`: nobody may come in where ingress-nginx, which
/// cannot read the URL either, asks nobody.
///
/// Source: `ReadConfig`, `internal/ingress/controller/template/configmap.go`.
pub(crate) fn global(
    settings: &Settings,
    config: &Config,
) -> Result<Option<AuthorizerAnnotations>, Box<Remark>> {
    let said = |key: &str| settings.global_auth.get(key).map_or("", String::as_str);
    let text = said("url");
    if config.authorizers.is_none() || text.is_empty() {
        return Ok(None);
    }
    let Some(url) = AuthorizerUrl::read(text).filter(|url| url.is_told(config)) else {
        let problem = Problem::Not(Expected::Authorizer);
        let key = "config_map.global-auth-url";
        let remark = Remark::key(key, Some(text.to_owned()), problem, Effect::Path);
        return Err(Box::new(remark));
    };
    let or = |value: &str, default: &str| if value.is_empty() { default } else { value }.to_owned();
    let headers = named(said("response-headers")).filter(|name| is_header(name));
    let method = Some(said("method")).filter(|method| METHODS.contains(method));
    let signin = Some(said("signin")).filter(|url| is_page(url));
    Ok(Some(AuthorizerAnnotations {
        url,
        method: method.unwrap_or_default().to_owned(),
        signin: signin.unwrap_or_default().to_owned(),
        redirect_param: or(said("signin-redirect-param").trim(), REDIRECT_PARAM),
        response_headers: headers.map(str::to_ascii_lowercase).collect(),
        request_redirect: said("request-redirect").to_owned(),
        set_headers: String::new(),
        always_set_cookie: parse_bool(said("always-set-cookie")).unwrap_or_default(),
    }))
}

/// Looks at the value of a key of `global-auth-`, by what follows that: what is none is passed over where the
/// configuration is read.
///
/// # Errors
/// What was expected.
pub fn check_global(name: &str, value: &str) -> Result<(), Expected> {
    let (is_usable, expected) = match name {
        "method" => (METHODS.contains(&value), Expected::Method),
        "signin" => (is_page(value), Expected::HttpUrl),
        "always-set-cookie" => (parse_bool(value).is_some(), Expected::Flag),
        "response-headers" => (named(value).all(is_header), Expected::Names),
        _ => return Ok(()),
    };
    let is_usable = is_usable || value.is_empty();
    is_usable.then_some(()).ok_or(expected)
}

/// Whether somebody can be sent there.
fn is_page(url: &str) -> bool {
    url.contains("://") && !url.starts_with('$')
}

const REDIRECT_PARAM: &str = "rd";

const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE",
];

/// The items of a list.
fn named(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// `ValidCacheDuration`: statuses, then one duration.
fn is_duration(text: &str) -> bool {
    let is_status = |word: &&str| word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit());
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let duration = words.find(|word| !is_status(word));
    let unit = duration.map(|word| word.trim_start_matches(|c: char| c.is_ascii_digit()));
    let has_number = duration.is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let is_unit =
        unit.is_some_and(|unit| matches!(unit, "ms" | "s" | "m" | "h" | "d" | "w" | "M" | "y"));
    has_number && is_unit && words.next().is_none()
}

/// A name that a pod may be told by, and nothing that bounds messages or that a proxy goes by.
///
/// Source: `ValidHeader`.
fn is_header(name: &str) -> bool {
    const OF_MESSAGES: [&str; 8] = [
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
    ];
    let name = name.to_ascii_lowercase();
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes().all(is_of_name)
        && !OF_MESSAGES.contains(&name.as_str())
        && !name.starts_with("x-limpet-")
        && !name.starts_with("x-envoy-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_up_to_its_path() {
        for (url, parts) in [
            ("http://a.b/c?d", Some(("http://a.b:80", "a.b", "/c?d"))),
            ("HTTPS://A.b:8443", Some(("https://a.b:8443", "a.b", ""))),
            (
                "http://127.0.0.1:1?x",
                Some(("http://127.0.0.1:1", "127.0.0.1", "/?x")),
            ),
            ("http://a/$host", Some(("http://a:80", "a", "/$host"))),
            ("$scheme://a/b", None),
            (
                "https://$host/a?b",
                Some(("https://$host:443", "$host", "/a?b")),
            ),
            (
                "http://$http_host:81",
                Some(("http://$http_host:81", "$http_host", "")),
            ),
            ("http://$hostname/a", None),
            ("http://$host.a/", None),
            ("http://$host$uri", None),
            ("http://a$host/", None),
            ("http://a$request_uri", None),
            ("http:///a", None),
            ("http://a..b/", None),
            ("http://a:x/", None),
            ("http://a:99999/", None),
            ("http://a:0/", None),
            ("http://a:+80/", None),
            ("http://u@a/", None),
            ("http://[::1]/", None),
            ("unix:/run/x", None),
            ("a", None),
            ("", None),
        ] {
            let read = AuthorizerUrl::read(url);
            let read = read
                .as_ref()
                .map(|one| (&*one.origin, &*one.host, &*one.path));
            assert_eq!(read, parts, "{url}");
        }
    }

    #[test]
    fn a_cache_keeps_statuses_for_a_duration() {
        for (text, is_one) in [
            ("200 202 401 5m", true),
            ("5m", true),
            ("200  10ms", true),
            ("200", false),
            ("200 forever", false),
            ("5m 200", false),
            ("200 5m 1h", false),
            ("200 m", false),
            ("", false),
        ] {
            assert_eq!(is_duration(text), is_one, "{text}");
        }
    }

    #[test]
    fn what_a_proxy_goes_by_is_nobodys_to_write() {
        for (name, may) in [
            ("X-User", true),
            ("x_user", true),
            ("Authorization", true),
            ("X-Limpet-Cluster", false),
            ("x-envoy-retry-on", false),
            ("Host", false),
            ("transfer-encoding", false),
            (":path", false),
            ("X One", false),
        ] {
            assert_eq!(is_header(name), may, "{name}");
        }
    }
}
