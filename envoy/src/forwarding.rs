//! The forwarding headers that a pod saw behind ingress-nginx, the same on every target.
//!
//! They are written before the module sees the request, and the client's own values replaced, as
//! ingress-nginx does unless `use-forwarded-headers` says that a trusted proxy stands in front.
//!
//! Source: the `proxy_set_header` lines and the `$pass_*` maps of
//! `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx dbb11b92d, as recorded in
//! `tests/recordings/paths.json`.

pub mod envoy;

use limpet::annotations::validator::parse_bool;
use serde_json::Value;

/// limpet's own request headers: only the module may set them.
pub const INTERNAL_HEADERS: [&str; 2] = ["x-limpet-cluster", "x-limpet-endpoint"];

/// Request headers that no pod sees: limpet's own, and one that CGI scripts would take for a
/// proxy's setting (`proxy_set_header Proxy ""`).
pub const DROPPED_HEADERS: [&str; 3] = ["x-limpet-cluster", "x-limpet-endpoint", "proxy"];

/// The header that names the cluster.
pub const CLUSTER_HEADER: &str = "x-limpet-cluster";

/// The header that names the route that an Ingress asks for, on `render envoy`.
pub const POLICY_HEADER: &str = "x-limpet-policy";

/// The header with the Host that a pod is to see, for the routes of those pods.
pub const HOST_HEADER: &str = "x-limpet-host";

/// The header with the address that the connection came from, where proxies in front say who the
/// client is.
pub const PEER_HEADER: &str = "x-limpet-peer";

/// The header with the address that the PROXY protocol says.
pub const PROXIED_HEADER: &str = "x-limpet-proxied";

/// The header in which the module says X-Forwarded-For of its questions, where Envoy would write its own.
pub const FORWARDED_FOR_HEADER: &str = "x-limpet-forwarded-for";

/// The header of the session state: base64 of `ip:port`.
pub const ENDPOINT_HEADER: &str = "x-limpet-endpoint";

/// Where one forwarding header's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The downstream's address without its port.
    RemoteAddress,
    /// The Host header.
    Authority,
    /// The port that clients use: 80, or 443 behind TLS.
    Port,
    /// `http`, or `https` behind TLS.
    Scheme,
}

/// One forwarding header.
#[derive(Debug, Clone, Copy)]
pub struct ForwardingHeader {
    /// Its name.
    pub name: &'static str,
    /// Its value, when the downstream is the client.
    pub source: Source,
    /// The header of a trusted proxy in front whose value goes before `source`.
    pub trusted: &'static str,
}

impl ForwardingHeader {
    /// Whether the module writes it: where a proxy in front says the client's address.
    #[must_use]
    pub fn is_the_modules(&self, forwarding: &Forwarding) -> bool {
        forwarding.real_ip && self.source == Source::RemoteAddress
    }
}

/// Every header that ingress-nginx sets; what others are written from stands before them.
pub const FORWARDING_HEADERS: [ForwardingHeader; 7] = [
    header("x-forwarded-for", Source::RemoteAddress, "x-forwarded-for"),
    header("x-real-ip", Source::RemoteAddress, "x-forwarded-for"),
    header("x-forwarded-host", Source::Authority, "x-forwarded-host"),
    header("x-forwarded-port", Source::Port, "x-forwarded-port"),
    header("x-forwarded-proto", Source::Scheme, "x-forwarded-proto"),
    header("x-forwarded-scheme", Source::Scheme, "x-forwarded-proto"),
    header("x-scheme", Source::Scheme, "x-forwarded-proto"),
];

const fn header(name: &'static str, source: Source, trusted: &'static str) -> ForwardingHeader {
    ForwardingHeader {
        name,
        source,
        trusted,
    }
}

/// What ingress-nginx's ConfigMap says about forwarding headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarding {
    /// `use-forwarded-headers`: a trusted proxy stands in front.
    pub trusted: bool,
    /// The client's address is a proxy's to say: `use-forwarded-headers`, `enable-real-ip` or
    /// `use-proxy-protocol`.
    pub real_ip: bool,
    /// `use-proxy-protocol`.
    pub proxied: bool,
    /// `compute-full-forwarded-for`, where `trusted`: X-Forwarded-For grows by the downstream.
    pub full: bool,
    /// `forwarded-for-header`.
    pub for_header: String,
    /// `forwarded-host-header`: handed on as X-Original-Forwarded-Host.
    pub host_header: String,
    /// `proxy-add-original-uri-header`: pods get X-Original-URI.
    pub original_uri: bool,
}

impl Forwarding {
    /// Reads the ConfigMap's `data`; `None`: the defaults.
    #[must_use]
    pub fn read(data: Option<&Value>) -> Self {
        let text = |key: &str| data.and_then(|data| data.get(key)?.as_str());
        let says = |key: &str| text(key).and_then(parse_bool) == Some(true);
        let name = |key: &str, default: &str| match text(key) {
            None | Some("") => default.to_owned(),
            Some(name) => name.to_ascii_lowercase(),
        };
        let trusted = says("use-forwarded-headers");
        Self {
            trusted,
            real_ip: trusted || says("enable-real-ip") || says("use-proxy-protocol"),
            proxied: says("use-proxy-protocol"),
            full: trusted && says("compute-full-forwarded-for"),
            for_header: name("forwarded-for-header", "x-forwarded-for"),
            host_header: name("forwarded-host-header", "x-forwarded-host"),
            original_uri: says("proxy-add-original-uri-header"),
        }
    }

    /// The header that goes to pods as it came, under this name.
    #[must_use]
    pub fn originals(&self) -> [(&'static str, &str); 2] {
        [
            ("x-original-forwarded-for", &self.for_header),
            ("x-original-forwarded-host", &self.host_header),
        ]
    }
}

/// Whether ingress-nginx's ConfigMap says `use-forwarded-headers: "true"`.
#[must_use]
pub fn trusts_forwarded_headers(config_map_data: Option<&Value>) -> bool {
    Forwarding::read(config_map_data).trusted
}

/// Whether header fields with an underscore in their name are dropped: unless ingress-nginx's
/// ConfigMap says `enable-underscores-in-headers: "true"` or `ignore-invalid-headers: "false"`.
#[must_use]
pub fn drops_underscores(config_map_data: Option<&Value>) -> bool {
    let says = |key: &str, value: &str| {
        let said = config_map_data.and_then(|data| data.get(key)?.as_str());
        said == Some(value)
    };
    !says("enable-underscores-in-headers", "true") && !says("ignore-invalid-headers", "false")
}
