//! How the proxy speaks to the pods: `backend-protocol`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::args::IstioArgs;
use super::route::PASSED;
use crate::clusters::Protocol;
use crate::render::resource::{Kind, Resource};
use crate::render::served::Served;

/// One resource for each Service that is not spoken to in plain HTTP/1.
pub(super) fn resources(served: &Served<'_>, args: &IstioArgs) -> Vec<Resource> {
    let mut ports: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    let all = served.clusters.iter().copied();
    for (cluster, number) in all.chain(served.asked_services()) {
        let port = &cluster.service_port;
        if let Some(settings) = settings(cluster.protocol.unwrap_or_default(), number) {
            let name = format!("limpet-{}.{}", port.namespace, port.service);
            let of_service = ports.entry((name, args.service_host(port))).or_default();
            // The Ingresses may call one port by its number and by its name.
            if !of_service.contains(&settings) {
                of_service.push(settings);
            }
        }
    }
    let passed = served.passed.iter().filter_map(|one| one.to.as_ref().ok());
    let passed: Vec<(String, u16)> = passed
        .filter_map(|to| Some((args.service_host(&to.service_port), to.number?)))
        .collect();
    let rule = |((name, host), ports): ((String, String), Vec<Value>)| {
        // Of this namespace alone: in the root namespace it would else reach the whole mesh.
        let mut spec = json!({
            "host": host,
            "exportTo": ["."],
            "trafficPolicy": { "portLevelSettings": ports },
        });
        let passed = passed.iter().filter(|(known, _)| *known == host);
        let passed: BTreeSet<u16> = passed.map(|(_, number)| *number).collect();
        let passed: Vec<Value> = passed
            .into_iter()
            .map(|number| json!({ "port": { "number": number }, "tls": { "mode": "DISABLE" } }))
            .collect();
        if let (false, Some(fields)) = (passed.is_empty(), spec.as_object_mut()) {
            let subset = json!({
                "name": PASSED, "trafficPolicy": { "portLevelSettings": passed },
            });
            fields.insert("subsets".to_owned(), json!([subset]));
        }
        Resource::new(
            Kind { api_version: "networking.istio.io/v1", name: "DestinationRule" },
            &args.namespace, &name,
            spec,
        )
        .comment("backend-protocol. As with ingress-nginx nobody's certificate is checked. It stands in for a")
        .comment("DestinationRule of the Service's own namespace: take over what that one says.")
    };
    ports.into_iter().map(rule).collect()
}

/// `None`: plain HTTP/1, which Istio speaks by itself.
fn settings(protocol: Protocol, number: u16) -> Option<Value> {
    let mut settings = Map::new();
    settings.insert("port".to_owned(), json!({ "number": number }));
    if protocol.tls {
        let tls = json!({ "mode": "SIMPLE", "insecureSkipVerify": true });
        settings.insert("tls".to_owned(), tls);
    }
    if protocol.http2 {
        let pool = json!({ "http": { "h2UpgradePolicy": "UPGRADE" } });
        settings.insert("connectionPool".to_owned(), pool);
    }
    (protocol.tls || protocol.http2).then_some(Value::Object(settings))
}
