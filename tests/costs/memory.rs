//! The memory of a VM: what it has once it has seen everything is what it has for good.

use super::worker::{Request, Worker, ingress};
use limpet_tests::target::module;
use serde_json::Value;

/// Ingresses of so many hosts, half of them with patterns.
fn hosts(count: usize) -> Vec<Value> {
    let host = |number: usize| {
        let is_regex = number.is_multiple_of(2);
        let rest = if is_regex { "(/|$)(.*)" } else { "" };
        let paths: Vec<_> = (0..5).map(|app| format!("/app{app}{rest}")).collect();
        ingress(&name(number), &paths, is_regex, number % 4 < 2)
    };
    (0..count).map(host).collect()
}

fn name(number: usize) -> String {
    format!("shop-{number}.example.com")
}

/// Requests of every kind: of each host, of none and of no path, with the cookie of a session, another one's,
/// many, and none.
fn requests(worker: &Worker, count: usize) -> Vec<Request> {
    let many = "theme=dark; ".repeat(600);
    let mut all = Vec::new();
    for number in 0..count {
        let name = name(number);
        let cookie = worker.begin(&name, "/app0/x");
        let among_many = format!("{many}{cookie}");
        let long = format!("/app1/{}", "x".repeat(number * 400));
        for cookie in [
            None,
            Some(cookie.as_str()),
            Some(&among_many),
            Some("route=gone"),
        ] {
            for path in ["/app4/x?q=1", &long, "/nowhere", "/"] {
                all.push(Request::get(&name, path, cookie));
            }
        }
        all.push(Request::get("nobody.example.com", "/app0/x", Some(&cookie)));
    }
    all
}

/// Asks so often; says what memory there is after the first hundredth and at the end.
fn driven(times: usize) -> (usize, usize) {
    let worker = Worker::start(module(), &hosts(20), 5);
    let requests = requests(&worker, 20);
    let mut early = 0;
    for (at, request) in requests.iter().cycle().take(times).enumerate() {
        if at == times / 100 {
            early = worker.memory();
        }
        worker.ask(request);
    }
    println!(
        "{times} requests: {early} bytes after the first hundredth, {} at the end",
        worker.memory()
    );
    (early, worker.memory())
}

#[test]
fn requests_take_no_memory() {
    let (early, late) = driven(40_000);
    assert_eq!(late, early);
}

#[test]
#[ignore = "takes minutes: cargo xtask soak --requests"]
fn ten_million_requests_take_no_memory() {
    let (early, late) = driven(10_000_000);
    assert_eq!(late, early);
}

#[test]
fn a_thousand_configurations_take_no_more_memory_than_the_first_of_them() {
    let worker = Worker::start(module(), &hosts(20), 5);
    let configurations = [(hosts(8), 3), (hosts(30), 50), (hosts(1), 1)];
    let mut early = 0;
    for (at, (ingresses, pods)) in configurations.iter().cycle().take(1_000).enumerate() {
        // The allocator has found its places: one page came at the 208th, none in 20,000 more.
        if at == 300 {
            early = worker.memory();
        }
        worker.reconfigure(ingresses, *pods);
        let cookie = worker.begin(&name(0), "/app0/x");
        worker.ask(&Request::get(&name(0), "/app4/x", Some(&cookie)));
    }
    println!(
        "{early} bytes after 300 configurations, {} after 1,000",
        worker.memory()
    );
    assert_eq!(worker.memory(), early);
}
