//! One request: its heads go in, edits come out.

use super::host::{self, Calls, HostError};
use super::shared::{Paused, Resume, Shared};
use crate::authorizer::{Answer, Question};
use crate::edit::{Edit, Reply};
use crate::error_pages::Instead;
use crate::facts::Facts;
use crate::pairs;
use crate::plugin::Host;
use crate::plugin::counters::{self, UnderWay};
use crate::plugin::metric::Metric;
use crate::policy::Policy;
use crate::stream::{Count, ResponseHead, Step, Stream, Telemetry};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel, MapType};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// The HTTP context. The root context may have to go on with what is in it.
pub(super) struct HttpStream(Rc<RefCell<Exchange>>);

/// A request and its response.
struct Exchange {
    context: u32,
    shared: Rc<Shared>,
    /// The configuration it began with, whatever comes later; `None` before configure.
    policy: Option<Arc<Policy>>,
    stream: Stream,
    /// When it was first asked how far the endpoints may be trusted, µs since 1970.
    arrived: Cell<Option<u64>>,
    /// It counts until it ends.
    under_way: Cell<Option<UnderWay>>,
    /// Itself, as one that waits.
    this: Paused,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(it) = self.under_way.take() {
            counters::end(&Calls, &it);
        }
    }
}

impl HttpStream {
    pub(super) fn new(context: u32, shared: Rc<Shared>) -> Self {
        let policy = shared.plugin.borrow_mut().serve();
        Self(Rc::new_cyclic(|this: &Weak<RefCell<Exchange>>| {
            let this = Weak::clone(this);
            RefCell::new(Exchange {
                context,
                shared,
                policy,
                stream: Stream::default(),
                arrived: Cell::new(None),
                under_way: Cell::new(None),
                this,
            })
        }))
    }
}

impl Resume for RefCell<Exchange> {
    fn resume(&self) {
        self.borrow_mut().resume();
    }
}

impl Context for HttpStream {
    fn on_http_call_response(&mut self, _: u32, headers: usize, body: usize, _: usize) {
        self.0.borrow_mut().on_answer(headers, body);
    }
}

impl HttpContext for HttpStream {
    fn on_http_request_headers(&mut self, _: usize, is_end: bool) -> Action {
        let mut exchange = self.0.borrow_mut();
        if !is_end {
            exchange.stream.body_follows();
        }
        exchange.on_request()
    }

    fn on_http_request_body(&mut self, size: usize, _: bool) -> Action {
        self.0.borrow_mut().on_body(size)
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        let action = self.0.borrow_mut().on_response();
        #[cfg(feature = "fault")]
        self.0.borrow().shared.answered();
        action
    }
}

impl Exchange {
    fn on_request(&mut self) -> Action {
        #[cfg(feature = "fault")]
        self.shared.fault();
        let inbound = self.shared.plugin.borrow_mut().inbound(&Calls);
        if let Some(effects) = inbound {
            self.shared.carry_out(effects);
            return Action::Continue;
        }
        let Some(policy) = self.policy.clone() else {
            return Action::Continue;
        };
        match self.decide(&policy) {
            Step::Wait => {
                let arrived = self.arrived.get().unwrap_or_default();
                let this = Weak::clone(&self.this);
                let mut plugin = self.shared.plugin.borrow_mut();
                let effects = plugin.wait(this, arrived, connection());
                drop(plugin);
                self.shared.carry_out(effects);
                Action::Pause
            }
            Step::Reply(reply) => match host::reply(&reply) {
                Ok(()) => Action::Pause,
                // Better answered by an endpoint than by nobody.
                Err(error) => {
                    self.shared.refused(error);
                    Action::Continue
                }
            },
            Step::Forward(edits) => {
                self.apply(MapType::HttpRequestHeaders, &edits);
                Action::Continue
            }
            // Without an answer it is refused at once.
            Step::Ask(question) => {
                if self.ask(&question) {
                    return Action::Pause;
                }
                self.stream.answered(Answer::default());
                self.on_request()
            }
        }
    }

    fn ask(&self, question: &Question) -> bool {
        host::ask(question, self.shared.root.get(), self.context)
    }

    /// Who was asked answered, or will not.
    fn on_answer(&mut self, headers: usize, body: usize) {
        let (root, stream) = (self.shared.root.get(), self.context);
        let body = if self.stream.wants_body() { body } else { 0 };
        let answer = host::answer(headers, body, root, stream);
        if !self.stream.is_paging() {
            self.stream.answered(answer);
            return self.go_on(false);
        }
        if !self.page(answer) {
            // Envoy always lets go on what it has paused.
            let _ = hostcalls::resume_http_response();
        }
    }

    /// Puts a page in place of the response; `false`: that goes on.
    fn page(&mut self, answer: Answer) -> bool {
        let page = self.policy.clone();
        let page = page.and_then(|policy| self.stream.page(&policy, answer));
        page.is_some_and(|page| self.replace(&page))
    }

    fn replace(&self, reply: &Reply) -> bool {
        let replaced = host::reply(reply);
        replaced.map_err(|error| self.shared.refused(error)).is_ok()
    }

    /// Every piece of a body that comes goes on at once.
    fn on_body(&mut self, size: usize) -> Action {
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        let Some((reply, telemetry)) = self.stream.on_body(size) else {
            return Action::Continue;
        };
        self.report(telemetry);
        match host::reply(&reply) {
            Ok(()) => Action::Pause,
            Err(error) => {
                self.shared.refused(error);
                Action::Continue
            }
        }
    }

    /// Goes on with a paused request, from a callback of the root context.
    fn resume(&mut self) {
        // Envoy knows it no more: there is nobody to go on.
        if hostcalls::set_effective_context(self.context).is_err() {
            return;
        }
        self.go_on(true);
    }

    /// The same, where it is the stream whose callback this is. `again`: it waited for endpoints.
    fn go_on(&mut self, again: bool) {
        let Some(policy) = self.policy.clone() else {
            return;
        };
        match self.decide(&policy) {
            Step::Wait => {
                let arrived = self.arrived.get().unwrap_or_default();
                let this = Weak::clone(&self.this);
                let mut plugin = self.shared.plugin.borrow_mut();
                let effects = if again {
                    plugin.wait_on(this, arrived, connection())
                } else {
                    plugin.wait(this, arrived, connection())
                };
                drop(plugin);
                return self.shared.carry_out(effects);
            }
            Step::Ask(question) => {
                if self.ask(&question) {
                    return;
                }
                self.stream.answered(Answer::default());
                return self.go_on(again);
            }
            Step::Reply(reply) => match host::reply(&reply) {
                Ok(()) => return,
                Err(error) => self.shared.refused(error),
            },
            Step::Forward(edits) => self.apply(MapType::HttpRequestHeaders, &edits),
        }
        // Envoy always lets go on what it has paused.
        let _ = hostcalls::resume_http_request();
    }

    fn decide<'p>(&mut self, policy: &'p Policy) -> Step<'p> {
        let head = match host::headers(MapType::HttpRequestHeaders) {
            Ok(head) => head,
            Err(error) => {
                self.shared.refused(error);
                return Step::Forward(Vec::new());
            }
        };
        let plugin = self.shared.plugin.borrow();
        let Some(endpoints) = plugin.endpoints() else {
            return Step::Forward(Vec::new());
        };
        let knowledge = || {
            let now = Calls.now_us();
            let arrived = self.arrived.get().unwrap_or(now);
            self.arrived.set(Some(arrived));
            plugin.knowledge(now, arrived, connection)
        };
        let facts = Facts {
            knowledge: &knowledge,
            count: &|demand| {
                let (verdict, it) = counters::count(&Calls, demand);
                self.under_way.set(it);
                verdict
            },
            ..FACTS
        };
        let headers = pairs::decode(&head);
        let decided = self.stream.on_request(policy, endpoints, &headers, &facts);
        drop(plugin);
        self.report(decided.telemetry);
        decided.step
    }

    fn on_response(&mut self) -> Action {
        let Some(policy) = self.policy.clone() else {
            return Action::Continue;
        };
        let failed = Cell::new(None);
        let of = MapType::HttpResponseHeaders;
        let header = |name: &str| noted(&failed, host::header(of, name));
        let (bytes, fields) = (OnceCell::new(), OnceCell::new());
        let all = || noted(&failed, host::headers(of).map(Some)).unwrap_or_default();
        let headers = || fields.get_or_init(|| pairs::decode(bytes.get_or_init(all)));
        let head = ResponseHead {
            header: &header,
            headers: &|| headers(),
            elsewhere: None,
        };
        let plugin = self.shared.plugin.borrow();
        let Some(endpoints) = plugin.endpoints() else {
            return Action::Continue;
        };
        let decided = self.stream.on_response(&policy, endpoints, &head, &FACTS);
        drop(plugin);
        if let Some(error) = failed.take() {
            self.shared.refused(error);
        }
        self.apply(of, &decided.edits);
        self.report(decided.telemetry);
        if decided.served_elsewhere {
            let effects = self.shared.plugin.borrow_mut().doubt(&Calls);
            self.shared.carry_out(effects);
        }
        let is_replaced = match decided.instead {
            None => false,
            Some(Instead::Reply(reply)) => self.replace(&reply),
            Some(Instead::Ask(question)) => self.ask(&question) || self.page(Answer::default()),
        };
        if is_replaced {
            Action::Pause
        } else {
            Action::Continue
        }
    }

    /// Counts what is to be counted, and shows the decision where one is recorded.
    fn report(&self, telemetry: Telemetry) {
        if let Some(count) = telemetry.count {
            self.shared.metrics.get().count(Metric::of(count));
        }
        if telemetry.count == Some(Count::FilterMissing) {
            let effects = self.shared.plugin.borrow_mut().filter_missing(&Calls);
            self.shared.carry_out(effects);
        }
        if let Some(line) = telemetry.log {
            host::log(LogLevel::Info, &format!("limpet: {line}"));
        }
        if let Some(record) = telemetry.record
            && let Err(error) = host::set_property("limpet_decision", record.as_bytes())
        {
            self.shared.refused(error);
        }
    }

    /// Applies edits in order. One that fails costs itself: the message goes on.
    fn apply(&self, head: MapType, edits: &[Edit]) {
        for edit in edits {
            let done = match edit {
                Edit::Set(name, value) => host::set_header(head, name, value),
                Edit::Add(name, value) => host::add_header(head, name, value),
                Edit::Remove(name) => host::remove_header(head, name),
            };
            if let Err(error) = done {
                self.shared.refused(error);
            }
        }
    }
}

/// Whose connection it is: the client's address with its port.
fn connection() -> Vec<u8> {
    Calls.property(&["source", "address"]).unwrap_or_default()
}

/// Those of a response: what it means was settled when its request was decided.
const FACTS: Facts<'static> = Facts {
    now: &|| Calls.now_ns() / 1_000_000_000,
    random: &host::random,
    property: &|path| Calls.property(path),
    ..Facts::NONE
};

/// Keeps the error of a call for later: closures cannot report.
fn noted<T>(failed: &Cell<Option<HostError>>, result: host::Result<Option<T>>) -> Option<T> {
    result.unwrap_or_else(|error| {
        failed.set(Some(error));
        None
    })
}
