//! The commands that need a host: manifests played, requests explained.
//!
//! `filter_chain` builds for the harness what `limpet_envoy` renders for Envoy; `explain`, `run`
//! and `demo` are the commands, `page` what a browser sees of the last two. `cookie_jar` and `envoy_process` are for `demo` and for tests.

pub mod cookie_jar;
pub mod demo;
pub mod envoy_process;
pub mod explain;
pub mod filter_chain;
pub mod module;
mod page;
pub mod pods;
pub mod run;
