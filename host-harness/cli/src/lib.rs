//! The pieces of the command line: manifests in, requests explained, configurations rendered.
//!
//! `manifests` reads what the operator has; `clusters` and `plugin_config` derive from it what
//! a proxy needs; `explain`, `run`, `demo`, `check` and `render` are the commands.

pub mod args;
pub mod check;
pub mod clusters;
pub mod demo;
pub mod explain;
pub mod filter_chain;
pub mod forwarding;
pub mod manifests;
pub mod module;
pub mod plugin_config;
pub mod pods;
pub mod progress;
pub mod render;
pub mod run;
pub mod say;
