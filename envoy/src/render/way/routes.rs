//! The routes of ways in Envoy's own words, where the module has chosen the cluster.

use serde_json::{Value, json};

use super::{Requests, Way};
use crate::filter_chain::NOT_RETRIED;
use crate::forwarding::{CLUSTER_HEADER, POLICY_HEADER};

/// What leads elsewhere than the module says: the name that it gives a cluster, and that of the twin
/// whose pods are spoken to otherwise.
pub(crate) type Elsewhere = (String, String);

/// The routes of one way, of requests that `of_it` matches.
pub(crate) fn of_way(
    name: Option<&str>,
    of_it: Vec<Value>,
    way: &Way,
    elsewhere: &[Elsewhere],
) -> Vec<Value> {
    let elsewhere = elsewhere.iter().filter(|_| !way.has_no_time());
    let elsewhere = elsewhere.flat_map(|(cluster, twin)| {
        let is_led = json!({ "name": CLUSTER_HEADER, "string_match": { "exact": cluster } });
        let of_it = of_it.iter().cloned().chain([is_led]).collect();
        to_twin(name.unwrap_or_default(), of_it, way, twin)
    });
    let mut routes: Vec<Value> = elsewhere.collect();
    let called = |kind: &str| match name {
        Some(name) => format!("{name}-{kind}"),
        None => kind.to_owned(),
    };
    let named = json!({ "cluster_header": CLUSTER_HEADER });
    routes.extend(to(called, of_it, way, &named));
    routes
}

/// Those of the way `name` to one twin.
pub(crate) fn to_twin(name: &str, of_it: Vec<Value>, way: &Way, twin: &str) -> Vec<Value> {
    let called = |kind: &str| format!("{name}-{kind}-{twin}");
    to(called, of_it, way, &json!({ "cluster": twin }))
}

/// Those to one destination. Comparing methods costs less than a pattern
/// would.
fn to(
    called: impl Fn(&str) -> String,
    of_it: Vec<Value>,
    way: &Way,
    destination: &Value,
) -> Vec<Value> {
    let matches = |headers: &[Value]| {
        if headers.is_empty() {
            json!({ "prefix": "/" })
        } else {
            json!({ "prefix": "/", "headers": headers })
        }
    };
    if way.has_no_time() {
        // nginx asks its pods, and takes no answer.
        return vec![answer(&called("no-time"), 504, matches(&of_it))];
    }
    let retried = NOT_RETRIED.map(|method| {
        json!({ "name": ":method", "string_match": { "exact": method }, "invert_match": true })
    });
    let route = |requests: &Requests| {
        let mut action = destination.clone();
        if let Some(action) = action.as_object_mut() {
            action.insert("timeout".to_owned(), json!("0s"));
            action.extend(way.action(*requests));
        }
        let matches = if *requests == Requests::Idempotent {
            let safe: Vec<Value> = of_it.iter().chain(&retried).cloned().collect();
            matches(&safe)
        } else {
            matches(&of_it)
        };
        json!({ "name": called(requests.kind()), "match": matches, "route": action })
    };
    way.requests().iter().map(route).collect()
}

/// That the module named the way `name`.
pub(crate) fn exactly(name: &str) -> Value {
    json!({ "name": POLICY_HEADER, "string_match": { "exact": name } })
}

/// A route that leads nowhere.
pub(crate) fn answer(name: &str, status: u16, matches: Value) -> Value {
    json!({ "name": name, "match": matches, "direct_response": { "status": status } })
}
