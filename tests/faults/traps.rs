//! The module traps: a build of it that does so when a request asks for it.

use super::{CLUSTER, HOST, PERSISTENT, Shop};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limpet_tests::crowd::{Crowd, Moves};
use limpet_tests::http::{self, Request};
use limpet_tests::rendered::Setup;
use limpet_tests::wait;
use serde_json::Value;
use std::path::PathBuf;

const CLIENTS: usize = 40;

/// The module that traps on demand, beside the one that does not.
fn faulty() -> PathBuf {
    let module = limpet_cli::module::find(None).unwrap_or_else(|why| panic!("{why}"));
    let faulty = module.with_file_name("limpet-fault.wasm");
    assert!(
        faulty.is_file(),
        "no module at {}: run `cargo xtask wasm --features fault`",
        faulty.display()
    );
    faulty
}

fn everybody_stayed() -> Moves {
    Moves {
        stayed: CLIENTS,
        ..Moves::default()
    }
}

fn fault(kind: &str) -> Request {
    Request::get(HOST, "/").header("x-limpet-fault", kind)
}

#[test]
fn a_worker_that_traps_is_back_at_the_next_request_and_its_sessions_stay() {
    let shop = Shop::new(4, PERSISTENT);
    let setup = Setup {
        workers: 2,
        wasm: Some(faulty()),
        ..Setup::default()
    };
    let envoy = shop.open(4, &setup);
    let mut crowd = Crowd::new(CLIENTS, envoy.http(), HOST, "/");
    assert_eq!(crowd.reload().cookies, CLIENTS);
    let stayed = everybody_stayed();
    let reloads = || envoy.envoy.stat("wasm.limpet.vm_reload_success");
    let mut lost = 0;
    // One after the other, each soon after the VM was loaded: `reload_config` is short enough.
    for kind in ["trap", "tick", "trap", "trap", "tick", "trap"] {
        let (reloaded, trapped) = (reloads(), traps(&envoy.envoy.log()));
        let answer = http::send(envoy.http(), &fault(kind)).unwrap();
        lost += usize::from(answer.status == 503);
        wait::until("the worker has trapped", || {
            traps(&envoy.envoy.log()) > trapped
        });
        assert_eq!(crowd.reload(), stayed, "{kind}");
        assert!(reloads() > reloaded, "{kind}: a new VM");
        assert_eq!(crowd.reload(), stayed, "{kind}");
    }
    println!(
        "6 traps, {} requests: lost {lost}, those that asked for a trap; moved 0",
        crowd.requests + 6
    );
    assert_eq!(lost, 4, "the requests that asked for it, and no other");
}

#[test]
fn a_panic_of_the_native_module_costs_the_request_that_it_came_from() {
    let shop = Shop::new(4, PERSISTENT);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/native");
    let faulty = PathBuf::from(folder).join("limpet-fault.so");
    assert!(
        faulty.is_file(),
        "no module at {}: run `cargo xtask native --features fault`",
        faulty.display()
    );
    let setup = Setup {
        workers: 2,
        native: Some(faulty.canonicalize().unwrap()),
        ..Setup::default()
    };
    let envoy = shop.open(4, &setup);
    let mut crowd = Crowd::new(CLIENTS, envoy.http(), HOST, "/");
    assert_eq!(crowd.reload().cookies, CLIENTS);
    let stayed = everybody_stayed();
    for _ in 0..6 {
        let answer = http::send(envoy.http(), &fault("trap")).unwrap();
        assert_eq!(answer.status, 500);
        assert_eq!(crowd.reload(), stayed);
    }
    let panics = envoy.envoy.log().matches("limpet: a panic").count();
    assert_eq!(panics, 6, "each is in the log");
}

fn traps(log: &str) -> usize {
    log.matches("fault asked for by a request").count()
}

/// As an operator might have it who rather serves without limpet than not at all.
fn fails_open(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("failure_policy") {
                fields.insert("failure_policy".into(), "FAIL_OPEN".into());
                fields.remove("reload_config");
            }
            fields.values_mut().for_each(fails_open);
        }
        Value::Array(elements) => elements.iter_mut().for_each(fails_open),
        _ => {}
    }
}

#[test]
fn where_the_module_is_skipped_a_client_still_chooses_no_pod_and_no_cluster() {
    let shop = Shop::new(2, PERSISTENT);
    let setup = Setup {
        wasm: Some(faulty()),
        edit: fails_open,
        ..Setup::default()
    };
    let envoy = shop.open(2, &setup);
    assert_eq!(
        http::send(envoy.http(), &fault("trap")).unwrap().status,
        503
    );
    let before: u64 = shop.pods.iter().map(limpet_tests::pod::Pod::requests).sum();
    for _ in 0..10 {
        let request = Request::get(HOST, "/")
            .header("x-limpet-cluster", CLUSTER)
            .header("X-Limpet-Cluster", CLUSTER)
            .header(
                "x-limpet-endpoint",
                STANDARD.encode(shop.pods[1].endpoint()),
            );
        let answer = http::send(envoy.http(), &request).unwrap();
        assert_eq!(answer.status, 503, "without the module there is no cluster");
        assert!(answer.all("x-limpet-endpoint").is_empty());
    }
    let after: u64 = shop.pods.iter().map(limpet_tests::pod::Pod::requests).sum();
    assert_eq!(after, before, "no pod was reached");
}
