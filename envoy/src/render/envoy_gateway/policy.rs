//! Policies: the module, the listener's manners, retries.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::args::{BOUNDS_HEADS, EnvoyGatewayArgs};
use super::authorizer;
use super::client;
use super::listener::GATEWAY;
use super::route::{ClusterRoute, ROUTE, names};
use super::way::{Going, duration};
use crate::forwarding::envoy::{HTTP, HTTPS, ListenerSide, Written, early, originals};
use crate::plugin_config::Unmatched;
use crate::render::asking::Asking;
use crate::render::edge;
use crate::render::resource::{Kind, Resource, insert};
use crate::render::served::Served;

const API: &str = "gateway.envoyproxy.io/v1alpha1";
const GROUP: &str = "gateway.networking.k8s.io";

/// The most that a circuit breaker can be set to.
const NO_LIMIT: u32 = u32::MAX;

pub(super) fn resources(
    served: &Served<'_>,
    args: &EnvoyGatewayArgs,
    routes: &[ClusterRoute<'_>],
) -> Vec<Resource> {
    let mut all = client_traffic(served, args);
    all.extend(backend_traffic(args, routes));
    all.push(extension(served, args, routes));
    all
}

/// One policy for the http listener, and one for all others: a listener knows the port and the
/// scheme of its clients, Envoy does not.
///
/// Source: `ProcessClientTrafficPolicies`, `internal/gatewayapi/clienttrafficpolicy.go`, gateway
/// d32f28294: a policy with a section name goes before one without.
fn client_traffic(served: &Served<'_>, args: &EnvoyGatewayArgs) -> Vec<Resource> {
    let of_section = |name: &str| {
        let mut section = target(GATEWAY.name, "limpet");
        insert(&mut section, "sectionName", json!(name));
        section
    };
    let policy = |name: &str,
                  target: Value,
                  side: ListenerSide,
                  asking: Option<&Asking<'_>>,
                  tls: Option<Value>| {
        let mut spec = json!({
            "targetRefs": [target],
            "headers": {
                "earlyRequestHeaders": early_headers(served, side, asking),
                "withUnderscoresAction": underscores(served),
                "requestID": "PreserveOrGenerate",
            },
            "http1": { "http10": {} },
            "http2": { "maxConcurrentStreams": edge::streams(served.compiled().manifests) },
            "timeout": timeouts(served, args),
            "path": { "disableMergeSlashes": true, "escapedSlashesAction": "KeepUnchanged" },
        });
        if served.forwarding.proxied {
            insert(&mut spec, "enableProxyProtocol", json!(true));
        }
        if served.forwarding.trusted {
            let hops = json!({ "xForwardedFor": { "numTrustedHops": 1 } });
            insert(&mut spec, "clientIPDetection", hops);
        }
        if let Some(tls) = tls {
            insert(&mut spec, "tls", tls);
        }
        Resource::new(client::POLICY, &args.namespace, name, spec)
    };
    let http = of_section(super::listener::HTTP);
    let plain = policy("limpet-http", http, HTTP, None, None)
        .comment("Client copies of limpet's headers go before anything reads them; paths stay as they came;")
        .comment("the forwarding headers are those that ingress-nginx sent.");
    let plain = if served.forwarding.trusted {
        plain.comment("use-forwarded-headers: numTrustedHops is the number of proxies in front.")
    } else {
        plain
    };
    let all = target(GATEWAY.name, "limpet");
    let tls = policy("limpet", all, HTTPS, None, client::of_all(served))
        .comment("The same for every other listener: https.");
    let own = client::asking(served);
    let own = own.iter().map(|(own, asking)| {
        let tls = client::tls(served, own, asking);
        let section = of_section(&own.name);
        policy(&client::name(own), section, HTTPS, Some(asking), Some(tls))
            .comment(client::comment(own, asking))
    });
    [plain, tls].into_iter().chain(own).collect()
}

/// How long a client may hold a connection.
fn timeouts(served: &Served<'_>, args: &EnvoyGatewayArgs) -> Value {
    let manifests = served.compiled().manifests;
    let mut http = json!({ "idleTimeout": duration(edge::idle_timeout(manifests)) });
    if args.envoy_gateway < BOUNDS_HEADS {
        return json!({ "http": http });
    }
    let heads = json!(duration(edge::header_timeout(manifests)));
    insert(&mut http, "requestHeadersReceivedTimeout", heads.clone());
    json!({ "http": http, "tcp": { "tlsHandshakeTimeout": heads } })
}

/// limpet's own headers removed, the forwarding headers written; Envoy Gateway writes before it
/// removes.
fn early_headers(served: &Served<'_>, side: ListenerSide, asking: Option<&Asking<'_>>) -> Value {
    let forwarding = served.forwarding;
    let trusted = forwarding.trusted;
    let mut remove: Vec<&str> = served.dropped_headers().collect();
    let of_client = asking.map(client::headers).unwrap_or_default();
    let is_written = |name: &str| of_client.iter().any(|header| header.name == name);
    remove.extend(client::dropped(served).filter(|name| !is_written(name)));
    // Envoy Gateway appends the address itself, after this.
    const APPENDED: &str = "x-forwarded-for";
    if !forwarding.real_ip {
        remove.push(APPENDED);
    }
    let written: Vec<Written> = originals(forwarding)
        .into_iter()
        .chain(early(forwarding, side))
        .filter(|header| header.name != APPENDED)
        .chain(of_client)
        .collect();
    let list = |only_if_absent: bool| -> Vec<Value> {
        written
            .iter()
            .filter(|header| header.only_if_absent == only_if_absent)
            .map(|header| json!({ "name": header.name, "value": header.value }))
            .collect()
    };
    let mut headers = json!({ "set": list(false), "remove": remove });
    if trusted {
        insert(&mut headers, "addIfAbsent", json!(list(true)));
    }
    headers
}

/// `enable-underscores-in-headers`, off by default in ingress-nginx.
fn underscores(served: &Served<'_>) -> &'static str {
    if served.drops_underscores {
        "DropHeader"
    } else {
        "Allow"
    }
}

/// One for each way.
fn backend_traffic(args: &EnvoyGatewayArgs, routes: &[ClusterRoute<'_>]) -> Vec<Resource> {
    let mut policies: BTreeMap<String, (&Going<'_>, BTreeSet<&str>)> = BTreeMap::new();
    for route in routes {
        let policy = policies.entry(route.going.policy());
        let (_, targets) = policy.or_insert_with(|| (&route.going, BTreeSet::new()));
        targets.insert(&route.route);
    }
    let policies = policies.into_iter();
    let policies = policies.map(|(name, (going, routes))| {
        let targets: Vec<Value> = routes.iter().map(|route| target(ROUTE.name, route)).collect();
        let mut spec = json!({
            "targetRefs": targets,
            "mergeType": "StrategicMerge",
            "circuitBreaker": {
                "maxConnections": NO_LIMIT,
                "maxPendingRequests": NO_LIMIT,
                "maxParallelRequests": NO_LIMIT,
            },
        });
        for (key, said) in going.said(args.envoy_gateway) {
            insert(&mut spec, key, said);
        }
        let resource = policy("BackendTrafficPolicy", &args.namespace, &name, spec);
        if !going.is_usual {
            return resource.comment(format!("Of a way of some: {}", going.told()));
        }
        resource
            .comment("proxy-next-upstream: after an endpoint that cannot be reached another is asked. The time-outs of")
            .comment("ingress-nginx: silence, not the whole. No limits of Envoy's own, which answers 503 above 1,024")
            .comment("requests; what the Gateway's policy says beside it stays.")
    });
    policies.collect()
}

pub(super) fn extension(
    served: &Served<'_>,
    args: &EnvoyGatewayArgs,
    routes: &[ClusterRoute<'_>],
) -> Resource {
    let mut image = json!({ "url": args.image });
    if let Some(secret) = &args.image_pull_secret {
        let secret = json!({ "group": "", "kind": "Secret", "name": secret });
        insert(&mut image, "pullSecretRef", secret);
    }
    let mut config = served.plugin_config(
        &names(routes),
        authorizer::names(served, routes),
        Unmatched::NotFound,
    );
    if let Some(listeners) = client::listeners(served, args) {
        insert(&mut config, "client_listeners", listeners);
    }
    let mut wasm = json!({
        "name": "limpet",
        "rootID": "limpet",
        "failOpen": false,
        "code": { "type": "Image", "image": image },
        "config": config,
    });
    let variables = served.variables();
    if let (false, Some(fields)) = (variables.is_empty(), wasm.as_object_mut()) {
        fields.insert("env".to_owned(), json!({ "hostKeys": variables }));
    }
    let spec = json!({ "targetRefs": [target(GATEWAY.name, "limpet")], "wasm": [wasm] });
    policy("EnvoyExtensionPolicy", &args.namespace, "limpet", spec)
        .comment("The module, with the Ingresses as they are. On the Gateway, so that no route of anybody's goes past it:")
        .comment("what no Ingress names is 404 there.")
}

fn policy(kind: &'static str, namespace: &str, name: &str, spec: Value) -> Resource {
    Resource::new(
        Kind {
            api_version: API,
            name: kind,
        },
        namespace,
        name,
        spec,
    )
}

fn target(kind: &str, name: &str) -> Value {
    json!({ "group": GROUP, "kind": kind, "name": name })
}
