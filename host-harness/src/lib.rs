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
//! One [`Engine`] holds one VM and belongs to one thread; what threads share is in
//! [`Environment`]. Oddities of Envoy are kept on purpose and named where they are.

mod abi;
pub mod admin;
pub mod cluster;
pub mod engine;
pub mod environment;
pub mod header_edit;
pub mod headers;
mod hostcalls;
pub mod metrics;
pub mod module;
pub mod plugin;
pub mod proxy;
pub mod route;
pub mod shared_data;
mod stream;
mod vm;

pub use cluster::{Cluster, Clusters, Endpoint, Health};
pub use engine::{
    Answer, Attempt, Attempted, Body, CallResponse, Connection, Direction, Engine, EngineConfig,
    Exchange, HttpCall, PickRequest, Picker, StartError, Step, Summary,
};
pub use environment::{Clock, Environment, LogLevel, LogSink, Random};
pub use header_edit::{Append, HeaderEdit, Template};
pub use headers::Headers;
pub use metrics::Metrics;
pub use module::{Module, ModuleError};
pub use plugin::{FailurePolicy, PluginConfig};
pub use route::{ClusterSpecifier, RetryPolicy, Route, RouteMatch};
pub use shared_data::SharedData;
