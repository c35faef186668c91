//! One virtual host for everything: the module has chosen the cluster, and the way to it.

use limpet::client_certificate::HEADERS;
use serde_json::{Value, json};

use super::client::{self, Asking};
use super::way::{Way, Ways};
use crate::filter_chain::NOT_RETRIED;
use crate::forwarding::{CLUSTER_HEADER, INTERNAL_HEADERS, POLICY_HEADER};

/// How long a silent stream lives where no route says otherwise: Envoy's default, in seconds.
const STREAM_IDLE: u64 = 300;

/// The route configuration; `has_certificates`: some host asks for certificates; `asked`: the hosts of
/// these routes do.
pub(super) fn routes(ways: &Ways, has_certificates: bool, asked: Option<&Asking>) -> Value {
    let own = ways.own.iter();
    let own = own.flat_map(|(name, way)| of_way(Some(name), vec![exactly(name)], way));
    // A way that nobody knows is no way at all: the module's configuration and this one differ.
    let is_none = json!({ "name": POLICY_HEADER, "present_match": true, "invert_match": true });
    let (is_none, unknown) = if ways.own.is_empty() {
        (None, None)
    } else {
        (
            Some(is_none),
            Some(answer("unknown-policy", 503, json!({ "prefix": "/" }))),
        )
    };
    let all = of_way(None, Vec::from_iter(is_none), &ways.all);
    let shown = asked.map(client::routes).unwrap_or_default().into_iter();
    let routes: Vec<Value> = shown.chain(own).chain(all).chain(unknown).collect();
    json!({
        "name": "limpet",
        "virtual_hosts": [{
            "name": "limpet",
            "domains": ["*"],
            "routes": routes,
        }],
        // Read by then: the cluster by the router, the endpoint by the session filter.
        "request_headers_to_remove": hidden_from_pods(ways, has_certificates),
    })
}

fn answer(name: &str, status: u16, matches: Value) -> Value {
    json!({ "name": name, "match": matches, "direct_response": { "status": status } })
}

/// The routes of one way: for methods that are tried again whatever a pod may have begun, and for all
/// others. Comparing costs less than a pattern would.
fn of_way(name: Option<&str>, of_it: Vec<Value>, way: &Way) -> Vec<Value> {
    let called = |kind: &str| match name {
        Some(name) => format!("{name}-{kind}"),
        None => kind.to_owned(),
    };
    let matches = |headers: &[Value]| {
        if headers.is_empty() {
            json!({ "prefix": "/" })
        } else {
            json!({ "prefix": "/", "headers": headers })
        }
    };
    if way.read == 0 {
        // nginx asks its pods, and takes no answer.
        return vec![answer(&called("no-time"), 504, matches(&of_it))];
    }
    if !way.next.tells_methods_apart() {
        return vec![route(&called("all"), true, way, matches(&of_it))];
    }
    let retried = NOT_RETRIED.map(|method| {
        json!({ "name": ":method", "string_match": { "exact": method }, "invert_match": true })
    });
    let safe: Vec<Value> = of_it.iter().cloned().chain(retried).collect();
    vec![
        route(&called("idempotent"), true, way, matches(&safe)),
        route(&called("not-idempotent"), false, way, matches(&of_it)),
    ]
}

fn exactly(name: &str) -> Value {
    json!({ "name": POLICY_HEADER, "string_match": { "exact": name } })
}

fn hidden_from_pods(ways: &Ways, has_certificates: bool) -> Vec<&'static str> {
    let mut names = INTERNAL_HEADERS.to_vec();
    names.extend((!ways.own.is_empty()).then_some(POLICY_HEADER));
    names.extend(HEADERS.iter().filter(|_| has_certificates));
    names.extend([
        "x-envoy-external-address",
        "x-envoy-internal",
        "x-envoy-expected-rq-timeout-ms",
    ]);
    names
}

/// What nginx tries again: a request that reached no pod; and, where the method is idempotent,
/// one that got no answer, or one that its Ingress names.
fn route(name: &str, is_safe: bool, way: &Way, matches: Value) -> Value {
    let mut retry = way.next.policy(is_safe, way.read);
    // proxy-read-timeout: silence, not the whole.
    let silence = format!("{}s", way.read);
    let ends = way.next.ends_with_silence(way.read);
    // A silence that is not tried again ends the stream: one that ends a try alone is a reset.
    if let (false, Some(fields)) = (ends, retry.as_object_mut()) {
        fields.insert("per_try_idle_timeout".to_owned(), json!(silence));
    }
    let mut action = json!({
        "cluster_header": CLUSTER_HEADER,
        "timeout": "0s",
        "retry_policy": retry,
    });
    if let (true, Some(fields)) = (ends || way.read > STREAM_IDLE, action.as_object_mut()) {
        fields.insert("idle_timeout".to_owned(), json!(silence));
    }
    if let (Some(mirror), Some(fields)) = (&way.mirror, action.as_object_mut()) {
        fields.insert(
            "request_mirror_policies".to_owned(),
            json!([mirror.policy()]),
        );
    }
    json!({ "name": name, "match": matches, "route": action })
}
