//! What `limpet check` takes for many findings: as many times as long as there are.

use limpet_envoy::check::Report;
use limpet_envoy::manifests::Manifests;
use limpet_tests::manifest::{self, Rule};
use serde_json::json;
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
    let manifests = Manifests::parse("many.json", &ingress.to_string()).unwrap();
    let time = |_| {
        let begun = Instant::now();
        let report = Report::new(&manifests, false, None);
        assert!(report.findings.len() >= paths, "{}", report.findings.len());
        begun.elapsed()
    };
    (0..5).map(time).min().unwrap()
}

// The whole Ingress was read again for each: 9,000 took half a minute.
#[test]
fn findings_take_their_number_and_no_more() {
    let (few, many) = (checked(500), checked(4_000));
    let times = many.as_secs_f64() / few.as_secs_f64();
    println!("{few:?}, {many:?}: {times:.1}");
    // Beside other tests the long one alone is kept waiting; as it was, it took 54 times as long.
    assert!(times < 40.0, "{few:?}, {many:?}");
}
