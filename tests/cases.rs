//! One table of cases, played on the native core, on the module in the harness and on a real
//! Envoy. They agree, or the case says why Envoy cannot.
//!
//! `cases/*.yaml` hold them; the Ingresses stand in `cases/ingresses/`, unmodified.

mod on_core;
mod on_envoy;
mod on_module;
mod placeholders;
mod table;
mod target;

use table::Table;
use target::Target;

/// Plays every table on a target and prints how many cases ran.
fn play<T: Target>(name: &str, start: impl Fn(&Table) -> T) {
    play_but(&[], name, start);
}

/// As [`play`], with cases that have to come out otherwise there.
fn play_but<T: Target>(differs: &[&str], name: &str, start: impl Fn(&Table) -> T) {
    let mut failures = Vec::new();
    let (mut ran, mut steps, mut unasked) = (0, 0, 0);
    for table in Table::all() {
        let target = start(&table);
        for case in &table.cases {
            ran += 1;
            let played = case.play(&target, &table);
            if differs.contains(&case.name.as_str()) {
                let agrees = played.differences.is_empty();
                failures.extend(agrees.then(|| format!("{}: agrees now", case.name)));
                continue;
            }
            steps += played.asked;
            unasked += played.unasked;
            failures.extend(
                played
                    .differences
                    .iter()
                    .map(|d| format!("{}: {d}", case.name)),
            );
        }
    }
    println!("cases on {name}: {ran} ran, {steps} requests, {unasked} that cannot be asked there");
    assert!(ran > 0, "no cases");
    assert!(failures.is_empty(), "on {name}:\n{}", failures.join("\n"));
}

#[test]
fn every_case_holds_on_the_native_core() {
    play("the native core", on_core::start);
}

#[test]
fn every_case_holds_on_the_module_in_the_harness() {
    play("the module", on_module::start);
}

#[test]
fn every_case_holds_on_a_real_envoy() {
    play("Envoy", on_envoy::start);
}

#[test]
fn every_case_holds_on_an_envoy_shaped_by_istio() {
    play("Envoy as Istio shapes it", |table| {
        on_envoy::start_shaped(table, limpet_tests::platform::istio_shape)
    });
}

#[test]
fn every_case_holds_on_an_envoy_shaped_by_envoy_gateway() {
    // It cannot be told not to normalise paths: said in what is rendered for it.
    let differs = ["without a rewrite the target goes out as it came"];
    play_but(&differs, "Envoy as Envoy Gateway shapes it", |table| {
        on_envoy::start_shaped(table, limpet_tests::platform::envoy_gateway_shape)
    });
}
