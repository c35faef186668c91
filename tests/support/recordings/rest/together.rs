//! Many scenarios in one cluster: each in a namespace of its own, with hosts of its own.

use super::given::{Given, asks_for_ways};
use crate::recordings::{default_backend, endpoints, is_strict, list, manifests};
use limpet_envoy::compiled::Compiled;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Where the recorder's authorizer was.
const AUTHORIZER: &str = "127.0.9.9";

/// Scenarios that have a cluster in common.
pub struct Together {
    /// With the names that they have there.
    pub scenarios: Vec<Value>,
    /// How many requests of others were recorded, by the reason why those are not there.
    pub left_out: BTreeMap<&'static str, usize>,
}

impl Together {
    /// Those that can be.
    #[must_use]
    pub fn of(all: &[Value]) -> Self {
        let mut together = Self {
            scenarios: Vec::new(),
            left_out: BTreeMap::new(),
        };
        for scenario in all {
            match stands_alone(scenario) {
                Some(reason) => {
                    let requests = list(&scenario["requests"]).len();
                    *together.left_out.entry(reason).or_default() += requests;
                }
                None => together.scenarios.push(renamed(scenario)),
            }
        }
        together
    }

    /// All their objects, one a line.
    ///
    /// # Panics
    /// A scenario has none.
    #[must_use]
    pub fn manifest(&self) -> String {
        let mut text = HEAD.to_owned();
        for scenario in &self.scenarios {
            let namespace = &scenario["id"];
            let whole: Value = serde_json::from_str(&manifests(scenario)).unwrap();
            let mut objects = list(&whole["items"]).to_vec();
            if list(&scenario["services"]).is_empty() {
                objects.extend(
                    endpoints(scenario)
                        .keys()
                        .map(|name| service(scenario, name)),
                );
            }
            if scenario.to_string().contains(&host_of_authorizer(scenario)) {
                objects.push(json!({
                    "apiVersion": "v1", "kind": "Service",
                    "metadata": { "name": "auth", "namespace": namespace },
                    "spec": { "ports": [{ "name": "http", "port": 8080 }] },
                }));
            }
            for mut object in objects {
                // An API server gives its own.
                object["metadata"].as_object_mut().unwrap().remove("uid");
                if object["kind"] == "Service" && object["spec"]["clusterIP"] != "None" {
                    let fields = object["spec"].as_object_mut().unwrap();
                    fields.retain(|name, _| !name.starts_with("clusterIP"));
                }
                text.push_str(&format!("---\n{object}\n"));
            }
        }
        text
    }
}

/// What the recorder made of a Service that backends name, `namespace/name`.
fn service(scenario: &Value, id: &str) -> Value {
    let (namespace, name) = id.split_once('/').unwrap();
    let mut ports = BTreeMap::new();
    each_backend(&scenario["ingresses"], &mut |backend| {
        if backend["name"] == name {
            let port = &backend["port"];
            let number = port["number"].as_u64();
            let called = port["name"].as_str().map(str::to_owned);
            let called = called.or_else(|| Some(format!("http-{}", number?)));
            ports.extend(called.map(|called| (called, number.unwrap_or(80))));
        }
    });
    if ports.is_empty() {
        ports.insert("http".to_owned(), 80);
    }
    let port = |(name, port)| json!({ "name": name, "port": port, "targetPort": 8080 });
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "ports": ports.iter().map(port).collect::<Vec<_>>() },
    })
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

const HEAD: &str = "\
# The recorded scenarios of tests/recordings/rest that one cluster can have together, each in a namespace of its own.
# UPDATE=1 cargo test --workspace --test all the_manifest_of writes it.
";

/// Why it cannot share a cluster, or asks for what is not recorded of one; `None`: it can.
fn stands_alone(scenario: &Value) -> Option<&'static str> {
    let ingresses = list(&scenario["ingresses"]);
    let mut rules = ingresses.iter().flat_map(|i| list(&i["spec"]["rules"]));
    let is_set = |value: &Value| value.as_object().is_some_and(|fields| !fields.is_empty());
    let has_own_name = |rule: &Value| {
        let host = rule["host"].as_str();
        host.is_some_and(|host| host.ends_with("example.test"))
    };
    let namespaces = ingresses
        .iter()
        .map(|i| i["metadata"]["namespace"].as_str());
    let namespaces: BTreeSet<_> = namespaces.collect();
    if is_set(&scenario["controller_config"]) {
        Some("a ConfigMap of its own")
    } else if !is_strict(scenario) || default_backend(scenario).is_some() {
        Some("flags of the controller")
    } else if ingresses.iter().any(|i| i["spec"].get("tls").is_some()) {
        Some("TLS")
    } else if !rules.all(has_own_name)
        || ingresses
            .iter()
            .any(|i| is_set(&i["spec"]["defaultBackend"]))
    {
        Some("hosts that are everybody's")
    } else if namespaces != BTreeSet::from([Some("default")]) {
        Some("several namespaces")
    } else if is_far(scenario) {
        Some("a route of its own: time-outs, tries, copies")
    } else {
        None
    }
}

fn is_far(scenario: &Value) -> bool {
    let given = Given::of(scenario);
    asks_for_ways(&Compiled::new(&given.manifests, &given.flags()).unwrap())
}

/// What it calls its authorizer there.
fn host_of_authorizer(scenario: &Value) -> String {
    format!("auth.{}.svc", scenario["id"].as_str().unwrap())
}

/// The same with its id in the place of what scenarios have in common: the namespace, the domain of the hosts. Its
/// authorizer is a Service.
fn renamed(scenario: &Value) -> Value {
    let id = scenario["id"].as_str().unwrap();
    let text = scenario.to_string();
    let text = [
        ("example.test", format!("{id}.test")),
        ("\"default/", format!("\"{id}/")),
        (
            "\"namespace\":\"default\"",
            format!("\"namespace\":\"{id}\""),
        ),
        (
            "\"X-Namespace\",\"default\"",
            format!("\"X-Namespace\",\"{id}\""),
        ),
        (".default.svc", format!(".{id}.svc")),
        (AUTHORIZER, host_of_authorizer(scenario)),
    ]
    .iter()
    .fold(text, |text, (from, to)| text.replace(from, to));
    serde_json::from_str(&text).unwrap()
}
