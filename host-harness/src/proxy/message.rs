//! Heads between hyper's types and the engine's.

use super::pool::Request;
use super::request_body::RequestBody;
use super::target;
use crate::headers::Headers;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, request, response};

/// Fields that are about one connection and do not pass.
const HOP_BY_HOP: [&str; 6] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Fields that Envoy holds as one, however often a client sends them: joined by a comma, without those that are empty.
///
/// Source: run on Envoy 1.40.
const JOINED: [&str; 24] = [
    "accept",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-type",
    "expect",
    "grpc-timeout",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "origin",
    "pragma",
    "referer",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
];

/// The head of a request from the downstream; `target` is the one sent, if hyper's is a
/// stand-in. `default_host` is for requests that name none.
pub(super) fn request_head(
    parts: &request::Parts,
    target: Option<&[u8]>,
    default_host: Option<&str>,
    scheme: &str,
) -> Headers {
    let mut head = Headers::with_capacity(parts.headers.len() + 4);
    let path_and_query = parts.uri.path_and_query();
    let sent = path_and_query.map_or("/", |path| path.as_str()).as_bytes();
    let (absolute, path) = target.map_or((None, sent), target::split_absolute);
    let authority = parts
        .uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let hosts = parts.headers.get_all(header::HOST).iter();
    let hosts: Vec<_> = hosts.map(HeaderValue::as_bytes).collect();
    let host = (!hosts.is_empty()).then(|| hosts.join(&b","[..])); // as Envoy joins them
    let default_host = default_host.map(str::as_bytes);
    if let Some(authority) = absolute.or(authority).or(host.as_deref()).or(default_host) {
        head.add(":authority", authority);
    }
    head.add(":path", path);
    head.add(":method", parts.method.as_str());
    head.add(":scheme", scheme);
    let upgrade = is_upgrade(&parts.headers);
    for name in parts.headers.keys() {
        if *name == header::HOST || (!upgrade && HOP_BY_HOP.contains(&name.as_str())) {
            continue;
        }
        let values = parts.headers.get_all(name).iter();
        let values = values.map(HeaderValue::as_bytes);
        if JOINED.contains(&name.as_str()) {
            let values: Vec<_> = values.filter(|value| !value.is_empty()).collect();
            let value = values.join(&b","[..]);
            // Answered by hyper.
            if *name != header::EXPECT || !value.eq_ignore_ascii_case(b"100-continue") {
                head.add(name.as_str(), value);
            }
        } else {
            for value in values {
                head.add(name.as_str(), value);
            }
        }
    }
    if !head.contains("x-forwarded-proto") {
        head.add("x-forwarded-proto", scheme); // as Envoy's connection manager
    }
    head
}

/// Whether the downstream wants to leave HTTP on this connection. As in Envoy `h2c` is no wish, but
/// a header that goes no further.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    let asked = headers
        .get(header::CONNECTION)
        .and_then(|value| value.to_str().ok());
    let mut tokens = asked.unwrap_or_default().split(',');
    let asked = tokens.any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    let wanted = headers.get(header::UPGRADE).map(HeaderValue::as_bytes);
    asked && wanted.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(b"h2c"))
}

/// Whether what it wants is WebSocket, the one upgrade that Envoy's routes name.
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    let wanted = headers.get(header::UPGRADE).map(HeaderValue::as_bytes);
    wanted.is_some_and(|wanted| wanted.eq_ignore_ascii_case(b"websocket"))
}

/// The request for an endpoint; `None`: the head has no method or path that HTTP/1.1 can
/// carry.
pub(super) fn to_upstream(head: &Headers, body: RequestBody) -> Option<Request> {
    let path = head
        .first(":path")
        .filter(|path| target::can_be_sent(path))?;
    let uri = Uri::try_from(path).ok().filter(|uri| {
        let kept = uri.path_and_query().map(|path| path.as_str().as_bytes());
        uri.authority().is_none() && kept == Some(path)
    });
    let target = uri.is_none().then(|| path.to_vec());
    let mut http = http::Request::new(body);
    *http.uri_mut() = uri.unwrap_or_else(|| Uri::from_static("/"));
    *http.method_mut() = Method::from_bytes(head.first(":method")?).ok()?;
    if let Some(host) = head.first(":authority") {
        let host = HeaderValue::from_bytes(host).ok()?;
        http.headers_mut().insert(header::HOST, host);
    }
    write_fields(http.headers_mut(), head);
    Some(Request { http, target })
}

/// The head of an endpoint's response.
pub(super) fn response_head(parts: &response::Parts) -> Headers {
    let mut head = Headers::with_capacity(parts.headers.len() + 1);
    head.add(":status", parts.status.as_str());
    let switching = parts.status == StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in &parts.headers {
        if switching || !HOP_BY_HOP.contains(&name.as_str()) {
            head.add(name.as_str(), value.as_bytes());
        }
    }
    head
}

/// Writes status and fields of `head` to a response for the downstream.
pub(super) fn write_head<B>(response: &mut http::Response<B>, head: &Headers) {
    let status = head
        .status()
        .and_then(|status| StatusCode::from_u16(status).ok());
    *response.status_mut() = status.unwrap_or(StatusCode::BAD_GATEWAY);
    write_fields(response.headers_mut(), head);
}

/// Fields that HTTP cannot carry, which only a module can have written, are left out.
fn write_fields(headers: &mut HeaderMap, head: &Headers) {
    headers.reserve(head.len());
    for (name, value) in head {
        if name.starts_with(':') {
            continue;
        }
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value),
        ) {
            headers.append(name, value);
        }
    }
}
