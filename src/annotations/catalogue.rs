//! The annotations of ingress-nginx 1.15 and of its predecessors, by name: what limpet
//! makes of each.
//!
//! Source: `AnnotationFields` of every package under `internal/ingress/annotations`,
//! ingress-nginx dbb11b92d.

use super::validator::Validator::{
    self, Any, Bool, Cidrs, Int, Options, Pattern, ServerName, ServerNames, ServiceName,
};
use super::validator::{Case, Spaces};
use Risk::{Critical, High, Low, Medium};
use Support::{No, Partly, Rendered, Yes};

/// One annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotation {
    /// Without the prefix `nginx.ingress.kubernetes.io/`.
    pub name: &'static str,
    /// ingress-nginx's group: `rewrite`, `affinity`, `canary`, `authentication`, ...
    pub family: &'static str,
    /// What `strict` accepts.
    pub validator: Validator,
    /// ingress-nginx's own risk level.
    pub risk: Risk,
    /// What becomes of a value that `strict` refuses.
    pub refused: Refused,
    /// What limpet makes of it.
    pub support: Support,
}

/// What limpet makes of an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// As ingress-nginx.
    Yes,
    /// With the difference named here.
    Partly(&'static str),
    /// By what `limpet render` writes for the platform, beside the module; what to use where that is
    /// not it.
    Rendered(&'static str),
    /// Not at all; what to use instead in Envoy or Istio.
    No(&'static str),
}

/// `annotations-risk-level` of ingress-nginx, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High: the highest that ingress-nginx 1.15 accepts by default.
    High,
    /// Critical: refused by default.
    Critical,
}

/// What ingress-nginx drops where it refuses a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The annotation alone: as if it were not there.
    Annotation,
    /// The whole Ingress: none of its paths is served.
    Ingress,
    /// Nothing, but the Ingress's locations answer 503.
    Deny,
}

/// The row of `name` (without prefix).
#[must_use]
pub fn find(name: &str) -> Option<&'static Annotation> {
    let at = ANNOTATIONS.binary_search_by(|annotation| annotation.name.cmp(name));
    at.ok().and_then(|at| ANNOTATIONS.get(at))
}

impl Annotation {
    /// Whether `value`, which its validator does not accept, is read all the same where values are not
    /// validated. What is no number, no word and no size is passed over by every ingress-nginx.
    #[must_use]
    pub fn reads(&self, value: &str) -> bool {
        match self.validator {
            Bool | Int | Options(..) | Pattern(SIZE, _) => false,
            // Where one of them is no number, none counts.
            _ if self.name == "custom-http-errors" => {
                let statuses = value.split(',').map(str::trim);
                let mut statuses = statuses.filter(|status| !status.is_empty());
                statuses.all(|status| status.parse::<u16>().is_ok())
            }
            _ => !READ_AGAIN.contains(&self.name),
        }
    }

    /// What it goes with, where ingress-nginx reads it only beside that, and refuses more than its value.
    ///
    /// Source: `Parse` of `auth`, `authreq` and `authtls`, which end where their first annotation is missing.
    #[must_use]
    pub fn head(&self) -> Option<&'static str> {
        let name = self.name;
        if name.starts_with("auth-secret") || name == "auth-realm" {
            Some("auth-type")
        } else if name == "auth-method" || name == "auth-response-headers" {
            Some("auth-url")
        } else {
            let is_beside = name.starts_with("auth-tls-") && name != "auth-tls-secret";
            is_beside.then_some("auth-tls-secret")
        }
    }

    /// Whether limpet keeps somebody out by it.
    #[must_use]
    pub fn protects(&self) -> bool {
        let heads = [
            "auth-type",
            "auth-secret",
            "auth-secret-type",
            "auth-url",
            "limit-connections",
            "limit-rpm",
            "limit-rps",
        ];
        self.family == "acl" || heads.contains(&self.name)
    }
}

/// What is compared with its pattern again where it is read.
const READ_AGAIN: [&str; 13] = [
    "auth-signin",
    "auth-signin-redirect-param",
    "auth-tls-verify-client",
    "cors-allow-headers",
    "cors-allow-methods",
    "cors-expose-headers",
    "mirror-host",
    "mirror-target",
    "proxy-next-upstream",
    "proxy-ssl-server-name",
    "proxy-ssl-verify",
    "session-cookie-expires",
    "session-cookie-max-age",
];

const fn row(
    name: &'static str,
    family: &'static str,
    validator: Validator,
    risk: Risk,
    refused: Refused,
    support: Support,
) -> Annotation {
    Annotation {
        name,
        family,
        validator,
        risk,
        refused,
        support,
    }
}

// The character sets of `parser/validators.go`.
const URL: &str = r"^[\-._~a-zA-Z0-9/:,?&=]*$";
const BASIC: &str = r"^[\-._~a-zA-Z0-9/:]*$";
const EXT: &str = r"^[\-._~a-zA-Z0-9/:, ]*$";
const SPACE: &str = r"^[\-._~a-zA-Z0-9/: ]*$";
const VAR: &str = r"^[A-Za-z0-9\-_${}]*$";
const PATH: &str = r"^/?[\-._~a-zA-Z0-9/:$]*$";
const HDRS: &str = r"^[A-Za-z0-9\-_, ]*$";
const URLVAR: &str = r"^[\-._~a-zA-Z0-9/:, ?&=$]*$";
const SIZE: &str = r"(?i)^\d+[bkmg]?$";
const REGEX: &str = r"^[\-._~a-zA-Z0-9/:^$\[\](){}*+?|&=\\]*$";

// What to use instead.
/// What is said of `auth-url` where nobody may be asked.
pub(super) const AUTHENTICATION: &str = "the configuration has no `authorizers`, so nobody is asked: use them, Envoy's ext_authz filter, or an Istio AuthorizationPolicy; rules on paths need protect";
const AUTHORIZER: &str = "outside of the cluster an https certificate is verified, and a host that is a variable has to be $host: whoever serves the path on the same host is asked; the host's own rules may not ask first";
const COSTLY_USERS: &str = "users with bcrypt digests, or with more than 5000 rounds, are not let in: a request may not take so long";
const DOWNSTREAM_TLS: &str =
    "TLS is the listener's: use the DownstreamTlsContext, or an Istio Gateway's tls";
/// What is said of `auth-tls-*` where the listener asks for no certificate.
pub(super) const CLIENT_CERTIFICATES: &str = "limpet render asks for them, but in sidecars, and but for optional_no_ca on Envoy Gateway; elsewhere use the listener's TLS context";
const RATE_LIMIT: &str = "use Envoy's local_ratelimit filter";
const BUFFER: &str = "Envoy streams bodies: use the buffer filter where a whole body is needed";
const TIMEOUT: &str = "limpet render writes it into routes and clusters; elsewhere use the route's idle_timeout or the cluster's connect_timeout";
const RETRY: &str = "limpet render writes it into routes; elsewhere use the route's retry_policy";
const WAF: &str = "use a WAF filter such as coraza-proxy-wasm";
const TRACING: &str = "use Envoy's tracing configuration";
const FASTCGI: &str = "Envoy speaks no FastCGI: put a FastCGI gateway in front of the pod";
const SNIPPET: &str = "nginx configuration cannot be run: find the Envoy filter that does it";
/// What is said of `proxy-ssl-*`.
pub(super) const UPSTREAM_TLS: &str =
    "limpet render has proxies do it; elsewhere use the cluster's transport_socket";
/// What is said of `ssl-passthrough`.
pub(super) const PASSTHROUGH: &str = "limpet render passes TLS on where ssl_passthrough (--config) is true; elsewhere use a TLS-passthrough listener (tcp_proxy with SNI filter chains)";
const MIRROR: &str =
    "limpet render writes it into routes; elsewhere use the route's request_mirror_policies";
const ERROR_PAGES: &str = "pages come from the Service of default-backend, asked once and without the request's body; one longer than 1 MiB is none, and 502 stands in its place";
const BALANCING: &str = "of two pods the one with fewer requests gets a new session, whatever it says; use the cluster's lb_policy";

/// Every annotation, in alphabetical order.
#[rustfmt::skip] // a table: one row, one line
pub static ANNOTATIONS: &[Annotation] = &[
    row("add-base-url", "rewrite", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15; without effect")),
    row("affinity", "affinity", Options(&["cookie"], Case::Kept), Low, Refused::Annotation, Yes),
    row("affinity-canary-behavior", "affinity", Options(&["sticky", "legacy"], Case::Kept), Low, Refused::Annotation, Yes),
    row("affinity-mode", "affinity", Options(&["balanced", "persistent"], Case::Kept), Medium, Refused::Annotation, Yes),
    row("allowlist-source-range", "acl", Cidrs, Medium, Refused::Deny, Yes),
    row("app-root", "rewrite", Pattern(PATH, Spaces::Kept), Medium, Refused::Annotation, Yes),
    row("auth-always-set-cookie", "authentication", Bool, Low, Refused::Annotation, Yes),
    row("auth-cache-duration", "authentication", Pattern(EXT, Spaces::Kept), Medium, Refused::Annotation, No("an authorizer is asked about every request")),
    row("auth-cache-key", "authentication", Pattern(VAR, Spaces::Removed), Medium, Refused::Annotation, No("an authorizer is asked about every request")),
    row("auth-keepalive", "authentication", Int, Low, Refused::Annotation, No("the cluster of an authorizer decides about its connections")),
    row("auth-keepalive-requests", "authentication", Int, Low, Refused::Annotation, No("the cluster of an authorizer decides about its connections")),
    row("auth-keepalive-share-vars", "authentication", Bool, Low, Refused::Annotation, No("the cluster of an authorizer decides about its connections")),
    row("auth-keepalive-timeout", "authentication", Int, Low, Refused::Annotation, No("the cluster of an authorizer decides about its connections")),
    row("auth-method", "authentication", Pattern(r"^(GET|HEAD|POST|PUT|PATCH|DELETE|CONNECT|OPTIONS|TRACE)$", Spaces::Removed), Low, Refused::Deny, Yes),
    row("auth-proxy-set-headers", "authentication", Pattern(BASIC, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("auth-realm", "authentication", Pattern(SPACE, Spaces::Kept), Medium, Refused::Ingress, Yes),
    row("auth-request-redirect", "authentication", Pattern(URL, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("auth-response-headers", "authentication", Pattern(HDRS, Spaces::Removed), Medium, Refused::Deny, Yes),
    row("auth-secret", "authentication", Pattern(BASIC, Spaces::Removed), Medium, Refused::Deny, Partly(COSTLY_USERS)),
    row("auth-secret-type", "authentication", Pattern(r"auth-file|auth-map", Spaces::Removed), Low, Refused::Ingress, Yes),
    row("auth-signin", "authentication", Pattern(URLVAR, Spaces::Removed), High, Refused::Annotation, Yes),
    row("auth-signin-redirect-param", "authentication", Pattern(URL, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("auth-snippet", "authentication", Any, Critical, Refused::Annotation, No(SNIPPET)),
    row("auth-tls-error-page", "authentication", Pattern(r"^(@[A-Za-z0-9_-]+|((https?://)?[A-Za-z0-9\-.]+(:\d+)?)?(/[A-Za-z0-9\-_.]+)*/?)$", Spaces::Removed), High, Refused::Ingress, Rendered(CLIENT_CERTIFICATES)),
    row("auth-tls-match-cn", "authentication", Pattern(r"^CN=", Spaces::Kept), High, Refused::Ingress, Rendered(CLIENT_CERTIFICATES)),
    row("auth-tls-pass-certificate-to-upstream", "authentication", Bool, Low, Refused::Ingress, Rendered(CLIENT_CERTIFICATES)),
    row("auth-tls-secret", "authentication", Pattern(BASIC, Spaces::Removed), Medium, Refused::Ingress, Rendered(CLIENT_CERTIFICATES)),
    row("auth-tls-verify-client", "authentication", Pattern(r"^(on|off|optional|optional_no_ca)$", Spaces::Removed), Medium, Refused::Annotation, Rendered(CLIENT_CERTIFICATES)),
    row("auth-tls-verify-depth", "authentication", Int, Low, Refused::Annotation, Rendered(CLIENT_CERTIFICATES)),
    row("auth-type", "authentication", Pattern(r"basic|digest", Spaces::Removed), Low, Refused::Ingress, Partly("digest is not honoured")),
    row("auth-url", "authentication", Pattern(URLVAR, Spaces::Removed), High, Refused::Ingress, Partly(AUTHORIZER)),
    row("backend-protocol", "backend", Options(&["auto_http", "http", "https", "grpc", "grpcs", "fcgi"], Case::Folded), Low, Refused::Annotation, Partly("`render envoy` and `istio` speak to pods as each Ingress says; on Envoy Gateway a Service port has one protocol, and you say which")),
    row("base-url-scheme", "rewrite", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15; without effect")),
    row("canary", "canary", Bool, Low, Refused::Annotation, Yes),
    row("canary-by-cookie", "canary", Pattern(BASIC, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("canary-by-header", "canary", Pattern(BASIC, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("canary-by-header-pattern", "canary", Pattern(REGEX, Spaces::Kept), Medium, Refused::Annotation, Partly("no look-around, no backreferences")),
    row("canary-by-header-value", "canary", Pattern(BASIC, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("canary-weight", "canary", Int, Low, Refused::Annotation, Yes),
    row("canary-weight-total", "canary", Int, Low, Refused::Annotation, Yes),
    row("client-body-buffer-size", "backend", Pattern(SIZE, Spaces::Removed), Low, Refused::Ingress, No(BUFFER)),
    row("configuration-snippet", "snippets", Any, Critical, Refused::Annotation, No(SNIPPET)),
    row("connection-proxy-header", "backend", Pattern(r"^(close|keep-alive)$", Spaces::Removed), Low, Refused::Ingress, No("Envoy manages upstream connections itself")),
    row("cors-allow-credentials", "cors", Bool, Low, Refused::Annotation, Yes),
    row("cors-allow-headers", "cors", Pattern(HDRS, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("cors-allow-methods", "cors", Pattern(r"^([A-Za-z]+,?\s?)+$", Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("cors-allow-origin", "cors", Pattern(r"^((((([a-z]+://)?(\*\.)?[A-Za-z0-9\-.]*(:\d+)?,?)|null)+)|\*)?$", Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("cors-expose-headers", "cors", Pattern(r"^(([A-Za-z0-9\-_]+|\*),?\s?)+$", Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("cors-max-age", "cors", Int, Low, Refused::Annotation, Yes),
    row("custom-headers", "backend", Pattern(BASIC, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("custom-http-errors", "backend", Pattern(r"^(?:[4,5]\d{2},?)*$", Spaces::Removed), Low, Refused::Ingress, Partly(ERROR_PAGES)),
    row("default-backend", "backend", ServiceName, Low, Refused::Ingress, Partly("`limpet` makes a cluster for the Service; a plugin configuration of your own has it in `clusters`")),
    row("denylist-source-range", "acl", Cidrs, Medium, Refused::Deny, Yes),
    row("disable-proxy-intercept-errors", "backend", Bool, Low, Refused::Annotation, Yes),
    row("enable-access-log", "log", Bool, Low, Refused::Annotation, No("use Envoy's access_log")),
    row("enable-cors", "cors", Bool, Low, Refused::Annotation, Yes),
    row("enable-global-auth", "authentication", Bool, Low, Refused::Annotation, Yes),
    row("enable-influxdb", "log", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15; without effect")),
    row("enable-modsecurity", "modsecurity", Bool, Low, Refused::Annotation, No(WAF)),
    row("enable-opentelemetry", "opentelemetry", Bool, Low, Refused::Annotation, No(TRACING)),
    row("enable-opentracing", "opentelemetry", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15; use Envoy's tracing configuration")),
    row("enable-owasp-core-rules", "modsecurity", Bool, Low, Refused::Annotation, No(WAF)),
    row("enable-rewrite-log", "log", Bool, Low, Refused::Annotation, Yes),
    row("fastcgi-index", "fastcgi", Pattern(r"^[A-Za-z0-9.\-_]+$", Spaces::Removed), Medium, Refused::Ingress, No(FASTCGI)),
    row("fastcgi-params-configmap", "fastcgi", Pattern(BASIC, Spaces::Removed), Medium, Refused::Ingress, No(FASTCGI)),
    row("force-ssl-redirect", "rewrite", Bool, Medium, Refused::Annotation, Yes),
    row("from-to-www-redirect", "redirect", Bool, Low, Refused::Ingress, Yes),
    row("global-rate-limit", "rate-limit", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15: use Envoy's ratelimit filter")),
    row("global-rate-limit-key", "rate-limit", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15: use Envoy's ratelimit filter")),
    row("global-rate-limit-window", "rate-limit", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15: use Envoy's ratelimit filter")),
    row("grpc-backend", "backend", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15: was backend-protocol GRPC; give the cluster http2_protocol_options")),
    row("http2-push-preload", "http2", Bool, Low, Refused::Ingress, No("browsers dropped HTTP/2 push")),
    row("limit-allowlist", "rate-limit", Cidrs, Low, Refused::Ingress, Yes),
    row("limit-burst-multiplier", "rate-limit", Int, Low, Refused::Annotation, Yes),
    row("limit-connections", "rate-limit", Int, Low, Refused::Ingress, Partly("a request counts for an hour at most")),
    row("limit-rate", "rate-limit", Int, Low, Refused::Annotation, No(RATE_LIMIT)),
    row("limit-rate-after", "rate-limit", Int, Low, Refused::Annotation, No(RATE_LIMIT)),
    row("limit-rpm", "rate-limit", Int, Low, Refused::Ingress, Yes),
    row("limit-rps", "rate-limit", Int, Low, Refused::Ingress, Yes),
    row("limit-whitelist", "rate-limit", Cidrs, Low, Refused::Ingress, Yes),
    row("load-balance", "backend", Options(&["round_robin", "chash", "chashsubset", "sticky_balanced", "sticky_persistent", "ewma"], Case::Kept), Low, Refused::Ingress, No(BALANCING)),
    row("lua-resty-waf", "modsecurity", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15; use a WAF filter such as coraza-proxy-wasm")),
    row("max-worker-connections", "backend", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15; without effect")),
    row("mirror-host", "mirror", ServerName, High, Refused::Annotation, Rendered(MIRROR)),
    row("mirror-request-body", "mirror", Pattern(r"^(on|off)$", Spaces::Removed), Low, Refused::Annotation, Rendered(MIRROR)),
    row("mirror-target", "mirror", ServerName, High, Refused::Annotation, Rendered(MIRROR)),
    row("modsecurity-snippet", "modsecurity", Any, Critical, Refused::Annotation, No(WAF)),
    row("modsecurity-transaction-id", "modsecurity", Pattern(VAR, Spaces::Removed), High, Refused::Annotation, No(WAF)),
    row("opentelemetry-operation-name", "opentelemetry", Pattern(r"^[A-Za-z0-9_-]*$", Spaces::Removed), Medium, Refused::Annotation, No(TRACING)),
    row("opentelemetry-trust-incoming-span", "opentelemetry", Bool, Low, Refused::Annotation, No(TRACING)),
    row("opentracing-trust-incoming-span", "opentelemetry", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15; use Envoy's tracing configuration")),
    row("permanent-redirect", "redirect", Pattern(URL, Spaces::Kept), Medium, Refused::Ingress, Yes),
    row("permanent-redirect-code", "redirect", Int, Low, Refused::Ingress, Yes),
    row("preserve-trailing-slash", "rewrite", Bool, Medium, Refused::Annotation, Yes),
    row("proxy-body-size", "backend", Pattern(SIZE, Spaces::Removed), Medium, Refused::Annotation, Partly("a body without Content-Length is counted on its way to the pod, which may see it end early")),
    row("proxy-buffer-size", "backend", Pattern(SIZE, Spaces::Removed), Low, Refused::Annotation, No(BUFFER)),
    row("proxy-buffering", "backend", Options(&["on", "off"], Case::Kept), Low, Refused::Annotation, No(BUFFER)),
    row("proxy-buffers-number", "backend", Int, Low, Refused::Annotation, No(BUFFER)),
    row("proxy-busy-buffers-size", "backend", Pattern(SIZE, Spaces::Removed), Low, Refused::Annotation, No(BUFFER)),
    row("proxy-connect-timeout", "backend", Int, Low, Refused::Annotation, Rendered(TIMEOUT)),
    row("proxy-cookie-domain", "backend", Pattern(r"^(off|[\-._~a-zA-Z0-9/:]+\s+[\-._~a-zA-Z0-9/:]+)$", Spaces::Kept), Medium, Refused::Annotation, Yes),
    row("proxy-cookie-path", "backend", Pattern(URL, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("proxy-http-version", "backend", Options(&["1.0", "1.1"], Case::Kept), Low, Refused::Annotation, No("the cluster's protocol options decide")),
    row("proxy-max-temp-file-size", "backend", Pattern(SIZE, Spaces::Removed), Low, Refused::Annotation, No(BUFFER)),
    row("proxy-next-upstream", "backend", Pattern(r"^((error|timeout|invalid_header|http_500|http_502|http_503|http_504|http_403|http_404|http_429|non_idempotent|off)\s?)+$", Spaces::Kept), Medium, Refused::Annotation, Rendered(RETRY)),
    row("proxy-next-upstream-timeout", "backend", Int, Low, Refused::Annotation, Rendered(RETRY)),
    row("proxy-next-upstream-tries", "backend", Int, Low, Refused::Annotation, Rendered(RETRY)),
    row("proxy-read-timeout", "backend", Int, Low, Refused::Annotation, Rendered(TIMEOUT)),
    row("proxy-redirect-from", "backend", Pattern(URL, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("proxy-redirect-to", "backend", Pattern(URL, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("proxy-request-buffering", "backend", Options(&["on", "off"], Case::Kept), Low, Refused::Annotation, No(BUFFER)),
    row("proxy-send-timeout", "backend", Int, Low, Refused::Annotation, Rendered(TIMEOUT)),
    row("proxy-ssl-ca-secret", "proxy", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15; use the cluster's transport_socket, or a DestinationRule's tls")),
    row("proxy-ssl-ciphers", "proxy", Pattern(r"^[A-Za-z0-9+:_\-!]*$", Spaces::Removed), Medium, Refused::Annotation, Rendered(UPSTREAM_TLS)),
    row("proxy-ssl-name", "proxy", ServerName, High, Refused::Annotation, Rendered(UPSTREAM_TLS)),
    row("proxy-ssl-protocols", "proxy", Pattern(r"^(TLSv1\.2|TLSv1\.3| )*$", Spaces::Removed), Low, Refused::Annotation, Rendered(UPSTREAM_TLS)),
    row("proxy-ssl-secret", "proxy", Pattern(BASIC, Spaces::Removed), Medium, Refused::Ingress, Rendered(UPSTREAM_TLS)),
    row("proxy-ssl-server-name", "proxy", Pattern(r"^(on|off)$", Spaces::Removed), Low, Refused::Annotation, Rendered(UPSTREAM_TLS)),
    row("proxy-ssl-verify", "proxy", Pattern(r"^(on|off)$", Spaces::Removed), Low, Refused::Annotation, Rendered(UPSTREAM_TLS)),
    row("proxy-ssl-verify-depth", "proxy", Int, Low, Refused::Annotation, Rendered(UPSTREAM_TLS)),
    row("relative-redirects", "redirect", Bool, Low, Refused::Ingress, Yes),
    row("rewrite-target", "rewrite", Pattern(PATH, Spaces::Kept), Medium, Refused::Annotation, Yes),
    row("satisfy", "authentication", Options(&["any", "all"], Case::Kept), Low, Refused::Annotation, Yes),
    row("secure-backends", "backend", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15: was backend-protocol HTTPS; give the cluster TLS")),
    row("secure-verify-ca-secret", "backend", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15: use the cluster's validation_context")),
    row("server-alias", "alias", ServerNames, High, Refused::Ingress, Yes),
    row("server-snippet", "snippets", Any, Critical, Refused::Annotation, No(SNIPPET)),
    row("service-upstream", "backend", Bool, Low, Refused::Annotation, No("point the cluster at the Service's own address")),
    row("session-cookie-change-on-failure", "affinity", Bool, Low, Refused::Annotation, Yes),
    row("session-cookie-conditional-samesite-none", "affinity", Bool, Low, Refused::Annotation, Yes),
    row("session-cookie-domain", "affinity", Pattern(BASIC, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("session-cookie-expires", "affinity", Pattern(r"(^0|-?[1-9]\d*$)", Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("session-cookie-hash", "affinity", Any, Low, Refused::Annotation, Partly("ingress-nginx ignores it from 0.24 on; limpet writes the digest it asks for, unless affinity-mode or cookie_format says otherwise")),
    row("session-cookie-httponly", "affinity", Any, Low, Refused::Annotation, No("no release of ingress-nginx knows it: its cookies are always HttpOnly, and so are limpet's")),
    row("session-cookie-max-age", "affinity", Pattern(r"(^0|-?[1-9]\d*$)", Spaces::Kept), Medium, Refused::Annotation, Yes),
    row("session-cookie-name", "affinity", Pattern(BASIC, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("session-cookie-path", "affinity", Pattern(URL, Spaces::Removed), Medium, Refused::Annotation, Yes),
    row("session-cookie-samesite", "affinity", Options(&["none", "lax", "strict"], Case::Folded), Low, Refused::Annotation, Yes),
    row("session-cookie-secure", "affinity", Bool, Low, Refused::Annotation, Yes),
    row("ssl-ciphers", "backend", Pattern(r"^(?:(?:[A-Za-z0-9!:+\-_])*(?:@STRENGTH)*(?:@SECLEVEL=[0-5])*(?:@STRENGTH)*)*$", Spaces::Removed), Low, Refused::Ingress, No(DOWNSTREAM_TLS)),
    row("ssl-passthrough", "tls", Bool, Low, Refused::Ingress, Rendered(PASSTHROUGH)),
    row("ssl-prefer-server-ciphers", "backend", Bool, Low, Refused::Annotation, No(DOWNSTREAM_TLS)),
    row("ssl-redirect", "rewrite", Bool, Low, Refused::Annotation, Yes),
    row("ssl-redirect-code", "redirect", Any, Low, Refused::Annotation, No("no release of ingress-nginx knows it: use http-redirect-code in config_map")),
    row("stream-snippet", "snippets", Any, Critical, Refused::Annotation, No(SNIPPET)),
    row("temporal-redirect", "redirect", Pattern(URL, Spaces::Kept), Medium, Refused::Ingress, Yes),
    row("temporal-redirect-code", "redirect", Int, Low, Refused::Ingress, Yes),
    row("upstream-fail-timeout", "backend", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15: use outlier_detection")),
    row("upstream-hash-by", "backend", Pattern(r"^[A-Za-z0-9\-_${}]*$", Spaces::Removed), High, Refused::Ingress, Yes),
    row("upstream-hash-by-subset", "backend", Bool, Low, Refused::Ingress, Yes),
    row("upstream-hash-by-subset-size", "backend", Int, Low, Refused::Ingress, Yes),
    row("upstream-max-fails", "backend", Any, Low, Refused::Annotation, No("removed from ingress-nginx before 1.15: use outlier_detection")),
    row("upstream-vhost", "backend", ServerName, Low, Refused::Ingress, Yes),
    row("use-port-in-redirects", "redirect", Bool, Low, Refused::Annotation, Partly("the port is 443, which is nginx's default too")),
    row("use-regex", "rewrite", Bool, Low, Refused::Annotation, Partly("no backreferences; look-around where its meaning can be kept")),
    row("whitelist-source-range", "acl", Cidrs, Medium, Refused::Deny, Yes),
    row("x-forwarded-prefix", "backend", Pattern(PATH, Spaces::Removed), Medium, Refused::Ingress, Yes),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_row_is_found() {
        assert!(ANNOTATIONS.is_sorted_by(|a, b| a.name < b.name));
        for annotation in ANNOTATIONS {
            assert_eq!(find(annotation.name), Some(annotation));
        }
    }
}
