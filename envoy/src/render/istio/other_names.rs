//! On https a connection is made for one name and may be used for others: HTTP/2 does so where the
//! certificate has them. Istio knows the hosts of the first alone; limpet decides by the Host, as nginx
//! does.

use serde_json::{Map, Value, json};

use super::args::IstioArgs;
use super::pods;
use super::route;
use crate::forwarding::envoy::{HTTPS, Written};
use crate::forwarding::{CLUSTER_HEADER, HOST_HEADER};
use crate::render::served::Served;
use crate::render::way::Way;
use crate::render::way::routes::{Elsewhere, exactly, of_way};

const NAME: &str = "limpet.other_names";

/// A virtual host for every other name, on each https listener.
pub(super) fn patch(served: &Served<'_>, args: &IstioArgs) -> Value {
    let written = route::written(served, args, HTTPS);
    let written: Vec<Value> = written.iter().map(Written::on_a_route).collect();
    let mut headers = Map::new();
    headers.insert("request_headers_to_add".to_owned(), json!(written));
    let dropped = json!(route::hidden(served, args));
    headers.insert("request_headers_to_remove".to_owned(), dropped);
    let own = served.ways.own.iter();
    let own = own.flat_map(|(name, way)| {
        let clusters = served.clusters.iter();
        let twins = clusters.filter_map(|(cluster, number)| {
            let named = pods::cluster_name(served, args, cluster, *number);
            let twin = way.twin_of(cluster)?;
            Some((named, args.twin_name(&twin, *number)))
        });
        let elsewhere: Vec<Elsewhere> = twins.collect();
        routes(Some(name), way, &elsewhere, &headers)
    });
    let all = routes(None, &served.ways.all, &[], &headers);
    let routes: Vec<Value> = own.chain(all).collect();
    json!({
        "applyTo": "VIRTUAL_HOST",
        "match": {
            "context": args.context(),
            "routeConfiguration": {
                "portNumber": HTTPS.port,
                "gateway": format!("{}/limpet", args.namespace),
            },
        },
        "patch": { "operation": "ADD", "value": {
            "name": NAME,
            "domains": ["*"],
            "routes": routes,
        } },
    })
}

fn routes(
    name: Option<&str>,
    way: &Way,
    elsewhere: &[Elsewhere],
    headers: &Map<String, Value>,
) -> Vec<Value> {
    let is_led = json!({ "name": CLUSTER_HEADER, "present_match": true });
    let of_it = [is_led].into_iter().chain(name.map(exactly)).collect();
    let mut routes = of_way(name, of_it, way, elsewhere);
    for route in &mut routes {
        let name = route.get("name").and_then(Value::as_str);
        let name = format!("{NAME}-{}", name.unwrap_or_default());
        let Some(fields) = route.as_object_mut() else {
            continue;
        };
        fields.insert("name".to_owned(), json!(name));
        if let Some(action) = fields.get_mut("route").and_then(Value::as_object_mut) {
            action.insert("host_rewrite_header".to_owned(), json!(HOST_HEADER));
            fields.extend(headers.clone());
        }
    }
    routes
}
