//! The forwarding headers as the harness writes them.

use std::sync::Arc;

use host_harness::{Append, Connection, HeaderEdit, Headers, Template};
use limpet_envoy::forwarding::{
    DROPPED_HEADERS, FORWARDING_HEADERS, Forwarding, ForwardingHeader, PEER_HEADER, PROXIED_HEADER,
    Source,
};

/// What happens to a request head before the module sees it.
pub(super) fn early_edits(forwarding: &Forwarding) -> Vec<HeaderEdit> {
    let mut edits: Vec<_> = DROPPED_HEADERS
        .map(|name| HeaderEdit::Remove(name.to_owned()))
        .into();
    for (name, from) in forwarding.originals() {
        let from = from.to_owned();
        edits.push(HeaderEdit::Remove(name.to_owned()));
        edits.push(write(name, move |request, _| joined(request, &from)));
    }
    if forwarding.original_uri {
        let path = |request: &Headers, _: &Connection| Some(request.first(":path")?.to_vec());
        edits.push(write("x-original-uri", path));
    }
    if forwarding.real_ip {
        let peer = |_: &Headers, connection: &Connection| Some(address(connection));
        edits.push(write(PEER_HEADER, peer));
    }
    // No PROXY protocol is read here: nobody stands in front.
    if forwarding.proxied {
        let peer = |_: &Headers, connection: &Connection| Some(address(connection));
        edits.push(write(PROXIED_HEADER, peer));
    }
    for header in FORWARDING_HEADERS {
        if header.is_the_modules(forwarding) {
            continue;
        }
        let trusts = forwarding.trusted;
        edits.push(write(header.name, move |request, connection| {
            let from_proxy = proxy_says(&header, request).filter(|_| trusts);
            from_proxy.or_else(|| connection_says(header.source, request, connection))
        }));
    }
    edits
}

fn address(connection: &Connection) -> Vec<u8> {
    connection.source.ip().to_string().into_bytes()
}

fn write(
    name: &str,
    value: impl Fn(&Headers, &Connection) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> HeaderEdit {
    HeaderEdit::Write {
        name: name.to_owned(),
        value: Template::Computed(Arc::new(value)),
        append: Append::OverwriteOrAdd,
    }
}

/// All fields of one name as one value; `None`: there is none, or nothing in it.
fn joined(request: &Headers, name: &str) -> Option<Vec<u8>> {
    let value = request.all(name).collect::<Vec<_>>().join(&b", "[..]);
    (!value.is_empty()).then_some(value)
}

/// What the trusted proxy in front says instead of the connection.
fn proxy_says(header: &ForwardingHeader, request: &Headers) -> Option<Vec<u8>> {
    let value = request.first(header.trusted);
    let value = value.filter(|value| !value.is_empty())?;
    let first = value.split(|byte| *byte == b',').next();
    let is_list = header.source == Source::Authority;
    Some(first.filter(|_| is_list).unwrap_or(value).to_vec())
}

fn connection_says(source: Source, request: &Headers, connection: &Connection) -> Option<Vec<u8>> {
    let tls = connection.tls_version.is_some();
    Some(match source {
        Source::RemoteAddress => address(connection),
        Source::Authority => request.first(":authority")?.to_vec(),
        Source::Port => if tls { "443" } else { "80" }.into(),
        Source::Scheme => if tls { "https" } else { "http" }.into(),
    })
}
