//! What a request costs in host calls, counted on a real Envoy.

use limpet_envoy::manifests::Manifests;
use limpet_tests::browser::Browser;
use limpet_tests::http::{self, Request};
use limpet_tests::pod::Pod;
use limpet_tests::rendered::{Rendered, Setup};

/// At most so many for a request that its cookie pins, both ways together.
const PINNED: usize = 5;

/// The same for one that begins a session.
const NEW: usize = 6;

#[test]
fn a_request_takes_few_host_calls() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../envoy/examples/sample-ingress.yaml"
    );
    let manifests = Manifests::load(&[file.to_owned()]).unwrap();
    let pods = Pod::several(2);
    let flag = format!(
        "default/http-service={},{}",
        pods[0].endpoint(),
        pods[1].endpoint()
    );
    let envoy = Rendered::start(&manifests, &[flag.parse().unwrap()], &Setup::default());
    let mut browser = Browser::new(envoy.http(), "sample.example.com");
    let home = browser.get("/app1/").unwrap().endpoint();

    let level = |level: &str| {
        let path = format!("/logging?wasm={level}");
        let set = Request::get("admin", &path).method("POST");
        let set = http::send(envoy.envoy.admin_address(), &set);
        assert_eq!(set.unwrap().status, 200);
    };
    let mut before = 0;
    let mut traced = |what: &str, most: usize, ask: &mut dyn FnMut()| {
        level("trace");
        ask();
        level("error");
        let log = envoy.envoy.log();
        let calls = calls_of_streams(&log);
        let calls = &calls[before..];
        println!("host calls of a {what} request: {}: {calls:?}", calls.len());
        assert!(!calls.is_empty(), "nothing was traced:\n{log}");
        assert!(calls.len() <= most, "{calls:#?}");
        before += calls.len();
    };
    traced("pinned", PINNED, &mut || {
        assert_eq!(browser.get("/app1/").unwrap().endpoint(), home);
    });
    let mut other = Browser::new(envoy.http(), "sample.example.com");
    traced("new", NEW, &mut || {
        assert_eq!(other.get("/app1/").unwrap().status, 200);
    });
}

/// The host calls made inside the callbacks of a stream, in the lines that Envoy traces.
fn calls_of_streams(log: &str) -> Vec<&str> {
    const CALLBACKS: [&str; 2] = ["proxy_on_request_headers", "proxy_on_response_headers"];
    let mut calls = Vec::new();
    let mut inside = false;
    for line in log.lines() {
        let of_a_stream = CALLBACKS.iter().any(|callback| line.contains(callback));
        if line.contains("[host->vm]") && of_a_stream {
            inside = true;
        } else if line.contains("[host<-vm]") && of_a_stream {
            inside = false;
        } else if let (true, Some((_, call))) = (inside, line.split_once("[vm->host] env.")) {
            calls.push(call.split('(').next().unwrap_or(call));
        }
    }
    calls
}
