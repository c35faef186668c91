//! One request and its response: their heads go in, edits come out.

use crate::abi::{self, Attribute, Filter, Head, LogLevel};
use crate::config::Config;
use crate::host::{Process, now_ns};
use crate::pin::Pin;
use limpet::authorizer::{Answer, Question};
use limpet::edit::{Edit, FieldValue, Reply};
use limpet::error_pages::Instead;
use limpet::facts::Facts;
use limpet::plugin::counters::{self, UnderWay};
use limpet::plugin::metric::Metric;
use limpet::stream::{Count, OnResponse, ResponseHead, Step, Stream, Telemetry};
use std::cell::{Cell, OnceCell};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

/// The decision record as filter state: called as Envoy calls that of the wasm module, so that
/// one format of access logs shows both.
const RECORD: &str = "wasm.limpet_decision";

/// What is to happen to a request.
pub(crate) enum Action {
    /// It goes on.
    Continue,
    /// It waits for the endpoints.
    Pause,
    /// It waits for the answer to this, of an authorizer or of who has a page.
    Ask(Question),
    /// It is answered here.
    Reply(Reply),
}

impl Action {
    /// A fault of limpet's own: nobody knows where this request belongs.
    pub(crate) fn fault() -> Self {
        Self::Reply(Exchange::fault())
    }
}

/// A request and its response.
pub(crate) struct Exchange {
    /// The configuration it began with, whatever comes later.
    config: Arc<Config>,
    stream: Stream,
    pin: Pin,
    /// When it was first asked how far the endpoints may be trusted, µs since 1970.
    arrived: Cell<Option<u64>>,
    /// It counts until it ends.
    under_way: Cell<Option<UnderWay>>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(it) = self.under_way.take() {
            counters::end(&Process::default(), &it);
        }
    }
}

impl Exchange {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            stream: Stream::default(),
            pin: Pin::default(),
            arrived: Cell::new(None),
            under_way: Cell::new(None),
        }
    }

    /// What is answered by a fault of limpet's own.
    pub(crate) fn fault() -> Reply {
        Reply {
            status: 500,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn on_request(&mut self, filter: &mut Filter, has_body: bool) -> Action {
        if has_body {
            self.stream.body_follows();
        }
        #[cfg(feature = "fault")]
        assert_ne!(
            filter.header(Head::Request, "x-limpet-fault"),
            Some(&b"trap"[..]),
            "fault asked for by a request"
        );
        self.decide(filter, false)
    }

    /// It was paused, and newer endpoints have come or will not.
    pub(crate) fn on_scheduled(&mut self, filter: &mut Filter) -> Action {
        self.decide(filter, true)
    }

    /// Who was asked answered, or cannot be asked.
    pub(crate) fn on_answer(&mut self, filter: &mut Filter, answer: Answer) -> Action {
        self.stream.answered(answer);
        self.decide(filter, false)
    }

    fn decide(&mut self, filter: &mut Filter, again: bool) -> Action {
        let config = Arc::clone(&self.config);
        let endpoints = config.tables();
        let source = |filter: &Filter| {
            filter
                .attribute(Attribute::SourceAddress)
                .unwrap_or_default()
        };
        let knowledge = || {
            let arrived = self.arrived.get().unwrap_or_else(|| now_ns() / 1000);
            self.arrived.set(Some(arrived));
            config.knowledge(&endpoints, arrived, || source(filter))
        };
        let headers = filter.headers(Head::Request);
        let property = |path: &[&str]| property(filter, path);
        let facts = Facts {
            property: &property,
            knowledge: &knowledge,
            count: &|demand| {
                let (verdict, it) = counters::count(&Process::default(), demand);
                self.under_way.set(it);
                verdict
            },
            ..FACTS
        };
        let policy = config.policy();
        let decided = self.stream.on_request(policy, &endpoints, &headers, &facts);
        self.report(filter, decided.telemetry);
        match decided.step {
            Step::Forward(edits) => {
                self.apply(filter, Head::Request, &edits);
                if !edits.is_empty() {
                    filter.clear_route_cache();
                }
                Action::Continue
            }
            Step::Reply(reply) => Action::Reply(reply),
            Step::Ask(question) => Action::Ask(question),
            Step::Wait => {
                let arrived = self.arrived.get().unwrap_or_default();
                let connection = source(filter);
                config.wait(filter.scheduler(), arrived, connection, again);
                Action::Pause
            }
        }
    }

    /// Every piece of a body that comes goes on at once; `Some`: it is more than may come.
    pub(crate) fn on_body(&mut self, filter: &mut Filter) -> Option<Instead> {
        let size = u64::try_from(filter.body_size()).unwrap_or(u64::MAX);
        let (reply, telemetry) = self.stream.on_body(size)?;
        self.report(filter, telemetry);
        Some(self.told(filter, reply))
    }

    /// The same answer as the location tells it: Envoy does not show a native filter what it says itself.
    fn told(&mut self, filter: &mut Filter, mut reply: Reply) -> Instead {
        let config = Arc::clone(&self.config);
        let endpoints = config.tables();
        let status = reply.status.to_string();
        let fields = vec![(&b":status"[..], status.as_bytes())];
        let head = ResponseHead {
            header: &|field| (field == ":status").then(|| status.clone().into_bytes()),
            headers: &|| &fields,
            elsewhere: Some(&|| None),
        };
        // No pod has answered.
        let facts = Facts {
            property: &|_| None,
            ..FACTS
        };
        let decided = self
            .stream
            .on_response(config.policy(), &endpoints, &head, &facts);
        self.report(filter, decided.telemetry);
        if let Some(instead) = decided.instead {
            return instead;
        }
        for edit in decided.edits.into_iter().map(owned) {
            match edit {
                Edit::Set(name, value) => {
                    reply.headers.retain(|(known, _)| *known != name);
                    reply.headers.push((name, value));
                }
                Edit::Add(name, value) => reply.headers.push((name, value)),
                Edit::Remove(name) => reply.headers.retain(|(known, _)| *known != name),
            }
        }
        Instead::Reply(reply)
    }

    /// A page is there, or will not come; `None`: the response does not wait for one.
    pub(crate) fn on_page(&mut self, answer: Answer) -> Option<Reply> {
        self.stream.page(self.config.policy(), answer)
    }

    /// Whether the body of the answer that is due is looked at.
    pub(crate) fn wants_body(&self) -> bool {
        self.stream.wants_body()
    }

    /// Whether the response waits for a page.
    pub(crate) fn is_paging(&self) -> bool {
        self.stream.is_paging()
    }

    /// `Some`: what stands in place of the response.
    pub(crate) fn on_response(&mut self, filter: &mut Filter) -> Option<Instead> {
        const OF: Head = Head::Response;
        let config = Arc::clone(&self.config);
        let endpoints = config.tables();
        let fields = OnceCell::new();
        let head = ResponseHead {
            header: &|field| filter.header(OF, field).map(<[u8]>::to_vec),
            headers: &|| fields.get_or_init(|| filter.headers(OF)),
            elsewhere: Some(&|| self.pin.elsewhere(filter)),
        };
        let property = |path: &[&str]| property(filter, path);
        let facts = Facts {
            property: &property,
            ..FACTS
        };
        let decided = self
            .stream
            .on_response(config.policy(), &endpoints, &head, &facts);
        let OnResponse {
            edits,
            served_elsewhere,
            instead,
            telemetry,
        } = decided;
        self.apply(filter, OF, &edits);
        self.report(filter, telemetry);
        if served_elsewhere {
            config.doubt();
        }
        instead
    }

    /// Counts what is to be counted, and shows the decision where one is recorded.
    fn report(&self, filter: &mut Filter, telemetry: Telemetry) {
        if let Some(count) = telemetry.count {
            self.config.metrics().count(Metric::of(count));
        }
        if telemetry.count == Some(Count::FilterMissing) {
            self.config.filter_missing();
        }
        if let Some(line) = telemetry.log {
            abi::log(LogLevel::Info, &format!("limpet: {line}"));
        }
        if let Some(record) = telemetry.record
            && !filter.set_filter_state(RECORD, record.as_bytes())
        {
            self.config.refused("set_filter_state_bytes");
        }
    }

    /// Applies edits in order. One that fails costs itself: the message goes on.
    fn apply(&mut self, filter: &mut Filter, head: Head, edits: &[Edit]) {
        for edit in edits {
            let (call, done) = match edit {
                Edit::Set(name, value) if *name == self.config.policy().headers.endpoint => {
                    ("set_upstream_override_host", self.pin.set(filter, value))
                }
                Edit::Set(name, value) => ("set_header", filter.set_header(head, name, value)),
                Edit::Add(name, value) => ("add_header", filter.add_header(head, name, value)),
                Edit::Remove(name) => ("remove_header", filter.remove_header(head, name)),
            };
            if !done {
                self.config.refused(call);
            }
        }
    }
}

/// A reply outlives what it was made of.
fn owned<'e>(edit: Edit) -> Edit<'e> {
    let value = |value: FieldValue| FieldValue::received(value.into_owned());
    match edit {
        Edit::Set(name, of) => Edit::Set(name.into_owned().into(), value(of)),
        Edit::Add(name, of) => Edit::Add(name.into_owned().into(), value(of)),
        Edit::Remove(name) => Edit::Remove(name.into_owned().into()),
    }
}

/// Those of a response: what it means was settled when its request was decided.
const FACTS: Facts<'static> = Facts {
    now: &|| now_ns() / 1_000_000_000,
    // Keyed by the process's own random bits, and another number at every call.
    random: &|| RandomState::new().build_hasher().finish(),
    ..Facts::NONE
};

fn property(filter: &Filter, path: &[&str]) -> Option<Vec<u8>> {
    filter.attribute(match path {
        ["request", "protocol"] => Attribute::RequestProtocol,
        ["response", "code_details"] => Attribute::ResponseCodeDetails,
        ["source", "address"] => Attribute::SourceAddress,
        ["destination", "address"] => Attribute::DestinationAddress,
        ["connection", "tls_version"] => Attribute::ConnectionTlsVersion,
        ["xds", "route_name"] => Attribute::XdsRouteName,
        _ => return None,
    })
}
