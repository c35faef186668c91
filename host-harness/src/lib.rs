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
pub use route::{ClusterSpecifier, RetryPolicy, Route, RouteMatch};
pub use shared_data::SharedData;
pub use summary::Summary;
