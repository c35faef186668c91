//! The parsers of the families that limpet honours.
//!
//! Source: the `Parse` method of the packages under `internal/ingress/annotations` of the same
//! names, ingress-nginx dbb11b92d.

use super::read::{Reader, Unset};
use super::{
    AffinityAnnotations, Annotations, CanaryAnnotations, Redirect, ResponseRules, Rewrite,
};
use super::{authentication, authorizer, client_certificate, limits};
use crate::access::{Lists, Networks};
use crate::body;
use crate::config::Config;
use crate::config::settings::Settings;
use crate::cors::{Cors, Told};
use crate::remark::{Effect, Expected, Problem};

/// All families but the redirects, whose refusals drop the Ingress.
pub(super) fn annotations(
    reader: &mut Reader,
    settings: &Settings,
    config: &Config,
) -> Annotations {
    let affinity = reader.text("affinity").unwrap_or_default();
    let lists = lists(reader, settings);
    let basic = authentication::basic(reader, settings, config);
    let authorizer = authorizer::authorizer(reader, settings, config);
    let limits = limits::limits(reader, settings);
    Annotations {
        aliases: aliases(reader),
        rewrite: rewrite(reader, settings),
        redirect: Redirect::default(),
        port_in_redirects: reader
            .flag("use-port-in-redirects")
            .unwrap_or(settings.use_port_in_redirects),
        upstream_vhost: reader.text("upstream-vhost").unwrap_or_default(),
        forwarded_prefix: reader.text("x-forwarded-prefix").unwrap_or_default(),
        response: response(reader, settings),
        hash_by: reader.text("upstream-hash-by").unwrap_or_default(),
        hash_subset: hash_subset(reader),
        logs_rewrites: reader.flag("enable-rewrite-log").unwrap_or_default(),
        default_backend: reader.text("default-backend").unwrap_or_default(),
        custom_http_errors: custom_http_errors(reader),
        disable_proxy_intercept_errors: reader
            .flag("disable-proxy-intercept-errors")
            .unwrap_or_default(),
        session: session(reader, &affinity),
        affinity,
        canary: canary(reader),
        cors: cors(reader),
        body_size: body_size(reader, settings),
        custom_headers: reader.text("custom-headers").unwrap_or_default(),
        denied: lists.is_none() || basic.is_err() || authorizer.is_err() || limits.is_err(),
        limits: limits.unwrap_or_default(),
        client_certificate: client_certificate::client_certificate(reader, settings, config),
        authorizer: authorizer.unwrap_or_default(),
        global_auth: reader.flag("enable-global-auth").unwrap_or(true),
        basic: basic.unwrap_or_default(),
        satisfies_any: reader.text("satisfy").as_deref() == Ok("any"),
        access: lists.unwrap_or_default(),
    }
}

/// A value that is refused and has no star allows nobody: ingress-nginx makes `*` of it.
fn cors(reader: &mut Reader) -> Option<Cors> {
    const METHODS: &str = "GET, PUT, POST, DELETE, PATCH, OPTIONS";
    const HEADERS: &str = "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,\
                           Cache-Control,Content-Type,Range,Authorization";
    if !reader.flag("enable-cors").unwrap_or_default() {
        return None;
    }
    let origins = match reader.text("cors-allow-origin") {
        Ok(origins) => origins,
        Err(Unset::Missing | Unset::Content) => "*".to_owned(),
        Err(Unset::Refused) => reader.raw("cors-allow-origin")?.to_owned(),
    };
    let mut text = |name: &str, default: &str| {
        let text = reader.fit(name);
        text.unwrap_or_else(|| default.to_owned())
    };
    let told = Told {
        methods: text("cors-allow-methods", METHODS),
        headers: text("cors-allow-headers", HEADERS),
        expose: text("cors-expose-headers", ""),
        credentials: reader.flag("cors-allow-credentials").unwrap_or(true),
        max_age: reader.number("cors-max-age").unwrap_or(1_728_000),
    };
    let is_refused = reader.text("cors-allow-origin") == Err(Unset::Refused);
    Cors::new(&origins, told).filter(|cors| !is_refused || cors.is_for_all())
}

/// What is accepted and is no size to nginx, such as `8b`, leaves the bound to nginx.
fn body_size(reader: &mut Reader, settings: &Settings) -> u64 {
    const NAME: &str = "proxy-body-size";
    let Some(text) = reader.fit(NAME) else {
        return settings.proxy_body_size;
    };
    body::read(&text).unwrap_or_else(|| {
        let (expected, by) = (Expected::Size, "1m".to_owned());
        let problem = Problem::Replaced { expected, by };
        reader.remark(NAME, &text, problem, Effect::AsBefore);
        body::DEFAULT
    })
}

/// Where one of them is no number, none counts: [`super::catalogue::Annotation::reads`].
///
/// Source: `Parse` of `customhttperrors`.
fn custom_http_errors(reader: &mut Reader) -> Vec<u16> {
    let Ok(text) = reader.text("custom-http-errors") else {
        return Vec::new();
    };
    let statuses = text.split(',').map(str::trim);
    let statuses = statuses.filter(|status| !status.is_empty());
    // Each once, and none that no answer has: every location has the list.
    let mut all = Vec::new();
    for status in statuses {
        let Ok(status) = status.parse() else {
            return Vec::new();
        };
        if (100..600).contains(&status) && !all.contains(&status) {
            all.push(status);
        }
    }
    all
}

/// `None`: a list is none, which denies the locations.
///
/// Source: `Parse` of `ipallowlist` and `ipdenylist`.
fn lists(reader: &mut Reader, settings: &Settings) -> Option<Lists> {
    let access = &settings.access;
    let allow = [ALLOWLIST, "whitelist-source-range"];
    let deny = networks(reader, "denylist-source-range", &access.deny);
    let says = |name: &&str| reader.raw(name).is_some_and(|value| !value.is_empty());
    let name = allow.into_iter().find(says);
    let allow = networks(reader, name.unwrap_or(ALLOWLIST), &access.allow);
    Some(Lists {
        deny: deny?,
        allow: allow?,
    })
}

/// The alias counts where this one is absent or empty, and is none where it is empty itself.
const ALLOWLIST: &str = "allowlist-source-range";

fn networks(
    reader: &mut Reader,
    name: &str,
    default: &Option<Networks>,
) -> Option<Option<Networks>> {
    let text = match reader.text(name) {
        Ok(text) => text,
        Err(Unset::Missing) => return Some(default.clone()),
        Err(Unset::Content | Unset::Refused) => String::new(),
    };
    let networks = Networks::read(text.split(','));
    if networks.is_none() {
        let value = reader.raw(name).unwrap_or_default().to_owned();
        let problem = Problem::Not(Expected::Networks);
        reader.remark(name, &value, problem, Effect::Path);
    }
    networks.map(Some)
}

fn aliases(reader: &mut Reader) -> Vec<String> {
    let text = reader.text("server-alias").unwrap_or_default();
    let mut aliases: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    aliases.retain(|name| !name.is_empty());
    aliases.sort_unstable();
    aliases.dedup();
    aliases
}

fn rewrite(reader: &mut Reader, settings: &Settings) -> Rewrite {
    Rewrite {
        target: reader.text("rewrite-target").unwrap_or_default(),
        use_regex: reader.flag("use-regex").unwrap_or_default(),
        app_root: app_root(reader),
        ssl_redirect: reader.flag("ssl-redirect").unwrap_or(settings.ssl_redirect),
        force_ssl_redirect: reader
            .flag("force-ssl-redirect")
            .unwrap_or(settings.force_ssl_redirect),
        preserve_trailing_slash: reader
            .flag("preserve-trailing-slash")
            .unwrap_or(settings.preserve_trailing_slash),
    }
}

/// Only a path is accepted: `url.ParseRequestURI` wants a leading slash or a scheme, and one
/// with a scheme is refused.
fn app_root(reader: &mut Reader) -> String {
    let text = reader.text("app-root").unwrap_or_default();
    if text.is_empty() || text.starts_with('/') {
        return text;
    }
    let problem = Problem::Not(Expected::RootedPath);
    reader.remark("app-root", &text, problem, Effect::AsBefore);
    String::new()
}

/// `Err`: the Ingress is dropped.
pub(super) fn redirect(reader: &mut Reader) -> Result<Redirect, ()> {
    match redirect_of(reader) {
        Ok(redirect) => Ok(redirect),
        // An unusable value that no validator saw drops the family alone.
        Err(Unset::Missing | Unset::Content) => {
            let dropped = ["temporal-redirect", "permanent-redirect"].into_iter();
            for name in dropped {
                let url = reader.text(name).unwrap_or_default();
                if !url.is_empty() && (name == "permanent-redirect" || is_http(&url)) {
                    let by = "a value beside it that cannot be read".to_owned();
                    reader.remark(name, &url, Problem::Superseded { by }, Effect::AsBefore);
                }
            }
            Ok(Redirect::default())
        }
        Err(Unset::Refused) => Err(()),
    }
}

fn redirect_of(reader: &mut Reader) -> Result<Redirect, Unset> {
    let from_to_www = optional(reader.flag("from-to-www-redirect"))?.unwrap_or_default();
    let relative = optional(reader.flag("relative-redirects"))?.unwrap_or_default();
    if let Some(url) = optional(reader.text("temporal-redirect"))? {
        let code = optional(reader.number("temporal-redirect-code"))?;
        if !is_http(&url) {
            let problem = Problem::Not(Expected::HttpUrl);
            reader.remark("temporal-redirect", &url, problem, Effect::AsBefore);
            return Err(Unset::Content);
        }
        return Ok(Redirect {
            url,
            code: code_in(code, 307, 302),
            from_to_www,
            relative,
        });
    }
    let url = optional(reader.text("permanent-redirect"))?.unwrap_or_default();
    let code = optional(reader.number("permanent-redirect-code"))?;
    Ok(Redirect {
        url,
        code: code_in(code, 308, 301),
        from_to_www,
        relative,
    })
}

fn optional<T>(value: Result<T, Unset>) -> Result<Option<T>, Unset> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(Unset::Missing) => Ok(None),
        Err(other) => Err(other),
    }
}

/// `isValidURL`: Go's `url.Parse` lowers the scheme's case, and wants a port in digits.
fn is_http(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else {
        return false;
    };
    let end = |text: &str| text.find(['/', '?', '#']).unwrap_or(text.len());
    let authority = rest.strip_prefix("//").unwrap_or_default();
    let authority = authority.get(..end(authority)).unwrap_or_default();
    let host = authority.rsplit(']').next().unwrap_or_default();
    let port = host.split_once(':').map_or("", |(_, port)| port);
    let scheme = Some(scheme.to_ascii_lowercase());
    let scheme = scheme.filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()));
    scheme.is_some_and(|scheme| {
        scheme.starts_with("http")
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn code_in(code: Option<i64>, most: i64, default: u16) -> u16 {
    let code = code.filter(|code| (300..=most).contains(code));
    code.and_then(|code| u16::try_from(code).ok())
        .unwrap_or(default)
}

fn response(reader: &mut Reader, settings: &Settings) -> ResponseRules {
    let mut text =
        |name: &str, default: &String| reader.text(name).unwrap_or_else(|_| default.clone());
    ResponseRules {
        cookie_path: text("proxy-cookie-path", &settings.proxy_cookie_path),
        cookie_domain: text("proxy-cookie-domain", &settings.proxy_cookie_domain),
        redirect_from: text("proxy-redirect-from", &settings.proxy_redirect_from),
        redirect_to: text("proxy-redirect-to", &settings.proxy_redirect_to),
    }
}

fn hash_subset(reader: &mut Reader) -> Option<i64> {
    let size = reader
        .number("upstream-hash-by-subset-size")
        .unwrap_or_default();
    let size = if size == 0 { 3 } else { size };
    reader
        .flag("upstream-hash-by-subset")
        .is_ok_and(|on| on)
        .then_some(size)
}

/// The cookie's attributes are read only where the affinity is `cookie`, its mode always.
fn session(reader: &mut Reader, affinity: &str) -> AffinityAnnotations {
    let mut session = AffinityAnnotations {
        mode: reader.text("affinity-mode").ok(),
        canary_behavior: reader.text("affinity-canary-behavior").ok(),
        ..AffinityAnnotations::default()
    };
    if affinity != "cookie" {
        return session;
    }
    session.name = reader.text("session-cookie-name").ok();
    session.hash = reader.text("session-cookie-hash").ok();
    session.path = reader.text("session-cookie-path").ok();
    session.domain = reader.text("session-cookie-domain").ok();
    session.expires = reader
        .text("session-cookie-expires")
        .ok()
        .filter(|age| is_age(age));
    session.max_age = reader
        .text("session-cookie-max-age")
        .ok()
        .filter(|age| is_age(age));
    session.same_site = reader.text("session-cookie-samesite").ok();
    session.conditional_same_site_none =
        reader.flag("session-cookie-conditional-samesite-none").ok();
    session.secure = reader.flag("session-cookie-secure").ok();
    session.change_on_failure = reader.flag("session-cookie-change-on-failure").ok();
    session.partitioned = reader.own_flag("session-cookie-partitioned");
    session.refresh = reader.own_flag("session-cookie-refresh");
    session.default_path = reader.own_text("session-cookie-default-path");
    session.skip_cacheable = reader.own_flag("session-cookie-skip-cacheable");
    session
}

/// `affinityCookieExpiresRegex`, `(^0|-?[1-9]\d*$)`: applied even where nothing is validated.
fn is_age(text: &str) -> bool {
    let digits = text.len() - text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let tail = text.get(text.len() - digits..).unwrap_or_default();
    text.starts_with('0') || tail.bytes().any(|digit| digit != b'0')
}

fn canary(reader: &mut Reader) -> Option<CanaryAnnotations> {
    let enabled = reader.flag("canary").unwrap_or_default();
    let canary = CanaryAnnotations {
        weight: reader.number("canary-weight").unwrap_or_default(),
        weight_total: reader.number("canary-weight-total").unwrap_or(100),
        header: reader.text("canary-by-header").unwrap_or_default(),
        header_value: reader.text("canary-by-header-value").unwrap_or_default(),
        header_pattern: reader.text("canary-by-header-pattern").unwrap_or_default(),
        cookie: reader.text("canary-by-cookie").unwrap_or_default(),
    };
    enabled.then_some(canary)
}
