//! What istiod and Envoy Gateway made of the rendered resources, on a plain Envoy.
//!
//! `tests/control-planes/recorded/` holds what a real Envoy got from the real ones
//! (`cargo xtask platforms`). Here it comes from no control plane but from a file: what was sent in
//! pieces is put together, and the pods are those of the test.

use crate::rendered::edit_plugin;
use crate::tls;
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::render::envoy::{EnvoySettings, render};
use serde_json::{Value, json};
use std::path::Path;

const RDS: &str = "rds";

/// What the name of a cluster begins with that gets copies.
pub const MIRROR: &str = "mirror=";

/// Whose translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// istiod, for a gateway.
    Istio,
    /// istiod, for the outbound side of a sidecar.
    IstioSidecar,
    /// The oldest istiod that could be had, for a gateway.
    OlderIstio,
    /// The same for a sidecar.
    OlderIstioSidecar,
    /// Envoy Gateway.
    EnvoyGateway,
    /// The oldest one that `render envoy-gateway` has a flag for.
    OlderEnvoyGateway,
}

impl Platform {
    /// All of them, the newest of each.
    pub const EVERY: [Self; 3] = [Self::Istio, Self::IstioSidecar, Self::EnvoyGateway];

    /// Its folder of recordings, and what it is called where a test says what differs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Istio => "istio-gateway",
            Self::IstioSidecar => "istio-sidecar",
            Self::OlderIstio => "older-istio-gateway",
            Self::OlderIstioSidecar => "older-istio-sidecar",
            Self::EnvoyGateway => "envoy-gateway",
            Self::OlderEnvoyGateway => "older-envoy-gateway",
        }
    }

    /// Whether it is the outbound side of a sidecar.
    #[must_use]
    pub fn is_sidecar(self) -> bool {
        matches!(self, Self::IstioSidecar | Self::OlderIstioSidecar)
    }

    /// What it calls the listener for plain http.
    fn http(self) -> &'static str {
        match self {
            Self::EnvoyGateway | Self::OlderEnvoyGateway => "envoy-gateway-system/limpet/http",
            _ => "0.0.0.0_80",
        }
    }

    /// The same for https.
    fn https(self) -> &'static str {
        match self {
            Self::EnvoyGateway | Self::OlderEnvoyGateway => "envoy-gateway-system/limpet/https",
            _ => "0.0.0.0_443",
        }
    }
}

/// The bootstrap of an Envoy with the configuration that was recorded, its clusters with the
/// addresses that `pods` has for `namespace/service`, for the origin of an authorizer outside, and for
/// [`MIRROR`] and the target of a mirror.
///
/// # Panics
/// There is no such recording, or no http listener in it.
#[must_use]
pub fn bootstrap(platform: Platform, recording: &str, pods: impl Fn(&str) -> Vec<String>) -> Value {
    let mut envoy = read(platform, recording);
    let mut listener = named(&envoy["listeners"], platform.http());
    put_together(&mut listener, &envoy, platform);
    listener["name"] = json!("http");
    listener["address"]["socket_address"]["port_value"] = json!(0);
    // A sidecar's are reached through the one that all traffic is led to.
    listener.as_object_mut().unwrap().remove("bind_to_port");
    let (mut names, mut asked) = (Value::Null, Value::Null);
    edit_plugin(&mut listener, |config| {
        // Another plugin than limpet has none, and where a policy takes limpet away there is no other.
        if let Some(clusters) = config.get("clusters") {
            names = clusters.clone();
            asked = config["authorizers"].clone();
            config["discovery"]["hold_ms"] = json!(10_000);
        }
    });
    let clusters = names.as_object().into_iter().flatten();
    // Of a Service that is a name alone istiod makes none.
    let is_there = |name: &Value| {
        let mut all = envoy["clusters"].as_array().unwrap().iter();
        all.any(|cluster| cluster["name"] == *name)
    };
    let clusters = clusters.filter(|(_, name)| is_there(name));
    let clusters = clusters.map(|(key, name)| {
        let mut cluster = named(&envoy["clusters"], name.as_str().unwrap());
        let service = key.rsplit_once(':').unwrap().0;
        settle(&mut cluster, &pods(service), &envoy);
        cluster
    });
    let mut clusters: Vec<Value> = clusters.collect();
    for (origin, name) in asked.as_object().into_iter().flatten() {
        if clusters.iter().all(|known| known["name"] != *name) {
            let mut cluster = named(&envoy["clusters"], name.as_str().unwrap());
            settle(&mut cluster, &pods(origin), &envoy);
            clusters.push(cluster);
        }
    }
    for cluster in envoy["clusters"].as_array().unwrap() {
        let name = cluster["name"].as_str().unwrap();
        let is_known = clusters.iter().any(|known| known["name"] == name);
        let service = || {
            let mut named = names.as_object().into_iter().flatten();
            let is_it = |other: &Value| endpoints(&envoy, other.as_str().unwrap());
            let own = endpoints(&envoy, name)?;
            let (key, _) = named.find(|(_, other)| is_it(other).as_ref() == Some(&own))?;
            Some(key.rsplit_once(':').unwrap().0.to_owned())
        };
        let of = if name.starts_with(MIRROR) {
            Some(name.to_owned())
        } else {
            service()
        };
        if let (false, Some(of)) = (is_known, of) {
            let mut cluster = cluster.clone();
            settle(&mut cluster, &pods(&of), &envoy);
            clusters.push(cluster);
        }
    }
    envoy = base();
    let resources = &mut envoy["static_resources"];
    resources["listeners"] = json!([listener]);
    let all = resources["clusters"].as_array_mut().unwrap();
    all.retain(|cluster| cluster["name"] == "prometheus_stats");
    all.extend(clusters);
    envoy
}

/// The same beside what was recorded of https, in a listener `https`, whose certificates are the one of
/// [`tls::secret`].
///
/// # Panics
/// As [`bootstrap`], or there is no https listener in the recording.
#[must_use]
pub fn with_https(
    platform: Platform,
    recording: &str,
    pods: impl Fn(&str) -> Vec<String>,
) -> Value {
    let mut bootstrap = bootstrap(platform, recording, pods);
    let envoy = read(platform, recording);
    let mut listener = named(&envoy["listeners"], platform.https());
    put_together(&mut listener, &envoy, platform);
    certify(&mut listener, &envoy);
    edit_plugin(&mut listener, |config| {
        config["discovery"]["hold_ms"] = json!(10_000);
    });
    listener["name"] = json!("https");
    listener["address"] = json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } });
    let listeners = &mut bootstrap["static_resources"]["listeners"];
    listeners.as_array_mut().unwrap().push(listener);
    bootstrap
}

/// Puts certificates where what was sent has their names, and what clients' are checked by.
fn certify(value: &mut Value, envoy: &Value) {
    if let Some(fields) = value.as_object_mut() {
        if fields
            .remove("tls_certificate_sds_secret_configs")
            .is_some()
        {
            let secret = &tls::secret()["stringData"];
            let pair = json!({
                "certificate_chain": { "inline_string": secret["tls.crt"] },
                "private_key": { "inline_string": secret["tls.key"] },
            });
            fields.insert("tls_certificates".to_owned(), json!([pair]));
        }
        if let Some(config) = fields.remove("validation_context_sds_secret_config") {
            let name = config["name"].as_str().unwrap();
            let mut authority = named(&envoy["authorities"], name);
            let context = authority["validation_context"].take();
            fields.insert("validation_context".to_owned(), context);
        }
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|v| certify(v, envoy)),
        Value::Object(fields) => fields.values_mut().for_each(|v| certify(v, envoy)),
        _ => {}
    }
}

/// The same of TLS toward pods: what they are shown is the client `good`.
fn tell(value: &mut Value, envoy: &Value) {
    if let Some(fields) = value.as_object_mut() {
        if fields
            .remove("tls_certificate_sds_secret_configs")
            .is_some()
        {
            let (chain, key) = tls::of_client("good");
            let pair = json!({
                "certificate_chain": { "inline_string": chain },
                "private_key": { "inline_string": key },
            });
            fields.insert("tls_certificates".to_owned(), json!([pair]));
        }
        if let Some(mut combined) = fields.remove("combined_validation_context") {
            let config = &combined["validation_context_sds_secret_config"];
            let mut authority = named(&envoy["authorities"], config["name"].as_str().unwrap());
            let mut context = combined["default_validation_context"].take();
            context["trusted_ca"] = authority["validation_context"]["trusted_ca"].take();
            fields.insert("validation_context".to_owned(), context);
        }
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| tell(item, envoy)),
        Value::Object(fields) => fields.values_mut().for_each(|field| tell(field, envoy)),
        _ => {}
    }
}

fn read(platform: Platform, recording: &str) -> Value {
    // Its Service is headless: a sidecar sends requests where the client dialled.
    let recording = match recording {
        "sample" if platform.is_sidecar() => "sample-for-sidecars",
        _ => recording,
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/control-planes/recorded");
    let file = Path::new(folder).join(format!("{}/{recording}.json", platform.name()));
    let text = std::fs::read_to_string(&file);
    let text = text.unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    let mut whole: Value = serde_json::from_str(&text).unwrap();
    whole["envoy"].take()
}

/// Without the type, which only what is sent says.
fn named(list: &Value, name: &str) -> Value {
    let mut all = list.as_array().unwrap().iter();
    let found = all.find(|one| one["name"] == name);
    let mut found = found.unwrap_or_else(|| panic!("no {name}")).clone();
    found.as_object_mut().unwrap().remove("@type");
    found
}

/// Puts routes and filters where the listener has their names, and the module where it is on this
/// machine.
fn put_together(value: &mut Value, envoy: &Value, platform: Platform) {
    if let Some(routes) = value.get(RDS).cloned() {
        let name = routes["route_config_name"].as_str().unwrap();
        let mut config = named(&envoy["routes"], name);
        config["validate_clusters"] = json!(false); // they come later than the listener
        value["route_config"] = config;
        value.as_object_mut().unwrap().remove(RDS);
    }
    if value.get("config_discovery").is_some() {
        let filter = named(&envoy["filters"], value["name"].as_str().unwrap());
        *value = json!({ "name": value["name"], "typed_config": filter["typed_config"] });
    }
    if let Some(code) = value.get_mut("code") {
        let module = limpet_cli::module::find(None).unwrap_or_else(|why| panic!("{why}"));
        *code = json!({ "local": { "filename": module.canonicalize().unwrap() } });
        // What the VMs of one name share, limits among it, is a platform's own: others' listeners stand in
        // the same process.
        value["vm_id"] = json!(platform.name());
    }
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|v| put_together(v, envoy, platform)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|v| put_together(v, envoy, platform)),
        _ => {}
    }
}

/// The endpoints that a cluster was recorded with: a Service has several where it is led to by several
/// ways.
fn endpoints(envoy: &Value, cluster: &str) -> Option<Value> {
    let mut all = envoy["endpoints"].as_array()?.iter();
    let own = all.find(|one| one["cluster_name"] == cluster)?;
    let addresses = own["endpoints"].as_array()?.iter();
    let addresses = addresses.flat_map(|one| one["lb_endpoints"].as_array());
    let addresses: Value = addresses
        .flatten()
        .map(|one| one["endpoint"]["address"].clone())
        .collect();
    addresses
        .as_array()
        .is_some_and(|all| !all.is_empty())
        .then_some(addresses)
}

/// Gives a cluster its endpoints, each as those that were recorded are, and what its TLS goes by.
fn settle(cluster: &mut Value, pods: &[String], envoy: &Value) {
    let name = cluster["name"].as_str().unwrap_or_default();
    let mut recorded = envoy["endpoints"].as_array().into_iter().flatten();
    let recorded = recorded.find(|one| one["cluster_name"] == name);
    let metadata = recorded.and_then(|one| one.pointer("/endpoints/0/lb_endpoints/0/metadata"));
    let metadata = metadata.filter(|_| cluster.get("transport_socket_matches").is_some());
    let endpoint = |address: &String| {
        let (ip, port) = address.rsplit_once(':').unwrap();
        let port: u16 = port.parse().unwrap();
        let address = json!({ "socket_address": { "address": ip, "port_value": port } });
        json!({ "endpoint": { "address": address }, "metadata": metadata })
    };
    let endpoints: Vec<Value> = pods.iter().map(endpoint).collect();
    cluster["load_assignment"] =
        json!({ "cluster_name": cluster["name"], "endpoints": [{ "lb_endpoints": endpoints }] });
    cluster["type"] = json!("STATIC");
    tell(cluster, envoy);
    cluster
        .as_object_mut()
        .unwrap()
        .remove("eds_cluster_config");
}

/// A bootstrap with the admin and the cluster that leads to it.
fn base() -> Value {
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../envoy/examples/sample-ingress.yaml"
    );
    let manifests = Manifests::load(&[sample.to_owned()]).unwrap();
    let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
    let settings = EnvoySettings {
        admin: "unix:admin.sock".parse().unwrap(),
        ..EnvoySettings::default()
    };
    render(&compiled, &settings).bootstrap
}

/// The bootstrap of an Envoy with what was recorded of https for `name`, which goes to `pod` as it comes,
/// in a listener `https`.
///
/// # Panics
/// It does not, or there is no such recording.
#[must_use]
pub fn passthrough(platform: Platform, recording: &str, name: &str, pod: &str) -> Value {
    let recorded = read(platform, recording);
    let is_its = |chain: &&Value| chain["filter_chain_match"]["server_names"] == json!([name]);
    let mut listeners = recorded["listeners"].as_array().unwrap().iter();
    let mut listener = listeners
        .find(|one| {
            one["filter_chains"]
                .as_array()
                .is_some_and(|all| all.iter().any(|chain| is_its(&chain)))
        })
        .unwrap()
        .clone();
    let chains = listener["filter_chains"].as_array().unwrap();
    let chain = chains.iter().find(is_its).unwrap().clone();
    let filters = chain["filters"].as_array().unwrap();
    let cluster = filters
        .iter()
        .find_map(|filter| filter["typed_config"]["cluster"].as_str());
    let mut cluster = named(&recorded["clusters"], cluster.unwrap());
    settle(&mut cluster, &[pod.to_owned()], &recorded);
    // The others of that listener end TLS, with certificates that come from elsewhere.
    listener["filter_chains"] = json!([chain]);
    let fields = listener.as_object_mut().unwrap();
    fields.retain(|key, _| ["filter_chains", "listener_filters"].contains(&key.as_str()));
    listener["name"] = json!("https");
    listener["address"] = json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } });
    let mut envoy = base();
    envoy["static_resources"] = json!({ "listeners": [listener], "clusters": [cluster] });
    envoy
}
