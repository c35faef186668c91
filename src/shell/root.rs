//! The root context of one plugin.

use super::host::{self, Calls};
use super::http::HttpStream;
use super::metrics::Metrics;
use super::shared::{Paused, Shared};
use crate::plugin::Turn;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use std::rc::{Rc, Weak};

/// The root context.
#[derive(Default)]
pub(super) struct Root {
    shared: Rc<Shared>,
}

impl Root {
    pub(super) fn new(id: u32) -> Self {
        let root = Self::default();
        root.shared.root.set(id);
        root
    }

    /// Does what follows from a callback. Requests go on from here: their contexts belong to the
    /// dispatcher, which is busy with this one.
    fn finish(&self, turn: Turn<Paused>) {
        self.shared.carry_out(turn.effects);
        for request in turn.resumed.iter().filter_map(Weak::upgrade) {
            request.resume();
        }
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _: usize) {
        let answer = || host::call_answer(headers, body);
        let turn = self
            .shared
            .plugin
            .borrow_mut()
            .answered(token, answer, &Calls);
        self.finish(turn);
    }
}

impl RootContext for Root {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(HttpStream::new(context, Rc::clone(&self.shared))))
    }

    fn on_configure(&mut self, size: usize) -> bool {
        self.shared.metrics.set(Metrics::define());
        let bytes = host::configuration(size);
        let configured = self.shared.plugin.borrow_mut().configure(&bytes, &Calls);
        let taken = configured.is_ok();
        let (Ok(effects) | Err(effects)) = configured;
        self.shared.carry_out(effects);
        taken
    }

    fn on_tick(&mut self) {
        #[cfg(feature = "fault")]
        assert!(
            !self.shared.fault_in_tick.get(),
            "fault asked for by a request"
        );
        let turn = self.shared.plugin.borrow_mut().tick(&Calls);
        self.finish(turn);
    }
}
