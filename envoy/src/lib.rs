//! What puts the module into Envoy, Istio and Envoy Gateway: manifests in, configurations out.
//!
//! `manifests` reads what the operator has; `taken`, `clusters` and `compiled` are what the core
//! makes of it, `forwarding` and `plugin_config` what a proxy needs; `check` and `render` are the
//! commands that need no host.

pub mod args;
pub(crate) mod authorities;
pub mod certificates;
pub mod check;
pub mod clusters;
pub mod compiled;
pub mod filter_chain;
pub mod forwarding;
pub mod inert;
pub mod key_pair;
pub mod losses;
pub mod manifests;
pub(crate) mod named_secrets;
pub mod names;
pub(crate) mod passthrough;
pub mod plugin_config;
pub mod pods;
pub mod progress;
pub mod render;
mod rewrite_target;
pub mod say;
pub mod taken;
pub(crate) mod tls_params;
pub(crate) mod upstream_tls;
pub(crate) mod uses;
mod values;
