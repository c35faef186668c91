//! ingress-nginx's sticky sessions and rewrites, as a proxy-wasm module.
//!
//! The core is values in, values out: no clock, no randomness, no log and no
//! proxy-wasm; what it needs comes in ([`facts::Facts`], [`plugin::Host`]), what it wants done
//! goes out ([`edit::Edit`], [`plugin::Effect`]). Only `shell` (wasm only) talks to a host.
//!
//! A request under an Ingress:
//!
//! ```
//! use limpet::edit::{Edit, fields};
//! use limpet::endpoints::EndpointTable;
//! use limpet::facts::{Facts, Knowledge};
//! use limpet::stream::{Step, Stream};
//! use limpet::{config::ConfigError, policy};
//!
//! let (policy, remarks) = policy::read(
//!     br#"{"ingresses": [{
//!         "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
//!         "metadata": {"name": "shop", "annotations": {
//!             "nginx.ingress.kubernetes.io/use-regex": "true",
//!             "nginx.ingress.kubernetes.io/rewrite-target": "/$1"
//!         }},
//!         "spec": {"rules": [{"host": "shop.example.com", "http": {"paths": [{
//!             "path": "/api/(.*)", "pathType": "ImplementationSpecific",
//!             "backend": {"service": {"name": "web", "port": {"number": 80}}}
//!         }]}}]}
//!     }]}"#,
//! )?;
//! assert!(remarks.is_empty(), "{remarks:?}");
//!
//! let head = fields(&[
//!     (":method", "GET"),
//!     (":scheme", "http"),
//!     (":authority", "shop.example.com"),
//!     (":path", "/api/cart?id=1"),
//! ]);
//! let facts = Facts {
//!     now: &|| 1_700_000_000,
//!     random: &|| 7,
//!     ..Facts::NONE
//! };
//! let endpoints = EndpointTable::default();
//! let decided = Stream::default().on_request(&policy, &endpoints, &head, &facts);
//! let Step::Forward(edits) = decided.step else { panic!("{:?}", decided.step) };
//! let sets = |name: &str, value: &[u8]| {
//!     edits.iter().any(|edit| matches!(edit, Edit::Set(n, v) if n == name && **v == *value))
//! };
//! assert!(sets(":path", b"/cart?id=1"), "{edits:?}");
//! assert!(sets("x-limpet-cluster", b"default/web:80"), "{edits:?}");
//! # Ok::<(), ConfigError>(())
//! ```
//!
//! Arrows point one way: shell → plugin → (stream, discovery) → (route, balancer) → policy →
//! cluster → (affinity, canary) → (endpoints, session_cookie); `tests/house/layering.rs` has the
//! whole list.

pub mod access;
pub mod affinity;
pub mod annotations;
pub mod authentication;
pub mod authorizer;
pub mod balancer;
pub mod body;
pub(crate) mod byte_kind;
pub mod canary;
pub mod client_certificate;
pub mod cluster;
pub mod config;
pub mod cors;
pub mod decision;
pub mod discovery;
pub mod edit;
pub mod endpoints;
pub mod error_pages;
pub mod facts;
pub(crate) mod fields;
pub mod head;
pub mod ingress;
pub mod limits;
pub mod nearest;
pub mod pairs;
pub mod plugin;
pub mod policy;
pub mod protection;
pub mod redirect;
pub mod remark;
pub(crate) mod rewrite;
pub mod route;
pub mod same_site;
pub mod session_cookie;
#[cfg(target_family = "wasm")]
mod shell;
mod sorted;
pub mod stream;
pub(crate) mod words;
pub mod zone;
