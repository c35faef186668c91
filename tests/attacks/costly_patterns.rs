//! Patterns and texts made to cost: no request keeps a worker for long, whatever a tenant wrote.

use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::http::{self, Request};
use limpet_tests::pod::Pod;
use limpet_tests::rendered::Rendered;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// What one request may cost its worker.
pub(super) const LIMIT: Duration = Duration::from_millis(10);

/// How often each is asked, and how often where it seems to take too long.
const TRIES: usize = 4;
const MOST_TRIES: usize = 240;

/// Lengths of what is sent: up to close to the most that Envoy lets a request's head be.
const LENGTHS: [usize; 13] = [
    24, 48, 100, 200, 400, 1_000, 2_600, 4_000, 8_000, 16_000, 30_000, 40_000, 58_000,
];

/// What is written, and what is sent.
struct Hostile {
    name: &'static str,
    annotations: Vec<(&'static str, String)>,
    paths: Vec<String>,
    /// What a younger namespace has on the same host.
    stranger: Vec<String>,
    /// What is repeated in the Host header; `None`: that is the Ingress's, and the path is long.
    host: Option<&'static str>,
}

fn paths(name: &'static str, paths: &[&str]) -> Hostile {
    Hostile {
        name,
        annotations: vec![("use-regex", "true".to_owned())],
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        stranger: Vec::new(),
        host: None,
    }
}

fn all() -> Vec<Hostile> {
    let wide = "/.*[ab].{2500}q$";
    let mut many = paths("many", &[]);
    many.paths = (0..1_000).map(|n| format!("/.*a.*{n}$")).collect();
    let mut copies = paths("copies", &["/(.*)"]);
    let target = format!("/{}", "$1".repeat(20_000));
    copies.annotations.push(("rewrite-target", target));
    let mut alias = paths("alias", &["/"]);
    let pattern = "~^.*[ab].{50}q$".to_owned();
    alias.annotations.push(("server-alias", pattern));
    alias.host = Some("a");
    let mut labels = paths("labels", &["/"]);
    let suffix = "*.labels.test".to_owned();
    labels.annotations.push(("server-alias", suffix));
    labels.host = Some("a.");
    let mut shared = paths("shared", &["/.*[ab].{300}q$", "/"]);
    shared.stranger = (0..6).map(|n| format!("/.*[ab].{{2000}}{n}$")).collect();
    vec![
        paths("wide", &[wide]),
        paths("less-wide", &["/.*[ab].{300}q$"]),
        paths(
            "four-wide",
            &[
                wide,
                "/.*[ab].{2501}q$",
                "/.*[ab].{2502}q$",
                "/.*[ab].{2503}q$",
            ],
        ),
        paths("choices", &["/(a?){2000}q"]),
        paths("nested", &["/((a*)*(a*)*(a*)*(a*)*)*q"]),
        paths("branches", &["/((a|aa|aaa|aaaa|aaaaa|b|bb|bbb)*)*q"]),
        paths("captures", &["/(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)q"]),
        paths("ahead", &["/(?!.*[ab].{2000}q).*"]),
        many,
        copies,
        alias,
        labels,
        shared,
    ]
}

fn manifest(all: &[Hostile]) -> String {
    let mut text = String::new();
    for one in all {
        let mut write = |namespace: &str, day: u32, paths: &[String]| {
            let annotations = one.annotations.iter().map(|(name, value)| {
                let name = format!("nginx.ingress.kubernetes.io/{name}");
                (name, Value::from(value.as_str()))
            });
            let service = json!({ "service": { "name": "web", "port": { "number": 80 } } });
            let path = |path: &String| json!({ "path": path, "pathType": "ImplementationSpecific", "backend": service });
            let paths: Vec<_> = paths.iter().map(path).collect();
            let rule = json!({ "host": format!("{}.test", one.name), "http": { "paths": paths } });
            let ingress = json!({
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {
                    "name": one.name,
                    "namespace": namespace,
                    "creationTimestamp": format!("2024-01-0{day}T00:00:00Z"),
                    "annotations": annotations.collect::<Map<_, _>>(),
                },
                "spec": { "ingressClassName": "nginx", "rules": [rule] },
            });
            let _ = writeln!(text, "---\n{ingress}");
        };
        write("default", 1, &one.paths);
        if !one.stranger.is_empty() {
            write("stranger", 2, &one.stranger);
        }
    }
    text
}

/// What a request costs beyond `plain`, of the same bytes to a host of nobody, and its status: the best of
/// several, and of many where it has to be, for what else runs on the machine takes from it too.
pub(super) fn cost(envoy: &Rendered, request: &Request, plain: &Request) -> (Duration, u16) {
    let ask = |request: &Request| {
        let start = Instant::now();
        let answer = http::send(envoy.http(), request).unwrap();
        (start.elapsed(), answer.status)
    };
    let (mut took, mut base, mut status) = (Duration::MAX, Duration::MAX, 0);
    for turn in 0..MOST_TRIES {
        base = base.min(ask(plain).0);
        let asked = ask(request);
        (took, status) = (took.min(asked.0), asked.1);
        if turn >= TRIES && took.saturating_sub(base) <= LIMIT {
            break;
        }
    }
    (took.saturating_sub(base), status)
}

#[test]
fn no_request_keeps_its_worker_for_long() {
    let all = all();
    let manifests = Manifests::parse("hostile.yaml", &manifest(&all)).unwrap();
    let pod = Pod::start();
    let endpoints: EndpointsFlag = format!("default/web:80={}", pod.endpoint())
        .parse()
        .unwrap();
    let envoy = Rendered::share(&manifests, &[endpoints], |_| {});
    let mut slow = Vec::new();
    let mut refused = 0;
    for one in &all {
        let mut worst = (Duration::ZERO, 0, 0);
        for length in LENGTHS {
            let repeated = |text: &str| text.repeat(length / text.len());
            let host = one.host.map(|text| repeated(text) + "q");
            let host = host.unwrap_or_else(|| format!("{}.test", one.name));
            let path = one.host.map_or_else(|| repeated("a"), |_| String::new());
            let target = format!("/{path}");
            let request = Request::get(&host, &target);
            // The same bytes to a host of nobody: what Envoy itself takes for them.
            let plain = Request::get("nobody.test", &target).header("x-host", &host);
            let (cost, status) = cost(&envoy, &request, &plain);
            worst = worst.max((cost, length, status));
            refused += usize::from(status == 500);
        }
        let (cost, length, status) = worst;
        println!(
            "{}: at most {cost:?}, for {length} bytes ({status})",
            one.name
        );
        if cost > LIMIT {
            slow.push(one.name);
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
    assert!(refused > 0, "nothing was too costly: the table is too kind");
}
