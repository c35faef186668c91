//! How the proxy speaks to the pods: `backend-protocol`, and `proxy-ssl-*` as far as it can be said here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::args::{IstioArgs, subset};
use super::pods;
use super::route::PASSED;
use crate::clusters::Protocol;
use crate::render::resource::{Kind, Resource, insert};
use crate::render::served::Served;

/// The ports of a Service and of its subsets that are not spoken to in plain HTTP/1.
#[derive(Debug, Default)]
struct Ports {
    all: Vec<Value>,
    subsets: BTreeMap<String, Vec<Value>>,
}

/// One resource for each Service that is not spoken to in plain HTTP/1 alone.
pub(super) fn resources(served: &Served<'_>, args: &IstioArgs) -> Vec<Resource> {
    let mut ports: BTreeMap<(String, String), Ports> = BTreeMap::new();
    for (cluster, number) in served.clusters.iter().copied() {
        let port = &cluster.service_port;
        let chosen = cluster.protocol.unwrap_or_default();
        let own = settings(chosen, Protocol::default(), number).map(|own| (None, own));
        let twins = cluster.speakers().filter_map(|twin| {
            let mut settings = settings(twin.protocol?, chosen, number)?;
            if let Some(tls) = pods::tls(served, &twin) {
                insert(&mut settings, "tls", tls);
            }
            Some((Some(subset(&twin)?), settings))
        });
        let told = pods::tls(served, cluster).and_then(|tls| {
            let mut settings = settings(chosen, Protocol::default(), number)?;
            insert(&mut settings, "tls", tls);
            Some((Some(pods::TOLD.to_owned()), settings))
        });
        for (subset, settings) in own.into_iter().chain(told).chain(twins) {
            let name = format!("limpet-{}.{}", port.namespace, port.service);
            let of_service = ports.entry((name, args.service_host(port))).or_default();
            let of_it = match subset {
                Some(subset) => of_service.subsets.entry(subset).or_default(),
                None => &mut of_service.all,
            };
            // The Ingresses may call one port by its number and by its name.
            if !of_it.contains(&settings) {
                of_it.push(settings);
            }
        }
    }
    let passed = served.passed.iter().filter_map(|one| one.to.as_ref().ok());
    let passed: Vec<(String, u16)> = passed
        .filter_map(|to| Some((args.service_host(&to.service_port), to.number?)))
        .collect();
    let rule = |((name, host), ports): ((String, String), Ports)| {
        // Of this namespace alone: in the root namespace it would else reach the whole mesh.
        let mut spec = json!({
            "host": host,
            "exportTo": ["."],
        });
        if !ports.all.is_empty() {
            insert(
                &mut spec,
                "trafficPolicy",
                json!({ "portLevelSettings": ports.all }),
            );
        }
        let mut subsets = ports.subsets;
        let passed = passed.iter().filter(|(known, _)| *known == host);
        let passed: BTreeSet<u16> = passed.map(|(_, number)| *number).collect();
        let passed: Vec<Value> = passed
            .into_iter()
            .map(|number| json!({ "port": { "number": number }, "tls": { "mode": "DISABLE" } }))
            .collect();
        if !passed.is_empty() {
            subsets.insert(PASSED.to_owned(), passed);
        }
        if !subsets.is_empty() {
            let subset = |(name, ports)| json!({ "name": name, "trafficPolicy": { "portLevelSettings": ports } });
            insert(
                &mut spec,
                "subsets",
                subsets.into_iter().map(subset).collect(),
            );
        }
        Resource::new(
            Kind { api_version: "networking.istio.io/v1", name: "DestinationRule" },
            &args.namespace, &name,
            spec,
        )
        .comment("backend-protocol. As with ingress-nginx nobody's certificate is checked but where proxy-ssl-verify is on.")
        .comment("It stands in for a DestinationRule of the Service's own namespace: take over what that one says.")
    };
    ports.into_iter().map(rule).collect()
}

/// What makes `protocol` of `before`; `None`: nothing needs to, and plain HTTP/1 Istio speaks by itself.
fn settings(protocol: Protocol, before: Protocol, number: u16) -> Option<Value> {
    let mut settings = Map::new();
    settings.insert("port".to_owned(), json!({ "number": number }));
    if protocol.tls {
        let tls = json!({ "mode": "SIMPLE", "insecureSkipVerify": true });
        settings.insert("tls".to_owned(), tls);
    } else if before.tls {
        settings.insert("tls".to_owned(), json!({ "mode": "DISABLE" }));
    }
    if protocol.http2 || before.http2 {
        let upgrades = if protocol.http2 {
            "UPGRADE"
        } else {
            "DO_NOT_UPGRADE"
        };
        let pool = json!({ "http": { "h2UpgradePolicy": upgrades } });
        settings.insert("connectionPool".to_owned(), pool);
    }
    (protocol != before).then_some(Value::Object(settings))
}
