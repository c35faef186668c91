//! The annotations of one Ingress: what they say, after ingress-nginx's own reading.
//! The names, and what limpet makes of each, are in [`catalogue`].

mod authentication;
mod authorizer;
pub mod catalogue;
mod client_certificate;
mod family;
mod limits;
mod parse;
pub mod read;
#[cfg(test)]
mod tests;
pub mod validator;

pub use authorizer::check_global;
pub use authorizer::{AuthorizerAnnotations, AuthorizerUrl};
pub(crate) use authorizer::{MOST_FIELDS, global};
pub use client_certificate::{Asked as AskedCertificate, ClientCertificateAnnotations, Verify};
pub use parse::parse;

use crate::access::Lists;
use crate::authentication::Basic;
use crate::cors::Cors;
use crate::limits::Limits;
use std::sync::Arc;

/// The affinity family of one Ingress after ingress-nginx's validation: `None` where the
/// annotation is absent or was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AffinityAnnotations {
    /// `affinity-mode`.
    pub mode: Option<String>,
    /// `affinity-canary-behavior`.
    pub canary_behavior: Option<String>,
    /// `session-cookie-name`.
    pub name: Option<String>,
    /// `session-cookie-hash`.
    pub hash: Option<String>,
    /// `session-cookie-path`.
    pub path: Option<String>,
    /// `session-cookie-domain`.
    pub domain: Option<String>,
    /// `session-cookie-expires`.
    pub expires: Option<String>,
    /// `session-cookie-max-age`.
    pub max_age: Option<String>,
    /// `session-cookie-samesite`.
    pub same_site: Option<String>,
    /// `session-cookie-conditional-samesite-none`.
    pub conditional_same_site_none: Option<bool>,
    /// `session-cookie-secure`.
    pub secure: Option<bool>,
    /// `session-cookie-change-on-failure`.
    pub change_on_failure: Option<bool>,
    /// `limpet.dev/session-cookie-partitioned`: adds `Partitioned` (CHIPS).
    pub partitioned: Option<bool>,
    /// `limpet.dev/session-cookie-refresh`: sets the cookie on every response again, so that
    /// Max-Age and Expires slide.
    pub refresh: Option<bool>,
    /// `limpet.dev/session-cookie-default-path`: the Path where `session-cookie-path` is
    /// absent, instead of the location's path.
    pub default_path: Option<String>,
    /// `limpet.dev/session-cookie-skip-cacheable`: no cookie on responses whose
    /// Cache-Control says `public` or `s-maxage`.
    pub skip_cacheable: Option<bool>,
}

/// Everything that limpet reads from one Ingress's annotations. Text that is absent is empty.
#[derive(Debug, Clone, Default)]
pub struct Annotations {
    /// `server-alias`, sorted, each once.
    pub aliases: Vec<String>,
    /// The rewrite family.
    pub rewrite: Rewrite,
    /// The redirect family.
    pub redirect: Redirect,
    /// `use-port-in-redirects`.
    pub port_in_redirects: bool,
    /// `upstream-vhost`.
    pub upstream_vhost: String,
    /// `x-forwarded-prefix`.
    pub forwarded_prefix: String,
    /// What is changed in responses.
    pub response: ResponseRules,
    /// `upstream-hash-by`.
    pub hash_by: String,
    /// `upstream-hash-by-subset-size` where `upstream-hash-by-subset` is on.
    pub hash_subset: Option<i64>,
    /// `enable-rewrite-log`.
    pub logs_rewrites: bool,
    /// `default-backend`: a Service of the same namespace.
    pub default_backend: String,
    /// `custom-http-errors`; empty: the ConfigMap's.
    pub custom_http_errors: Vec<u16>,
    /// `disable-proxy-intercept-errors`.
    pub disable_proxy_intercept_errors: bool,
    /// `affinity`: `cookie` is the only kind that means anything.
    pub affinity: String,
    /// The rest of the affinity family.
    pub session: AffinityAnnotations,
    /// The canary family; `None`: not a canary.
    pub canary: Option<CanaryAnnotations>,
    /// `denylist-source-range` and `allowlist-source-range` or `whitelist-source-range`, each else
    /// the ConfigMap's.
    pub access: Lists,
    /// `enable-cors` and the `cors-*` beside it; `None`: nobody is told anything.
    pub cors: Option<Cors>,
    /// `proxy-body-size`, else the ConfigMap's, in bytes; 0: no bound.
    pub body_size: u64,
    /// `custom-headers`: a ConfigMap.
    pub custom_headers: String,
    /// `auth-type: basic` and what goes with it.
    pub basic: Option<Arc<Basic>>,
    /// `auth-url` and what goes with it, where the configuration says who may be asked.
    pub authorizer: Option<AuthorizerAnnotations>,
    /// `auth-tls-secret` and what goes with it, where the configuration says who asks; `None`: nobody is
    /// asked for a certificate.
    pub client_certificate: Option<ClientCertificateAnnotations>,
    /// `limit-rps`, `limit-rpm`, `limit-connections` and what goes with them; `None`: nothing is counted.
    pub limits: Option<Arc<Limits>>,
    /// `enable-global-auth`: whom `global-auth-url` names is asked where `auth-url` names nobody.
    pub global_auth: bool,
    /// `satisfy: any`: one of the lists and the questions is enough.
    pub satisfies_any: bool,
    /// A refused value makes every location answer 503.
    pub denied: bool,
}

/// The rewrite family.
#[derive(Debug, Clone, Default)]
pub struct Rewrite {
    /// `rewrite-target`.
    pub target: String,
    /// `use-regex`.
    pub use_regex: bool,
    /// `app-root`.
    pub app_root: String,
    /// `ssl-redirect`.
    pub ssl_redirect: bool,
    /// `force-ssl-redirect`.
    pub force_ssl_redirect: bool,
    /// `preserve-trailing-slash`.
    pub preserve_trailing_slash: bool,
}

impl Rewrite {
    /// Whether an Ingress with these annotations asks for regular expressions on its hosts.
    #[must_use]
    pub fn asks_for_regex(&self) -> bool {
        self.use_regex || !self.target.is_empty()
    }
}

/// The redirect family.
#[derive(Debug, Clone, Default)]
pub struct Redirect {
    /// `temporal-redirect`, or else `permanent-redirect`.
    pub url: String,
    /// Its status.
    pub code: u16,
    /// `from-to-www-redirect`.
    pub from_to_www: bool,
    /// `relative-redirects`.
    pub relative: bool,
}

/// What is changed in responses; `off` or empty: nothing.
#[derive(Debug, Clone, Default)]
pub struct ResponseRules {
    /// `proxy-cookie-path`.
    pub cookie_path: String,
    /// `proxy-cookie-domain`.
    pub cookie_domain: String,
    /// `proxy-redirect-from`.
    pub redirect_from: String,
    /// `proxy-redirect-to`.
    pub redirect_to: String,
}

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
