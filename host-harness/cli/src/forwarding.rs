//! The forwarding headers that a pod saw behind ingress-nginx, the same on every target.
//!
//! They are written before the module sees the request, and the client's own values replaced, as
//! ingress-nginx does unless `use-forwarded-headers` says that a trusted proxy stands in front.
//!
//! Source: the `proxy_set_header` lines and the `$pass_*` maps of
//! `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx dbb11b92d, as recorded in
//! `tests/traces/paths.json`.

pub mod envoy;

use std::sync::Arc;

use host_harness::{Append, Connection, HeaderEdit, Headers, Template};
use serde_json::Value;

/// limpet's own request headers: only the module may set them.
pub const INTERNAL_HEADERS: [&str; 2] = ["x-limpet-cluster", "x-limpet-endpoint"];

/// The header that names the cluster.
pub const CLUSTER_HEADER: &str = "x-limpet-cluster";

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

/// Every header that ingress-nginx sets, in its order.
pub const FORWARDING_HEADERS: [ForwardingHeader; 7] = [
    header("x-real-ip", Source::RemoteAddress, "x-forwarded-for"),
    header("x-forwarded-for", Source::RemoteAddress, "x-forwarded-for"),
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

/// Whether ingress-nginx's ConfigMap says `use-forwarded-headers: "true"`.
#[must_use]
pub fn trusts_forwarded_headers(config_map_data: Option<&Value>) -> bool {
    config_map_data
        .and_then(|data| data.get("use-forwarded-headers")?.as_str())
        .is_some_and(|value| value == "true")
}

/// Whether header fields with an underscore in their name are dropped: unless ingress-nginx's
/// ConfigMap says `enable-underscores-in-headers: "true"`.
#[must_use]
pub fn drops_underscores(config_map_data: Option<&Value>) -> bool {
    config_map_data
        .and_then(|data| data.get("enable-underscores-in-headers")?.as_str())
        .is_none_or(|value| value != "true")
}

/// The same for the harness: what happens to a request head before the module sees it.
#[must_use]
pub fn early_edits(trusted: bool) -> Vec<HeaderEdit> {
    let strip = INTERNAL_HEADERS.map(|name| HeaderEdit::Remove(name.to_owned()));
    let write = FORWARDING_HEADERS.map(|header| HeaderEdit::Write {
        name: header.name.to_owned(),
        value: Template::Computed(Arc::new(
            move |request: &Headers, connection: &Connection| {
                let from_proxy = trusted.then(|| proxy_says(&header, request)).flatten();
                from_proxy.or_else(|| connection_says(header.source, request, connection))
            },
        )),
        append: Append::OverwriteOrAdd,
    });
    strip.into_iter().chain(write).collect()
}

/// The value of the trusted proxy's header. Of a list of addresses the first one: every proxy in
/// between is trusted (`set_real_ip_from 0.0.0.0/0`, `real_ip_recursive on`).
fn proxy_says(header: &ForwardingHeader, request: &Headers) -> Option<Vec<u8>> {
    let value = request
        .first(header.trusted)
        .filter(|value| !value.is_empty())?;
    Some(match header.source {
        Source::RemoteAddress => value
            .split(|byte| *byte == b',')
            .next()
            .unwrap_or(value)
            .trim_ascii()
            .to_vec(),
        _ => value.to_vec(),
    })
}

fn connection_says(source: Source, request: &Headers, connection: &Connection) -> Option<Vec<u8>> {
    let tls = connection.tls_version.is_some();
    Some(match source {
        Source::RemoteAddress => connection.source.ip().to_string().into_bytes(),
        Source::Authority => request.first(":authority")?.to_vec(),
        Source::Port => if tls { "443" } else { "80" }.into(),
        Source::Scheme => if tls { "https" } else { "http" }.into(),
    })
}
