//! nginx's variables, as far as a proxy in front of Envoy can know them.
//!
//! Source: `ngx_http_core_variables`, `src/http/ngx_http_variables.c` of nginx 1.27.1, and the
//! `set` directives of ingress-nginx's `nginx.tmpl`.

use super::escape::{Kind, escape};
use crate::access::{self, RealIp};
use crate::client_certificate::Client;
use crate::edit::{self, Headers};
use crate::facts::Facts;
use crate::route::pattern::{Groups, Work};
use std::borrow::Cow;

/// What the variables of one request are read from.
pub(crate) struct Scope<'r> {
    pub headers: &'r Headers<'r>,
    pub facts: &'r Facts<'r>,
    /// Who says the client's address; `None`: whoever connects is the client.
    pub real_ip: Option<&'r RealIp>,
    /// What regular expressions may still cost.
    pub work: &'r Work,
    /// `$request_uri`.
    pub raw: Cow<'r, [u8]>,
    /// `$uri`.
    pub uri: Cow<'r, [u8]>,
    /// `$args`.
    pub args: &'r [u8],
    /// Captures are escaped in arguments: see [`crate::route::target::Target`].
    pub quoted: bool,
    /// `$host`: lower case, no port.
    pub host: Cow<'r, [u8]>,
    /// The request names a host: `$host` is not `$server_name`.
    pub has_host: bool,
    /// `$server_name`.
    pub server_name: &'r str,
    /// What Envoy makes of it: the connection is TLS, or a proxy in front that is believed says so.
    pub https: bool,
    /// Such a proxy is believed, so only the connection itself knows whether it is TLS.
    pub is_behind: bool,
    /// X-Forwarded-Proto is believed.
    pub believes: bool,
    /// `$1` and its followers, as places in `subject`.
    pub groups: Groups<'r>,
    /// What the last regular expression ran over.
    pub subject: Cow<'r, [u8]>,
    /// The location's own names; empty before one is found.
    pub names: Names<'r>,
    /// What its host knows of the client's certificate.
    pub client: Client<'r>,
}

const FORWARDED_FOR: &str = "x-forwarded-for";

/// `forwarded-for-header` as it came.
const ORIGINAL_FOR: &str = "x-original-forwarded-for";

/// What the template sets in every location.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Names<'r> {
    /// `namespace/name`.
    pub ingress: &'r str,
    pub service: &'r str,
    pub port: &'r str,
    pub path: &'r str,
    pub upstream: &'r str,
}

impl<'r> Names<'r> {
    /// The Ingress's namespace and its name there.
    pub(crate) fn of_ingress(&self) -> (&'r str, &'r str) {
        self.ingress.split_once('/').unwrap_or_default()
    }
}

impl Scope<'_> {
    /// The text of a group, empty where it took no part.
    pub(crate) fn group(&self, number: usize) -> &[u8] {
        let place = self.groups.get(number);
        let text = place.and_then(|(from, to)| self.subject.get(from..to));
        text.unwrap_or_default()
    }

    /// `$scheme`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.is_tls() { "https" } else { "http" }
    }

    /// Whether the connection is TLS.
    pub(crate) fn is_tls(&self) -> bool {
        if self.is_behind {
            (self.facts.property)(&["connection", "tls_version"]).is_some()
        } else {
            self.https
        }
    }

    /// `$pass_access_scheme`: what the client sees of it, as proxies in front say.
    pub(crate) fn access_scheme(&self) -> &[u8] {
        let said = || edit::first(self.headers, "x-forwarded-proto").filter(|_| self.believes);
        if self
            .real_ip
            .is_some_and(|real_ip| real_ip.says_https(self.facts))
        {
            return b"https";
        }
        said().unwrap_or(self.scheme().as_bytes())
    }

    /// `$server_port`: the port that ingress-nginx listens on for this scheme.
    pub(crate) fn port(&self) -> &'static str {
        if self.is_tls() { "443" } else { "80" }
    }

    /// `$http_host`; empty without a Host header.
    pub(crate) fn http_host(&self) -> &[u8] {
        edit::first(self.headers, ":authority").unwrap_or_default()
    }

    /// Where X-Forwarded-For is as the client sent it: Envoy writes it anew.
    fn forwarded_for(&self) -> &'static str {
        let mut named = self.real_ip.iter();
        if named.any(|one| ![FORWARDED_FOR, ORIGINAL_FOR].contains(&&*one.header)) {
            FORWARDED_FOR
        } else {
            ORIGINAL_FOR
        }
    }

    fn property(&self, path: &[&str]) -> Vec<u8> {
        (self.facts.property)(path).unwrap_or_default()
    }
}

/// One variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Variable {
    /// One without a parameter.
    Plain(Plain),
    /// `$http_name`: the header of that name, in lower case.
    Header(String),
    /// `$cookie_name`.
    Cookie(String),
    /// `$arg_name`.
    Arg(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    Host,
    HttpHost,
    Uri,
    RequestUri,
    EscapedRequestUri,
    Args,
    IsArgs,
    Scheme,
    AccessScheme,
    Https,
    Method,
    Protocol,
    RequestLine,
    ServerName,
    ServerAddr,
    ServerPort,
    RemoteAddr,
    RemotePort,
    /// X-Forwarded-For as the client sent it, and whoever the client is behind it.
    AddForwardedFor,
    RequestId,
    Dollar,
    Namespace,
    IngressName,
    ServiceName,
    ServicePort,
    LocationPath,
    Upstream,
    Subdomain,
    /// Known, and empty before an upstream is chosen or where limpet has none.
    Empty,
}

impl Variable {
    /// The variable of that name; names are case-insensitive.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        if let Some(plain) = plain(&name) {
            return Some(Self::Plain(plain));
        }
        let header = |name: &str| name.replace('_', "-");
        match name.as_str() {
            "content_type" | "content_length" => return Some(Self::Header(header(&name))),
            _ => {}
        }
        let (kind, rest) = name.split_once('_').filter(|(_, rest)| !rest.is_empty())?;
        match kind {
            "http" => Some(Self::Header(header(rest))),
            "cookie" => Some(Self::Cookie(rest.to_owned())),
            "arg" => Some(Self::Arg(rest.to_owned())),
            _ => None,
        }
    }

    /// The downstream decides what it is: a link, the page it stands on, or a cookie. Hosts are
    /// not: a request comes here by its host.
    pub(crate) fn is_downstreams(&self) -> bool {
        let Self::Plain(plain) = self else {
            return true;
        };
        matches!(
            plain,
            Plain::Uri
                | Plain::RequestUri
                | Plain::EscapedRequestUri
                | Plain::Args
                | Plain::RequestLine
                | Plain::Method
                | Plain::RequestId
        )
    }

    /// How many bytes are looked at for the value, also where there is none.
    pub(crate) fn reads(&self, scope: &Scope) -> usize {
        // As long as a question to the host takes.
        const OF_A_QUESTION: usize = 32;
        let bytes = |name| {
            edit::all(scope.headers, name)
                .map(<[u8]>::len)
                .sum::<usize>()
        };
        let further = match self {
            Self::Cookie(_) => bytes("cookie"),
            Self::Arg(_) => scope.args.len(),
            Self::Header(_) => 0,
            Self::Plain(Plain::RemoteAddr | Plain::AddForwardedFor) => {
                let list = scope.real_ip.map_or(0, |one| bytes(&one.header));
                list.saturating_add(OF_A_QUESTION)
            }
            Self::Plain(_) => OF_A_QUESTION,
        };
        // The names of all fields are looked through.
        further.saturating_add(scope.headers.len())
    }

    /// Appends the value, nothing where there is none.
    pub(crate) fn append(&self, scope: &Scope, out: &mut Vec<u8>) {
        match self {
            Self::Plain(plain) => append_plain(*plain, scope, out),
            Self::Header(name) => {
                let name = if name == FORWARDED_FOR {
                    scope.forwarded_for()
                } else {
                    name
                };
                // Several fields of one name are joined, as nginx does from 1.23 on.
                for (at, value) in edit::all(scope.headers, name).enumerate() {
                    if at > 0 {
                        out.extend_from_slice(if name == "cookie" { b"; " } else { b", " });
                    }
                    out.extend_from_slice(value);
                }
            }
            Self::Cookie(name) => out.extend_from_slice(cookie(scope.headers, name)),
            Self::Arg(name) => out.extend_from_slice(arg(scope.args, name)),
        }
    }
}

fn plain(name: &str) -> Option<Plain> {
    Some(match name {
        "host" => Plain::Host,
        "http_host" | "best_http_host" => Plain::HttpHost,
        "uri" | "document_uri" => Plain::Uri,
        "request_uri" => Plain::RequestUri,
        "escaped_request_uri" => Plain::EscapedRequestUri,
        "args" | "query_string" => Plain::Args,
        "is_args" => Plain::IsArgs,
        "scheme" => Plain::Scheme,
        "pass_access_scheme" => Plain::AccessScheme,
        "https" => Plain::Https,
        "request_method" => Plain::Method,
        "server_protocol" => Plain::Protocol,
        "request" => Plain::RequestLine,
        "server_name" => Plain::ServerName,
        "server_addr" => Plain::ServerAddr,
        "subdomain" => Plain::Subdomain,
        "server_port" | "pass_server_port" | "pass_port" => Plain::ServerPort,
        "remote_addr" => Plain::RemoteAddr,
        "remote_port" => Plain::RemotePort,
        "proxy_add_x_forwarded_for" => Plain::AddForwardedFor,
        "request_id" | "req_id" => Plain::RequestId,
        "literal_dollar" => Plain::Dollar,
        "namespace" => Plain::Namespace,
        "ingress_name" => Plain::IngressName,
        "service_name" => Plain::ServiceName,
        "service_port" => Plain::ServicePort,
        "location_path" => Plain::LocationPath,
        "proxy_upstream_name" | "proxy_host" => Plain::Upstream,
        "upstream_addr"
        | "upstream_status"
        | "proxy_alternative_upstream_name"
        | "http_"
        | "cookie_"
        | "arg_" => Plain::Empty,
        _ => return None,
    })
}

fn append_plain(plain: Plain, scope: &Scope, out: &mut Vec<u8>) {
    let source = || scope.property(&["source", "address"]);
    match plain {
        Plain::Host => out.extend_from_slice(&scope.host),
        Plain::HttpHost => out.extend_from_slice(scope.http_host()),
        Plain::Uri => out.extend_from_slice(&scope.uri),
        Plain::RequestUri => out.extend_from_slice(&scope.raw),
        Plain::EscapedRequestUri => {
            out.extend_from_slice(&escape(&scope.raw, Kind::Component));
        }
        Plain::Args => out.extend_from_slice(scope.args),
        Plain::IsArgs if scope.args.is_empty() => {}
        Plain::IsArgs => out.push(b'?'),
        Plain::AccessScheme => out.extend_from_slice(scope.access_scheme()),
        Plain::Scheme => out.extend_from_slice(scope.scheme().as_bytes()),
        Plain::Https if scope.is_tls() => out.extend_from_slice(b"on"),
        Plain::Https => {}
        Plain::Method => {
            out.extend_from_slice(edit::first(scope.headers, ":method").unwrap_or_default());
        }
        Plain::Protocol => out.extend(scope.property(&["request", "protocol"])),
        Plain::RequestLine => {
            append_plain(Plain::Method, scope, out);
            out.push(b' ');
            append_plain(Plain::RequestUri, scope, out);
            out.push(b' ');
            append_plain(Plain::Protocol, scope, out);
        }
        Plain::ServerName => out.extend_from_slice(scope.server_name.as_bytes()),
        Plain::ServerAddr => {
            let own = scope.property(&["destination", "address"]);
            out.extend_from_slice(split_port(&own).0);
        }
        // `buildServerName`: what the star of a wildcard host stands for.
        Plain::Subdomain if scope.server_name.starts_with("*.") => {
            let label = scope.host.split(|byte| *byte == b'.').next();
            out.extend_from_slice(label.unwrap_or_default());
        }
        Plain::Subdomain | Plain::Empty => {}
        Plain::ServerPort => out.extend_from_slice(scope.port().as_bytes()),
        Plain::RemoteAddr if scope.real_ip.is_some() => {
            let client = access::address(scope.headers, scope.facts, scope.real_ip);
            out.extend(
                client
                    .map(|client| client.to_string().into_bytes())
                    .unwrap_or_default(),
            );
        }
        Plain::RemoteAddr => out.extend_from_slice(split_port(&source()).0),
        Plain::RemotePort => out.extend_from_slice(split_port(&source()).1),
        Plain::AddForwardedFor => {
            for said in edit::all(scope.headers, scope.forwarded_for()) {
                out.extend_from_slice(said);
                out.extend_from_slice(b", ");
            }
            append_plain(Plain::RemoteAddr, scope, out);
        }
        Plain::RequestId => {
            out.extend_from_slice(edit::first(scope.headers, "x-request-id").unwrap_or_default());
        }
        Plain::Dollar => out.push(b'$'),
        Plain::Namespace => out.extend_from_slice(scope.names.of_ingress().0.as_bytes()),
        Plain::IngressName => out.extend_from_slice(scope.names.of_ingress().1.as_bytes()),
        Plain::ServiceName => out.extend_from_slice(scope.names.service.as_bytes()),
        Plain::ServicePort => out.extend_from_slice(scope.names.port.as_bytes()),
        Plain::LocationPath => out.extend_from_slice(scope.names.path.as_bytes()),
        Plain::Upstream => out.extend_from_slice(scope.names.upstream.as_bytes()),
    }
}

/// `ip:port`, an IPv6 address in brackets, which nginx leaves out.
fn split_port(address: &[u8]) -> (&[u8], &[u8]) {
    let Some(colon) = address.iter().rposition(|byte| *byte == b':') else {
        return (address, &[]);
    };
    let (ip, port) = address.split_at(colon);
    let bare = ip.strip_prefix(b"[").and_then(|ip| ip.strip_suffix(b"]"));
    (bare.unwrap_or(ip), port.get(1..).unwrap_or_default())
}

/// The first cookie of that name, compared without case (`ngx_http_parse_multi_header_lines`).
fn cookie<'h>(headers: &Headers<'h>, name: &str) -> &'h [u8] {
    let fields = edit::all(headers, "cookie");
    let mut pairs = fields.flat_map(|field| field.split(|byte| matches!(byte, b';' | b',')));
    let value = pairs.find_map(|pair| named(pair.trim_ascii_start(), name));
    value.map(<[u8]>::trim_ascii_end).unwrap_or_default()
}

/// The first argument of that name, compared without case.
fn arg<'a>(args: &'a [u8], name: &str) -> &'a [u8] {
    let mut pairs = args.split(|byte| *byte == b'&');
    pairs.find_map(|pair| named(pair, name)).unwrap_or_default()
}

fn named<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    let (key, value) = pair.split_at(equals);
    let found = key.eq_ignore_ascii_case(name.as_bytes());
    found.then(|| value.get(1..).unwrap_or_default())
}
