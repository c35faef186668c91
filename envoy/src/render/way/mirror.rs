//! `mirror-target`: a copy of each request for another server, which nobody waits for.
//!
//! Source: `Parse` of `internal/ingress/annotations/mirror`, and the mirror's location in `nginx.tmpl`,
//! ingress-nginx dbb11b92d.

mod seen;

use limpet::annotations::catalogue;
use limpet::annotations::validator::Patterns;
use serde_json::{Value, json};

use self::seen::{Text, is_of_url, script};
use super::timeouts::CONNECT;
use crate::clusters::ServicePort;
use crate::forwarding::{FORWARDING_HEADERS, Forwarding};
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
    /// The same, where it is the request's to say.
    host_of_request: Option<Text>,
    /// The path that it sees in place of the request's; `None`: the request's own.
    path: Option<Text>,
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
        // What nginx's own place for copies is called, and what is the same for all requests there.
        let uri = format!("/_mirror-{}", ingress.ingress.uid);
        let (namespace, name) = ingress.ingress.key.split_once('/').unwrap_or_default();
        let known = [
            ("uri", &*uri),
            ("namespace", namespace),
            ("ingress_name", name),
        ];
        let Some(mut mirror) = Self::read(target, &known) else {
            note(
                "is no http://HOST[:PORT][/PATH], its variables $request_uri, $args, $is_args, $host and \
                 $http_host",
            );
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
        notes.extend(told_with(ingress));
        let host = ingress.annotation("mirror-host").map(str::trim);
        if let Some(host) = host.filter(|host| !host.is_empty()) {
            let is_fit = host.len() <= LONGEST && is_accepted("mirror-host", host);
            let text = Text::read(host, &known).filter(|_| is_fit);
            if let Some(text) = text.as_ref().filter(|text| !text.is_fixed) {
                mirror.host_of_request = Some(text.clone());
            } else if let Some(text) = text.filter(|text| text.name.bytes().all(is_of_url)) {
                mirror.host = text.name;
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

    /// `known`: see [`Text::read`]; the first one is the path where the target has none.
    fn read(target: &str, known: &[(&str, &str)]) -> Option<Self> {
        let (scheme, rest) = target.split_once("://")?;
        let (is_tls, usual) = match scheme {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => return None,
        };
        let end = rest.find(['/', '$', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (server, port) = match authority.rsplit_once(':') {
            Some((server, port)) => (server, number(port)?),
            None => (authority, usual),
        };
        let path = match path {
            "$request_uri" => None,
            "" => Some(Text::read(known.first()?.1, known)?),
            path if path.starts_with('?') => Some(Text::read(&["/", path].concat(), known)?),
            path => Some(Text::read(path, known)?),
        };
        let is_path =
            |path: &Text| path.name.starts_with('/') || path.name.starts_with("$request_uri");
        let is_host = !server.is_empty() && server.bytes().all(is_of_url);
        (is_host && path.as_ref().is_none_or(is_path)).then(|| Self {
            is_tls,
            server: server.to_owned(),
            port,
            host: server.to_owned(),
            host_of_request: None,
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
        if self.host == self.server || self.host_of_request.is_some() {
            name
        } else {
            format!("{name},host={}", self.host)
        }
    }

    /// The name of its cluster.
    pub(crate) fn name(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let path = self.path.as_ref().map_or("", |path| &path.name);
        // What a variable says may be what somebody else writes.
        let is_whole = |path: &Text| path.is_fixed && !path.takes_arguments;
        let whole = if self.path.as_ref().is_some_and(is_whole) {
            ",without=args"
        } else {
            ""
        };
        let host = self.host_of_request.as_ref();
        let host = host.map_or(String::new(), |host| format!(",host={}", host.name));
        format!(
            "mirror={scheme}://{}:{}{path}{whole}{host}",
            self.server, self.port
        )
    }

    /// The policy of a route.
    pub(crate) fn policy(&self) -> Value {
        let mut policy = json!({
            "cluster": self.name(),
            "disable_shadow_host_suffix_append": true,
        });
        if let (None, Some(fields)) = (&self.host_of_request, policy.as_object_mut()) {
            fields.insert("host_rewrite_literal".to_owned(), json!(self.host));
        }
        policy
    }

    /// Its cluster.
    pub(crate) fn cluster(&self, manifests: &Manifests) -> Value {
        let name = self.name();
        let (path, host) = (self.path.as_ref(), self.host_of_request.as_ref());
        let asks = path.is_some() || host.is_some();
        let script = asks.then(|| script(path, host));
        let forwarding = Forwarding::read(manifests.settings());
        let filters = script.into_iter().chain([as_it_came(&forwarding), codec()]);
        let filters: Vec<Value> = filters.collect();
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

/// A copy is made of what pods get: nginx makes it of what the client sent.
fn told_with(ingress: &TakenIngress<'_>) -> Option<String> {
    let says = |name: &str| {
        ingress
            .annotation(name)
            .is_some_and(|said| !said.is_empty())
    };
    let what = if says("auth-type") {
        "have no Authorization, which their client sent"
    } else if says("auth-url") && says("auth-response-headers") {
        "have what the authorizer says of a client, in place of what their client sent"
    } else {
        return None;
    };
    let place = ingress.place_of(TARGET);
    Some(format!(
        "{place}: copies {what}: authentication comes first"
    ))
}

/// A mirror sees what the client sent, and nothing of what pods are told, nor of what Envoy adds to a
/// copy.
fn as_it_came(forwarding: &Forwarding) -> Value {
    let remove = |name: &str| json!({ "remove": name });
    let written = FORWARDING_HEADERS.iter().map(|header| remove(header.name));
    let originals = forwarding.originals();
    let came = originals.iter().map(|(kept, name)| {
        json!({ "append": {
            "header": { "key": name, "value": format!("%REQ({})%", kept.to_ascii_uppercase()) },
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        } })
    });
    let kept = originals.iter().map(|(kept, _)| remove(kept));
    let uri = forwarding.original_uri.then(|| remove("x-original-uri"));
    let rest = uri.into_iter().chain([remove("x-envoy-internal")]);
    let mutations = written.chain(came).chain(kept).chain(rest);
    let mutations: Vec<Value> = mutations.collect();
    json!({
        "name": "envoy.filters.http.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": { "request_mutations": mutations },
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
