//! One table of cases, asked of the native core, of the module in the harness and of real
//! Envoys. They agree, or the case says why Envoy cannot.
//!
//! `cases/*.yaml` hold them; the Ingresses stand in `cases/ingresses/`, unmodified.

mod ask;
mod placeholders;
mod table;

use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::recorded::{Platform, bootstrap};
use limpet_tests::rendered::Rendered;
use limpet_tests::target::{Asked, Core, Envoy, Harness, Observed, Target};
use serde::Deserialize;
use table::Table;

/// A rendered Envoy.
struct Process {
    _alive: Rendered,
    listener: Envoy,
}

impl Target for Process {
    fn ask(&self, request: &Asked) -> Result<Observed, String> {
        self.listener.ask(request)
    }
}

/// Where the cases are asked.
struct Place<'p> {
    name: &'p str,
    /// Cases say what differs there.
    is_envoy: bool,
    /// Cases that have to come out otherwise there.
    differs: &'p [String],
    /// Tables that are not asked there.
    without: &'p [String],
}

/// A row of `divergences.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Divergence {
    platform: String,
    /// Comes out otherwise.
    case: Option<String>,
    /// Nothing is rendered for the Ingresses of this recording: its cases are not asked.
    table: Option<String>,
    #[expect(dead_code, reason = "for the reader of the table")]
    reason: String,
}

fn divergences(platform: Platform) -> Vec<Divergence> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/divergences.yaml");
    let all: Vec<Divergence> =
        serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    // What differs on the newest does so on an older one.
    let name = platform.name();
    let is_of_it = |row: &Divergence| name.strip_prefix("older-").unwrap_or(name) == row.platform;
    all.into_iter().filter(is_of_it).collect()
}

/// Asks every case, and prints how many there were.
fn ask<T: Target>(place: &Place, start: impl Fn(&Table) -> T) {
    let mut failures = Vec::new();
    let (mut asked, mut requests, mut unasked) = (0, 0, 0);
    for table in Table::all() {
        if place.without.contains(&table.recording) {
            continue;
        }
        let target = start(&table);
        for case in &table.cases {
            asked += 1;
            let report = case.ask(&target, place.is_envoy, &table);
            let differences = report.differences.iter();
            if place.differs.contains(&case.name) {
                let agrees = report.differences.is_empty();
                failures.extend(agrees.then(|| format!("{}: agrees now", case.name)));
                continue;
            }
            requests += report.asked;
            unasked += report.unasked;
            failures.extend(differences.map(|d| format!("{}: {d}", case.name)));
        }
    }
    let name = place.name;
    println!(
        "cases on {name}: {asked} asked, {requests} requests, {unasked} that cannot be asked there"
    );
    assert!(asked > 0, "no cases");
    assert!(failures.is_empty(), "on {name}:\n{}", failures.join("\n"));
}

fn ask_envoy(place: &Place, start: impl Fn(&Table) -> Rendered) {
    ask(place, |table| {
        let process = start(table);
        let listener = Envoy {
            http: process.http(),
            https: None,
        };
        Process {
            _alive: process,
            listener,
        }
    });
}

/// With what a real control plane made of the Ingresses.
fn ask_platform(platform: Platform) {
    let rows = divergences(platform);
    let cases: Vec<String> = rows.iter().filter_map(|row| row.case.clone()).collect();
    let tables: Vec<String> = rows.into_iter().filter_map(|row| row.table).collect();
    let place = Place {
        name: platform.name(),
        is_envoy: true,
        differs: &cases,
        without: &tables,
    };
    ask_envoy(&place, |table| {
        let pods = |service: &str| table.addresses(service);
        Rendered::share_bootstrap(&bootstrap(platform, &table.recording, pods))
    });
}

fn ask_ours<T: Target>(name: &str, start: fn(&Manifests, &[EndpointsFlag], bool) -> T) {
    let place = Place {
        name,
        is_envoy: false,
        differs: &[],
        without: &[],
    };
    ask(&place, |table| {
        start(&table.manifests, &table.endpoints(), false)
    });
}

#[test]
fn every_case_holds_on_the_native_core() {
    ask_ours("the native core", Core::start);
}

#[test]
fn every_case_holds_on_the_module_in_the_harness() {
    ask_ours("the module", Harness::start);
}

#[test]
fn every_case_holds_on_a_real_envoy() {
    let place = Place {
        name: "Envoy",
        is_envoy: true,
        differs: &[],
        without: &[],
    };
    ask_envoy(&place, |table| {
        Rendered::share(&table.manifests, &table.endpoints(), |_| {})
    });
}

#[test]
fn every_case_holds_on_a_gateway_that_istiod_configures() {
    ask_platform(Platform::Istio);
}

#[test]
fn every_case_holds_on_a_sidecar_that_istiod_configures() {
    ask_platform(Platform::IstioSidecar);
}

#[test]
fn every_case_holds_on_an_envoy_that_envoy_gateway_configures() {
    ask_platform(Platform::EnvoyGateway);
}

#[test]
fn every_case_holds_on_a_gateway_that_an_older_istiod_configures() {
    ask_platform(Platform::OlderIstio);
}

#[test]
fn every_case_holds_on_a_sidecar_that_an_older_istiod_configures() {
    ask_platform(Platform::OlderIstioSidecar);
}

#[test]
fn every_case_holds_on_an_envoy_that_an_older_envoy_gateway_configures() {
    ask_platform(Platform::OlderEnvoyGateway);
}
