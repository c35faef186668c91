//! One table of cases, asked of the native core, of the module in the harness and of real
//! Envoys. They agree, or the case says why Envoy cannot.
//!
//! `cases/*.yaml` hold them; the Ingresses stand in `cases/ingresses/`, unmodified.

mod ask;
mod placeholders;
mod table;

use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::platform::{envoy_gateway_shape, istio_shape};
use limpet_tests::rendered::Rendered;
use limpet_tests::target::{Asked, Core, Envoy, Harness, Observed, Target};
use serde_json::Value;
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
    differs: &'p [&'p str],
}

/// Asks every case, and prints how many there were.
fn ask<T: Target>(place: &Place, start: impl Fn(&Table) -> T) {
    let mut failures = Vec::new();
    let (mut asked, mut requests, mut unasked) = (0, 0, 0);
    for table in Table::all() {
        let target = start(&table);
        for case in &table.cases {
            asked += 1;
            let report = case.ask(&target, place.is_envoy, &table);
            let differences = report.differences.iter();
            if place.differs.contains(&case.name.as_str()) {
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

fn ask_envoy(name: &str, differs: &[&str], shape: fn(&mut Value)) {
    let place = Place {
        name,
        is_envoy: true,
        differs,
    };
    ask(&place, |table| {
        let process = Rendered::share(&table.manifests, &table.endpoints(), shape);
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

fn ask_ours<T: Target>(name: &str, start: fn(&Manifests, &[EndpointsFlag], bool) -> T) {
    let place = Place {
        name,
        is_envoy: false,
        differs: &[],
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
    ask_envoy("Envoy", &[], |_| {});
}

#[test]
fn every_case_holds_on_an_envoy_shaped_by_istio() {
    ask_envoy("Envoy as Istio shapes it", &[], istio_shape);
}

#[test]
fn every_case_holds_on_an_envoy_shaped_by_envoy_gateway() {
    // It cannot be told not to normalise paths: said in what is rendered for it.
    let differs = ["without a rewrite the target goes out as it came"];
    ask_envoy(
        "Envoy as Envoy Gateway shapes it",
        &differs,
        envoy_gateway_shape,
    );
}
