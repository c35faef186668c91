//! What a VM needs for a configuration before it answers: `cargo xtask bench --configure`.

use host_harness::environment::Collector;
use host_harness::{Clusters, Engine, EngineConfig, Environment, LogLevel, PluginConfig};
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;

/// What is measured: every Ingress has a host of its own, or all have one.
const KINDS: [(&str, bool, bool); 4] = [
    ("paths, a host each", false, false),
    ("paths of one host", true, false),
    ("patterns, a host each", false, true),
    ("patterns of one host", true, true),
];
/// An Ingress among 1,000 may take so many times what it takes among 100.
const MOST: f64 = 2.0;

fn configuration(ingresses: u32, one_host: bool, is_regex: bool) -> Value {
    let ingress = |number: u32| {
        let host = match one_host {
            true => "shop.test".to_owned(),
            false => format!("shop-{number}.test"),
        };
        let (path, target) = match is_regex {
            true => (format!("/app{number}(/|$)(.*)"), json!("/$2")),
            false => (format!("/app{number}"), Value::Null),
        };
        let service = json!({ "name": format!("app-{number}"), "port": { "number": 80 } });
        json!({
            "kind": "Ingress",
            "metadata": { "name": format!("shop-{number}"), "annotations": {
                "nginx.ingress.kubernetes.io/affinity": "cookie",
                "nginx.ingress.kubernetes.io/affinity-mode": "persistent",
                "nginx.ingress.kubernetes.io/session-cookie-name": "route",
                "nginx.ingress.kubernetes.io/rewrite-target": target,
            } },
            "spec": { "rules": [{ "host": host, "http": { "paths": [{
                "path": path, "pathType": "Prefix", "backend": { "service": service },
            }] } }] },
        })
    };
    json!({ "ingresses": (0..ingresses).map(ingress).collect::<Vec<_>>() })
}

/// Nanoseconds that this thread has been on a core.
fn thread_time() -> f64 {
    let times = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    times.split(' ').next().unwrap().parse().unwrap()
}

/// Milliseconds to start a VM with such a configuration, on average over `times`: the kernel
/// counts in steps of some milliseconds.
fn start(configuration: &Value, times: u32) -> f64 {
    let plugin = PluginConfig::new(
        limpet_tests::module(),
        "limpet",
        configuration.to_string().into_bytes(),
    );
    let mut config = EngineConfig::new(Vec::new());
    config.plugin = Some(plugin);
    let before = thread_time();
    for _ in 0..times {
        let mut environment = Environment::new(Clusters::default());
        environment.log = Arc::new(Collector::from_level(LogLevel::Critical));
        drop(Engine::start(&config, &environment).unwrap());
    }
    (thread_time() - before) / 1e6 / f64::from(times)
}

#[test]
#[ignore = "a measurement: cargo xtask bench --configure"]
fn a_thousand_ingresses_take_little_more_each_than_a_hundred() {
    let empty = start(&json!({ "ingresses": [] }), 100);
    println!("ms of one VM's time for 10, 100, 1000 Ingresses; without any {empty:.1}");
    for (kind, one_host, is_regex) in KINDS {
        let times = [10, 100, 1000].map(|ingresses| {
            let time = start(
                &configuration(ingresses, one_host, is_regex),
                4000 / ingresses,
            ) - empty;
            (time, time / f64::from(ingresses))
        });
        let [(ten, _), (hundred, one_of), (thousand, of_more)] = times;
        let ratio = of_more / one_of;
        println!("{kind:24} {ten:7.1} {hundred:7.1} {thousand:7.1}   an Ingress {ratio:.2} times");
        assert!(ratio < MOST, "{kind}: {ratio:.2} times");
    }
}
