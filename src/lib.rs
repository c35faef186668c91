//! ingress-nginx's sticky sessions and rewrites, as a proxy-wasm module.
//!
//! The core is values in, values out: no clock, no randomness, no log and no
//! proxy-wasm; what it needs comes in ([`facts::Facts`], [`plugin::Host`]), what it wants done
//! goes out ([`edit::Edit`], [`plugin::Effect`]). Only `shell` (wasm only) talks to a host.
//!
//! Arrows point one way: shell → plugin → (stream, discovery) → (route, rewrite, canary,
//! affinity) → (cluster, session_cookie).

pub mod affinity;
pub mod annotations;
pub mod balancer;
pub mod canary;
pub mod cluster;
pub mod config;
pub mod decision;
pub mod discovery;
pub mod edit;
pub mod endpoints;
pub mod facts;
pub mod ingress;
pub mod nearest;
pub mod pairs;
pub mod plugin;
pub mod policy;
pub mod redirect;
pub mod remark;
pub(crate) mod rewrite;
pub mod route;
pub mod same_site;
pub mod session_cookie;
#[cfg(target_family = "wasm")]
mod shell;
pub mod stream;
