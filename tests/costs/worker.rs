//! One VM of the module and pods that answer 200, without sockets: what it does and the memory that it has are
//! counted.

use host_harness::environment::{Collector, Scripted};
use host_harness::{
    Attempted, Cluster, ClusterSpecifier, Clusters, Connection, Endpoint, Engine, EngineConfig,
    Environment, Headers, LogLevel, Module, PluginConfig, Route, Step,
};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// The Service of every Ingress here.
const SERVICE: &str = "default/web:80";

/// The module, whose instructions are counted.
pub(super) fn counting() -> Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    let compile = || {
        let path = limpet_cli::module::find(None).unwrap();
        Module::compile_counting(&std::fs::read(path).unwrap()).unwrap()
    };
    MODULE.get_or_init(compile).clone()
}

/// A GET, ready to be sent.
pub(super) struct Request {
    head: Headers,
}

impl Request {
    /// As a browser sends it.
    pub(super) fn get(host: &str, path: &str, cookie: Option<&str>) -> Self {
        let mut head: Headers = [
            (":authority", host),
            (":path", path),
            (":method", "GET"),
            (":scheme", "http"),
            ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
            ("accept", "text/html,application/xhtml+xml"),
            ("x-forwarded-proto", "http"),
            ("x-request-id", "2f1e2b6c-58cd-4f7e-8a2c-8d3a1e2c7f10"),
        ]
        .into_iter()
        .collect();
        if let Some(cookie) = cookie {
            head.add("cookie", cookie.as_bytes().to_vec());
        }
        Self { head }
    }
}

/// The VM.
pub(super) struct Worker {
    engine: Engine,
}

impl Worker {
    /// Configures it; `pods`: how many the Service has.
    pub(super) fn start(module: Module, ingresses: &[Value], pods: u32) -> Self {
        let mut config = EngineConfig::new(vec![Route::to(ClusterSpecifier::Header {
            name: "x-limpet-cluster".to_owned(),
            fallback: Some(SERVICE.to_owned()),
        })]);
        config.session_header = Some("x-limpet-endpoint".to_owned());
        let configuration = configuration(ingresses, pods);
        config.plugin = Some(PluginConfig::new(module, "limpet", configuration));
        let clusters: Clusters = [(SERVICE, cluster(pods))].into_iter().collect();
        let mut environment = Environment::new(clusters);
        environment.log = Arc::new(Collector::from_level(LogLevel::Critical));
        // Maps are of another shape with other random numbers.
        environment.random = Arc::new(Scripted::from_seed(7));
        let engine = Engine::start(&config, &environment).unwrap();
        Self { engine }
    }

    /// Hands it another configuration.
    pub(super) fn reconfigure(&self, ingresses: &[Value], pods: u32) {
        let clusters = &self.engine.environment().clusters;
        clusters.set(SERVICE, cluster(pods));
        let configuration = configuration(ingresses, pods);
        self.engine.reconfigure(configuration).unwrap();
        self.engine.tick();
    }

    /// Asks, and says the status and what cookie is set.
    pub(super) fn ask(&self, request: &Request) -> (Option<u16>, Option<String>) {
        let head = request.head.clone();
        let connection = Connection::default();
        let (mut exchange, step) = self.engine.request(head, connection, true, None);
        let answer = match step {
            Step::Answer(answer) => answer,
            Step::Attempt(_) => {
                let response = Attempted::Response(Headers::with_status(200));
                let Step::Answer(answer) = exchange.respond(response) else {
                    panic!("no answer");
                };
                answer
            }
            other => panic!("{other:?}"),
        };
        let set = answer.head.first("set-cookie").map(String::from_utf8_lossy);
        let cookie = set.and_then(|set| set.split(';').next().map(str::to_owned));
        (answer.head.status(), cookie)
    }

    /// The session that a request begins, as a Cookie header.
    pub(super) fn begin(&self, host: &str, path: &str) -> String {
        let (_, cookie) = self.ask(&Request::get(host, path, None));
        cookie.expect("a session begins")
    }

    /// How many instructions such a request takes of the module, once one has come before. A pod answers it.
    pub(super) fn work(&self, request: &Request) -> u64 {
        self.ask(request);
        let before = self.engine.guest_work().unwrap();
        let (status, _) = self.ask(request);
        assert_eq!(status, Some(200));
        self.engine.guest_work().unwrap() - before
    }

    /// How many bytes of memory it has.
    pub(super) fn memory(&self) -> usize {
        self.engine.guest_memory().unwrap()
    }
}

/// An Ingress of these paths, with sessions by a digest, or balanced ones by a ring.
pub(super) fn ingress(host: &str, paths: &[String], is_regex: bool, is_ring: bool) -> Value {
    let service = json!({ "name": "web", "port": { "number": 80 } });
    let path = |path: &String| {
        json!({
            "path": path, "pathType": "ImplementationSpecific", "backend": { "service": service },
        })
    };
    let paths: Vec<_> = paths.iter().map(path).collect();

    let mut annotations = json!({
        "nginx.ingress.kubernetes.io/affinity": "cookie",
        "nginx.ingress.kubernetes.io/session-cookie-name": "route",
        "nginx.ingress.kubernetes.io/session-cookie-path": "/",
    });
    if !is_ring {
        annotations["nginx.ingress.kubernetes.io/session-cookie-hash"] = json!("sha1");
    }
    if is_regex {
        annotations["nginx.ingress.kubernetes.io/rewrite-target"] = json!("/$2");
    }
    json!({
        "kind": "Ingress",
        "metadata": { "name": host, "namespace": "default", "annotations": annotations },
        "spec": { "rules": [{ "host": host, "http": { "paths": paths } }] },
    })
}

fn configuration(ingresses: &[Value], pods: u32) -> Vec<u8> {
    let endpoints: Vec<_> = (0..pods).map(address).collect();
    let config = json!({ "ingresses": ingresses, "endpoints": { SERVICE: endpoints } });
    config.to_string().into_bytes()
}

fn cluster(pods: u32) -> Cluster {
    let endpoint = |pod| Endpoint::healthy(address(pod).parse().unwrap());
    Cluster::new((0..pods).map(endpoint).collect())
}

fn address(pod: u32) -> String {
    format!("10.0.{}.{}:80", pod / 250, pod % 250)
}
