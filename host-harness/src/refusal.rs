//! Host calls that are refused though nothing is wrong with them: what a module is to survive.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The callbacks in which a module calls its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callback {
    /// `proxy_on_vm_start` and `proxy_on_configure`, with the creation of the root context.
    Configure,
    /// `proxy_on_tick`.
    Tick,
    /// `proxy_on_request_headers`, with the creation of the stream's context.
    RequestHeaders,
    /// `proxy_on_request_body`.
    RequestBody,
    /// `proxy_on_response_headers`.
    ResponseHeaders,
    /// `proxy_on_http_call_response`.
    HttpCallResponse,
    /// `proxy_on_log`, `proxy_on_done` and `proxy_on_delete`.
    Close,
}

/// Each call of one function in one callback answers this status and does nothing else.
///
/// A module may make the context of the callback itself the effective one whatever is refused:
/// it is there, and hosts refuse only contexts that are gone.
#[derive(Debug, Clone)]
pub struct Refusal {
    call: &'static str,
    status: u32,
    during: Callback,
    met: Arc<AtomicU32>,
}

impl Refusal {
    /// Refuses `call`, such as `proxy_get_property`, with a number of the ABI.
    #[must_use]
    pub fn new(call: &'static str, status: u32, during: Callback) -> Self {
        Self {
            call,
            status,
            during,
            met: Arc::default(),
        }
    }

    /// How many calls were refused so far, by this one and its clones.
    #[must_use]
    pub fn met(&self) -> u32 {
        self.met.load(Ordering::Relaxed)
    }

    /// The status that `call` answers, if it is refused.
    pub(crate) fn status(&self, call: &str, during: Callback) -> Option<u32> {
        let refused = self.call == call && self.during == during;
        refused.then(|| {
            self.met.fetch_add(1, Ordering::Relaxed);
            self.status
        })
    }
}
