//! What host calls answer.

use crate::support::*;
use host_harness::metrics::Value;
use host_harness::{Health, Step, admin};

#[test]
fn shared_data_metrics_and_what_is_lacking_answer_as_envoy_does() {
    let fixture = Fixture::guest("store");
    let engine = fixture.start();
    let said = fixture.said();
    let shared = ["1", "0", "0", "one", "0", "8"];
    let metrics = ["0", "2", "1"];
    let lacking = ["<", "0", "2", "6"];
    assert_eq!(said, [&shared[..], &metrics, &lacking].concat());
    for _ in 0..3 {
        let _ = send(&engine, "/", &[]);
    }
    let metrics = &fixture.environment.metrics;
    assert_eq!(
        metrics.value("wasmcustom.requests;to=a"),
        Some(Value::Counter(3))
    );
    let page = admin::answer(&fixture.environment, "/stats/prometheus?filter=requests");
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("\nrequests{to=\"a\"} 3\n"), "{page}");
}

#[test]
fn another_vm_of_the_same_id_sees_the_shared_data() {
    let fixture = Fixture::guest("store");
    let _first = fixture.start();
    fixture.said();
    let _second = fixture.start();
    assert_eq!(fixture.said()[..1], ["0"]);
}

#[test]
fn a_held_request_goes_on_when_a_call_is_answered() {
    let fixture = Fixture::guest("wait");
    let engine = fixture.start();
    assert_eq!(fixture.said(), ["configured"]);
    let (mut exchange, step) = send(&engine, "/", &[]);
    assert_eq!(step, Step::Paused);
    assert_eq!(exchange.resume(), Step::Paused);
    assert_eq!(engine.tick_period().unwrap().as_millis(), 5);
    engine.tick();
    assert_eq!(
        fixture.said(),
        ["2", "0"],
        "a call to no cluster, a call to the admin"
    );
    assert_eq!(engine.tick_period(), None);
    assert!(
        engine.poll_calls().is_empty(),
        "the admin is in the process"
    );
    assert_eq!(fixture.said(), ["LIVE\n"]);
    attempt(exchange.resume());
}

#[test]
fn the_response_path_knows_who_served_but_not_the_request() {
    let fixture = Fixture::guest("look");
    let engine = fixture.start();
    let (mut exchange, step) = send(&engine, "/a", &[]);
    assert_eq!(fixture.said(), ["/a", "a", "1", "a"]);
    let attempt = attempt(step);
    answer(exchange.respond(ok()));
    let address = attempt.endpoint.to_string();
    let want = ["2", "2", "1", "via_upstream", &address, "3", "a"];
    assert_eq!(fixture.said(), want);
    assert_eq!(exchange.property("verdict").as_deref(), Some(&b"ok"[..]));
}

#[test]
fn the_admin_lists_endpoints_as_envoy_does() {
    let fixture = Fixture::plain();
    let clusters = &fixture.environment.clusters;
    clusters.set_health("a", address(2), Health::Draining);
    let get = |path: &str| {
        let answer = admin::answer(&fixture.environment, path);
        String::from_utf8(answer.body).unwrap()
    };
    let json: serde_json::Value =
        serde_json::from_str(&get("/clusters?format=json&filter=%5Ea%24")).unwrap();
    let host = &json["cluster_statuses"][0]["host_statuses"][1];
    assert_eq!(host["address"]["socket_address"]["address"], "127.0.0.1");
    assert_eq!(host["address"]["socket_address"]["port_value"], 2);
    assert_eq!(host["health_status"]["eds_health_status"], "DRAINING");
    let text = get("/clusters");
    assert!(
        text.contains("a::127.0.0.1:1::health_flags::healthy\n"),
        "{text}"
    );
    assert!(
        text.contains("a::127.0.0.1:2::health_flags::/eds_status_draining\n"),
        "{text}"
    );
    assert_eq!(get("/clusters?filter=^b$"), "");
    let stats = get("/stats?filter=membership_(total|healthy|change)");
    assert_eq!(
        stats,
        "cluster.a.membership_change: 1\ncluster.a.membership_healthy: 1\n\
         cluster.a.membership_total: 2\n"
    );
    assert_eq!(
        admin::answer(&fixture.environment, "/clusters?filter=(")
            .head
            .status(),
        Some(400)
    );
}
