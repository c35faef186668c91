//! What `limpet check` takes for many findings: as many times as long as there are.

use limpet_envoy::check::Report;
use limpet_envoy::manifests::Manifests;
use limpet_tests::manifest::{self, Rule};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The time for one Ingress with so many paths, each of which is refused; the shortest of some.
fn checked(paths: usize) -> Duration {
    let rule = Rule {
        host: "a.test",
        path: "/",
        service: "web",
    };
    let mut ingress = manifest::ingress("many", rule, &[("use-regex", "true")]);
    let path = |number: usize| {
        json!({
            "path": format!("/x[{number}"), "pathType": "ImplementationSpecific",
            "backend": { "service": { "name": "web", "port": { "number": 80 } } },
        })
    };
    ingress["spec"]["rules"][0]["http"]["paths"] = (0..paths).map(path).collect();
    let (found, time) = reported(&ingress);
    assert!(found >= paths, "{found}");
    time
}

/// How much is found, and the shortest time of some.
fn reported(manifest: &Value) -> (usize, Duration) {
    let manifests = Manifests::parse("many.json", &manifest.to_string()).unwrap();
    let mut found = 0;
    let time = |_| {
        let begun = Instant::now();
        let report = Report::new(&manifests, false, None);
        found = report.findings.len();
        begun.elapsed()
    };
    let shortest = (0..5).map(time).min().unwrap();
    (found, shortest)
}

// The whole Ingress was read again for each: 9,000 took half a minute.
#[test]
fn findings_take_their_number_and_no_more() {
    eightfold(checked(500), checked(4_000));
}

/// The time for so many Ingresses with sessions, each on a Service of its own, all on one host and with one
/// cookie, of which none is sent to another's path.
fn shared(ingresses: usize) -> Duration {
    let sticky = |number: usize| {
        let (service, path) = (format!("web-{number}"), format!("/{number}"));
        let rule = Rule {
            host: "a.test",
            path: &path,
            service: &service,
        };
        manifest::ingress(&service, rule, &[("affinity", "cookie")])
    };
    let items: Vec<Value> = (0..ingresses).map(sticky).collect();
    reported(&json!({ "apiVersion": "v1", "kind": "List", "items": items })).1
}

// Each was compared with each: 12,000 Ingresses took 21 s where they take 9.
#[test]
fn sessions_are_not_compared_with_all_others() {
    eightfold(shared(500), shared(4_000));
}

fn eightfold(few: Duration, many: Duration) {
    let times = many.as_secs_f64() / few.as_secs_f64();
    println!("{few:?}, {many:?}: {times:.1}");
    assert!(times < 20.0, "{few:?}, {many:?}");
}
