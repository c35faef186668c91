//! The recorded answers through the module in the harness.

mod rest;

use limpet_tests::recordings::{paths, read, sessions};
use limpet_tests::target::Harness;

#[test]
fn paths_are_answered_as_recorded() {
    let recorded = &read("paths.json")["vectors"];
    paths("paths", recorded, Harness::start, |_| true, 424);
}

#[test]
fn further_paths_are_answered_as_recorded() {
    let recorded = &read("further.json");
    paths("further", recorded, Harness::start, |_| true, 4066);
}

#[test]
fn sessions_are_kept_as_recorded() {
    let recorded = &read("affinity.json")["E2E_affinity"];
    sessions("E2E_affinity", recorded, Harness::start, 49);
}

#[test]
fn further_sessions_are_kept_as_recorded() {
    let recorded = &read("further-affinity.json");
    sessions("further_affinity", recorded, Harness::start, 192);
}
