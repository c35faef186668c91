//! A proxy-wasm 0.2.1 host and an HTTP proxy that behave as Envoy 1.40 does.
//!
//! Two halves. The *engine* ([`Engine`], [`Exchange`]) does no I/O: heads of messages in,
//! heads out, with a wasm filter, header session state, a router with retries and load
//! balancing between. The *proxy* ([`proxy::Proxy`]) puts sockets around it.
//!
//! ```text
//! request head ─> Engine::request ─> Step::Attempt ─> Exchange::respond ─> Step::Answer
//!                                     ^ Step::Paused: Engine::poll_calls, tick ─┘
//! ```
//!
//! A request through a filter, without a socket:
//!
//! ```
//! use host_harness::{
//!     Attempted, Cluster, ClusterSpecifier, Clusters, Connection, Endpoint, Engine, EngineConfig,
//!     Environment, Headers, Module, PluginConfig, Route, Step,
//! };
//!
//! // proxy_on_request_headers adds `x-hello: you` and lets the request go on.
//! let module = Module::compile(&wat::parse_str(
//!     r#"(module
//!         (import "env" "proxy_add_header_map_value"
//!             (func $add (param i32 i32 i32 i32 i32) (result i32)))
//!         (memory (export "memory") 1)
//!         (data (i32.const 0) "x-helloyou")
//!         (func (export "proxy_abi_version_0_2_1"))
//!         (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
//!         (func (export "proxy_on_context_create") (param i32 i32))
//!         (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
//!             (call $add (i32.const 0) (i32.const 0) (i32.const 7) (i32.const 7) (i32.const 3))))"#,
//! )?)?;
//!
//! let endpoint = "127.0.0.1:8080".parse()?;
//! let cluster = Cluster::new(vec![Endpoint::healthy(endpoint)]);
//! let clusters: Clusters = [("pods", cluster)].into_iter().collect();
//! let mut config = EngineConfig::new(vec![Route::to(ClusterSpecifier::Name("pods".into()))]);
//! config.plugin = Some(PluginConfig::new(module, "hello", Vec::new()));
//! let engine = Engine::start(&config, &Environment::new(clusters))?;
//!
//! let head: Headers = [(":method", "GET"), (":path", "/"), (":authority", "shop.example.com")]
//!     .into_iter()
//!     .collect();
//! let (mut exchange, step) = engine.request(head, Connection::default(), true, None);
//! let Step::Attempt(attempt) = step else { panic!("{step:?}") };
//! assert_eq!(attempt.head.first("x-hello"), Some(&b"you"[..]));
//! assert_eq!(attempt.endpoint, endpoint);
//!
//! // Whoever does the I/O says what came of the attempt.
//! let step = exchange.respond(Attempted::Response(Headers::with_status(200)));
//! let Step::Answer(answer) = step else { panic!("{step:?}") };
//! assert_eq!(answer.head.status(), Some(200));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A module on the proxy-wasm crate, to begin with: `examples/guest`.
//!
//! One [`Engine`] holds one VM and belongs to one thread; what threads share is in
//! [`Environment`]. Oddities of Envoy are kept on purpose and named where they are.

mod abi;
pub mod admin;
pub mod cluster;
pub mod connection;
pub mod engine;
pub mod environment;
mod guest;
pub mod header_edit;
pub mod headers;
mod host;
mod hostcalls;
pub mod http_call;
pub mod metrics;
pub mod module;
pub mod plugin;
pub mod proxy;
pub mod refusal;
pub mod route;
pub mod shared_data;
mod stream;
pub mod summary;
mod vm;

pub use cluster::{Cluster, Clusters, Endpoint, Health};
pub use connection::{Connection, Direction};
pub use engine::{
    Answer, Attempt, Attempted, Body, Engine, EngineConfig, Exchange, PickRequest, Picker, Step,
};
pub use environment::{Clock, Environment, LogLevel, LogSink, Random};
pub use header_edit::{Append, HeaderEdit, Template};
pub use headers::Headers;
pub use http_call::{CallResponse, HttpCall};
pub use metrics::Metrics;
pub use module::{Module, ModuleError};
pub use plugin::{FailurePolicy, PluginConfig, StartError};
pub use refusal::{Callback, Refusal};
pub use route::{ClusterSpecifier, RetryPolicy, Route, RouteMatch};
pub use shared_data::SharedData;
pub use summary::Summary;
