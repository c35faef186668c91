//! `paths.json`: hosts, locations, rewrites, redirects.

use limpet::policy::Policy;
use limpet_tests::recordings::{Tally, paths, read, start};
use limpet_tests::target::Core;
use serde_json::Value;

/// How many recorded answers agree: may only grow.
const FLOOR: usize = 424;
/// The same for the clusters.
const BACKENDS: usize = 28;

#[test]
fn paths_agree_with_what_was_recorded() {
    // The forwarding headers are the proxy's; these are the core's.
    let compared = |name: &str| ["host", "x-forwarded-prefix"].contains(&name);
    let recorded = &read("paths.json")["vectors"];
    paths("paths", recorded, Core::start, compared, FLOOR);
}

/// What ingress-nginx told its balancer: which clusters have affinity, which canaries, and where
/// the session cookie may be set.
#[test]
fn clusters_agree_with_what_the_balancer_was_told() {
    let recorded = read("affinity.json");
    let mut tally = Tally::of("lua_backends");
    for scenario in recorded["E2E_affinity"].as_array().unwrap() {
        let core = start(scenario, Core::start);
        for backend in scenario["lua_backends"].as_array().unwrap() {
            let name = backend["name"].as_str().unwrap();
            if name == "upstream-default-backend" {
                continue;
            }
            let case = format!("{} {name}", scenario["id"].as_str().unwrap());
            tally.case(
                &case,
                our_backend(core.policy(), name, backend),
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
