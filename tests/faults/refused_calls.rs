//! A trap takes down every request of a worker: no host call that Envoy refuses may lead to one.

use host_harness::environment::{Collector, SettableClock};
use host_harness::{
    Attempted, CallResponse, Callback, Cluster, Clusters, Connection, Endpoint, Engine,
    EngineConfig, Environment, Exchange, Headers, LogLevel, Picker, Refusal, StartError, Step,
};
use limpet_cli::filter_chain;
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::manifests::Manifests;
use limpet_tests::target::module;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The statuses of proxy-wasm 0.2.1.
const ALL: &[u32] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/// `EINVAL` and `EFAULT` of WASI.
const WASI: &[u32] = &[28, 21];

/// What Envoy 1.40 may answer to the module's calls beside "done". Those that the module makes
/// past the `proxy-wasm` crate are refused with every status there is.
///
/// Source: `exports.cc`, proxy-wasm-cpp-host 52a0291, and `source/extensions/common/wasm/context.cc`,
/// Envoy 1.40. Pointers are good, so nothing answers `InvalidMemoryAccess`. To these Envoy has no
/// refusal: `proxy_log`, `proxy_get_current_time_nanoseconds`,
/// `proxy_set_tick_period_milliseconds`, `proxy_define_metric`, and `proxy_continue_stream` of a
/// request.
const STATUSES: [(&str, &[u32]); 18] = [
    ("proxy_get_header_map_pairs", ALL),
    ("proxy_get_header_map_value", ALL),
    ("proxy_replace_header_map_value", ALL),
    ("proxy_add_header_map_value", ALL),
    ("proxy_remove_header_map_value", ALL),
    ("proxy_get_property", ALL),
    ("proxy_set_property", ALL),
    ("proxy_send_local_response", ALL),
    ("random_get", WASI),
    ("environ_sizes_get", WASI),
    ("environ_get", WASI),
    ("proxy_get_buffer_bytes", &[1]),
    ("proxy_get_shared_data", &[1]),
    ("proxy_set_shared_data", &[8]),
    ("proxy_http_call", &[2, 10]),
    ("proxy_set_effective_context", &[2]),
    ("proxy_increment_metric", &[1, 2]),
    ("proxy_record_metric", &[1]),
];

const CALLBACKS: [Callback; 5] = [
    Callback::Configure,
    Callback::Tick,
    Callback::RequestHeaders,
    Callback::ResponseHeaders,
    Callback::HttpCallResponse,
];

/// One Service with sessions under a secret from the environment, a rewrite and a canary, one
/// that redirects to TLS, one with error pages; everything is told.
fn config(refusal: Option<Refusal>) -> EngineConfig {
    let ingress = |name: &str, host: &str, path: &str, annotations, tls| {
        let service = json!({ "name": name, "port": { "number": 80 } });
        let path = json!({
            "path": path, "pathType": "ImplementationSpecific", "backend": { "service": service },
        });
        json!({
            "kind": "Ingress",
            "metadata": { "name": name, "annotations": annotations },
            "spec": {
                "tls": tls,
                "rules": [{ "host": host, "http": { "paths": [path] } }],
            },
        })
    };
    let sticky = json!({
        "nginx.ingress.kubernetes.io/affinity": "cookie",
        "nginx.ingress.kubernetes.io/session-cookie-expires": "60",
        "nginx.ingress.kubernetes.io/session-cookie-change-on-failure": "true",
        "nginx.ingress.kubernetes.io/rewrite-target": "/$1",
        "nginx.ingress.kubernetes.io/enable-rewrite-log": "true",
    });
    let canary = json!({
        "nginx.ingress.kubernetes.io/canary": "true",
        "nginx.ingress.kubernetes.io/canary-weight": "50",
    });
    let paged = json!({
        "nginx.ingress.kubernetes.io/custom-http-errors": "403,404",
        "nginx.ingress.kubernetes.io/default-backend": "pages",
    });
    let mut denied = paged.clone();
    denied["nginx.ingress.kubernetes.io/allowlist-source-range"] = json!("10.9.9.9");
    let tls = json!([{ "hosts": ["secure.test"] }]);
    let config = json!({
        "ingresses": [
            ingress("web", "web.test", "/app/(.*)", sticky, json!(null)),
            ingress("next", "web.test", "/app/(.*)", canary, json!(null)),
            ingress("secure", "secure.test", "/", json!({}), tls),
            ingress("paged", "paged.test", "/", paged, json!(null)),
            ingress("denied", "denied.test", "/", denied, json!(null)),
        ],
        "clusters": {
            "default/web:80": "web", "default/next:80": "next", "default/secure:80": "secure",
            "default/paged:80": "paged", "default/pages:80": "pages", "default/denied:80": "paged",
        },
        "cookie_keys": [{ "environment": "LIMPET_TEST_KEY" }],
        "unmatched": "not_found",
        "report": "why",
    });
    let nothing = Manifests::parse("nothing", "").unwrap();
    let compiled = Compiled::new(&nothing, &Flags::default()).unwrap();
    let mut config = filter_chain::engine_config(module(), &config, &compiled);
    let plugin = config.plugin.as_mut().unwrap();
    plugin.environment_variables = vec![(
        "LIMPET_TEST_KEY".to_owned(),
        b"a secret that cannot be guessed".to_vec(),
    )];
    plugin.refusal = refusal;
    config
}

/// A process with one worker, and what became of its requests.
struct Process {
    engine: Engine,
    clock: Arc<SettableClock>,
    statuses: BTreeMap<String, u32>,
    cookie: Option<String>,
}

impl Process {
    fn pass(&self, time: u64) {
        self.clock.advance(Duration::from_millis(time));
        if self.engine.tick_period().is_some() {
            self.engine.tick();
        }
    }

    fn answer_calls(&self) {
        assert!(
            self.engine.poll_calls().is_empty(),
            "only the admin is asked"
        );
    }

    /// Who has pages answers.
    fn show_pages(&self) {
        for call in self.engine.poll_calls() {
            assert_eq!(call.cluster, "pages");
            let page = CallResponse {
                head: [(":status", "410"), ("content-type", "text/html")]
                    .into_iter()
                    .collect(),
                body: b"gone".to_vec(),
                ..CallResponse::default()
            };
            self.engine.answer_call(call.token, Some(page));
        }
    }

    fn open(&self, host: &str, cookie: Option<&str>, elsewhere: bool) -> (Exchange, Step) {
        let mut head: Headers = [
            (":authority", host),
            (":path", "/app/x?q=1"),
            (":method", "GET"),
            (":scheme", "http"),
        ]
        .into_iter()
        .collect();
        if let Some(cookie) = cookie {
            head.add("cookie", cookie);
        }
        let picker: Picker = Box::new(move |pick| {
            let other = if pick.balanced == endpoint(1) { 2 } else { 1 };
            elsewhere.then(|| endpoint(other))
        });
        self.engine
            .request(head, Connection::default(), true, Some(picker))
    }

    /// Takes a request to its end; the endpoint answers 200, and 404 where there are pages.
    fn finish(&mut self, (mut exchange, mut step): (Exchange, Step)) {
        loop {
            step = match step {
                Step::Attempt(attempt) => {
                    let is_paged = attempt.cluster == "paged";
                    let status = if is_paged { "404" } else { "200" };
                    let head = [(":status", status)].into_iter().collect();
                    exchange.respond(Attempted::Response(head))
                }
                Step::Answer(answer) => {
                    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                    let status = answer.head.first(":status").map(text).unwrap_or_default();
                    *self.statuses.entry(status).or_default() += 1;
                    let set = answer.head.first("set-cookie").map(text);
                    let pair = set.and_then(|set| Some(set.split_once(';')?.0.to_owned()));
                    self.cookie = pair.or(self.cookie.take());
                    return;
                }
                Step::Paused => {
                    self.show_pages();
                    let resumed = exchange.resume();
                    if resumed == Step::Paused {
                        return; // nobody lets it go on: the client will give up
                    }
                    resumed
                }
            };
        }
    }

    fn ask(&mut self, host: &str, cookie: Option<&str>, elsewhere: bool) {
        let opened = self.open(host, cookie, elsewhere);
        self.finish(opened);
    }
}

fn endpoint(last: u8) -> std::net::SocketAddr {
    std::net::SocketAddr::from(([10, 0, 0, last], 80))
}

/// What came of a process in which calls were refused.
struct Life {
    traps: Vec<String>,
    statuses: BTreeMap<String, u32>,
    refused_to_start: bool,
}

/// From configure on: requests that wait and go on with the endpoints, without them, or give up;
/// sessions that begin, stay and move; redirects; time.
fn live(refusal: Option<Refusal>) -> Life {
    let log = Arc::new(Collector::from_level(LogLevel::Critical));
    let clock = Arc::new(SettableClock::at(Duration::from_secs(1_732_345_678)));
    let clusters = Clusters::default();
    for name in ["web", "next", "secure", "paged", "pages"] {
        let endpoints = [1, 2].map(|last| Endpoint::healthy(endpoint(last)));
        clusters.set(name, Cluster::new(endpoints.to_vec()));
    }
    let mut environment = Environment::new(clusters);
    environment.log = Arc::clone(&log) as _;
    environment.clock = Arc::clone(&clock) as _;
    let mut life = Life {
        traps: Vec::new(),
        statuses: BTreeMap::new(),
        refused_to_start: false,
    };
    match Engine::start(&config(refusal), &environment) {
        Ok(engine) => {
            let mut process = Process {
                engine,
                clock,
                statuses: BTreeMap::new(),
                cookie: None,
            };
            requests(&mut process);
            life.statuses = process.statuses;
        }
        Err(StartError::Refused { .. }) => life.refused_to_start = true,
        Err(other) => life.traps.push(other.to_string()),
    }
    let lines = log.take().into_iter().map(|line| line.message);
    life.traps
        .extend(lines.filter(|line| line.contains("trapped")));
    life
}

fn requests(process: &mut Process) {
    let old = Some("INGRESSCOOKIE=0123456789abcdef0123456789abcdef|0");
    let early = process.open("web.test", old, false);
    drop(process.open("web.test", old, false));
    process.pass(10);
    process.answer_calls();
    process.finish(early);
    process.ask("web.test", None, false);
    let cookie = process.cookie.clone();
    process.ask("web.test", cookie.as_deref(), false);
    process.ask("web.test", cookie.as_deref(), true);
    process.ask("secure.test", None, false);
    process.ask("nobody.test", None, false);
    process.ask("paged.test", None, false);
    process.ask("denied.test", None, false);
    // A cookie that nobody knows: it waits for a poll that comes after it, or for its end.
    let late = process.open("web.test", old, false);
    let gone = process.open("web.test", old, false);
    process.pass(110);
    process.answer_calls();
    process.finish(late);
    drop(gone);
    let unanswered = process.open("web.test", old, false);
    for _ in 0..30 {
        process.pass(100);
    }
    process.finish(unanswered);
    process.answer_calls();
    process.pass(100);
}

#[test]
fn nothing_is_refused_and_all_is_well() {
    let life = live(None);
    assert_eq!(life.traps, [""; 0]);
    let of = |status: &str| life.statuses.get(status).copied().unwrap_or_default();
    assert_eq!(
        (of("200"), of("308"), of("404"), of("410")),
        (6, 1, 1, 2),
        "{:?}",
        life.statuses
    );
}

/// What a status does for which the `proxy-wasm` crate is not made, and that this would be seen.
#[test]
fn a_host_that_refuses_what_envoy_never_refuses_gets_a_trap() {
    for callback in CALLBACKS {
        let refusal = Refusal::new("proxy_get_current_time_nanoseconds", 10, callback);
        let life = live(Some(refusal.clone()));
        assert_eq!(life.traps.is_empty(), refusal.met() == 0, "{callback:?}");
    }
}

#[test]
fn no_call_that_envoy_refuses_traps() {
    let (mut tried, mut met, mut failures) = (0, 0, Vec::new());
    for (call, statuses) in STATUSES {
        let mut somewhere = 0;
        for (status, during) in statuses.iter().flat_map(|s| CALLBACKS.map(|c| (*s, c))) {
            // The crate asks it for a stream that it has, and Envoy refuses it for one that is gone,
            // which the crate has been told then.
            if call == "proxy_set_effective_context" && during == Callback::HttpCallResponse {
                continue;
            }
            let refusal = Refusal::new(call, status, during);
            let life = live(Some(refusal.clone()));
            tried += 1;
            somewhere += usize::from(refusal.met() > 0);
            let triple = format!("{call} answers {status} in {during:?}");
            if !life.traps.is_empty() {
                failures.push(format!("{triple}: {}", life.traps.join("; ")));
            }
            // Only bytes that are no configuration are a reason not to start.
            let is_unread = call == "proxy_get_buffer_bytes" && during == Callback::Configure;
            assert_eq!(life.refused_to_start, is_unread, "{triple}");
        }
        assert!(somewhere > 0, "{call} is never called");
        met += somewhere;
    }
    println!("{tried} triples of call, status and callback tried, {met} of them with such a call");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
