//! Envoy Gateway's part.
//!
//! Source: `internal/xds/translator/{listener,httpfilters,route,wasm,session_persistence}.go`,
//! `internal/gatewayapi/sort.go`, envoyproxy/gateway d32f28294.

use super::shape::{Shape, filter, retry};
use limpet_envoy::render::envoy_gateway::{EnvoyGatewayArgs, resources as rendered};
use limpet_envoy::render::resource::Resource;
use limpet_envoy::render::served::Served;
use serde_json::{Value, json};
use std::cmp::Reverse;

const SESSION: &str = "envoy.filters.http.stateful_session";
const WASM: &str = "envoy.filters.http.wasm";
const MODULE: &str =
    "envoy.filters.http.wasm/envoyextensionpolicy/envoy-gateway-system/limpet/wasm/0";

pub(super) fn resources(served: &Served<'_>) -> Vec<Resource> {
    rendered(served, &EnvoyGatewayArgs::default())
}

pub(super) fn plugin(resources: &[Resource]) -> Value {
    let policy = resources
        .iter()
        .find(|resource| resource.kind() == "EnvoyExtensionPolicy");
    policy.unwrap().value["spec"]["wasm"][0]["config"].clone()
}

pub(super) fn manager(shape: &Shape) -> Value {
    let client = client_traffic(shape);
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http-10080",
        "codec_type": "AUTO",
        "server_header_transformation": "PASS_THROUGH",
        "http2_protocol_options": { "max_concurrent_streams": 100 },
        "use_remote_address": true,
        "normalize_path": true,
        "merge_slashes": client["path"]["disableMergeSlashes"] != json!(true),
        "path_with_escaped_slashes_action": match client["path"]["escapedSlashesAction"].as_str() {
            Some("KeepUnchanged") => "KEEP_UNCHANGED",
            other => panic!("{other:?}"),
        },
        "common_http_protocol_options": {
            "headers_with_underscores_action": match client["headers"]["withUnderscoresAction"].as_str() {
                Some("DropHeader") => "DROP_HEADER",
                Some("Allow") => "ALLOW",
                other => panic!("{other:?}"),
            },
        },
        "early_header_mutation_extensions": [{
            "name": "envoy.http.early_header_mutation.header_mutation",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                "mutations": early_mutations(&client["headers"]["earlyRequestHeaders"]),
            },
        }],
        "xff_num_trusted_hops":
            client.pointer("/clientIPDetection/xForwardedFor/numTrustedHops").unwrap_or(&json!(0)),
        "preserve_external_request_id": client["headers"]["requestID"] == "PreserveOrGenerate",
        "http_filters": filters(shape),
        "route_config": routes(shape),
    });
    if let Some(log) = &shape.access_log {
        manager["access_log"] = log.clone();
    }
    manager
}

/// The policy of this listener: the one that names it goes before the one of the whole Gateway.
fn client_traffic(shape: &Shape) -> &Value {
    let policies = shape.all("ClientTrafficPolicy");
    let of = |section: Option<&str>| {
        policies.iter().find(|policy| {
            let target = &policy["spec"]["targetRefs"][0];
            target.get("sectionName").and_then(Value::as_str) == section
        })
    };
    let policy = of(Some(shape.side.scheme)).or_else(|| of(None));
    &policy.unwrap()["spec"]
}

/// `translateHeaderModifier`, then `buildHeaderMutationRules`: what is set, what is added where it
/// is absent, what is removed.
fn early_mutations(headers: &Value) -> Vec<Value> {
    let list = |key: &str| {
        let list = headers.get(key).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let append = |header: &Value, action: &str| {
        let (name, value) = (&header["name"], &header["value"]);
        json!({ "append": {
            "header": { "key": name, "value": value }, "append_action": action,
        } })
    };
    let set = list("set");
    let set = set.iter().map(|h| append(h, "OVERWRITE_IF_EXISTS_OR_ADD"));
    let absent = list("addIfAbsent");
    let absent = absent.iter().map(|h| append(h, "ADD_IF_ABSENT"));
    let remove = list("remove");
    let remove = remove.iter().map(|name| json!({ "remove": name }));
    set.chain(absent).chain(remove).collect()
}

/// Both filters stand in the chain disabled; the first route that matches turns them on.
fn filters(shape: &Shape) -> Vec<Value> {
    let mut session = filter(SESSION, "stateful_session.v3.StatefulSession");
    session["typed_config"]["session_state"] =
        session_state(&shape.all("HTTPRoute")[0]["spec"]["rules"][0]);
    session["disabled"] = json!(true);
    // The default order, then EnvoyProxy's.
    let mut chain = vec![(SESSION, session), (WASM, module(shape))];
    for position in shape.one("EnvoyProxy")["filterOrder"].as_array().unwrap() {
        let at = |chain: &[(&str, Value)], name: &Value| {
            chain.iter().position(|(kind, _)| *kind == *name).unwrap()
        };
        let moved = chain.remove(at(&chain, &position["name"]));
        let before = at(&chain, &position["before"]);
        chain.insert(before, moved);
    }
    let mut filters: Vec<Value> = chain.into_iter().map(|(_, filter)| filter).collect();
    filters.push(filter("envoy.filters.http.router", "router.v3.Router"));
    filters
}

fn module(shape: &Shape) -> Value {
    let wasm = &shape.one("EnvoyExtensionPolicy")["wasm"][0];
    json!({
        "name": MODULE,
        "disabled": true,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": wasm["name"],
                "root_id": wasm["rootID"],
                "fail_open": wasm["failOpen"],
                "vm_config": { "vm_id": MODULE, "runtime": "envoy.wasm.runtime.v8", "code": shape.code },
                "configuration": shape.configuration(),
            },
        },
    })
}

fn session_state(rule: &Value) -> Value {
    assert_eq!(rule["sessionPersistence"]["type"], "Header");
    json!({
        "name": "envoy.http.stateful_session.header",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState",
            "name": rule["sessionPersistence"]["sessionName"],
        },
    })
}

/// A virtual host for each host name; in it the regex routes, then the prefixes.
fn routes(shape: &Shape) -> Value {
    let mut hosts: Vec<(String, Vec<Value>)> = Vec::new();
    for object in shape.all("HTTPRoute") {
        let any = json!(["*"]);
        let names = object["spec"].get("hostnames").unwrap_or(&any);
        for host in names.as_array().unwrap() {
            let host = host.as_str().unwrap();
            let routes = rules(shape, object);
            match hosts.iter_mut().find(|(known, _)| known == host) {
                Some((_, all)) => all.extend(routes),
                None => hosts.push((host.to_owned(), routes)),
            }
        }
    }
    let virtual_hosts: Vec<Value> = hosts
        .into_iter()
        .map(|(host, mut routes)| {
            routes.sort_by_key(|route| {
                let headers = route["match"]["headers"].as_array().map_or(0, Vec::len);
                (route["match"].get("safe_regex").is_none(), Reverse(headers))
            });
            json!({ "name": format!("limpet/http/{host}"), "domains": [host], "routes": routes })
        })
        .collect();
    json!({
        "name": "http-10080",
        "virtual_hosts": virtual_hosts,
        "ignore_port_in_host_matching": true,
    })
}

fn rules(shape: &Shape, object: &Value) -> Vec<Value> {
    let (namespace, name) = (
        &object["metadata"]["namespace"],
        &object["metadata"]["name"],
    );
    // On the Gateway the module is on every route.
    let target = &shape.one("EnvoyExtensionPolicy")["targetRefs"][0];
    assert_eq!(target["kind"], "Gateway");
    let rules = object["spec"]["rules"].as_array().unwrap();
    (0..)
        .zip(rules)
        .map(|(index, rule)| {
            let destination =
                format!("httproute/{}/{}/rule/{index}", namespace.as_str().unwrap(), name.as_str().unwrap());
            let mut route = action(shape, rule, &destination);
            route["name"] = json!(format!("{destination}/match/0"));
            route["match"] = matches(shape, rule);
            let mut per_filter = json!({ SESSION: {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute",
                "stateful_session": { "session_state": session_state(rule) },
            } });
            per_filter[MODULE] = json!({
                "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {},
            });
            route["typed_per_filter_config"] = per_filter;
            route
        })
        .collect()
}

fn matches(shape: &Shape, rule: &Value) -> Value {
    let [wanted] = rule["matches"].as_array().unwrap().as_slice() else {
        panic!("one match a rule");
    };
    let path = &wanted["path"];
    let mut route = match path["type"].as_str().unwrap() {
        "RegularExpression" => json!({ "safe_regex": { "regex": path["value"] } }),
        "PathPrefix" => json!({ "prefix": path["value"] }),
        other => panic!("{other}"),
    };
    if let Some(headers) = wanted.get("headers").and_then(Value::as_array) {
        route["headers"] = headers
            .iter()
            .map(|header| {
                let value = header["value"].as_str().unwrap();
                let wanted = match header["type"].as_str() {
                    Some("RegularExpression") => json!({ "safe_regex": { "regex": value } }),
                    None => json!({ "exact": shape.name(value) }),
                    other => panic!("{other:?}"),
                };
                json!({ "name": header["name"], "string_match": wanted })
            })
            .collect();
    }
    route
}

fn action(shape: &Shape, rule: &Value, destination: &str) -> Value {
    if rule.get("backendRefs").is_none() {
        let [filter] = extensions(shape, rule)[..] else {
            panic!("no backend, and no one filter that answers: {rule}");
        };
        let status = &filter["directResponse"]["statusCode"];
        return json!({ "direct_response": { "status": status } });
    }
    let policy = shape.all("BackendTrafficPolicy")[0];
    let retries = &policy["spec"]["retry"];
    let triggers: Vec<&str> = retries["retryOn"]["triggers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_str().unwrap())
        .collect();
    // Where upgrades begin has a cluster of its own, which nothing is sent to.
    let known = shape.names.get(destination);
    let cluster = known.or_else(|| shape.names.values().next()).unwrap();
    let mut route = json!({
        "cluster": cluster,
        "timeout": rule["timeouts"]["request"],
        "retry_policy": retry(&triggers.join(","), &retries["numRetries"]),
        "upgrade_configs": [{ "upgrade_type": "websocket" }],
    });
    for filter in extensions(shape, rule) {
        let hostname = &filter["urlRewrite"]["hostname"];
        assert_eq!(hostname["type"], "Header");
        route["host_rewrite_header"] = hostname["header"].clone();
        // The default of appendXForwardedHost, and what older versions always do.
        route["append_x_forwarded_host"] = json!(true);
    }
    let removed = rule.pointer("/filters/0/requestHeaderModifier/remove");
    json!({
        "route": route,
        "request_headers_to_remove": removed.unwrap_or(&json!([])),
    })
}

/// The HTTPRouteFilters of a rule.
fn extensions<'s>(shape: &'s Shape, rule: &Value) -> Vec<&'s Value> {
    let all = shape.all("HTTPRouteFilter");
    let of = |name: &Value| {
        let found = all.iter().find(|one| one["metadata"]["name"] == *name);
        &found.unwrap_or_else(|| panic!("no filter {name}"))["spec"]
    };
    let filters = rule.get("filters").and_then(Value::as_array);
    let filters = filters.into_iter().flatten();
    let names = filters.filter_map(|filter| filter.pointer("/extensionRef/name"));
    names.map(of).collect()
}
