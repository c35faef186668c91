//! ingress-nginx's own ConfigMap: the settings that bear on what limpet does.
//!
//! Source: `NewDefault` in `internal/ingress/controller/config/config.go` and `ReadConfig` in
//! `internal/ingress/controller/template/configmap.go`, ingress-nginx dbb11b92d.

use crate::access::{Lists, Networks};
use crate::annotations::catalogue::Risk;
use crate::annotations::validator::parse_bool;
use crate::body;
use crate::head::HeadBuffers;
use crate::remark::{Effect, Expected, Problem, Remark};
use std::collections::BTreeMap;

/// The settings, with ingress-nginx's defaults where the ConfigMap says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `ssl-redirect`: on where the host has TLS.
    pub ssl_redirect: bool,
    /// `force-ssl-redirect`.
    pub force_ssl_redirect: bool,
    /// `preserve-trailing-slash`.
    pub preserve_trailing_slash: bool,
    /// `use-port-in-redirects`.
    pub use_port_in_redirects: bool,
    /// `relative-redirects`.
    pub relative_redirects: bool,
    /// `use-forwarded-headers`.
    pub use_forwarded_headers: bool,
    /// `enable-underscores-in-headers`: whether headers with `_` in their names count.
    pub underscores_in_headers: bool,
    /// `ignore-invalid-headers`: fields with odd names are dropped.
    pub ignore_invalid_headers: bool,
    /// `http-redirect-code`.
    pub http_redirect_code: u16,
    /// `no-tls-redirect-locations`: beginnings of paths.
    pub no_tls_redirect_locations: Vec<String>,
    /// `no-auth-locations`: beginnings of paths.
    pub no_auth_locations: Vec<String>,
    /// `global-auth-url` and the keys beside it, by what follows `global-auth-`.
    pub global_auth: BTreeMap<String, String>,
    /// `allow-cross-namespace-resources`.
    pub allow_cross_namespace_resources: bool,
    /// `denylist-source-range` and `whitelist-source-range`, where no annotation says otherwise.
    pub access: Lists,
    /// `block-cidrs`: of locations without any list.
    pub block_cidrs: Option<Networks>,
    /// `use-proxy-protocol`.
    pub use_proxy_protocol: bool,
    /// `compute-full-forwarded-for`.
    pub compute_full_forwarded_for: bool,
    /// `enable-real-ip`: the client's address is a proxy's to say, as with `use-forwarded-headers`.
    pub enable_real_ip: bool,
    /// `forwarded-for-header`, in lower case.
    pub forwarded_for_header: String,
    /// `proxy-real-ip-cidr`.
    pub proxy_real_ip_cidr: Networks,
    /// `block-user-agents`.
    pub block_user_agents: Vec<String>,
    /// `block-referers`.
    pub block_referers: Vec<String>,
    /// `limit-req-status-code`.
    pub limit_req_status_code: u16,
    /// `limit-conn-status-code`.
    pub limit_conn_status_code: u16,
    /// `limit-conn-zone-variable`: the header of `$http_...`; `None`: clients are told apart by address.
    pub limit_header: Option<String>,
    /// `proxy-body-size`, in bytes; 0: no bound.
    pub proxy_body_size: u64,
    /// `large-client-header-buffers`.
    pub large_client_header_buffers: HeadBuffers,
    /// `custom-http-errors`.
    pub custom_http_errors: Vec<u16>,
    /// `disable-proxy-intercept-errors`.
    pub disable_proxy_intercept_errors: bool,
    /// `add-headers`: a ConfigMap.
    pub add_headers: String,
    /// `proxy-set-headers`: a ConfigMap.
    pub proxy_set_headers: String,
    /// `hide-headers`, in lower case.
    pub hide_headers: Vec<String>,
    /// `global-allowed-response-headers`.
    pub allowed_response_headers: Vec<String>,
    /// `hsts`, `hsts-max-age`, `hsts-include-subdomains` and `hsts-preload`.
    pub hsts: Hsts,
    /// `proxy-cookie-path`.
    pub proxy_cookie_path: String,
    /// `proxy-cookie-domain`.
    pub proxy_cookie_domain: String,
    /// `proxy-redirect-from`.
    pub proxy_redirect_from: String,
    /// `proxy-redirect-to`.
    pub proxy_redirect_to: String,
    /// `annotations-risk-level`; `None`: not said, which is High where annotations are validated.
    pub risk: Option<Risk>,
    /// `annotation-value-word-blocklist`.
    pub blocked_words: Vec<String>,
}

/// HTTP Strict Transport Security.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hsts {
    on: bool,
    /// As written: nobody reads it.
    max_age: String,
    include_subdomains: bool,
    preload: bool,
}

impl Default for Hsts {
    fn default() -> Self {
        Self {
            on: true,
            max_age: "31536000".to_owned(),
            include_subdomains: true,
            preload: false,
        }
    }
}

impl Hsts {
    /// The value of Strict-Transport-Security; `None`: there is none.
    ///
    /// Source: `_M.header` of `rootfs/etc/nginx/lua/lua_ingress.lua`.
    #[must_use]
    pub fn value(&self) -> Option<String> {
        let mut value = format!("max-age={}", self.max_age);
        if self.include_subdomains {
            value.push_str("; includeSubDomains");
        }
        if self.preload {
            value.push_str("; preload");
        }
        self.on.then_some(value)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ssl_redirect: true,
            force_ssl_redirect: false,
            preserve_trailing_slash: false,
            use_port_in_redirects: false,
            relative_redirects: false,
            use_forwarded_headers: false,
            underscores_in_headers: false,
            ignore_invalid_headers: true,
            http_redirect_code: 308,
            no_tls_redirect_locations: vec!["/.well-known/acme-challenge".to_owned()],
            no_auth_locations: vec!["/.well-known/acme-challenge".to_owned()],
            global_auth: BTreeMap::new(),
            allow_cross_namespace_resources: false,
            access: Lists::default(),
            block_cidrs: None,
            use_proxy_protocol: false,
            compute_full_forwarded_for: false,
            enable_real_ip: false,
            forwarded_for_header: "x-forwarded-for".to_owned(),
            proxy_real_ip_cidr: Networks::all_of_ipv4(),
            block_user_agents: Vec::new(),
            block_referers: Vec::new(),
            limit_req_status_code: 503,
            limit_conn_status_code: 503,
            limit_header: None,
            proxy_body_size: body::DEFAULT,
            large_client_header_buffers: HeadBuffers::default(),
            custom_http_errors: Vec::new(),
            disable_proxy_intercept_errors: false,
            add_headers: String::new(),
            proxy_set_headers: String::new(),
            hide_headers: Vec::new(),
            allowed_response_headers: Vec::new(),
            hsts: Hsts::default(),
            proxy_cookie_path: "off".to_owned(),
            proxy_cookie_domain: "off".to_owned(),
            proxy_redirect_from: "off".to_owned(),
            proxy_redirect_to: "off".to_owned(),
            risk: None,
            blocked_words: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads a ConfigMap's `data`; keys that do not bear on limpet are passed over.
    #[must_use]
    pub fn read(map: &BTreeMap<String, String>) -> (Self, Vec<Remark>) {
        let mut settings = Self::default();
        let mut remarks = Vec::new();
        for (key, value) in map {
            if let Err(expected) = settings.set(key, value) {
                let by = match expected {
                    Expected::Networks => settings.close(key),
                    _ => "the default",
                };
                // nginx does not start with some, and of names it takes others.
                let effect = match expected {
                    Expected::Flag | Expected::RedirectCode | Expected::Size => Effect::AsBefore,
                    _ => Effect::Setting,
                };
                let by = by.to_owned();
                let problem = Problem::Replaced { expected, by };
                let field = format!("config_map.{key}");
                let value = Some(value.clone());
                remarks.push(Remark::key(&field, value, problem, effect));
            }
        }
        (settings, remarks)
    }

    /// Sets one key, or says what was expected.
    fn set(&mut self, key: &str, value: &str) -> Result<(), Expected> {
        match key {
            "ssl-redirect" => self.ssl_redirect = flag(value)?,
            "force-ssl-redirect" => self.force_ssl_redirect = flag(value)?,
            "preserve-trailing-slash" => self.preserve_trailing_slash = flag(value)?,
            "use-port-in-redirects" => self.use_port_in_redirects = flag(value)?,
            "relative-redirects" => self.relative_redirects = flag(value)?,
            "use-forwarded-headers" => self.use_forwarded_headers = flag(value)?,
            "enable-underscores-in-headers" => self.underscores_in_headers = flag(value)?,
            "ignore-invalid-headers" => self.ignore_invalid_headers = flag(value)?,
            "http-redirect-code" => self.http_redirect_code = redirect_code(value)?,
            "no-tls-redirect-locations" => self.no_tls_redirect_locations = list(value),
            "no-auth-locations" => self.no_auth_locations = list(value),
            "allow-cross-namespace-resources" => {
                self.allow_cross_namespace_resources = flag(value)?;
            }
            "denylist-source-range" => self.access.deny = networks(value)?,
            "whitelist-source-range" => self.access.allow = networks(value)?,
            "block-cidrs" => self.block_cidrs = networks(value)?,
            "use-proxy-protocol" => self.use_proxy_protocol = flag(value)?,
            "compute-full-forwarded-for" => self.compute_full_forwarded_for = flag(value)?,
            "enable-real-ip" => self.enable_real_ip = flag(value)?,
            "forwarded-for-header" if !value.is_empty() => {
                self.forwarded_for_header = value.to_ascii_lowercase();
            }
            "proxy-real-ip-cidr" => {
                // Nothing and what is no list name nobody.
                self.proxy_real_ip_cidr = Networks::default();
                self.proxy_real_ip_cidr = networks(value)?.unwrap_or_default();
            }
            "block-user-agents" => self.block_user_agents = list(value),
            "block-referers" => self.block_referers = list(value),
            "proxy-body-size" if !value.is_empty() => {
                self.proxy_body_size = body::read(value).ok_or(Expected::Size)?;
            }
            "limit-req-status-code" => self.limit_req_status_code = error_code(value)?,
            "limit-conn-status-code" => self.limit_conn_status_code = error_code(value)?,
            "limit-conn-zone-variable" => {
                let header = value.strip_prefix("$http_");
                self.limit_header = header.map(|name| name.to_ascii_lowercase().replace('_', "-"));
            }
            "large-client-header-buffers" => {
                self.large_client_header_buffers =
                    HeadBuffers::read(value).ok_or(Expected::Buffers)?;
            }
            "custom-http-errors" => {
                // `filterErrors`
                let statuses = value.split(',').filter_map(|text| text.trim().parse().ok());
                let statuses = statuses.filter(|status| (300..600).contains(status));
                self.custom_http_errors = statuses.collect();
            }
            "disable-proxy-intercept-errors" => {
                self.disable_proxy_intercept_errors = flag(value)?;
            }
            "add-headers" => value.clone_into(&mut self.add_headers),
            "proxy-set-headers" => value.clone_into(&mut self.proxy_set_headers),
            "hide-headers" => self.hide_headers = list(&value.to_ascii_lowercase()),
            "global-allowed-response-headers" => self.allowed_response_headers = list(value),
            "hsts" => self.hsts.on = flag(value)?,
            "hsts-max-age" => value.clone_into(&mut self.hsts.max_age),
            "hsts-include-subdomains" => self.hsts.include_subdomains = flag(value)?,
            "hsts-preload" => self.hsts.preload = flag(value)?,
            "proxy-cookie-path" => value.clone_into(&mut self.proxy_cookie_path),
            "proxy-cookie-domain" => value.clone_into(&mut self.proxy_cookie_domain),
            "proxy-redirect-from" => value.clone_into(&mut self.proxy_redirect_from),
            "proxy-redirect-to" => value.clone_into(&mut self.proxy_redirect_to),
            "annotations-risk-level" => self.risk = Some(risk(value)),
            "annotation-value-word-blocklist" => {
                self.blocked_words = value.trim().split(',').map(str::to_owned).collect();
                self.blocked_words.retain(|word| !word.is_empty());
            }
            _ => {
                if let Some(name) = key.strip_prefix("global-auth-") {
                    self.global_auth.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        Ok(())
    }

    /// What a list is that cannot be read: nginx does not start with it, and who was kept out by it
    /// stays out.
    fn close(&mut self, key: &str) -> &'static str {
        match key {
            "denylist-source-range" => self.access.deny = Some(Networks::everybody()),
            "whitelist-source-range" => self.access.allow = Some(Networks::default()),
            "block-cidrs" => self.block_cidrs = Some(Networks::everybody()),
            _ => return "a list that names nobody",
        }
        "a list that lets nobody in"
    }
}

/// `splitAndTrimSpace`; `None`: there is nothing in it.
fn networks(value: &str) -> Result<Option<Networks>, Expected> {
    let mut texts = value.split(',').filter(|text| !text.is_empty()).peekable();
    if value.trim().is_empty() || texts.peek().is_none() {
        return Ok(None);
    }
    let networks = Networks::read(texts).ok_or(Expected::Networks)?;
    Ok(Some(networks))
}

/// What mapstructure's weak typing makes of a string: Go's `strconv.ParseBool`, and "" is false.
fn flag(value: &str) -> Result<bool, Expected> {
    if value.is_empty() {
        return Ok(false);
    }
    parse_bool(value).ok_or(Expected::Flag)
}

fn redirect_code(value: &str) -> Result<u16, Expected> {
    let code = value.parse().ok();
    code.filter(|code| matches!(code, 301 | 302 | 307 | 308))
        .ok_or(Expected::RedirectCode)
}

/// nginx starts with no other.
fn error_code(value: &str) -> Result<u16, Expected> {
    let code = value.parse().ok();
    code.filter(|code| (400..600).contains(code))
        .ok_or(Expected::WholeNumber)
}

fn risk(value: &str) -> Risk {
    match value.to_ascii_lowercase().as_str() {
        "critical" => Risk::Critical,
        "high" => Risk::High,
        "medium" => Risk::Medium,
        _ => Risk::Low,
    }
}

/// Source: `isLocationInLocationList`, `template.go`.
fn list(value: &str) -> Vec<String> {
    let items = value
        .split(',')
        .map(|item| item.trim_matches(' ').to_owned());
    items.filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs.iter();
        let map = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Settings::read(&map.collect()).0
    }

    #[test]
    fn each_key_of_the_config_map_says_something_of_its_own() {
        let all = [
            ("ssl-redirect", "false"),
            ("force-ssl-redirect", "true"),
            ("preserve-trailing-slash", "true"),
            ("use-port-in-redirects", "true"),
            ("relative-redirects", "true"),
            ("use-forwarded-headers", "true"),
            ("enable-underscores-in-headers", "true"),
            ("ignore-invalid-headers", "false"),
            ("http-redirect-code", "307"),
            ("no-tls-redirect-locations", "/a"),
            ("no-auth-locations", "/a"),
            ("allow-cross-namespace-resources", "true"),
            ("denylist-source-range", "10.0.0.0/8"),
            ("whitelist-source-range", "10.0.0.0/8"),
            ("block-cidrs", "10.0.0.0/8"),
            ("use-proxy-protocol", "true"),
            ("compute-full-forwarded-for", "true"),
            ("enable-real-ip", "true"),
            ("forwarded-for-header", "X-Client"),
            ("proxy-real-ip-cidr", "10.0.0.0/8"),
            ("block-user-agents", "a"),
            ("block-referers", "a"),
            ("proxy-body-size", "7"),
            ("limit-req-status-code", "429"),
            ("limit-conn-status-code", "429"),
            ("limit-conn-zone-variable", "$http_x_client"),
            ("large-client-header-buffers", "2 4k"),
            ("custom-http-errors", "404"),
            ("disable-proxy-intercept-errors", "true"),
            ("add-headers", "a/b"),
            ("proxy-set-headers", "a/b"),
            ("hide-headers", "X-A"),
            ("global-allowed-response-headers", "X-A"),
            ("hsts", "false"),
            ("hsts-max-age", "7"),
            ("hsts-include-subdomains", "false"),
            ("hsts-preload", "true"),
            ("proxy-cookie-path", "/a /b"),
            ("proxy-cookie-domain", "a b"),
            ("proxy-redirect-from", "/a"),
            ("proxy-redirect-to", "/a"),
            ("annotations-risk-level", "Critical"),
            ("annotations-risk-level", "High"),
            ("annotations-risk-level", "Medium"),
            ("annotations-risk-level", "Low"),
            ("annotation-value-word-blocklist", "a"),
            ("global-auth-method", "GET"),
            ("no-such-key", ""),
        ]
        .map(|pair| read(&[pair]));
        for (at, one) in all.iter().enumerate() {
            let is_other = all.iter().skip(at + 1).all(|other| one != other);
            assert!(is_other, "{one:?}");
        }
    }

    #[test]
    fn a_key_without_a_value_leaves_what_is_the_default() {
        for key in [
            "forwarded-for-header",
            "proxy-body-size",
            "annotation-value-word-blocklist",
            "custom-http-errors",
        ] {
            assert_eq!(read(&[(key, "")]), Settings::default(), "{key}");
        }
        let words = read(&[("annotation-value-word-blocklist", ",a,,b")]).blocked_words;
        assert_eq!(words, ["a", "b"]);
    }
}
