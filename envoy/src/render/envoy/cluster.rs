//! A cluster for each Service port, and the one toward Envoy's own admin.

use serde_json::{Value, json};

use super::address::Address;
use super::eds::{self, endpoint_file, load_assignment};
use super::reach;
use super::settings::EnvoySettings;
use crate::clusters::{Cluster, Twin};
use crate::compiled::Compiled;
use crate::render::authorizer::{self, PROTOCOL_OPTIONS};
use crate::render::edge;
use crate::render::way::CONNECT;

/// In KiB, the head of an answer: twice what people write as `proxy-buffer-size` at most.
const MOST_OF_A_HEAD: u32 = 512;

pub(super) fn cluster(
    compiled: &Compiled<'_>,
    cluster: &Cluster,
    settings: &EnvoySettings,
    notes: &mut Vec<String>,
) -> Value {
    let name = cluster.name();
    let protocol = cluster.protocol.unwrap_or_default();
    let mut value = json!({
        "name": name,
        "connect_timeout": format!("{}s", CONNECT.of(compiled, cluster, notes)),
        "lb_policy": "LEAST_REQUEST",
    });
    let Some(fields) = value.as_object_mut() else {
        return value;
    };
    fields.extend(discovery(cluster, settings, notes));
    fields.insert(
        "common_lb_config".to_owned(),
        json!({
            // An endpoint that drains keeps its sessions until it is gone.
            "override_host_status": { "statuses": ["UNKNOWN", "HEALTHY", "DEGRADED", "DRAINING"] },
            // Health is overlooked only where no endpoint is healthy: nginx tries them all then.
            "healthy_panic_threshold": { "value": 1 },
        }),
    );
    fields.insert("outlier_detection".to_owned(), outlier_detection());
    fields.insert("circuit_breakers".to_owned(), no_limits());
    if cluster.twin == Some(Twin::Passthrough) {
        return value;
    }
    let connections = if cluster.is_asked() {
        authorizer::connections()
    } else {
        json!({
            // upstream-keepalive-timeout
            "idle_timeout": "60s",
            // nginx counts no fields of an answer, and takes a head that proxy-buffer-size holds; Envoy's own
            // limits are 100, and 60 KiB or 80.
            "max_headers_count": edge::HEADERS,
            "max_response_headers_kb": MOST_OF_A_HEAD,
        })
    };
    let mut options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": connections,
        "explicit_http_config":
            if protocol.http2 { json!({ "http2_protocol_options": {} }) }
            else { json!({ "http_protocol_options": {} }) },
    });
    if let (true, Some(options)) = (cluster.is_asked(), options.as_object_mut()) {
        options.insert("http_filters".to_owned(), authorizer::filters());
    }
    fields.insert(
        "typed_extension_protocol_options".to_owned(),
        json!({ PROTOCOL_OPTIONS: options }),
    );
    if protocol.tls {
        let said = compiled
            .upstream_tls
            .by_cluster
            .get(&cluster.service_port.key());
        let said = said.filter(|_| cluster.authorizer.is_none());
        let socket = match said {
            Some(said) => said.transport_socket(),
            // As ingress-nginx: proxy-ssl-verify is off by default, nobody's certificate is checked.
            None => authorizer::transport_socket(cluster, &settings.authorizer_ca),
        };
        fields.insert("transport_socket".to_owned(), socket);
    }
    value
}

/// nginx limits none of these; Envoy's defaults would refuse the 1,025th connection and the fourth
/// retry at a time.
fn no_limits() -> Value {
    let none = 1_000_000;
    json!({ "thresholds": [{
        "max_connections": none,
        "max_pending_requests": none,
        "max_requests": none,
        "max_retries": none,
    }] })
}

/// A refused connection counts, an application's own 5xx does not: nginx does not mind it either.
fn outlier_detection() -> Value {
    json!({
        "split_external_local_origin_errors": true,
        "consecutive_local_origin_failure": 2,
        "enforcing_consecutive_local_origin_failure": 100,
        "enforcing_local_origin_success_rate": 0,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "interval": "1s",
        "base_ejection_time": "5s",
        "max_ejection_time": "30s",
        "max_ejection_percent": 100,
    })
}

fn discovery(
    cluster: &Cluster,
    settings: &EnvoySettings,
    notes: &mut Vec<String>,
) -> serde_json::Map<String, Value> {
    let name = cluster.name();
    let dns_name = match (&cluster.external_name, settings.dns) {
        (Some(external), _) => Some(external.clone()),
        (None, true) if !cluster.service_port.namespace.is_empty() => {
            let port = &cluster.service_port;
            Some(format!(
                "{}.{}.svc.cluster.local",
                port.service, port.namespace
            ))
        }
        (None, _) => None,
    };
    let mut fields = serde_json::Map::new();
    let mut set = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    if let Some(dns_name) = dns_name {
        let port = match dns_port(cluster, notes) {
            Ok(port) => port,
            Err(note) => {
                notes.push(note);
                set("type", json!("STATIC"));
                set("load_assignment", load_assignment(&name, &[]));
                return fields;
            }
        };
        if let Some(why) = reach::refused_name(settings, &dns_name, port) {
            let value = format!("{dns_name}:{port}");
            notes.push(reach::note(cluster, "name", &value, why));
            set("type", json!("STATIC"));
            set("load_assignment", load_assignment(&name, &[]));
            return fields;
        }
        set("type", json!("STRICT_DNS"));
        set("dns_lookup_family", json!("V4_PREFERRED"));
        set(
            "load_assignment",
            json!({ "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": {
                "address": { "socket_address": { "address": dns_name, "port_value": port } },
            } }] }] }),
        );
        return fields;
    }
    notes.extend(reach::notes(settings, cluster));
    if let Some(folder) = &settings.eds {
        let of = if cluster.twin.is_some() {
            cluster.service_port.key()
        } else {
            name.clone()
        };
        let file = endpoint_file(folder, &of);
        let mut config = json!({ "eds_config": eds::source(&file) });
        if let (true, Some(fields)) = (of != name, config.as_object_mut()) {
            fields.insert("service_name".to_owned(), json!(of));
        }
        set("type", json!("EDS"));
        set("eds_cluster_config", config);
        return fields;
    }
    if cluster.endpoints.is_empty() {
        let service = cluster.service_port.key();
        notes.push(format!(
            "{}: no endpoints for {service}: it answers 503; give --endpoints {service}=IP:PORT,... \
             or EndpointSlices, or let Envoy find them with --dns or --eds",
            cluster.place
        ));
    }
    set("type", json!("STATIC"));
    set(
        "load_assignment",
        load_assignment(&name, &reach::endpoints(settings, cluster)),
    );
    fields
}

/// The port behind a name in DNS: a headless Service resolves to pods, so it is the pods' port.
/// `Err`: it is not known, for the operator.
fn dns_port(cluster: &Cluster, notes: &mut Vec<String>) -> Result<u16, String> {
    let service = cluster.service_port.key();
    let keeps_none = cluster.headless == Some(false) && cluster.authorizer.is_none();
    if cluster.external_name.is_none() && keeps_none {
        notes.push(format!(
            "{}: Service {service} has a cluster address, so DNS does not name its pods and no \
             session can be kept; make it headless (clusterIP: None)",
            cluster.place
        ));
    }
    let (port, remedy) = match (&cluster.external_name, cluster.headless) {
        (Some(_), _) => (cluster.target, "give the ExternalName Service that port"),
        (None, Some(false)) => (cluster.number, "give the Service that port"),
        (None, Some(true)) => (
            cluster.target,
            "give its EndpointSlices with -f, which say what a named targetPort is",
        ),
        (None, None) => (cluster.number, "give the Service with -f"),
    };
    port.ok_or_else(|| {
        format!(
            "{}: the port of {service} is not known as a number: it answers 503; {remedy}",
            cluster.place
        )
    })
}

/// The cluster that the module asks for the endpoints: Envoy's own admin, as Istio and Envoy
/// Gateway have it.
pub(super) fn admin_cluster(admin: &Address) -> Value {
    json!({
        "name": "prometheus_stats",
        "type": "STATIC",
        "connect_timeout": "0.25s",
        "load_assignment": { "cluster_name": "prometheus_stats", "endpoints": [{ "lb_endpoints": [
            { "endpoint": { "address": admin.reachable().to_envoy() } },
        ] }] },
    })
}
