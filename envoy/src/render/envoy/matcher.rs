//! Matcher trees: what a header says is looked up once, however much it may say.
//!
//! Routes of a list are tried one by one: an Ingress with a timeout of its own would cost every request of everybody.
//!
//! Source: `VirtualHost.matcher` and `RouteList` of `api/envoy/config/route/v3/route_components.proto`,
//! `HttpRequestHeaderMatchInput` of `api/envoy/type/matcher/v3/http_inputs.proto`, Envoy 1.40.

use serde_json::{Map, Value, json};

/// What becomes of a request: the first of these routes that matches it.
pub(super) fn list(routes: Vec<Value>) -> Value {
    json!({ "action": {
        "name": "routes",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.config.route.v3.RouteList",
            "routes": routes,
        },
    } })
}

/// The tree that knows what becomes of a request by what its header `name` says, and of all others.
pub(super) fn by_header(name: &str, known: Map<String, Value>, others: Value) -> Value {
    json!({
        "matcher_tree": {
            "input": {
                "name": "header",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
                    "header_name": name,
                },
            },
            "exact_match_map": { "map": known },
        },
        "on_no_match": others,
    })
}
