//! Several Envoys, new configurations, traps.

use super::{BALANCED, CLUSTER, DIGEST, HOST, PERSISTENT, Shop, host};
use limpet_tests::crowd::{Crowd, Moves};
use limpet_tests::eds;
use limpet_tests::http::{self, Request};
use limpet_tests::rendered::{Rendered, Setup, edit_plugin, edit_plugin_text};
use limpet_tests::wait;
use serde_json::{Value, json};

const CLIENTS: usize = 30;

fn stayed() -> Moves {
    Moves {
        stayed: CLIENTS,
        ..Moves::default()
    }
}

#[test]
fn a_cookie_from_one_envoy_works_on_another_with_any_number_of_workers() {
    let shop = Shop::several(4, &[PERSISTENT, DIGEST, BALANCED]);
    let one = shop.share();
    let four = Setup {
        workers: 4,
        ..Setup::default()
    };
    let other = shop.open(4, &four);
    for kind in 0..3 {
        let mut crowd = Crowd::new(CLIENTS, one.http(), &host(kind), "/");
        assert_eq!(crowd.reload().cookies, CLIENTS);
        for proxy in [other.http(), one.http(), other.http()] {
            crowd.move_to(proxy);
            assert_eq!(crowd.reload(), stayed(), "of {}", host(kind));
        }
    }
}

#[test]
fn a_cold_start_moves_no_session() {
    let shop = Shop::new(4, PERSISTENT);
    let mut crowd = {
        let envoy = shop.share();
        let mut crowd = Crowd::new(CLIENTS, envoy.http(), HOST, "/");
        assert_eq!(crowd.reload().cookies, CLIENTS);
        crowd
    };
    let envoy = shop.open(
        4,
        &Setup {
            workers: 2,
            ..Setup::default()
        },
    );
    crowd.move_to(envoy.http());
    assert_eq!(crowd.reload(), stayed(), "the very first requests included");
}

#[test]
fn workers_that_start_together_know_all_endpoints_from_the_first_request_on() {
    const CROWD: usize = 300;
    let shop = Shop::new(6, PERSISTENT);
    let setup = Setup {
        workers: 4,
        ..Setup::default()
    };
    let mut crowd = {
        let envoy = shop.share();
        envoy.set_endpoints(CLUSTER, &eds::healthy(&shop.pods[..5]));
        let mut crowd = Crowd::new(CROWD, envoy.http(), HOST, "/");
        assert_eq!(crowd.reload().cookies, CROWD);
        crowd
    };
    let all_stayed = Moves {
        stayed: CROWD,
        ..Moves::default()
    };
    for start in 1..=3 {
        let envoy = shop.open(5, &setup);
        crowd.move_to(envoy.http());
        for round in 1..=10 {
            assert_eq!(crowd.reload(), all_stayed, "start {start}, round {round}");
            // What there is to know changes, and with it what the workers share.
            let pods = [5, 6][round % 2];
            envoy.set_endpoints(CLUSTER, &eds::healthy(&shop.pods[..pods]));
        }
    }
    println!(
        "{} requests, 0 lost, 0 moved, 0 new cookies",
        crowd.requests
    );
}

#[test]
fn a_listener_update_moves_no_session() {
    let shop = Shop::new(4, PERSISTENT);
    let envoy = shop.open(
        4,
        &Setup {
            workers: 2,
            ..Setup::default()
        },
    );
    let mut crowd = Crowd::new(CLIENTS, envoy.http(), HOST, "/");
    assert_eq!(crowd.reload().cookies, CLIENTS);
    let updates = envoy
        .envoy
        .stat("listener_manager.listener_in_place_updated")
        + envoy.envoy.stat("listener_manager.listener_modified");
    envoy.edit_listeners(|listeners| {
        edit_plugin(listeners, |config| config["report"] = "summary".into());
    });
    wait::until("the listener is updated", || {
        let now = envoy
            .envoy
            .stat("listener_manager.listener_in_place_updated")
            + envoy.envoy.stat("listener_manager.listener_modified");
        now > updates
    });
    crowd.move_to(envoy.http());
    for _ in 0..3 {
        assert_eq!(crowd.reload(), stayed());
    }
}

#[test]
fn a_bad_configuration_is_refused_and_the_old_one_keeps_serving() {
    let shop = Shop::new(2, PERSISTENT);
    let envoy = shop.open(2, &Setup::default());
    let mut crowd = Crowd::new(CLIENTS, envoy.http(), HOST, "/");
    assert_eq!(crowd.reload().cookies, CLIENTS);
    let mut good = Value::Null;
    envoy.edit_listeners(|listeners| {
        edit_plugin_text(listeners, &mut |text| {
            good = std::mem::replace(text, "not JSON".into());
        });
    });
    wait::until("the update is refused", || {
        envoy.envoy.stat("listener_manager.lds.update_rejected") > 0
    });
    assert_eq!(crowd.reload(), stayed());
    let accepted = envoy.envoy.stat("listener_manager.lds.update_success");
    envoy.edit_listeners(|listeners| {
        edit_plugin_text(listeners, &mut |text| *text = good.take());
    });
    wait::until("the good one is taken", || {
        envoy.envoy.stat("listener_manager.lds.update_success") > accepted
    });
    assert_eq!(crowd.reload(), stayed());
}

/// Before a configuration's text: no JSON then.
const SPOILT: &str = "spoilt ";

#[test]
fn a_bad_configuration_at_boot_is_refused_and_a_good_one_serves() {
    let shop = Shop::new(2, PERSISTENT);
    let setup = Setup {
        edit: |value| {
            edit_plugin_text(value, &mut |text| {
                *text = format!("{SPOILT}{}", text.as_str().unwrap()).into();
            });
        },
        ..Setup::default()
    };
    let envoy = Rendered::boot(&shop.manifests, &shop.endpoints(2), &setup);
    wait::until("the listener is refused", || {
        envoy.envoy.stat("listener_manager.lds.update_rejected") > 0
    });
    assert_eq!(envoy.envoy.find_listener("http"), None);
    let log = envoy.envoy.log();
    assert!(log.contains("limpet: configuration refused: "), "{log}");
    envoy.edit_listeners(|listeners| {
        edit_plugin_text(listeners, &mut |text| {
            *text = text.as_str().unwrap().strip_prefix(SPOILT).into();
        });
    });
    let mut crowd = Crowd::new(CLIENTS, envoy.http(), HOST, "/");
    let first = crowd.reload();
    assert_eq!((first.cookies, first.lost), (CLIENTS, 0));
    assert_eq!(crowd.reload(), stayed());
}

#[test]
fn without_the_session_filter_nothing_is_kept_and_it_is_counted() {
    let shop = Shop::new(2, PERSISTENT);
    let setup = Setup {
        workers: 2,
        edit: without_session_filter,
        ..Setup::default()
    };
    let envoy = shop.open(2, &setup);
    for _ in 0..5 {
        let answer = http::send(envoy.http(), &Request::get(HOST, "/")).unwrap();
        assert_eq!((answer.status, answer.all("set-cookie").len()), (200, 0));
    }
    assert_eq!(envoy.envoy.stat("wasmcustom.limpet_filter_missing"), 5);
    let told = || {
        let log = envoy.envoy.log();
        log.matches("envoy.filters.http.stateful_session is missing")
            .count()
    };
    wait::until("it is told", || told() > 0);
    assert_eq!(told(), 1, "once: {}", envoy.envoy.log());
}

fn without_session_filter(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(without_session_filter),
        Value::Array(elements) => {
            elements.retain(|element| element["name"] != "envoy.filters.http.stateful_session");
            elements.iter_mut().for_each(without_session_filter);
        }
        _ => {}
    }
}

#[test]
fn what_comes_in_for_the_pod_beside_a_sidecar_passes_untouched() {
    let shop = Shop::new(2, PERSISTENT);
    let setup = Setup {
        edit: as_the_inbound_side_of_a_sidecar,
        ..Setup::default()
    };
    let envoy = shop.open(2, &setup);
    for _ in 0..5 {
        let answer = http::send(envoy.http(), &Request::get(HOST, "/a//b?c")).unwrap();
        assert_eq!((answer.status, answer.all("set-cookie").len()), (200, 0));
        assert_eq!(answer.echo().unwrap().path, "/a//b?c");
    }
    assert_eq!(envoy.envoy.stat("wasmcustom.limpet_sessions_new"), 0);
    let log = envoy.envoy.log();
    assert_eq!(
        log.matches("requests to this pod pass untouched").count(),
        1,
        "{log}"
    );
}

/// With a route of its own: limpet names no cluster there.
fn as_the_inbound_side_of_a_sidecar(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("static_resources") {
                let id = "sidecar~10.0.0.9~web-0.default~default.svc.cluster.local";
                fields.insert("node".into(), json!({ "id": id, "cluster": "web" }));
            }
            if fields.contains_key("filter_chains") {
                fields.insert("traffic_direction".into(), "INBOUND".into());
            }
            if fields.remove("cluster_header").is_some() {
                fields.insert("cluster".into(), CLUSTER.into());
            }
            let inner = fields.values_mut();
            inner.for_each(as_the_inbound_side_of_a_sidecar);
        }
        Value::Array(elements) => {
            let inner = elements.iter_mut();
            inner.for_each(as_the_inbound_side_of_a_sidecar);
        }
        _ => {}
    }
}
