//! Clusters that are asked about requests, and serve none.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::proxys_own::refused;
use super::served::Served;
use crate::clusters::Cluster;
use crate::forwarding::FORWARDED_FOR_HEADER;
use crate::manifests::Object;

/// Where it does not matter what the domain of the cluster's Services is.
const ANY_DOMAIN: &str = "cluster.local";

/// Where proxies' images have the certificates of everybody.
pub(super) const CA: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where the module says it: in X-Real-IP, where nothing more is to be told.
const FORWARDED_FOR: &str = "%REQ(x-limpet-forwarded-for?x-real-ip)%";

/// What Envoy adds to a module's question is taken off: its own address in X-Forwarded-For too.
pub(super) fn filters() -> Value {
    json!([
        { "name": "envoy.filters.http.header_mutation", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": { "request_mutations": [
                { "remove": "x-envoy-internal" },
                { "remove": "x-envoy-expected-rq-timeout-ms" },
                { "append": {
                    "header": { "key": "x-forwarded-for", "value": FORWARDED_FOR },
                    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                } },
                { "remove": FORWARDED_FOR_HEADER },
            ] },
        } },
        { "name": "envoy.filters.http.upstream_codec", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        } },
    ])
}

/// Nobody's certificate is looked at, as ingress-nginx does by default, but for that of an authorizer
/// outside of the cluster: who stood in its place could let everybody in.
pub(super) fn transport_socket(cluster: &Cluster, ca: &Path) -> Value {
    let mut context = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
    });
    let name = cluster.external_name.as_deref();
    if let (Some(name), Some(fields)) = (name, context.as_object_mut()) {
        if cluster.authorizer.is_some() {
            fields.insert("sni".to_owned(), json!(name));
        }
        if cluster.is_verified() {
            let validation = json!({
                "trusted_ca": { "filename": ca },
                "match_typed_subject_alt_names": [
                    { "san_type": "DNS", "matcher": { "exact": name } },
                ],
            });
            let validation = json!({ "validation_context": validation });
            fields.insert("common_tls_context".to_owned(), validation);
        }
    }
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": context })
}

/// An authorizer at a name in DNS or an address as a cluster of its own; `Err`: why nothing is sent there.
fn rendered(cluster: &Cluster, name: &str, port: u16) -> Result<Value, &'static str> {
    if let Some(why) = refused(name, port) {
        return Err(why);
    }
    let is_name = name.parse::<IpAddr>().is_err();
    let address = json!({ "socket_address": { "address": name, "port_value": port } });
    let endpoint = json!({ "endpoint": { "address": address } });
    let mut value = json!({
        "name": cluster.name(),
        "connect_timeout": "5s",
        "type": if is_name { "STRICT_DNS" } else { "STATIC" },
        "dns_lookup_family": "V4_PREFERRED",
        "load_assignment": {
            "cluster_name": cluster.name(),
            "endpoints": [{ "lb_endpoints": [endpoint] }],
        },
        "typed_extension_protocol_options": { PROTOCOL_OPTIONS: {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http_protocol_options": {} },
            "common_http_protocol_options": connections(),
            "http_filters": filters(),
        } },
    });
    let tls = cluster.protocol.is_some_and(|protocol| protocol.tls);
    if let (true, Some(fields)) = (tls, value.as_object_mut()) {
        let socket = transport_socket(cluster, Path::new(CA));
        fields.insert("transport_socket".to_owned(), socket);
    }
    Ok(value)
}

/// Where a cluster says how it speaks HTTP.
pub(super) const PROTOCOL_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// As nginx, which keeps no connection to one: no question is lost with an old one.
pub(super) fn connections() -> Value {
    json!({ "max_requests_per_connection": 1 })
}

/// Whether the module calls one by a cluster that istiod makes of its Service. TLS would have to be said in a
/// DestinationRule, by which all others speak to that Service too, and a tenant may name everybody's.
pub(super) fn is_a_services(cluster: &Cluster) -> bool {
    let is_tls = cluster.protocol.is_some_and(|protocol| protocol.tls);
    !cluster.service_port.namespace.is_empty() && !is_tls
}

/// The others, each as a cluster of its own, or why nothing is sent there; `domain`: that of the cluster's Services.
pub(super) fn apart<'s>(
    served: &'s Served<'_>,
    domain: &str,
) -> impl Iterator<Item = (&'s Cluster, Result<Value, &'static str>)> {
    let all = served.authorizers().iter();
    all.filter_map(move |cluster| {
        let named = &cluster.service_port;
        let own = if named.namespace.is_empty() {
            let port = named.port.parse().unwrap_or_default();
            rendered(cluster, &named.service, port)
        } else if let Some(why) = cluster.leads_to_its_proxy() {
            Err(why)
        } else {
            match cluster.number {
                None => Err("a Service without such a port"),
                Some(_) if is_a_services(cluster) => return None,
                Some(number) => {
                    let name = format!("{}.{}.svc.{domain}", named.service, named.namespace);
                    rendered(cluster, &name, number)
                }
            }
        };
        Some((cluster, own))
    })
}

/// Those that nobody can be sent to on Istio.
pub fn refused_on_istio<'s>(served: &'s Served<'_>) -> impl Iterator<Item = &'s Cluster> {
    apart(served, ANY_DOMAIN).filter_map(|(cluster, one)| one.is_err().then_some(cluster))
}

/// The same on Envoy Gateway.
pub fn refused_on_envoy_gateway<'s>(served: &'s Served<'_>) -> impl Iterator<Item = &'s Cluster> {
    let known = namespaces(served);
    let all = served.authorizers().iter();
    all.filter(move |cluster| not_by_a_route(cluster, &known).is_some())
}

/// Those that nobody can be sent to on Istio, one line each.
pub fn on_istio<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    let all = apart(served, ANY_DOMAIN);
    let refused = all.filter_map(|(cluster, one)| Some((cluster, one.err()?)));
    refused.map(|(cluster, why)| {
        let (place, subject) = (&cluster.place, cluster.subject());
        format!("{place}: {subject} is {why}: nothing is sent there, and its paths answer 503")
    })
}

/// The same on Envoy Gateway.
pub fn on_envoy_gateway<'s>(served: &'s Served<'_>) -> impl Iterator<Item = String> + 's {
    let known = namespaces(served);
    let all = served.authorizers().iter();
    let refused = all.filter_map(move |cluster| Some((cluster, not_by_a_route(cluster, &known)?)));
    refused.map(|(cluster, why)| {
        let (place, subject) = (&cluster.place, cluster.subject());
        format!("{place}: {subject} {why}: its paths answer 503")
    })
}

/// Those that a route of Envoy Gateway can lead to as they are to be spoken to.
pub(super) fn by_routes<'c>(served: &Served<'c>) -> impl Iterator<Item = (&'c Cluster, u16)> {
    let known = namespaces(served);
    let all = served.asked_services();
    all.filter(move |(cluster, _)| not_by_a_route(cluster, &known).is_none())
}

/// The namespaces that are there for certain.
fn namespaces<'c>(served: &Served<'c>) -> HashSet<&'c str> {
    let manifests = served.compiled().manifests;
    let all = manifests.services.iter().chain(&manifests.ingresses);
    all.map(Object::namespace).collect()
}

/// Why a route cannot lead there.
fn not_by_a_route(cluster: &Cluster, known: &HashSet<&str>) -> Option<&'static str> {
    let namespace = cluster.service_port.namespace.as_str();
    if namespace.is_empty() {
        Some(
            "is no Service of this cluster, and Envoy Gateway has no route to anything else unless its \
             Backend API is on; put a Service in front of it, or attach a SecurityPolicy with extAuth to \
             the Gateway and take the annotation off",
        )
    } else if cluster.missing && !known.contains(namespace) {
        // A grant in a namespace that is not there is refused, and what is applied for all fails by it.
        Some(
            "is a Service of a namespace of which nothing is among the manifests, and Envoy Gateway has to be let to \
             it there; give the Service with -f",
        )
    } else if cluster.protocol.is_some_and(|protocol| protocol.tls) {
        Some("speaks TLS, which a Service is not spoken to here; let it take plain http too")
    } else if cluster.number.is_none() {
        Some("has no such port")
    } else {
        None
    }
}
