//! The Services that Ingresses name, with pods that are addresses alone.

use super::cluster::Cluster;
use super::place::Place;
use crate::process;
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

/// A namespace and a name.
type Id = (String, String);

/// Makes what is missing, and two endpoints for each.
///
/// # Errors
/// The API server does not take them.
pub(super) fn provide(cluster: &Cluster) -> Result<()> {
    let mut objects = Vec::new();
    let mut given = cluster.all("services")?;
    given.retain(|service| id(service).1 != "kubernetes"); // the API server's own
    for (n, service) in (1..).zip(&given) {
        objects.extend(settled(cluster, n, service)?);
    }
    let known: BTreeSet<Id> = given.iter().map(id).collect();
    let missing = named(&cluster.all("ingresses")?);
    let missing = missing.into_iter().filter(|(id, _)| !known.contains(id));
    let made: Vec<Value> = (1..)
        .zip(missing)
        .map(|(n, (id, ports))| service(n, &id, &ports))
        .collect();
    for (n, service) in (1..).zip(given.iter().chain(&made)) {
        objects.extend(endpoints(n, service));
    }
    objects.extend(made);
    cluster.set_up(&objects)
}

/// The same Service at an address that does not change from one run to the next.
fn settled(cluster: &Cluster, n: u8, service: &Value) -> Result<Option<Value>> {
    let has_address = service.pointer("/spec/clusterIP").and_then(Value::as_str);
    if has_address.is_none_or(|address| address == "None" || address.is_empty()) {
        return Ok(None);
    }
    let (namespace, name) = id(service);
    cluster.delete("services", service)?;
    Ok(Some(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "namespace": namespace, "name": name, "labels": service.pointer("/metadata/labels") },
        "spec": {
            "type": service.pointer("/spec/type"),
            "clusterIP": format!("10.96.8.{n}"),
            "selector": service.pointer("/spec/selector"),
            "ports": service.pointer("/spec/ports"),
        },
    })))
}

/// The Secrets that `tls` of Ingresses names, each with a certificate for a name of its own.
///
/// # Errors
/// The API server does not take them.
pub(super) fn certify(place: &Place, cluster: &Cluster, secrets: &BTreeSet<Id>) -> Result<()> {
    let mut items = Vec::new();
    for (namespace, name) in secrets {
        let (certificate, key) = pair(place, &format!("{name}.{namespace}.test"))?;
        items.push(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": { "namespace": namespace, "name": name },
            "stringData": { "tls.crt": certificate, "tls.key": key },
        }));
    }
    cluster.set_up(&items)
}

/// A certificate that nobody signed, and its key: made once in a run.
fn pair(place: &Place, host: &str) -> Result<(String, String)> {
    let file = |end: &str| place.folder.join(format!("{host}.{end}"));
    let (certificate, key) = (file("crt"), file("key"));
    if !key.exists() {
        let mut openssl = Command::new("openssl");
        openssl
            .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
            .args([
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-subj",
                "/CN=limpet",
            ])
            .arg("-addext")
            .arg(format!("subjectAltName=DNS:{host}"))
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate);
        process::output(&mut openssl)?;
    }
    Ok((fs::read_to_string(certificate)?, fs::read_to_string(key)?))
}

/// Those of the Ingresses.
pub(super) fn secrets(ingresses: &[Value]) -> BTreeSet<Id> {
    let mut all = BTreeSet::new();
    for ingress in ingresses {
        let tls = ingress.pointer("/spec/tls").and_then(Value::as_array);
        for entry in tls.into_iter().flatten() {
            if let Some(name) = entry.get("secretName").and_then(Value::as_str) {
                all.insert((id(ingress).0, name.to_owned()));
            }
        }
    }
    all
}

fn id(object: &Value) -> Id {
    let text = |key: &str| {
        let value = object.pointer(key).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    (text("/metadata/namespace"), text("/metadata/name"))
}

/// Every backend with its ports, by name and number.
fn named(ingresses: &[Value]) -> BTreeMap<Id, BTreeMap<String, u64>> {
    let mut all: BTreeMap<Id, BTreeMap<String, u64>> = BTreeMap::new();
    for ingress in ingresses {
        let namespace = id(ingress).0;
        each_backend(ingress, &mut |backend| {
            let Some(name) = backend.get("name").and_then(Value::as_str) else {
                return;
            };
            let ports = all.entry((namespace.clone(), name.to_owned())).or_default();
            let port = backend.get("port");
            let number = port
                .and_then(|port| port.get("number"))
                .and_then(Value::as_u64);
            let name = port
                .and_then(|port| port.get("name"))
                .and_then(Value::as_str);
            match (name, number) {
                (Some(name), _) => ports.insert(name.to_owned(), 80),
                (None, Some(number)) => ports.insert(format!("http-{number}"), number),
                (None, None) => None,
            };
        });
    }
    all
}

fn each_backend(value: &Value, found: &mut dyn FnMut(&Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| each_backend(item, found)),
        Value::Object(fields) => fields.iter().for_each(|(key, field)| match key.as_str() {
            "service" => found(field),
            _ => each_backend(field, found),
        }),
        _ => {}
    }
}

fn service(n: u8, (namespace, name): &Id, ports: &BTreeMap<String, u64>) -> Value {
    let port = |(name, number): (&String, &u64)| json!({ "name": name, "port": number });
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "namespace": namespace, "name": name },
        "spec": {
            "clusterIP": format!("10.96.7.{n}"),
            "ports": ports.iter().map(port).collect::<Vec<_>>(),
        },
    })
}

/// None where the Service is a name alone.
fn endpoints(n: u8, service: &Value) -> Option<Value> {
    let (namespace, name) = id(service);
    let is_alias = service
        .pointer("/spec/type")
        .is_some_and(|kind| kind == "ExternalName");
    if is_alias {
        return None;
    }
    let ports = service.pointer("/spec/ports")?.as_array()?.iter();
    let ports = ports.map(|port| {
        let number = ["targetPort", "port"]
            .iter()
            .find_map(|key| port.get(key)?.as_u64());
        json!({ "name": port.get("name"), "port": number, "protocol": "TCP" })
    });
    let ready = |pod: u8| json!({ "addresses": [format!("10.1.{n}.{pod}")], "conditions": { "ready": true } });
    Some(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "namespace": namespace, "name": format!("{name}-pods"),
            "labels": { "kubernetes.io/service-name": name },
        },
        "addressType": "IPv4",
        "ports": ports.collect::<Vec<_>>(),
        "endpoints": [ready(1), ready(2)],
    }))
}
