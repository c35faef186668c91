//! Many scenarios in one Envoy: each has listeners of its own, and clusters named with its number.

use limpet_envoy::clusters::Cluster;
use limpet_envoy::compiled::Compiled;
use limpet_envoy::render::envoy::{EnvoySettings, error_pages, render};
use limpet_tests::pod::Pod;
use limpet_tests::recordings::rest::Given;
use limpet_tests::recordings::{self, list};
use limpet_tests::rendered::{edit_plugin, native};
use limpet_tests::tls;

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The bootstrap of a scenario, every name with its number.
pub(super) fn rendered(
    given: &Given<'_>,
    number: usize,
    pods: &BTreeMap<String, Pod>,
    authorizer: &Pod,
) -> Value {
    let compiled = Compiled::new(&given.manifests, &given.flags_with(pods)).unwrap();
    let clusters = &compiled.clusters;
    let settings = EnvoySettings {
        listen: "127.0.0.1:0".parse().unwrap(),
        admin: "unix:admin.sock".parse().unwrap(),
        wasm: limpet_cli::module::find(None)
            .unwrap()
            .canonicalize()
            .unwrap(),
        native: native(),
        // nginx has one for every other name.
        tls: is_over_tls(given.scenario).then(tls::files),
        listen_tls: "127.0.0.1:0".parse().unwrap(),
        allow_loopback: true,
        ..EnvoySettings::default()
    };
    let mut bootstrap = render(&compiled, &settings).bootstrap;
    edit_plugin(&mut bootstrap, |config| {
        let names = clusters.iter();
        let names = names.map(|c| (c.service_port.key(), json!(own_name(number, c))));
        config["clusters"] = names.collect::<Map<_, _>>().into();
        for name in config["authorizers"].as_object_mut().into_iter().flatten() {
            *name.1 = format!("{number}-{}", name.1.as_str().unwrap()).into();
        }
        for name in config["error_pages"].as_object_mut().into_iter().flatten() {
            *name.1 = format!("{number}-{}", name.1.as_str().unwrap()).into();
        }
        // Hundreds of them ask at the same time.
        config["discovery"]["interval_ms"] = 60_000.into();
    });
    let resources = &mut bootstrap["static_resources"];
    for cluster in clusters {
        let is_it = |one: &&mut Value| one["name"] == json!(cluster.name());
        let all = resources["clusters"].as_array_mut().unwrap();
        let one = all.iter_mut().find(is_it).unwrap();
        one["name"] = own_name(number, cluster).into();
        one["load_assignment"]["cluster_name"] = own_name(number, cluster).into();
        rename(
            &mut resources["listeners"],
            &cluster.name(),
            &own_name(number, cluster),
        );
    }
    for cluster in &error_pages(&compiled) {
        let is_it = |one: &&mut Value| one["name"] == json!(cluster.name());
        let all = resources["clusters"].as_array_mut().unwrap();
        let one = all.iter_mut().find(is_it).unwrap();
        one["name"] = own_name(number, cluster).into();
    }
    for cluster in &compiled.authorizers {
        let is_it = |one: &&mut Value| one["name"] == json!(cluster.name());
        let all = resources["clusters"].as_array_mut().unwrap();
        let one = all.iter_mut().find(is_it).unwrap();
        one["name"] = own_name(number, cluster).into();
        move_to(one, authorizer.address());
    }
    lead_mirrors(given, number, resources, pods);
    let mut over_tls = resources["listeners"][1].clone();
    let mut http = resources["listeners"][0].clone();
    http["name"] = format!("{number}-http").into();
    let mut https = http.clone();
    https["name"] = format!("{number}-https").into();
    behind_tls(&mut https);
    resources["listeners"] = json!([http]);
    if list(&given.scenario["requests"])
        .iter()
        .any(|request| request["scheme"] == "https")
    {
        resources["listeners"].as_array_mut().unwrap().push(https);
    }
    if is_over_tls(given.scenario) {
        over_tls["name"] = format!("{number}-tls").into();
        resources["listeners"]
            .as_array_mut()
            .unwrap()
            .push(over_tls);
    }
    bootstrap
}

/// Mirrors lead to the pods of the Services that have their addresses, or to whoever listens there.
fn lead_mirrors(
    given: &Given<'_>,
    number: usize,
    resources: &mut Value,
    pods: &BTreeMap<String, Pod>,
) {
    let recorded = recordings::endpoints(given.scenario);
    let Value::Array(clusters) = &mut resources["clusters"] else {
        return;
    };
    let mut renamed = Vec::new();
    for cluster in clusters {
        let name = cluster["name"].as_str().unwrap().to_owned();
        if !name.starts_with("mirror=") {
            continue;
        }
        let address = cluster
            .pointer_mut(
                "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address",
            )
            .unwrap();
        let of = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
        let at = format!("{}:{}", of(&address["address"]), of(&address["port_value"]));
        let has_it = |all: &Vec<String>| all.contains(&at);
        if let Some((service, _)) = recorded.iter().find(|(_, all)| has_it(all)) {
            let pod = pods[service].address();
            address["address"] = pod.ip().to_string().into();
            address["port_value"] = pod.port().into();
        }
        let own = format!("{number}-{name}");
        cluster["name"] = own.clone().into();
        cluster["load_assignment"]["cluster_name"] = own.clone().into();
        renamed.push((name, own));
    }
    for (name, own) in renamed {
        rename_clusters(&mut resources["listeners"], &name, &own);
    }
}

/// Renames the cluster of a mirror; its route and header stay as they are.
fn rename_clusters(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::Object(fields) => {
            if let Some(cluster) = fields.get_mut("cluster")
                && cluster == from
            {
                *cluster = to.into();
            }
            fields
                .values_mut()
                .for_each(|v| rename_clusters(v, from, to));
        }
        Value::Array(elements) => elements
            .iter_mut()
            .for_each(|v| rename_clusters(v, from, to)),
        _ => {}
    }
}

/// Whether its https requests are asked over TLS: where certificates of clients matter, or the
/// connection counts and not what a proxy in front says of it.
pub(super) fn is_over_tls(scenario: &Value) -> bool {
    let shows = |request: &Value| !request["client_cert"].is_null();
    scenario["ingresses"].to_string().contains("auth-tls-")
        || scenario["controller_config"]["use-forwarded-headers"] == "true"
        || list(&scenario["requests"]).iter().any(shows)
}

fn own_name(number: usize, cluster: &Cluster) -> String {
    format!("{number}-{}", cluster.name())
}

/// Whatever endpoint it has is another one.
fn move_to(cluster: &mut Value, address: SocketAddr) {
    let endpoints = &mut cluster["load_assignment"]["endpoints"];
    for one in endpoints.as_array_mut().unwrap() {
        let socket = &mut one["lb_endpoints"][0]["endpoint"]["address"]["socket_address"];
        *socket = json!({ "address": address.ip(), "port_value": address.port() });
    }
    if cluster["type"] == "STRICT_DNS" {
        cluster["type"] = "STATIC".into();
    }
}

/// Routes of one cluster alone name it.
fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => *text = to.to_owned(),
        Value::Object(fields) => fields.values_mut().for_each(|v| rename(v, from, to)),
        Value::Array(elements) => elements.iter_mut().for_each(|v| rename(v, from, to)),
        _ => {}
    }
}

/// The same listener where something in front ended TLS: it says https and 443.
fn behind_tls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(scheme) = fields.get_mut("scheme_to_overwrite") {
                *scheme = "https".into();
            }
            let key = fields.get("key").and_then(Value::as_str).map(str::to_owned);
            match key.as_deref() {
                Some("x-forwarded-proto" | "x-forwarded-scheme" | "x-scheme")
                    if fields["value"] == "http" =>
                {
                    fields["value"] = "https".into();
                }
                Some("x-forwarded-port") if fields["value"] == "80" => {
                    fields["value"] = "443".into();
                }
                _ => fields.values_mut().for_each(behind_tls),
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(behind_tls),
        _ => {}
    }
}

/// Adds the listeners and clusters of one more bootstrap; the admin's cluster is the same in all.
pub(super) fn merge(all: &mut Value, mut more: Value) {
    if all.is_null() {
        *all = more;
        return;
    }
    for kind in ["listeners", "clusters"] {
        let more = more["static_resources"][kind].as_array_mut().unwrap();
        let have = all["static_resources"][kind].as_array_mut().unwrap();
        let is_new = |one: &Value| have.iter().all(|known| known["name"] != one["name"]);
        let new: Vec<Value> = more.drain(..).filter(is_new).collect();
        have.extend(new);
    }
}
