//! A filter as its author would write it, on the proxy-wasm crate: it asks for a pass and signs
//! the answers. `cargo xtask wasm --package example-guest` builds it, one file for this host and
//! for Envoy.
//!
//! Its configuration is the signature. A request without the header `x-pass` is answered 403;
//! every answer carries the signature in `x-signed`; `example_guest.refused` counts.
#![cfg(target_family = "wasm")]
#![allow(missing_docs, reason = "of what proxy_wasm::main! exports")]

use proxy_wasm::hostcalls::{define_metric, increment_metric};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MetricType};
use std::rc::Rc;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Guard::default()));
}}

/// What all requests of a VM share.
#[derive(Default)]
struct Guard {
    signature: Rc<str>,
    /// `None`: the host refused to define it.
    refused: Option<u32>,
}

impl Context for Guard {}

impl RootContext for Guard {
    fn on_configure(&mut self, _size: usize) -> bool {
        let configuration = self.get_plugin_configuration().unwrap_or_default();
        let Ok(signature) = String::from_utf8(configuration) else {
            log::error!("the signature is not UTF-8");
            return false;
        };
        log::info!("signs as {signature}");
        self.signature = signature.into();
        self.refused = define_metric(MetricType::Counter, "example_guest.refused").ok();
        true
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Visit {
            signature: Rc::clone(&self.signature),
            refused: self.refused,
        }))
    }
}

/// One request.
struct Visit {
    signature: Rc<str>,
    refused: Option<u32>,
}

impl Context for Visit {}

impl HttpContext for Visit {
    fn on_http_request_headers(&mut self, _headers: usize, _end: bool) -> Action {
        if self.get_http_request_header("x-pass").is_some() {
            return Action::Continue;
        }
        if let Some(refused) = self.refused
            && let Err(status) = increment_metric(refused, 1)
        {
            log::warn!("not counted: {status:?}");
        }
        self.send_http_response(403, vec![("x-reason", "no pass")], Some(b"no pass\n"));
        Action::Pause
    }

    fn on_http_response_headers(&mut self, _headers: usize, _end: bool) -> Action {
        self.set_http_response_header("x-signed", Some(&self.signature));
        Action::Continue
    }
}
