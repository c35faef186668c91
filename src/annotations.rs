//! Every annotation that limpet honours, one row of one table.

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

pub mod catalogue;
