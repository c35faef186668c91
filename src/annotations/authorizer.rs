//! `auth-url` and what goes with it.
//!
//! Source: `Parse` of `internal/ingress/annotations/authreq`, `StringToURL` of its `parser`,
//! ingress-nginx dbb11b92d.

use super::read::{Reader, Unset};
use crate::config::Config;
use crate::remark::{Effect, Expected, Problem};

/// Who is asked whether a request may come in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorizerAnnotations {
    /// `auth-url`, up to its path: `scheme://host:port`, the port also where it is the usual one.
    pub origin: String,
    /// Its host.
    pub host: String,
    /// Its path and arguments; empty where there is none.
    pub path: String,
    /// `auth-method`; empty: GET.
    pub method: String,
    /// `auth-signin`; empty: none.
    pub signin: String,
    /// `auth-signin-redirect-param`.
    pub redirect_param: String,
    /// `auth-response-headers`.
    pub response_headers: Vec<String>,
    /// `auth-request-redirect`.
    pub request_redirect: String,
    /// `auth-always-set-cookie`.
    pub always_set_cookie: bool,
}

/// `Err`: nobody may come in. Nobody is asked where the configuration has no `authorizers`.
pub(super) fn authorizer(
    reader: &mut Reader,
    config: &Config,
) -> Result<Option<AuthorizerAnnotations>, ()> {
    if config.authorizers.is_empty() {
        return Ok(None);
    }
    let url = match reader.text("auth-url") {
        Ok(url) => url,
        Err(Unset::Missing | Unset::Content) => return Ok(None),
        Err(Unset::Refused) => return Err(()),
    };
    let Some(mut authorizer) = read_url(&url).filter(|one| is_told(one, config)) else {
        let problem = Problem::Not(Expected::Authorizer);
        reader.remark("auth-url", &url, problem, Effect::Path);
        return Err(());
    };
    authorizer.method = match reader.text("auth-method") {
        Ok(method) if METHODS.contains(&method.as_str()) => method,
        Err(Unset::Missing | Unset::Content) => String::new(),
        _ => return Err(()),
    };
    let names = reader.text("auth-response-headers");
    if names == Err(Unset::Refused) {
        return Err(());
    }
    let names = names.unwrap_or_default();
    for name in names.split(',').map(str::trim) {
        if !name.is_empty() {
            if !is_header(name) {
                let problem = Problem::Not(Expected::HeaderName);
                reader.remark("auth-response-headers", name, problem, Effect::Path);
                return Err(());
            }
            authorizer.response_headers.push(name.to_ascii_lowercase());
        }
    }
    authorizer.signin = reader.fit("auth-signin").unwrap_or_default();
    authorizer.redirect_param = reader
        .fit("auth-signin-redirect-param")
        .unwrap_or_else(|| "rd".to_owned());
    // ingress-nginx asks nobody any more where these are refused.
    if reader.text("auth-request-redirect") == Err(Unset::Refused)
        || reader.flag("auth-always-set-cookie") == Err(Unset::Refused)
    {
        return Err(());
    }
    authorizer.request_redirect = reader.text("auth-request-redirect").unwrap_or_default();
    authorizer.always_set_cookie = reader.flag("auth-always-set-cookie").unwrap_or_default();
    Ok(Some(authorizer))
}

const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE",
];

fn is_told(authorizer: &AuthorizerAnnotations, config: &Config) -> bool {
    config.authorizers.contains_key(&authorizer.origin)
}

/// The parts of an absolute URL of http whose host is fixed.
fn read_url(url: &str) -> Option<AuthorizerAnnotations> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "http" => "80",
        "https" => "443",
        _ => return None,
    };
    let end = rest.find(['/', '?', '$']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, usual));
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_fixed = !host.is_empty()
        && host.bytes().all(is_of_host)
        && !host.contains("..")
        && port.parse::<u16>().is_ok()
        && !path.starts_with('$');
    let host = host.to_ascii_lowercase();
    is_fixed.then(|| AuthorizerAnnotations {
        origin: format!("{scheme}://{host}:{port}"),
        host,
        path: if path.starts_with('?') {
            ["/", path].concat()
        } else {
            path.to_owned()
        },
        ..AuthorizerAnnotations::default()
    })
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
            ("http://$host/a", None),
            ("http://a$request_uri", None),
            ("http:///a", None),
            ("http://a..b/", None),
            ("http://a:x/", None),
            ("http://a:99999/", None),
            ("http://u@a/", None),
            ("http://[::1]/", None),
            ("unix:/run/x", None),
            ("a", None),
            ("", None),
        ] {
            let read = read_url(url);
            let read = read
                .as_ref()
                .map(|one| (&*one.origin, &*one.host, &*one.path));
            assert_eq!(read, parts, "{url}");
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
