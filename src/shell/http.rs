//! One request: its heads go in, edits come out.

use super::Action;
use super::host::{self, Head, HostError, Level};
use super::root::Root;
use crate::edit::Edit;
use crate::facts::{Facts, Knowledge};
use crate::pairs;
use crate::policy::Policy;
use crate::stream::{ResponseHead, Step, Stream, Telemetry};
use std::cell::{Cell, OnceCell};
use std::rc::Rc;

/// The HTTP context.
pub(super) struct HttpStream {
    context: u32,
    /// The context of the plugin it belongs to.
    pub(super) root: u32,
    /// The configuration it began with, whatever comes later.
    policy: Rc<Policy>,
    stream: Stream,
    /// When it was first asked how far the endpoints may be trusted, µs since 1970.
    arrived: Cell<Option<u64>>,
}

impl HttpStream {
    pub(super) fn new(context: u32, root: u32, policy: Rc<Policy>) -> Self {
        Self {
            context,
            root,
            policy,
            stream: Stream::default(),
            arrived: Cell::new(None),
        }
    }

    pub(super) fn on_request(&mut self, root: &mut Root) -> Action {
        #[cfg(feature = "fault")]
        root.fault();
        if root.is_inbound() {
            return Action::Continue;
        }
        let policy = Rc::clone(&self.policy);
        match self.decide(&policy, root) {
            Step::Wait => {
                root.wait(self.context, self.arrived.get());
                Action::Pause
            }
            Step::Reply(reply) => match host::reply(&reply) {
                Ok(()) => Action::Pause,
                // Better answered by an endpoint than by nobody.
                Err(error) => {
                    root.report(error);
                    Action::Continue
                }
            },
            Step::Forward(edits) => {
                apply(Head::Request, &edits, root);
                Action::Continue
            }
        }
    }

    /// Whether a paused request has waited long enough, or for what has come.
    pub(super) fn is_due(&self, root: &Root) -> bool {
        root.knowledge(&self.arrived) != Knowledge::Coming
    }

    /// Goes on with a paused request, from another context's callback, unless it is still to
    /// wait. Says whether it went on.
    pub(super) fn resume(&mut self, root: &mut Root) -> bool {
        let policy = Rc::clone(&self.policy);
        let went_on = match self.decide(&policy, root) {
            Step::Wait => return false,
            Step::Reply(reply) => host::reply(&reply).or_else(|_| host::continue_request()),
            Step::Forward(edits) => {
                apply(Head::Request, &edits, root);
                host::continue_request()
            }
        };
        if let Err(error) = went_on {
            root.report(error);
        }
        true
    }

    fn decide<'p>(&mut self, policy: &'p Policy, root: &mut Root) -> Step<'p> {
        let head = match host::headers(Head::Request) {
            Ok(head) => head,
            Err(error) => {
                root.report(error);
                return Step::Forward(Vec::new());
            }
        };
        let Some(endpoints) = root.endpoints() else {
            return Step::Forward(Vec::new());
        };
        let knowledge = || root.knowledge(&self.arrived);
        let facts = facts(&knowledge);
        let headers = pairs::decode(&head);
        let decided = self.stream.on_request(policy, endpoints, &headers, &facts);
        report(root, decided.telemetry);
        decided.step
    }

    pub(super) fn on_response(&mut self, root: &mut Root) -> Action {
        let failed = Cell::new(None);
        let header = |name: &str| noted(&failed, host::header(Head::Response, name));
        let (bytes, fields) = (OnceCell::new(), OnceCell::new());
        let all = || noted(&failed, host::headers(Head::Response).map(Some)).unwrap_or_default();
        let headers = || fields.get_or_init(|| pairs::decode(bytes.get_or_init(all)));
        let head = ResponseHead {
            header: &header,
            headers: &|| headers(),
        };
        // What the response means was settled when the request was decided.
        let facts = facts(&|| Knowledge::Current);
        let Some(endpoints) = root.endpoints() else {
            return Action::Continue;
        };
        let decided = self
            .stream
            .on_response(&self.policy, endpoints, &head, &facts);
        if let Some(error) = failed.take() {
            root.report(error);
        }
        apply(Head::Response, &decided.edits, root);
        report(root, decided.telemetry);
        if decided.served_elsewhere {
            root.doubt();
        }
        Action::Continue
    }
}

/// Counts what is to be counted, and shows the decision where one is recorded.
fn report(root: &mut Root, telemetry: Telemetry) {
    if let Some(count) = telemetry.count {
        root.count(count);
    }
    if let Some(line) = telemetry.log {
        host::log(Level::Info, &format!("limpet: {line}"));
    }
    if let Some(record) = telemetry.record
        && let Err(error) = host::set_property("limpet_decision", record.as_bytes())
    {
        root.report(error);
    }
}

fn facts<'f>(knowledge: &'f dyn Fn() -> Knowledge) -> Facts<'f> {
    Facts {
        now: &|| host::now_ns() / 1_000_000_000,
        random: &host::random,
        property: &host::property,
        knowledge,
    }
}

/// Keeps the error of a call for later: closures cannot report.
fn noted<T>(failed: &Cell<Option<HostError>>, result: host::Result<Option<T>>) -> Option<T> {
    result.unwrap_or_else(|error| {
        failed.set(Some(error));
        None
    })
}

/// Applies edits in order. One that fails costs itself: the message goes on.
fn apply(head: Head, edits: &[Edit], root: &mut Root) {
    for edit in edits {
        let done = match edit {
            Edit::Set(name, value) => host::set_header(head, name, value),
            Edit::Add(name, value) => host::add_header(head, name, value),
            Edit::Remove(name) => host::remove_header(head, name),
        };
        if let Err(error) = done {
            root.report(error);
        }
    }
}
