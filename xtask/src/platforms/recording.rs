//! What is kept of an answer: sorted, without what differs from one run to the next.

use super::cluster::Applied;
use super::http::get;
use super::layout;
use super::processes::wait_for;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// Where Envoy's own answers are.
pub(super) const ADMIN: u16 = 15000;

/// Keys of times, of versions, and of what is made anew each time.
const CHANGING: [&str; 5] = [
    "version_info",
    "last_updated",
    "client_status",
    "ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION",
    "sha256",
];

/// Lists whose order says nothing.
const UNORDERED: [&str; 3] = ["virtual_hosts", "domains", "lb_endpoints"];

/// The Service of the API server, which it makes when it likes to.
const ITS_OWN: [&str; 2] = ["kubernetes.default.svc", "10.96.0.1_443"];

/// What the names of those end in that clients' certificates are checked by, and pods'.
const AUTHORITIES: [&str; 2] = ["/ca.crt", "-ca"];

/// What Envoy has and does not use yet.
const WARMING: [&str; 2] = ["listeners that warm", "clusters that warm"];

/// How long that may last: some wait for ever, for what nobody has.
const WARM_UP: Duration = Duration::from_secs(10);

/// What was said to one input on one platform.
#[derive(Debug)]
pub(super) struct Recording {
    /// `limpet`'s arguments.
    pub(super) command: Vec<String>,
    /// [`super::hash`] of what it printed.
    pub(super) rendering: String,
    pub(super) input: Applied,
    pub(super) output: Applied,
    /// By object, of those that have one.
    pub(super) status: Map<String, Value>,
    /// What [`configuration`] gave, or its [`outline`].
    pub(super) envoy: Value,
}

impl Recording {
    /// Of what limpet renders nothing for, with its reason.
    pub(super) fn without_rendering(command: Vec<String>, input: Applied, why: &[u8]) -> Recording {
        let why = String::from_utf8_lossy(why);
        Recording {
            command,
            rendering: why.lines().next().unwrap_or_default().to_owned(),
            input,
            output: Applied::default(),
            status: Map::new(),
            envoy: json!({}),
        }
    }

    /// As a file.
    pub(super) fn text(self) -> String {
        let said = |applied: Applied| json!({ "accepted": applied.accepted, "refused": applied.refused, "warnings": applied.warnings });
        layout::text(&json!({
            "command": self.command,
            "rendering": self.rendering,
            "input": said(self.input),
            "output": said(self.output),
            "status": self.status,
            "envoy": self.envoy,
        }))
    }
}

/// Waits until Envoy has all that it was promised, and reads it.
///
/// # Errors
/// It does not come up.
pub(super) fn configuration() -> Result<Value> {
    wait_for("Envoy has its configuration", || {
        Ok(get(ADMIN, "/ready").filter(|ready| ready.trim() == "LIVE"))
    })?;
    let start = Instant::now();
    loop {
        let all = dumped()?;
        let is_warm = WARMING.iter().all(|list| all.get(list).is_none());
        if is_warm || start.elapsed() > WARM_UP {
            return Ok(all);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn dumped() -> Result<Value> {
    let dump = get(ADMIN, "/config_dump?include_eds").context("no configuration dump")?;
    let dump: Value = serde_json::from_str(&dump)?;
    let mut all = json!({
        "listeners": resources(&dump, "dynamic_listeners", &["active_state", "listener"]),
        WARMING[0]: resources(&dump, "dynamic_listeners", &["warming_state", "listener"]),
        "listeners refused": resources(&dump, "dynamic_listeners", &["error_state"]),
        "routes": resources(&dump, "dynamic_route_configs", &["route_config"]),
        "clusters": resources(&dump, "dynamic_active_clusters", &["cluster"]),
        WARMING[1]: resources(&dump, "dynamic_warming_clusters", &["cluster"]),
        "endpoints": resources(&dump, "dynamic_endpoint_configs", &["endpoint_config"]),
        "filters": resources(&dump, "ecds_filters", &["ecds_filter"]),
        "authorities": authorities(&dump),
    });
    clean(&mut all);
    if let Some(all) = all.as_object_mut() {
        all.retain(|_, list| list.as_array().is_some_and(|list| !list.is_empty()));
    }
    Ok(all)
}

/// By what clients' certificates are checked, and pods': it is no secret, though Envoy gets it as one.
fn authorities(dump: &Value) -> Vec<Value> {
    let mut all = resources(dump, "dynamic_active_secrets", &["secret"]);
    all.retain(|one| {
        let is_one = one.get("validation_context").is_some();
        let name = name(one);
        is_one && AUTHORITIES.iter().any(|end| name.ends_with(end))
    });
    all
}

fn resources(dump: &Value, list: &str, path: &[&str]) -> Vec<Value> {
    let parts = dump
        .get("configs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let resources = parts
        .filter_map(|part| part.get(list)?.as_array())
        .flatten();
    let resources = resources.filter_map(|resource| {
        path.iter()
            .try_fold(resource, |value, key| value.get(key))
            .cloned()
    });
    let mut resources: Vec<Value> = resources.collect();
    resources.retain(|resource| !ITS_OWN.iter().any(|own| name(resource).contains(own)));
    resources.sort_by_cached_key(name);
    resources
}

fn clean(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(fields) => {
            fields.retain(|key, _| !CHANGING.contains(&key.as_str()));
            for (key, field) in fields.iter_mut() {
                clean(field);
                if let (true, Some(items)) =
                    (UNORDERED.contains(&key.as_str()), field.as_array_mut())
                {
                    items.sort_by_cached_key(ToString::to_string);
                }
                // Where Envoy Gateway serves the module has a path that nobody can guess.
                if key == "uri" && field.as_str().is_some_and(|uri| uri.ends_with(".wasm")) {
                    *field = json!("limpet.wasm");
                }
            }
        }
        _ => {}
    }
}

/// The names alone, and the hosts with the number of their routes: where nothing is asked of it.
pub(super) fn outline(envoy: &Value) -> Value {
    let mut all = Map::new();
    for (list, resources) in envoy.as_object().into_iter().flatten() {
        if list == "endpoints" {
            continue; // those of the clusters
        }
        let refused = list.ends_with("refused");
        let resources = resources.as_array().into_iter().flatten();
        let resources = resources.map(|resource| match resource.get("virtual_hosts") {
            Some(hosts) => json!({ "name": name(resource), "hosts": hosts_of(hosts) }),
            None if refused => resource.clone(),
            None => json!(name(resource)),
        });
        all.insert(list.clone(), resources.collect());
    }
    Value::Object(all)
}

fn hosts_of(hosts: &Value) -> Vec<String> {
    let hosts = hosts.as_array().into_iter().flatten();
    let hosts = hosts.map(|host| {
        let domains = host
            .get("domains")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let domains: Vec<&str> = domains.filter_map(Value::as_str).collect();
        let routes = host
            .get("routes")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        format!("{}: {routes} routes", domains.join(" "))
    });
    hosts.collect()
}

fn name(resource: &Value) -> String {
    let names = ["name", "cluster_name"].iter();
    let name = names.filter_map(|key| resource.get(key)?.as_str()).next();
    name.unwrap_or_default().to_owned()
}
