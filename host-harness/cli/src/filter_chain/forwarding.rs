//! The forwarding headers as the harness writes them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use host_harness::{Append, Connection, HeaderEdit, Headers, Template};
use limpet_envoy::forwarding::{
    DROPPED_HEADERS, FORWARDING_HEADERS, Forwarding, ForwardingHeader, Source,
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
    for header in FORWARDING_HEADERS {
        let forwarding = forwarding.clone();
        edits.push(write(header.name, move |request, connection| {
            let from_proxy = proxy_says(&forwarding, &header, request, connection);
            from_proxy.or_else(|| connection_says(header.source, request, connection))
        }));
    }
    edits
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
fn proxy_says(
    forwarding: &Forwarding,
    header: &ForwardingHeader,
    request: &Headers,
    connection: &Connection,
) -> Option<Vec<u8>> {
    if header.source == Source::RemoteAddress {
        let list = joined(request, &forwarding.for_header).filter(|_| forwarding.real_ip)?;
        if forwarding.full && header.name == "x-forwarded-for" {
            let whole = joined(request, header.trusted).filter(|_| forwarding.trusted)?;
            let downstream = connection.source.ip().to_string();
            return Some([&whole, &b", "[..], downstream.as_bytes()].concat());
        }
        return Some(first_address(&list)?.to_string().into_bytes());
    }
    let value = request.first(header.trusted);
    let value = value.filter(|value| forwarding.trusted && !value.is_empty())?;
    let first = value.split(|byte| *byte == b',').next();
    let is_list = header.source == Source::Authority;
    Some(first.filter(|_| is_list).unwrap_or(value).to_vec())
}

/// The client behind a list of proxies, all of which are trusted (`set_real_ip_from 0.0.0.0/0`,
/// `real_ip_recursive on`): the first address, or what follows the last that is none.
fn first_address(list: &[u8]) -> Option<IpAddr> {
    let parts = list.rsplit(|byte| matches!(byte, b',' | b' '));
    let parts = parts.filter(|part| !part.is_empty());
    let address = |part: &[u8]| {
        let text = std::str::from_utf8(part).ok()?;
        let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
        text.parse::<IpAddr>().ok().or_else(with_port)
    };
    parts.map_while(address).last()
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
