//! What the routes say beyond a VirtualService: its `timeout` bounds the whole answer and not a silence,
//! its `host` is a fixed one, and its mirrors see what pods see.

use serde_json::{Map, Value, json};

use super::args::IstioArgs;
use super::route;
use crate::forwarding::HOST_HEADER;
use crate::render::served::Served;

/// A patch for each kind of routes of each way, and the clusters of those who get copies.
pub(super) fn patches(served: &Served<'_>, args: &IstioArgs) -> Vec<Value> {
    let own = served.ways.own.iter();
    let own = own.map(|(name, way)| (Some(name.as_str()), way));
    let hosts: &[bool] = if served.with_other_host.is_empty() {
        &[false]
    } else {
        &[false, true]
    };
    let mut patches = Vec::new();
    for (name, way) in own.chain([(None, &served.ways.all)]) {
        let requests = way.requests().iter().filter(|_| !way.has_no_time());
        for requests in requests {
            let merged = hosts.iter().map(|changes_host| {
                let name = route::name(name, requests.kind(), *changes_host);
                merged(args, &name, way.action(*requests), *changes_host)
            });
            patches.extend(merged);
        }
    }
    patches.extend(served.mirrors().into_iter().map(|cluster| {
        json!({
            "applyTo": "CLUSTER",
            "match": { "context": args.context() },
            "patch": { "operation": "ADD", "value": cluster },
        })
    }));
    patches
}

fn merged(
    args: &IstioArgs,
    route: &str,
    mut action: Map<String, Value>,
    changes_host: bool,
) -> Value {
    // The Host that limpet names is the one that the pods of this route see. A VirtualService can only
    // say a fixed one, and not every name.
    if changes_host {
        action.insert("host_rewrite_header".to_owned(), json!(HOST_HEADER));
    }
    json!({
        "applyTo": "HTTP_ROUTE",
        "match": {
            "context": args.context(),
            "routeConfiguration": { "vhost": { "route": { "name": route } } },
        },
        "patch": { "operation": "MERGE", "value": { "route": action } },
    })
}
