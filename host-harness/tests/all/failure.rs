//! Traps and refusals: what becomes of the streams of a VM.

use crate::support::*;
use host_harness::environment::SettableClock;
use host_harness::metrics::Value;
use host_harness::{Engine, FailurePolicy, StartError, Step};
use std::sync::Arc;
use std::time::Duration;

fn fixture(policy: FailurePolicy) -> (Fixture, Arc<SettableClock>) {
    let mut fixture = Fixture::guest("trap");
    fixture.config.plugin.as_mut().unwrap().failure_policy = policy;
    let clock = Arc::new(SettableClock::at(Duration::from_secs(1_000)));
    fixture.environment.clock = clock.clone();
    (fixture, clock)
}

fn status(engine: &Engine, fields: &[(&str, &str)]) -> u16 {
    let (mut exchange, step) = send(engine, "/", fields);
    let step = match step {
        Step::Attempt(_) => exchange.respond(ok()),
        other => other,
    };
    let answer = answer(step);
    assert_eq!(answer.head.status(), Some(exchange.summary().status));
    exchange.summary().status
}

#[test]
fn a_trap_fails_its_request_those_in_flight_and_the_following() {
    let (fixture, clock) = fixture(FailurePolicy::FailClosed);
    let engine = fixture.start();
    let (mut in_flight, step) = send(&engine, "/", &[]);
    attempt(step);
    assert_eq!(status(&engine, &[("x-trap", "")]), 503);
    assert_eq!(answer(in_flight.respond(ok())).head.status(), Some(503));
    clock.advance(Duration::from_secs(60));
    assert_eq!(status(&engine, &[]), 503);
}

#[test]
fn a_guest_that_never_returns_or_wants_all_memory_is_stopped() {
    let fixture = Fixture::guest("greedy");
    for (field, why) in [("x-spin", "interrupt"), ("x-grow", "unreachable")] {
        let engine = fixture.start();
        assert_eq!(status(&engine, &[]), 200);
        assert_eq!(status(&engine, &[(field, "")]), 503, "{field}");
        let said = fixture.said().join("\n");
        assert!(
            said.contains("trapped") && said.contains(why),
            "{field}: {said}"
        );
    }
}

#[test]
fn an_open_policy_skips_the_filter_after_a_trap() {
    let (fixture, _) = fixture(FailurePolicy::FailOpen);
    let engine = fixture.start();
    assert_eq!(status(&engine, &[("x-trap", "")]), 503);
    assert_eq!(status(&engine, &[("x-trap", "")]), 200);
}

#[test]
fn a_reload_waits_for_the_back_off_since_the_last_load() {
    let base_interval = Duration::from_secs(1);
    let (fixture, clock) = fixture(FailurePolicy::FailReload { base_interval });
    let engine = fixture.start();
    assert_eq!(status(&engine, &[("x-trap", "")]), 503);
    assert_eq!(status(&engine, &[]), 503);
    clock.advance(Duration::from_millis(1_500));
    assert_eq!(status(&engine, &[]), 200);
    clock.advance(Duration::from_secs(60));
    assert_eq!(status(&engine, &[("x-trap", "")]), 503);
    assert_eq!(
        status(&engine, &[]),
        200,
        "the load is older than the back-off"
    );
    let reloads = fixture
        .environment
        .metrics
        .value("wasm.guest.vm_reload_success");
    assert_eq!(reloads, Some(Value::Counter(2)));
}

#[test]
fn a_stream_ends_with_log_done_and_delete() {
    let (fixture, _) = fixture(FailurePolicy::FailClosed);
    let engine = fixture.start();
    assert_eq!(status(&engine, &[]), 200);
    assert_eq!(fixture.said(), ["log", "done", "delete"]);
    let (given_up, _step) = send(&engine, "/", &[]);
    drop(given_up);
    assert_eq!(fixture.said(), ["log", "done", "delete"]);
}

#[test]
fn a_refused_configuration_is_no_engine() {
    let fixture = Fixture::guest("refuse");
    let error = Engine::start(&fixture.config, &fixture.environment)
        .err()
        .unwrap();
    assert!(matches!(
        error,
        StartError::Refused {
            callback: "proxy_on_configure",
            ..
        }
    ));
}

/// As Envoy 1.40 does where nothing of a plugin changes but its configuration.
#[test]
fn another_configuration_gets_a_root_context_in_the_same_vm() {
    let fixture = Fixture::guest("anew");
    let engine = fixture.start();
    assert_eq!(fixture.said(), ["c1", "configured"]);
    drop(send(&engine, "/", &[]));
    assert_eq!(fixture.said(), ["s1", "e2", "d2"]);
    let memory = engine.guest_memory().unwrap();
    engine.reconfigure(b"again".to_vec()).unwrap();
    assert_eq!(fixture.said(), ["c3", "again", "e1", "d1"]);
    engine.tick();
    drop(send(&engine, "/", &[]));
    assert_eq!(fixture.said(), ["t3", "s3", "e4", "d4"]);
    assert_eq!(engine.guest_memory(), Some(memory));
}
