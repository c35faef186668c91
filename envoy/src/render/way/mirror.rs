//! `mirror-target`: a copy of each request for another server, which nobody waits for.
//!
//! Source: `Parse` of `internal/ingress/annotations/mirror`, and the mirror's location in `nginx.tmpl`,
//! ingress-nginx dbb11b92d.

use limpet::annotations::catalogue;
use limpet::annotations::validator::Patterns;
use serde_json::{Value, json};

use super::timeouts::CONNECT;
use crate::clusters::ServicePort;
use crate::forwarding::FORWARDING_HEADERS;
use crate::manifests::Manifests;
use crate::taken::TakenIngress;

/// What a mirror is told by.
const TARGET: &str = "mirror-target";

/// The longest target and host, in bytes.
const LONGEST: usize = 1024;

/// To whom copies are sent.
pub(crate) struct Copies<'r> {
    /// Why nothing is sent to a name in DNS and a port; `None`: something may be.
    pub(crate) refused: &'r dyn Fn(&str, u16) -> Option<&'static str>,
    /// To Services alone, as their pods would get them.
    pub(crate) to_services: bool,
}

/// Who gets copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirror {
    is_tls: bool,
    /// A name in DNS or an address.
    server: String,
    port: u16,
    /// The Host that it sees.
    host: String,
    /// The path that it sees in place of the request's; `None`: the request's own.
    path: Option<String>,
}

impl Mirror {
    /// What an Ingress says; a target that is none gets a note.
    pub(crate) fn of(
        ingress: &TakenIngress<'_>,
        manifests: &Manifests,
        copies: &Copies<'_>,
        notes: &mut Vec<String>,
    ) -> Option<Self> {
        let target = ingress.annotation(TARGET)?.trim();
        if target.is_empty() || !is_accepted(TARGET, target) {
            return None;
        }
        let mut note = |why: &str| {
            let place = ingress.place_of(TARGET);
            let target: String = target.chars().take(LONGEST).collect();
            notes.push(format!("{place}: nobody gets copies: {target:?} {why}"));
        };
        // It is part of names that every tenant's objects have.
        if target.len() > LONGEST {
            note(&format!("is longer than {LONGEST} bytes"));
            return None;
        }
        let Some(mut mirror) = Self::read(target, &ingress.ingress.uid) else {
            note("is no http://HOST[:PORT][/PATH] or http://HOST[:PORT]$request_uri");
            return None;
        };
        let refused = |name: &str| (copies.refused)(name, mirror.port);
        let external = || external_name(manifests, &mirror.server).and_then(refused);
        let why = refused(&mirror.server).or_else(external);
        if let Some(why) = why {
            note(&format!("is {why}"));
            return None;
        }
        if copies.to_services && mirror.service(manifests).is_none() {
            note(
                "is not what Envoy Gateway sends copies to: a Service among the manifests, in the clear, at the \
                 path that pods see (http://NAME.NAMESPACE.svc.cluster.local:PORT$request_uri)",
            );
            return None;
        }
        let host = ingress.annotation("mirror-host").map(str::trim);
        if let Some(host) = host.filter(|host| !host.is_empty()) {
            let is_short = host.len() <= LONGEST;
            if is_short && is_accepted("mirror-host", host) && host.bytes().all(is_of_url) {
                host.clone_into(&mut mirror.host);
            } else {
                let place = ingress.place_of("mirror-host");
                let server = &mirror.host;
                notes.push(format!(
                    "{place}: {host:?} is no host: copies have the Host {server}"
                ));
            }
        }
        Some(mirror)
    }

    fn read(target: &str, uid: &str) -> Option<Self> {
        let (scheme, rest) = target.split_once("://")?;
        let (is_tls, usual) = match scheme {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => return None,
        };
        let end = rest.find(['/', '$']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (server, port) = match authority.rsplit_once(':') {
            Some((server, port)) => (server, number(port)?),
            None => (authority, usual),
        };
        let path = match path {
            "$request_uri" => None,
            "" => Some(format!("/_mirror-{uid}")),
            path => Some(path.to_owned()),
        };
        let is_fixed = |path: &String| path.bytes().all(is_of_url);
        let is_host = !server.is_empty() && server.bytes().all(is_of_url);
        (is_host && path.as_ref().is_none_or(is_fixed)).then(|| Self {
            is_tls,
            server: server.to_owned(),
            port,
            host: server.to_owned(),
            path,
        })
    }

    /// The Service that it is, and its port, where copies go to that and as pods see them.
    pub(crate) fn service(&self, manifests: &Manifests) -> Option<ServicePort> {
        let name = self.server.strip_suffix(".cluster.local");
        let labels: Vec<&str> = name.unwrap_or(&self.server).split('.').collect();
        let [service, namespace, "svc"] = labels.as_slice() else {
            return None;
        };
        let known = manifests.service(&format!("{namespace}/{service}"))?;
        let has_port = |port: &Value| port.get("port") == Some(&json!(self.port));
        let is_to_be_had = known.text("/spec/externalName").is_none()
            && known.list("/spec/ports").iter().any(has_port);
        (is_to_be_had && !self.is_tls && self.path.is_none()).then(|| ServicePort {
            namespace: (*namespace).to_owned(),
            service: (*service).to_owned(),
            port: self.port.to_string(),
        })
    }

    /// Its part of a route's name: who shares a route shares all that it says.
    pub(crate) fn told(&self) -> String {
        let name = self.name();
        if self.host == self.server {
            name
        } else {
            format!("{name},host={}", self.host)
        }
    }

    /// The name of its cluster.
    pub(crate) fn name(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let path = self.path.as_deref().unwrap_or_default();
        format!("mirror={scheme}://{}:{}{path}", self.server, self.port)
    }

    /// The policy of a route.
    pub(crate) fn policy(&self) -> Value {
        json!({
            "cluster": self.name(),
            "disable_shadow_host_suffix_append": true,
            "host_rewrite_literal": self.host,
        })
    }

    /// Its cluster.
    pub(crate) fn cluster(&self, manifests: &Manifests) -> Value {
        let name = self.name();
        let path = self.path.as_deref().map(at);
        let filters: Vec<Value> = path.into_iter().chain([as_it_came(), codec()]).collect();
        let options = json!({
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http_protocol_options": {} },
            "http_filters": filters,
        });
        let mut cluster = json!({
            "name": name,
            "type": "STRICT_DNS",
            "dns_lookup_family": "V4_PREFERRED",
            "connect_timeout": format!("{}s", CONNECT.of_all(manifests).max(1)),
            "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": {
                "address": { "socket_address": { "address": self.server, "port_value": self.port } },
            } }] }] },
        });
        let Some(fields) = cluster.as_object_mut() else {
            return cluster;
        };
        fields.insert(
            "typed_extension_protocol_options".to_owned(),
            json!({ "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options }),
        );
        if self.is_tls {
            // As ingress-nginx: nobody's certificate is checked.
            fields.insert(
                "transport_socket".to_owned(),
                json!({ "name": "envoy.transport_sockets.tls", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                    "sni": self.server,
                } }),
            );
        }
        cluster
    }
}

/// A mirror sees what the client sent, and nothing of what pods are told, nor of what Envoy adds to a
/// copy.
fn as_it_came() -> Value {
    let remove = |name: &str| json!({ "remove": name });
    let written = FORWARDING_HEADERS.iter().map(|header| remove(header.name));
    let original = json!({ "append": {
        "header": { "key": "x-forwarded-for", "value": "%REQ(X-ORIGINAL-FORWARDED-FOR)%" },
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    } });
    let rest = [
        "x-original-forwarded-for",
        "x-original-forwarded-host",
        "x-envoy-internal",
    ];
    let mutations = written.chain([original]).chain(rest.map(remove));
    let mutations: Vec<Value> = mutations.collect();
    json!({
        "name": "envoy.filters.http.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": { "request_mutations": mutations },
        },
    })
}

/// Replaces the path and keeps the arguments. Nothing in `path` means something to Lua: see
/// [`is_of_url`].
fn at(path: &str) -> Value {
    let code = format!(
        "function envoy_on_request(handle)\n  \
           local headers = handle:headers()\n  \
           local path = headers:get(\":path\")\n  \
           local query = path:find(\"?\", 1, true)\n  \
           headers:replace(\":path\", \"{path}\" .. (query and path:sub(query) or \"\"))\n\
         end\n"
    );
    json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": { "inline_string": code },
        },
    })
}

fn codec() -> Value {
    json!({
        "name": "envoy.filters.http.upstream_codec",
        "typed_config": { "@type":
            "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec" },
    })
}

/// A port, in digits.
fn number(port: &str) -> Option<u16> {
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| is_number && *port > 0)
}

/// What needs no escape, neither in a URL nor in Lua.
fn is_of_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte)
}

/// Where the cluster's DNS leads from the name of a Service of type ExternalName.
fn external_name<'m>(manifests: &'m Manifests, server: &str) -> Option<&'m str> {
    let mut labels = server.split('.');
    let (service, namespace) = (labels.next()?, labels.next()?);
    let service = manifests.service(&format!("{namespace}/{service}"))?;
    service.text("/spec/externalName")
}

fn is_accepted(name: &str, value: &str) -> bool {
    let row = catalogue::find(name);
    row.is_some_and(|row| row.validator.accepts(value, &mut Patterns::default()))
}
