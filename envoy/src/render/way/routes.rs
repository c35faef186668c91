//! The routes of ways in Envoy's own words, where the module has chosen the cluster.

use serde_json::{Value, json};

use super::{Requests, Way};
use crate::filter_chain::NOT_RETRIED;
use crate::forwarding::{CLUSTER_HEADER, POLICY_HEADER};

/// The routes of one way, of requests that `of_it` matches. Comparing methods costs less than a pattern
/// would.
pub(crate) fn of_way(name: Option<&str>, of_it: Vec<Value>, way: &Way) -> Vec<Value> {
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
    if way.has_no_time() {
        // nginx asks its pods, and takes no answer.
        return vec![answer(&called("no-time"), 504, matches(&of_it))];
    }
    let retried = NOT_RETRIED.map(|method| {
        json!({ "name": ":method", "string_match": { "exact": method }, "invert_match": true })
    });
    let route = |requests: &Requests| {
        let mut action = json!({ "cluster_header": CLUSTER_HEADER, "timeout": "0s" });
        if let Some(action) = action.as_object_mut() {
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
