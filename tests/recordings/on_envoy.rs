//! The recorded path answers asked of a real Envoy: one process, a listener for each scenario.

mod listeners;
mod rest;

use limpet_tests::envoy::RealEnvoy;
use limpet_tests::http::bytes;
use limpet_tests::pod::{Pod, Script};
use limpet_tests::recordings::rest::Given;
use limpet_tests::recordings::{self, Tally, list, path_case};
use limpet_tests::target::{Envoy, Script as Recorded, Target};
use listeners::{merge, rendered};

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// How many rows agree on Envoy; the others are refused before any filter, or listed.
const PATHS: usize = 419;
const FURTHER: usize = 510;
/// Of the further scenarios every so many are asked: each has a listener of its own.
const STRIDE: usize = 8;

#[test]
fn recorded_paths_are_answered_alike_on_a_real_envoy() {
    let paths = recordings::read("paths.json");
    let further = recordings::read("further.json");
    let mut chosen: Vec<Value> = list(&further).iter().step_by(STRIDE).cloned().collect();
    // Behind a trusted proxy: what Envoy writes itself must not be what limpet decides by.
    let trusting = list(&further)
        .iter()
        .filter(|s| s["id"] == "cfg-fwd-none-tls");
    chosen.extend(trusting.cloned());
    let mut report = Report::default();
    let envoy = Asked::start(&[list(&paths["vectors"]), &chosen]);
    envoy.ask("paths", list(&paths["vectors"]), 0, &mut report);
    assert_eq!(report.finish("paths"), PATHS);
    let offset = list(&paths["vectors"]).len();
    envoy.ask("further", &chosen, offset, &mut report);
    assert_eq!(report.finish("further"), FURTHER);
}

#[test]
#[ignore = "half a minute: cargo xtask test --test all all_further -- --ignored"]
fn all_further_recorded_paths_are_answered_alike_on_a_real_envoy() {
    let further = recordings::read("further.json");
    let mut report = Report::default();
    let envoy = Asked::start(&[list(&further)]);
    envoy.ask("further", list(&further), 0, &mut report);
    report.finish("further");
}

/// One Envoy, and a pod for each Service name.
struct Asked {
    envoy: RealEnvoy,
    pods: BTreeMap<String, Pod>,
    listeners: BTreeMap<String, SocketAddr>,
}

impl Asked {
    fn start(families: &[&[Value]]) -> Self {
        let scenarios: Vec<&Value> = families.iter().copied().flatten().collect();
        let services = scenarios.iter().flat_map(|s| recordings::endpoints(s));
        let names: BTreeSet<String> = services.map(|(name, _)| name).collect();
        let pods: BTreeMap<String, Pod> =
            names.into_iter().map(|name| (name, Pod::start())).collect();
        let authorizer = Pod::start();
        let mut bootstrap = Value::Null;
        for (number, scenario) in scenarios.iter().enumerate() {
            merge(
                &mut bootstrap,
                rendered(&Given::of(scenario), number, &pods, &authorizer),
            );
        }
        let count = list(&bootstrap["static_resources"]["listeners"]).len();
        let envoy = RealEnvoy::start(&bootstrap.to_string());
        let listeners = envoy.listeners(count);
        Self {
            envoy,
            pods,
            listeners,
        }
    }

    /// Asks every row; `offset`: the number of the first scenario.
    fn ask(&self, family: &str, scenarios: &[Value], offset: usize, report: &mut Report) {
        let listed = Tally::of(family);
        for (number, scenario) in scenarios.iter().enumerate() {
            let services = recordings::endpoints(scenario).into_keys();
            let services: BTreeMap<String, Vec<String>> = services
                .map(|name| (name.clone(), vec![self.pods[&name].endpoint()]))
                .collect();
            let listener = |scheme| self.listeners.get(&format!("{}-{scheme}", number + offset));
            let envoy = Envoy {
                http: *listener("http").unwrap(),
                https: listener("https").copied(),
            };
            for request in list(&scenario["requests"]) {
                let case = path_case(scenario, request);
                let asked = recordings::asked(request);
                self.behave(&services, &asked.endpoints);
                let seen = envoy.ask(&asked).ok();
                let is_refused = seen.as_ref().is_none_or(|seen| seen.status == 400);
                if let (Some(reason), true) = (refused_by_the_codec(request), is_refused) {
                    *report.refused.entry(reason).or_default() += 1;
                    continue;
                }
                let differences = match seen {
                    Some(mut seen) => {
                        // Envoy says of every method but GET that there is no body.
                        seen.headers
                            .retain(|(name, value)| (&**name, &**value) != ("content-length", "0"));
                        seen.against_path(&request["expect"], &services, |_| true)
                    }
                    None => vec!["no answer".to_owned()],
                };
                match (differences.is_empty(), envoys_own(request)) {
                    (true, _) => report.agreeing += 1,
                    (false, _) if listed.is_listed(&case) => report.listed += 1,
                    (false, Some(reason)) => *report.envoys.entry(reason).or_default() += 1,
                    (false, None) => report.open.push(format!("{case}\n    {differences:?}")),
                }
            }
        }
        assert!(
            report.open.is_empty(),
            "{}\n{}",
            report.open.join("\n"),
            self.envoy.log()
        );
    }

    /// What the echo of the recording did when a request told it to.
    fn behave(&self, services: &BTreeMap<String, Vec<String>>, recorded: &Recorded) {
        let script = Script {
            status: recorded.status,
            headers: recorded.headers.clone(),
            ..Script::default()
        };
        for name in services.keys() {
            self.pods[name].behave(script.clone());
        }
    }
}

/// What was counted.
#[derive(Debug, Default)]
struct Report {
    agreeing: usize,
    listed: usize,
    refused: BTreeMap<&'static str, usize>,
    /// Envoy itself does otherwise, whatever limpet says.
    envoys: BTreeMap<&'static str, usize>,
    open: Vec<String>,
}

impl Report {
    /// Prints the counts and starts anew; how many agreed.
    fn finish(&mut self, family: &str) -> usize {
        let Self {
            agreeing,
            listed,
            refused,
            envoys,
            ..
        } = std::mem::take(self);
        println!("{family} on Envoy: {agreeing} agree, {listed} are listed as otherwise");
        println!("  refused before any filter: {refused:?}\n  Envoy's own: {envoys:?}");
        agreeing
    }
}

/// Why Envoy's codec answers such a request itself; `None`: it lets it in.
fn refused_by_the_codec(request: &Value) -> Option<&'static str> {
    let is_odd = |byte: &u8| !(0x21..=0x7e).contains(byte);
    let has_odd = |value: &Value| {
        let text = recordings::text(value).unwrap_or_default();
        bytes(&text).iter().any(is_odd)
    };
    if has_odd(&request["target"]) {
        return Some("a byte in the target that no URL has");
    }
    has_odd(&request["host"]).then_some("a byte in the host that no host has")
}

/// Why Envoy may do otherwise than nginx with such a request, whatever a filter decides.
fn envoys_own(request: &Value) -> Option<&'static str> {
    let text = |value: &Value| recordings::text(value).unwrap_or_default();
    let target = text(&request["target"]);
    if target.contains('#') {
        return Some("it cuts a fragment off before any filter");
    }
    if target == "*" || target.ends_with('\t') {
        return Some("it lets OPTIONS * in, and trims tabs");
    }
    if !text(&request["expect"]["upstream_uri"]).is_empty()
        && !text(&request["expect"]["upstream_uri"]).starts_with('/')
    {
        return Some("it routes no target that lacks its first slash");
    }
    if ["BREW", "FOO", "CONNECT"].contains(&text(&request["method"]).as_str()) {
        return Some("it knows a fixed list of methods");
    }
    let fields = list(&request["headers"]).iter();
    let mut names = fields.map(|field| text(&field[0]).to_ascii_lowercase());
    names.find_map(|name| match name.as_str() {
        "host" => Some("it joins two Host fields"),
        "te" | "upgrade" | "content-length" | "proxy-connection" | "expect" => {
            Some("headers between neighbours are its own")
        }
        "x-forwarded-for" | "x-real-ip" => Some("it hands a trusted proxy's addresses on whole"),
        "x-forwarded-host" => Some("it hands a trusted proxy's hosts on whole"),
        "x-forwarded-proto" => Some("it reads X-Forwarded-Proto as http or https"),
        name if name.starts_with("x-envoy-") => Some("what begins with x-envoy- is its own"),
        _ => None,
    })
}
