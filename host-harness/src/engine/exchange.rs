//! One request and its response.

mod body;
mod request;
mod response;

pub(crate) use body::BodyWatch;

use super::filter::{Chosen, SharedVm};
use super::message::{Attempted, Body, Picker, Step};
use super::router;
use super::shared::Shared;
use crate::cluster::ClusterState;
use crate::connection::Connection;
use crate::header_edit;
use crate::headers::Headers;
use crate::stream::{LocalReply, Phase, SharedStream, Stream};
use crate::summary::{Summary, flag};
use crate::vm::Action;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// One request on its way through an engine. Dropping it ends the stream: the module gets
/// `proxy_on_log`, `proxy_on_done` and `proxy_on_delete`.
pub struct Exchange {
    engine: Rc<Shared>,
    stream: SharedStream,
    /// The VM and the stream's context in it.
    filter: Option<(SharedVm, u32)>,
    state: State,
    picker: Option<Picker>,
    route: Option<usize>,
    cluster: Option<Arc<ClusterState>>,
    /// The request head for the endpoints.
    upstream_head: Headers,
    tried: Vec<SocketAddr>,
    /// No further attempt may follow.
    last_attempt: bool,
}

enum State {
    RequestHeld,
    Attempting,
    ResponseHeld(Body),
    Over,
}

impl Exchange {
    pub(super) fn open(
        engine: &Rc<Shared>,
        mut head: Headers,
        connection: Connection,
        end_of_stream: bool,
        picker: Option<Picker>,
    ) -> (Self, Step) {
        if engine.config.drops_underscores {
            head.drop_underscores();
        }
        let early = &engine.config.early_edits;
        if !early.is_empty() {
            let original = head.clone();
            header_edit::apply(early, &mut head, &original, &connection);
        }
        let started = engine.environment.clock.unix_nanos();
        let stream = Stream::new(head, connection, started);
        let mut exchange = Self {
            engine: Rc::clone(engine),
            stream: Rc::new(RefCell::new(stream)),
            filter: None,
            state: State::Over,
            picker,
            route: None,
            cluster: None,
            upstream_head: Headers::new(),
            tried: Vec::new(),
            last_attempt: false,
        };
        exchange.select_route();
        let chosen = engine.filter.borrow_mut().choose();
        let step = match chosen {
            Chosen::Vm(vm) => exchange.filter_request(vm, end_of_stream),
            Chosen::Skip => exchange.route_request(),
            Chosen::Fail => exchange.reply(LocalReply::plugin_failed()),
        };
        (exchange, step)
    }

    /// Tells what came of the last [`Step::Attempt`].
    #[must_use]
    pub fn respond(&mut self, attempted: Attempted) -> Step {
        if !matches!(self.state, State::Attempting) {
            return Step::Paused;
        }
        if let Some(reply) = self.answered_meanwhile() {
            return self.reply(reply);
        }
        let mut reply_flags = 0;
        if let Some(route) = self.current_route()
            && router::is_retriable(&route.retry, &attempted)
        {
            if self.may_retry(route) {
                self.note_failure(&attempted);
                return self.attempt();
            }
            if route.retry.retries > 0 {
                reply_flags = flag::UPSTREAM_RETRY_LIMIT_EXCEEDED;
            }
        }
        self.note_failure(&attempted);
        match attempted {
            Attempted::Response(head) => self.take_response(head, reply_flags),
            Attempted::ConnectFailed(_) => {
                let failure = self.stream.borrow().summary.transport_failure.clone();
                let reply = LocalReply::connect_failed(&failure.unwrap_or_default());
                self.reply_with(reply, reply_flags)
            }
            Attempted::Reset => self.reply_with(LocalReply::reset(), reply_flags),
            Attempted::TimedOut => self.reply_with(LocalReply::timed_out(), reply_flags),
        }
    }

    /// The request's body is on its way and cannot be sent twice: what comes of the attempt
    /// under way is final.
    pub fn forbid_retries(&mut self) {
        self.last_attempt = true;
    }

    /// Goes on after [`Step::Paused`]: [`Step::Paused`] again if the module still holds it.
    #[must_use]
    pub fn resume(&mut self) -> Step {
        let held = std::mem::replace(&mut self.state, State::Over);
        let may_resume = self.stream.borrow().may_resume();
        match held {
            State::RequestHeld if may_resume => self.after_request(Ok(Action::Continue)),
            State::ResponseHeld(body) if may_resume => {
                self.after_response(Ok(Action::Continue), body)
            }
            held => {
                self.state = held;
                Step::Paused
            }
        }
    }

    /// Ready once [`Exchange::resume`] gets further; wakes the task of `cx` then.
    pub fn poll_resumed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut stream = self.stream.borrow_mut();
        if stream.may_resume() {
            return Poll::Ready(());
        }
        stream.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What has become of it so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.stream.borrow().summary.clone()
    }

    /// What the module stored with `proxy_set_property` under `name`, which access logs
    /// call `wasm.<name>`.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<Vec<u8>> {
        self.stream
            .borrow()
            .filter_state
            .get(name.as_bytes())
            .cloned()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some((vm, id)) = self.filter.take() {
            self.stream.borrow_mut().phase = Phase::Log;
            vm.borrow_mut().close(id);
        }
    }
}
