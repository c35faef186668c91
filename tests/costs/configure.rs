//! What a VM needs for a configuration before it answers: `cargo xtask bench --configure`.

use super::worker;
use host_harness::environment::Collector;
use host_harness::{Clusters, Engine, EngineConfig, Environment, LogLevel, PluginConfig};
use limpet_tests::envoy::cpu_time;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// What is measured.
struct Kind {
    name: &'static str,
    /// All Ingresses have one host, instead of one each.
    one_host: bool,
    is_regex: bool,
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "paths, a host each",
        one_host: false,
        is_regex: false,
    },
    Kind {
        name: "paths of one host",
        one_host: true,
        is_regex: false,
    },
    Kind {
        name: "patterns, a host each",
        one_host: false,
        is_regex: true,
    },
    Kind {
        name: "patterns of one host",
        one_host: true,
        is_regex: true,
    },
];
/// An Ingress among 1,000 may take so many times what it takes among 100.
const MOST: f64 = 2.0;

fn configuration(ingresses: u32, kind: &Kind) -> Value {
    let ingress = |number: u32| {
        let host = if kind.one_host {
            "shop.test".to_owned()
        } else {
            format!("shop-{number}.test")
        };
        let (path, target) = if kind.is_regex {
            (format!("/app{number}(/|$)(.*)"), json!("/$2"))
        } else {
            (format!("/app{number}"), Value::Null)
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

/// Milliseconds to start a VM with such a configuration, on average over `times`: the kernel
/// counts in steps of some milliseconds.
fn start(configuration: &Value, times: u32) -> f64 {
    let plugin = PluginConfig::new(
        limpet_tests::target::module(),
        "limpet",
        configuration.to_string().into_bytes(),
    );
    let mut config = EngineConfig::new(Vec::new());
    config.plugin = Some(plugin);
    let this_thread = Path::new("/proc/thread-self");
    let before = cpu_time(this_thread);
    for _ in 0..times {
        let mut environment = Environment::new(Clusters::default());
        environment.log = Arc::new(Collector::from_level(LogLevel::Critical));
        drop(Engine::start(&config, &environment).unwrap());
    }
    (cpu_time(this_thread) - before).as_secs_f64() * 1e3 / f64::from(times)
}

#[test]
#[ignore = "a measurement: cargo xtask bench --configure"]
fn a_thousand_ingresses_take_little_more_each_than_a_hundred() {
    let empty = start(&json!({ "ingresses": [] }), 100);
    println!("ms of one VM's time for 10, 100, 1000 Ingresses; without any {empty:.1}");
    for kind in &KINDS {
        let times = [10, 100, 1000].map(|ingresses| {
            let time = start(&configuration(ingresses, kind), 4000 / ingresses) - empty;
            (time, time / f64::from(ingresses))
        });
        let [(ten, _), (hundred, one_of), (thousand, of_more)] = times;
        let ratio = of_more / one_of;
        let name = kind.name;
        println!("{name:24} {ten:7.1} {hundred:7.1} {thousand:7.1}   an Ingress {ratio:.2} times");
        assert!(ratio < MOST, "{name}: {ratio:.2} times");
    }
    for (ingresses, times) in [(1_000, 4), (10_000, 1)] {
        for is_regex in [false, true] {
            let list: Vec<_> = (0..ingresses)
                .map(|number| five_paths(number, is_regex))
                .collect();
            let configuration = json!({ "ingresses": list });
            let kib = configuration.to_string().len() >> 10;
            let kind = if is_regex { "patterns" } else { "paths" };
            let time = start(&configuration, times);
            println!("{ingresses} Ingresses of five {kind}, {kib} KiB: {time:.1} ms");
        }
    }
}

/// An Ingress of a host of its own.
fn five_paths(number: u32, is_regex: bool) -> Value {
    let rest = if is_regex { "(/|$)(.*)" } else { "" };
    let paths: Vec<_> = (0..5).map(|app| format!("/app{app}{rest}")).collect();
    worker::ingress(&format!("shop-{number}.test"), &paths, is_regex, false)
}
