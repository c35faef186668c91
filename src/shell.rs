//! The proxy-wasm shell: fetches what is asked for, carries out what is decided.
//!
//! It decides nothing: heads go in to [`crate::stream`], edits come out; callbacks go in to
//! [`crate::plugin`], effects come out.

mod host;
mod http;
mod metrics;
mod root;
mod shared;

use proxy_wasm::types::LogLevel;
use root::Root;

proxy_wasm::main! {{
    // Also has a panic say where it was; there should be none.
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|id| Box::new(Root::new(id)));
}}
