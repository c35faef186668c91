//! `paths.json`: hosts, locations, rewrites, redirects.

use crate::recordings::agreement::Tally;
use limpet::config;
use limpet::edit::{Edit, fields};
use limpet::endpoints::EndpointTable;
use limpet::facts::{Facts, Knowledge};
use limpet::policy::{self, Policy};
use limpet::route::{self, Disposition};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const RECORDED: &str = include_str!("../paths.json");

/// How many recorded answers agree: may only grow.
const FLOOR: usize = 422;
/// The same for the clusters.
const BACKENDS: usize = 28;

/// What is compared: all that `expect` says about a request's fate.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fate {
    status: u64,
    service: Option<String>,
    upstream_uri: Option<String>,
    location: Option<String>,
    x_forwarded_prefix: Option<String>,
    host: Option<String>,
}

#[test]
fn paths_agree_with_what_was_recorded() {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let mut tally = Tally::of("paths");
    for scenario in recorded["vectors"].as_array().unwrap() {
        let policy = compile(scenario);
        for request in scenario["requests"].as_array().unwrap() {
            let case = case_name(scenario, request);
            let ours = ours(&policy, scenario, request);
            tally.case(&case, ours, recorded_fate(&request["expect"]));
        }
    }
    tally.finish(FLOOR);
}

/// What ingress-nginx told its balancer: which clusters have affinity, which canaries, and where
/// the session cookie may be set.
#[test]
fn clusters_agree_with_what_the_balancer_was_told() {
    let recorded: Value = serde_json::from_str(include_str!("../affinity.json")).unwrap();
    let mut tally = Tally::of("lua_backends");
    for scenario in recorded["E2E_affinity"].as_array().unwrap() {
        let policy = compile(scenario);
        for backend in scenario["lua_backends"].as_array().unwrap() {
            let name = backend["name"].as_str().unwrap();
            if name == "upstream-default-backend" {
                continue;
            }
            let case = format!("{} {name}", scenario["id"].as_str().unwrap());
            tally.case(
                &case,
                our_backend(&policy, name, backend),
                recorded_backend(backend),
            );
        }
    }
    tally.finish(BACKENDS);
}

/// Whether there is affinity, the canaries, and the (host, path)s that set cookies.
type Backend = (bool, Vec<String>, Vec<(String, String, bool)>);

fn recorded_backend(backend: &Value) -> Backend {
    let affinity = &backend["sessionAffinityConfig"];
    let alternatives = backend["alternativeBackends"].as_array();
    let alternatives = alternatives.into_iter().flatten();
    let places = places(backend).map(|(host, path)| (host, path, true));
    (
        affinity["name"] == "cookie",
        alternatives
            .map(|name| name.as_str().unwrap().to_owned())
            .collect(),
        places.collect(),
    )
}

fn places(backend: &Value) -> impl Iterator<Item = (String, String)> {
    let hosts = backend.pointer("/sessionAffinityConfig/cookieSessionAffinity/locations");
    let hosts = hosts.and_then(Value::as_object).into_iter().flatten();
    hosts.flat_map(|(host, paths)| {
        let paths = paths.as_array().unwrap().iter();
        paths.map(move |path| (host.clone(), path.as_str().unwrap().to_owned()))
    })
}

fn our_backend(policy: &Policy, name: &str, backend: &Value) -> Backend {
    let cluster = policy
        .clusters
        .iter()
        .find(|cluster| cluster.upstream_name == name);
    let cluster = cluster.unwrap_or_else(|| panic!("no cluster {name}"));
    let alternatives = cluster
        .alternatives
        .iter()
        .map(|id| policy.cluster(*id).unwrap());
    let is_canary = cluster.canary.is_some();
    let places = places(backend).map(|(host, path)| {
        let known = policy.virtual_hosts().find(|known| known.name == host);
        let host = known.unwrap_or_else(|| panic!("{name}: no host {host}"));
        let mut locations = host
            .locations
            .iter()
            .filter(|location| location.path == path);
        // A canary inherits its primary's places, and has no location of its own.
        let sets =
            locations.any(|at| at.sets_cookie(false) && (is_canary || at.upstream_name == name));
        (host.name.clone(), path, sets)
    });
    let places = places.collect();
    (
        cluster.affinity.is_some(),
        alternatives
            .map(|cluster| cluster.upstream_name.clone())
            .collect(),
        places,
    )
}

/// `scenario: GET http host target`, long targets cut.
fn case_name(scenario: &Value, request: &Value) -> String {
    let text = |key: &str| latin1(&request[key]).unwrap_or_default();
    let target: String = text("target").chars().take(80).collect();
    let mut name = format!(
        "{}: {} {} {} {target}",
        scenario["id"].as_str().unwrap(),
        text("method"),
        text("scheme"),
        text("host")
    );
    if text("http_version") != "HTTP/1.1" {
        name.push_str(" HTTP/1.0");
    }
    if request["headers"]
        .as_array()
        .is_some_and(|headers| !headers.is_empty())
    {
        name.push_str(&format!(" {}", request["headers"]));
    }
    name
}

fn compile(scenario: &Value) -> Policy {
    let mut ingresses = scenario["ingresses"].as_array().unwrap().clone();
    for (minute, ingress) in ingresses.iter_mut().enumerate() {
        let metadata = ingress["metadata"].as_object_mut().unwrap();
        let created = json!(format!(
            "2024-01-01T{:02}:{:02}:00Z",
            minute / 60,
            minute % 60
        ));
        metadata.entry("creationTimestamp").or_insert(created);
    }
    let is_missing = |name: &String| {
        let mut missing = scenario["no_service"].as_array().into_iter().flatten();
        missing.any(|missing| missing == name)
    };
    let services = services(&ingresses).into_iter();
    let services: Vec<String> = services.filter(|name| !is_missing(name)).collect();
    let configuration = json!({
        "ingresses": ingresses,
        "config_map": scenario["controller_config"],
        "services": services,
        "strict": scenario["annotation_validation"].as_bool().unwrap_or(true),
        "unmatched": "not_found",
    });
    let (config, _) = config::read(configuration.to_string().as_bytes()).unwrap();
    policy::compile(&config).0
}

/// Every Service that a backend names, as `namespace/name`.
fn services(ingresses: &[Value]) -> BTreeSet<String> {
    fn collect(value: &Value, namespace: &str, names: &mut BTreeSet<String>) {
        if let Some(name) = value.pointer("/service/name").and_then(Value::as_str) {
            names.insert(format!("{namespace}/{name}"));
        }
        match value {
            Value::Object(map) => map
                .values()
                .for_each(|value| collect(value, namespace, names)),
            Value::Array(list) => list
                .iter()
                .for_each(|value| collect(value, namespace, names)),
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    for ingress in ingresses {
        let namespace = ingress["metadata"]["namespace"]
            .as_str()
            .unwrap_or("default");
        collect(&ingress["spec"], namespace, &mut names);
    }
    names
}

fn ours(policy: &Policy, scenario: &Value, request: &Value) -> Fate {
    let mut headers = vec![
        (":method".to_owned(), raw(&request["method"]).unwrap()),
        (":scheme".to_owned(), raw(&request["scheme"]).unwrap()),
        (":path".to_owned(), raw(&request["target"]).unwrap()),
    ];
    if let Some(host) = raw(&request["host"]) {
        headers.push((":authority".to_owned(), host));
    }
    for header in request["headers"].as_array().unwrap() {
        let name = header[0].as_str().unwrap().to_ascii_lowercase();
        headers.push((name, raw(&header[1]).unwrap()));
    }
    let version = raw(&request["http_version"]).unwrap();
    let facts = Facts {
        now: &|| 0,
        random: &|| 0,
        property: &|path| match path {
            ["request", "protocol"] => Some(version.clone()),
            ["source", "address"] => Some(b"127.0.0.1:1234".to_vec()),
            _ => None,
        },
        knowledge: &|| Knowledge::Current,
    };
    fate(
        policy,
        scenario,
        request,
        route::dispose(policy, &EndpointTable::default(), &fields(&headers), &facts),
    )
}

fn fate(policy: &Policy, scenario: &Value, request: &Value, disposition: Disposition) -> Fate {
    let header = |name: &str| {
        let headers = request["headers"].as_array().unwrap().iter();
        let mut named =
            headers.filter(|header| header[0].as_str().unwrap().eq_ignore_ascii_case(name));
        named.next().and_then(|header| latin1(&header[1]))
    };
    match disposition {
        Disposition::Pass { .. } => Fate {
            status: 0,
            ..Fate::default()
        },
        Disposition::NotFound { .. } => Fate {
            status: 404,
            ..Fate::default()
        },
        Disposition::Reply { reply, .. } => {
            let location = reply.headers.iter().find(|(name, _)| name == "location");
            Fate {
                status: reply.status.into(),
                location: location.map(|(_, value)| text(value)),
                ..Fate::default()
            }
        }
        Disposition::Forward(forward) => {
            let cluster = policy.cluster(forward.cluster).unwrap();
            let service = cluster.service.split(':').next().unwrap().to_owned();
            let endpoints = &scenario["endpoints_override"][&service];
            if endpoints.as_array().is_some_and(Vec::is_empty) {
                return Fate {
                    status: 503,
                    ..Fate::default()
                };
            }
            let edited = |name: &str| {
                forward.edits.iter().find_map(|edit| match edit {
                    Edit::Set(edited, value) if edited == name => Some(Some(text(value))),
                    Edit::Remove(edited) if edited == name => Some(None),
                    _ => None,
                })
            };
            let target = raw(&request["target"]).unwrap();
            let own = if target.starts_with(b"/") {
                target
            } else {
                origin_form(&target)
            };
            // The recording upstream answers as it is told.
            let status = header("x-echo-status").map(|status| status[..3].parse().unwrap());
            Fate {
                status: status.unwrap_or(200),
                service: Some(service),
                upstream_uri: Some(text(&forward.path.unwrap_or(own))),
                location: header("x-echo-location"),
                x_forwarded_prefix: edited("x-forwarded-prefix")
                    .unwrap_or_else(|| header("x-forwarded-prefix")),
                host: edited(":authority").unwrap_or_else(|| authority(request)),
            }
        }
    }
}

/// The Host that Envoy sends on: an absolute-form target brings its own.
fn authority(request: &Value) -> Option<String> {
    let target = latin1(&request["target"])?;
    let Some((_, rest)) = target
        .split_once("://")
        .filter(|_| !target.starts_with('/'))
    else {
        return latin1(&request["host"]);
    };
    rest.split(['/', '?']).next().map(str::to_owned)
}

/// What a proxy sends on for an absolute-form target.
fn origin_form(target: &[u8]) -> Vec<u8> {
    let text = text(target);
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let start = rest.find(['/', '?']).unwrap_or(rest.len());
    let path: Vec<u8> = rest[start..].chars().map(|c| c as u8).collect();
    if path.first() == Some(&b'/') {
        path
    } else {
        [b"/", &path[..]].concat()
    }
}

fn recorded_fate(expect: &Value) -> Fate {
    let service = latin1(&expect["service"]);
    let host = latin1(&expect["upstream_headers"]["Host"]);
    let prefix = latin1(&expect["x_forwarded_prefix"]);
    Fate {
        status: expect["status"].as_u64().unwrap(),
        host: host.filter(|_| service.is_some()),
        x_forwarded_prefix: prefix,
        service,
        upstream_uri: latin1(&expect["upstream_uri"]),
        location: latin1(&expect["location"]),
    }
}

/// A string of the vectors as bytes: `{"hex": ...}` where it is not printable ASCII.
fn raw(value: &Value) -> Option<Vec<u8>> {
    if let Some(hex) = value.get("hex") {
        let digits = hex.as_str().unwrap().as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        return Some(digits.chunks(2).map(byte).collect());
    }
    value.as_str().map(|text| text.as_bytes().to_vec())
}

fn latin1(value: &Value) -> Option<String> {
    raw(value).map(|bytes| text(&bytes))
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
