//! What a test of the engine needs.

use host_harness::environment::Collector;
use host_harness::{
    Answer, Attempt, Attempted, Cluster, ClusterSpecifier, Clusters, Connection, Endpoint, Engine,
    EngineConfig, Environment, Exchange, Headers, LogLevel, Module, PluginConfig, Route, Step,
};
use std::net::SocketAddr;
use std::sync::Arc;

/// An engine with cluster `a` of two endpoints, and what its guest has logged.
pub struct Fixture {
    pub config: EngineConfig,
    pub environment: Environment,
    pub log: Arc<Collector>,
}

impl Fixture {
    /// One route to cluster `a`, no filter.
    pub fn plain() -> Self {
        let endpoints = [1, 2].map(|port| Endpoint::healthy(address(port))).to_vec();
        let clusters: Clusters = [("a", Cluster::new(endpoints))].into_iter().collect();
        let log = Arc::new(Collector::from_level(LogLevel::Trace));
        let mut environment = Environment::new(clusters);
        environment.log = log.clone();
        let route = Route::to(ClusterSpecifier::Name("a".to_owned()));
        Self {
            config: EngineConfig::new(vec![route]),
            environment,
            log,
        }
    }

    /// As [`Fixture::plain`], with the guest `tests/guests/<name>.wat` as its filter.
    pub fn guest(name: &str) -> Self {
        let mut fixture = Self::plain();
        let plugin = PluginConfig::new(guest(name), "guest", b"configured".to_vec());
        fixture.config.plugin = Some(plugin);
        fixture
    }

    pub fn start(&self) -> Engine {
        Engine::start(&self.config, &self.environment).unwrap()
    }

    /// What the guest has logged since the last time.
    pub fn said(&self) -> Vec<String> {
        let lines = self.log.take().into_iter();
        lines.map(|line| line.message).collect()
    }
}

/// Compiles a guest with the prelude in front.
pub fn guest(name: &str) -> Module {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guests");
    let read = |name: &str| std::fs::read_to_string(format!("{folder}/{name}.wat")).unwrap();
    let text = format!("(module\n{}\n{})", read("prelude"), read(name));
    Module::compile(&wat::parse_str(text).unwrap()).unwrap()
}

pub fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A GET with further fields.
pub fn get(path: &str, fields: &[(&str, &str)]) -> Headers {
    let pseudo = [
        (":method", "GET"),
        (":path", path),
        (":authority", "host"),
        (":scheme", "http"),
    ];
    pseudo.iter().chain(fields).copied().collect()
}

/// Sends a GET into the engine.
pub fn send(engine: &Engine, path: &str, fields: &[(&str, &str)]) -> (Exchange, Step) {
    engine.request(get(path, fields), Connection::default(), true, None)
}

/// The attempt that `step` asks for.
pub fn attempt(step: Step) -> Attempt {
    match step {
        Step::Attempt(attempt) => attempt,
        other => panic!("no attempt but {other:?}"),
    }
}

/// The answer that `step` is.
pub fn answer(step: Step) -> Answer {
    match step {
        Step::Answer(answer) => answer,
        other => panic!("no answer but {other:?}"),
    }
}

pub fn ok() -> Attempted {
    Attempted::Response(Headers::with_status(200))
}

/// All values of a field as text.
pub fn values(head: &Headers, name: &str) -> Vec<String> {
    let all = head.all(name);
    all.map(|value| String::from_utf8_lossy(value).into_owned())
        .collect()
}
