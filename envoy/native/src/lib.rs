//! limpet as a module that Envoy loads natively, by `envoy.filters.http.dynamic_modules`.
//!
//! The second shell around the same core: it decides nothing. Where the proxy-wasm shell has a
//! plugin in every VM, here one plugin serves the whole process: the main thread polls and builds
//! the endpoint tables, every worker reads the same ones.
//!
//! A panic ends at the hook it came from: it becomes a 500 for that request.

mod abi;
mod config;
mod exchange;
mod grpc;
mod hooks;
mod host;
mod metrics;
mod pin;
mod timer;
