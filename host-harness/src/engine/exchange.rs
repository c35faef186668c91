//! One request and its response.

use super::filter::{Chosen, SharedVm};
use super::{
    Answer, Attempt, Attempted, Body, Connection, PickRequest, Picker, Shared, Step, Summary,
    router, session,
};
use crate::cluster::{Choice, ClusterState};
use crate::header_edit;
use crate::headers::Headers;
use crate::route::Route;
use crate::stream::{LocalReply, Phase, SharedStream, Stream, flag};
use crate::vm::{Action, Trapped};
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

/// The way there.
impl Exchange {
    fn filter_request(&mut self, vm: SharedVm, end_of_stream: bool) -> Step {
        let count = self.stream.borrow().request.len();
        let id = vm.borrow_mut().open(&self.stream);
        self.filter = Some((Rc::clone(&vm), id));
        let action = vm.borrow_mut().on_request_headers(id, count, end_of_stream);
        self.after_request(action)
    }

    fn after_request(&mut self, action: Result<Action, Trapped>) -> Step {
        let mut stream = self.stream.borrow_mut();
        let held = !stream.continued && action == Ok(Action::Pause);
        let reply = match action {
            _ if stream.failed => Some(LocalReply::plugin_failed()),
            Err(Trapped) => Some(LocalReply::plugin_failed()),
            Ok(_) => stream.local_reply.take(),
        };
        stream.request_held = held;
        drop(stream);
        match reply {
            Some(reply) => self.reply(reply),
            None if held => {
                self.state = State::RequestHeld;
                Step::Paused
            }
            None => self.route_request(),
        }
    }

    fn select_route(&mut self) {
        let mut stream = self.stream.borrow_mut();
        let routes = &self.engine.config.routes;
        let (route, cluster) = router::select(routes, &stream.request);
        let name = route
            .and_then(|index| routes.get(index))
            .map(|route| &route.name);
        stream.summary.route = name.cloned();
        stream.summary.cluster = cluster;
        stream.route_cleared = false;
        self.route = route;
    }

    fn route_request(&mut self) -> Step {
        if self.stream.borrow().route_cleared {
            self.select_route();
        }
        let engine = Rc::clone(&self.engine);
        let Some(route) = self.route.and_then(|index| engine.config.routes.get(index)) else {
            return self.reply(LocalReply::route_not_found());
        };
        let mut stream = self.stream.borrow_mut();
        stream.phase = Phase::Upstream;
        let header = engine.config.session_header.as_deref();
        stream.summary.asked = header.and_then(|header| session::asked(&stream.request, header));
        let name = stream.summary.cluster.as_deref();
        self.cluster = name.and_then(|name| engine.environment.clusters.get(name));
        if self.cluster.is_none() {
            stream.summary.cluster = None;
            drop(stream);
            return self.reply(LocalReply::cluster_not_found());
        }
        self.upstream_head = stream.request.clone();
        let (head, edits) = (&mut self.upstream_head, &route.request_edits);
        header_edit::apply(edits, head, &stream.request, &stream.connection);
        drop(stream);
        self.attempt()
    }

    fn attempt(&mut self) -> Step {
        let Some(endpoint) = self.pick() else {
            return self.reply(LocalReply::no_healthy_upstream());
        };
        self.tried.push(endpoint);
        let engine = Rc::clone(&self.engine);
        let route = self.route.and_then(|index| engine.config.routes.get(index));
        let head = if route.is_some_and(|route| self.may_retry(route)) {
            self.upstream_head.clone()
        } else {
            std::mem::take(&mut self.upstream_head)
        };
        let mut stream = self.stream.borrow_mut();
        let summary = &mut stream.summary;
        summary.endpoint = Some(endpoint);
        summary.attempts += 1;
        self.state = State::Attempting;
        Step::Attempt(Attempt {
            cluster: summary.cluster.clone().unwrap_or_default(),
            endpoint,
            head,
            number: summary.attempts,
            timeout: route.and_then(|route| route.timeout),
        })
    }

    fn pick(&mut self) -> Option<SocketAddr> {
        let cluster = self.cluster.as_ref()?;
        let stream = self.stream.borrow();
        let asked = stream.summary.asked;
        let avoid = self
            .current_route()
            .is_some_and(|route| route.retry.previous_hosts);
        let balanced = cluster.choose(Choice {
            asked: asked.filter(|_| self.tried.is_empty()),
            tried: if avoid { &self.tried } else { &[] },
        })?;
        let request = PickRequest {
            cluster: stream.summary.cluster.as_deref().unwrap_or_default(),
            balanced,
            asked,
            attempt: stream.summary.attempts + 1,
        };
        let dictated = self.picker.as_mut().and_then(|picker| picker(&request));
        let endpoint = dictated.unwrap_or(balanced);
        cluster.count(endpoint);
        Some(endpoint)
    }

    fn current_route(&self) -> Option<&Route> {
        self.engine.config.routes.get(self.route?)
    }

    /// Whether another attempt may follow the ones made.
    fn may_retry(&self, route: &Route) -> bool {
        let retries = usize::try_from(route.retry.retries).unwrap_or(usize::MAX);
        !self.last_attempt && self.tried.len() <= retries
    }
}

/// The way back.
impl Exchange {
    fn note_failure(&self, attempted: &Attempted) {
        let failure = match attempted {
            Attempted::ConnectFailed(reason) => Some(format!("delayed connect error: {reason}")),
            _ => None,
        };
        self.stream.borrow_mut().summary.transport_failure = failure;
    }

    fn take_response(&mut self, mut head: Headers, flags: u64) -> Step {
        let mut stream = self.stream.borrow_mut();
        stream.summary.flags |= flags;
        stream.summary.details = Some("via_upstream".to_owned());
        if let Some(route) = self.current_route() {
            let edits = &route.response_edits;
            header_edit::apply(edits, &mut head, &stream.request, &stream.connection);
        }
        drop(stream);
        self.encode(head, Body::Upstream)
    }

    fn reply_with(&mut self, reply: LocalReply, flags: u64) -> Step {
        self.stream.borrow_mut().summary.flags |= flags;
        self.reply(reply)
    }

    /// Local replies take the way of all responses.
    fn reply(&mut self, reply: LocalReply) -> Step {
        let (head, body) = reply.into_answer(&mut self.stream.borrow_mut().summary);
        self.encode(head, Body::Local(body))
    }

    fn encode(&mut self, mut head: Headers, body: Body) -> Step {
        let mut stream = self.stream.borrow_mut();
        if let (Some(header), Some(served)) =
            (&self.engine.config.session_header, stream.summary.endpoint)
        {
            session::tell(&mut head, header, stream.summary.asked, served);
        }
        let count = head.len();
        stream.response = head;
        stream.phase = Phase::Response;
        stream.continued = false;
        let failed = stream.failed;
        drop(stream);
        let Some((vm, id)) = self.filter.clone() else {
            return self.answer(body);
        };
        if failed {
            return self.after_response(Err(Trapped), body);
        }
        let end = matches!(&body, Body::Local(bytes) if bytes.is_empty());
        let action = vm.borrow_mut().on_response_headers(id, count, end);
        self.after_response(action, body)
    }

    fn after_response(&mut self, action: Result<Action, Trapped>, body: Body) -> Step {
        let mut stream = self.stream.borrow_mut();
        let held = !stream.continued && action == Ok(Action::Pause);
        let reply = if stream.failed || action.is_err() {
            Some(LocalReply::plugin_failed())
        } else {
            stream.local_reply.take()
        };
        if let Some(reply) = reply {
            let (head, body) = reply.into_answer(&mut stream.summary);
            stream.response = head;
            drop(stream);
            return self.answer(Body::Local(body));
        }
        drop(stream);
        if held {
            self.state = State::ResponseHeld(body);
            return Step::Paused;
        }
        self.answer(body)
    }

    fn answer(&mut self, body: Body) -> Step {
        let mut stream = self.stream.borrow_mut();
        stream.phase = Phase::Log;
        stream.summary.status = stream.response.status().unwrap_or_default();
        self.state = State::Over;
        let head = stream.response.clone();
        Step::Answer(Answer { head, body })
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
