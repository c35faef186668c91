//! One HTTP stream as the module sees it; the exchange and the host calls share it.

mod local_reply;
mod property;

pub(crate) use local_reply::LocalReply;

use crate::connection::Connection;
use crate::headers::Headers;
use crate::summary::Summary;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::task::Waker;

/// How far the stream is; decides which heads can be read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In `proxy_on_request_headers`, or paused by it.
    Request,
    /// At the router and beyond: no head can be read.
    Upstream,
    /// In `proxy_on_response_headers`, or paused by it.
    Response,
    /// In `proxy_on_log`: both heads can be read, none written.
    Log,
}

/// The state of one stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) phase: Phase,
    pub(crate) request: Headers,
    pub(crate) response: Headers,
    pub(crate) connection: Connection,
    pub(crate) summary: Summary,
    /// Nanoseconds since 1970 at which the request head had arrived.
    pub(crate) started: u64,
    /// `proxy_set_property`, by path.
    pub(crate) filter_state: HashMap<Vec<u8>, Vec<u8>>,
    /// `proxy_send_local_response`, until it is taken up.
    pub(crate) local_reply: Option<LocalReply>,
    /// The request head may be read on the response path: it was never let go on.
    pub(crate) request_held: bool,
    /// A request header was written, so the route must be chosen anew.
    pub(crate) route_cleared: bool,
    /// `proxy_continue_stream` was called while the stream was paused.
    pub(crate) continued: bool,
    /// The VM trapped or the host gave it up while this stream was in it.
    pub(crate) failed: bool,
    pub(crate) waker: Option<Waker>,
}

/// A stream that the exchange and the VM both hold; never borrowed over a guest call.
pub(crate) type SharedStream = Rc<RefCell<Stream>>;

impl Stream {
    pub(crate) fn new(request: Headers, connection: Connection, started: u64) -> Self {
        Self {
            phase: Phase::Request,
            request,
            response: Headers::new(),
            connection,
            summary: Summary::default(),
            started,
            filter_state: HashMap::new(),
            local_reply: None,
            request_held: true,
            route_cleared: false,
            continued: false,
            failed: false,
            waker: None,
        }
    }

    /// Wakes whoever waits for this stream to go on.
    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether a paused stream has a reason to go on.
    pub(crate) fn may_resume(&self) -> bool {
        self.continued || self.failed || self.local_reply.is_some()
    }

    /// The request head, where it can be read.
    pub(crate) fn readable_request(&self) -> Option<&Headers> {
        let readable = match self.phase {
            Phase::Request | Phase::Log => true,
            Phase::Response => self.request_held,
            Phase::Upstream => false,
        };
        readable.then_some(&self.request)
    }

    /// The response head, where it can be read.
    pub(crate) fn readable_response(&self) -> Option<&Headers> {
        matches!(self.phase, Phase::Response | Phase::Log).then_some(&self.response)
    }
}
