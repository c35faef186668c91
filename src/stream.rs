//! One request, from its head to the head of its response: what to edit, what to remember.

mod edits;
mod record;
mod rewrite_log;
#[cfg(test)]
mod tests;

use crate::affinity::{self, Affinity, CookiePlace, Served, Session, State};
use crate::canary;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Report;
use crate::decision::{Decision, Outcome, Why};
use crate::edit::{Edit, Headers, Name, Reply, all};
use crate::endpoints::{ClusterTable, EndpointTable};
use crate::facts::{Facts, Knowledge};
use crate::policy::Policy;
use crate::redirect;
use crate::route::{self, Answer, Forward, Location, Reason};
use edits::{add_first, decode, forward_edits, not_found, strip};
use std::sync::Arc;

/// The head of a response, read only as far as a decision needs.
pub struct ResponseHead<'f> {
    /// The first value of a header.
    pub header: &'f dyn Fn(&str) -> Option<Vec<u8>>,
    /// Every header, in order.
    pub headers: &'f dyn Fn() -> &'f Headers<'f>,
}

/// What is decided about the head of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct OnRequest<'p> {
    /// What is to happen to it now.
    pub step: Step<'p>,
    /// Nothing while it waits.
    pub telemetry: Telemetry,
}

/// What is decided about the head of a response.
#[derive(Debug, PartialEq, Eq)]
pub struct OnResponse<'p> {
    /// The edits of its head; often none.
    pub edits: Vec<Edit<'p>>,
    /// Another endpoint answered than the one that was asked for: it may be gone, and the
    /// endpoint table is to be looked after.
    pub served_elsewhere: bool,
    /// With the whole record so far.
    pub telemetry: Telemetry,
}

/// What an operator is told of a decision.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Telemetry {
    /// What it adds to the counters.
    pub count: Option<Count>,
    /// A line for the log; `enable-rewrite-log` asks for it.
    pub log: Option<String>,
    /// The record of the decision so far, as JSON; `None` where none is asked for.
    pub record: Option<String>,
}

/// What is to happen to a request now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'p> {
    /// It goes on, with these edits of its head; often none.
    Forward(Vec<Edit<'p>>),
    /// It is answered here.
    Reply(Reply),
    /// It waits for the endpoints; [`Stream::on_request`] is to be called again once
    /// [`Facts::knowledge`] has changed.
    Wait,
}

/// What an operator's counters count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// A session ended as this state says; never [`State::None`].
    Session(State),
    /// limpet answered with a redirect.
    Redirect,
    /// limpet answered that there is no such location.
    NotFound,
    /// An endpoint answered an unpinned request, and the session filter did not say which: it
    /// is missing, or in the wrong place of the chain.
    FilterMissing,
}

/// One request from head to head. Its own memory: request headers cannot be read any more
/// when the response comes.
#[derive(Debug, Default)]
pub struct Stream {
    forwarded: Option<Forwarded>,
    /// limpet answered: the response that comes by is its own.
    replied: bool,
    decision: Option<Box<Decision>>,
}

/// What is remembered of a request that went on to a cluster.
#[derive(Debug)]
struct Forwarded {
    location: Arc<Location>,
    cluster: ClusterId,
    /// `None`: the cluster has no affinity.
    session: Option<Session>,
    /// An endpoint was asked for, by the session or by `upstream-hash-by`.
    pinned: bool,
    https: bool,
    user_agent: Option<Vec<u8>>,
    /// The response may start a session: the location says so, and the endpoints were known.
    sets_cookie: bool,
}

/// What a response means for its session.
struct Closing {
    count: Option<Count>,
    /// The value of the Set-Cookie to add.
    set_cookie: Option<Vec<u8>>,
}

impl Stream {
    /// Decides about a request. `headers` with pseudo-headers, as received.
    pub fn on_request<'p>(
        &mut self,
        policy: &'p Policy,
        endpoints: &EndpointTable,
        headers: &Headers,
        facts: &Facts,
    ) -> OnRequest<'p> {
        self.decision = (policy.report != Report::Off).then(Box::default);
        let mut telemetry = Telemetry::default();
        let step = match route::answer(policy, headers, facts) {
            Answer::Forward(forward) => {
                let to = forward.path.as_deref();
                telemetry.log = to.and_then(|to| rewrite_log::line(forward.location, headers, to));
                self.forward(policy, endpoints, headers, facts, forward)
            }
            Answer::Reply {
                reply,
                location,
                reason,
            } => {
                let redirect = (300..400).contains(&reply.status);
                if let (Reason::RewriteRedirect, Some(location)) = (reason, location) {
                    let to = reply.headers.first().map_or(&b""[..], |(_, url)| url);
                    telemetry.log = rewrite_log::line(location, headers, to);
                }
                telemetry.count = redirect.then_some(Count::Redirect);
                self.note_location(location);
                self.note(Why::Answered(reason));
                self.reply(
                    if redirect {
                        Outcome::Redirect
                    } else {
                        Outcome::Reject
                    },
                    reply,
                )
            }
            Answer::NotFound { location } => {
                telemetry.count = Some(Count::NotFound);
                self.note_location(location);
                self.note(if location.is_some() {
                    Why::UnknownPath
                } else {
                    Why::UnknownHost
                });
                self.reply(Outcome::NotFound, not_found())
            }
            Answer::Pass => {
                self.note(Why::UnknownHost);
                Step::Forward(strip(policy, headers))
            }
        };
        if step == Step::Wait {
            let telemetry = Telemetry::default();
            return OnRequest { step, telemetry };
        }
        telemetry.record = self.record();
        OnRequest { step, telemetry }
    }

    /// Decides about a response, or about the local reply in its place.
    pub fn on_response<'p>(
        &mut self,
        policy: &'p Policy,
        endpoints: &EndpointTable,
        head: &ResponseHead<'p>,
        facts: &Facts,
    ) -> OnResponse<'p> {
        let mut decided = OnResponse {
            edits: Vec::new(),
            served_elsewhere: false,
            telemetry: Telemetry::default(),
        };
        if self.replied {
            return decided;
        }
        // The session filter names the endpoint that served where it is another than the one
        // asked for: pod addresses never leak.
        let elsewhere = (head.header)(&policy.headers.endpoint);
        if elsewhere.is_some() {
            let header = Name::from(&policy.headers.endpoint);
            decided.edits.push(Edit::Remove(header));
        }
        let Some(forwarded) = self.forwarded.take() else {
            return decided;
        };
        decided.served_elsewhere = forwarded.pinned && elsewhere.is_some();
        if forwarded.location.translates_response() {
            decided.edits.extend(redirect::on_response(
                &forwarded.location,
                (head.headers)(),
                facts,
            ));
        }
        let closed = self.close(policy, endpoints, &forwarded, elsewhere, head, facts);
        if let Some(closing) = closed {
            decided.telemetry.count = closing.count;
            if let Some(value) = closing.set_cookie {
                add_first(value, &mut decided.edits, head);
            }
        }
        decided.telemetry.record = self.record();
        decided
    }

    fn record(&self) -> Option<String> {
        self.decision.as_ref().map(|decision| decision.to_json())
    }

    fn forward<'p>(
        &mut self,
        policy: &'p Policy,
        endpoints: &EndpointTable,
        headers: &Headers,
        facts: &Facts,
        mut forward: Forward<'p>,
    ) -> Step<'p> {
        let id = match fallback(policy, endpoints, &forward) {
            Some(fallback) => {
                let further = route::fallback::edits(forward.location, headers);
                forward.edits.extend(further);
                forward.cluster = fallback;
                fallback
            }
            None => canary::choose(policy, endpoints, forward.cluster, headers, facts),
        };
        let Some(cluster) = policy.cluster(id) else {
            return Step::Forward(strip(policy, headers));
        };
        let table = endpoints.get(&cluster.envoy_name).map(Arc::as_ref);
        let session = cluster
            .affinity
            .as_ref()
            .map(|_| affinity::open(cluster, table, headers));
        let mut endpoints_unknown = false;
        if session.as_ref().is_some_and(Session::wants_refresh) {
            match (facts.knowledge)() {
                Knowledge::Coming => return Step::Wait,
                Knowledge::Unavailable => endpoints_unknown = true,
                Knowledge::Current => {}
            }
        }
        self.note_forward(policy, &forward, id, session.as_ref(), endpoints_unknown);
        let pin = self.pin(cluster, table, session.as_ref(), &forward, facts);
        let edits = forward_edits(policy, headers, cluster, pin, forward.path, forward.edits);
        let sets_cookie = match id == forward.cluster {
            true => forward.location.sets_cookie,
            false => forward.location.canary_sets_cookie,
        };
        let reads_user_agent = cluster
            .affinity
            .as_ref()
            .is_some_and(Affinity::reads_user_agent);
        self.forwarded = Some(Forwarded {
            location: Arc::clone(forward.location),
            cluster: id,
            pinned: pin.is_some(),
            https: forward.https,
            user_agent: reads_user_agent.then(|| user_agent(headers)).flatten(),
            sets_cookie: sets_cookie && !endpoints_unknown,
            session,
        });
        Step::Forward(edits)
    }

    /// The endpoint to ask Envoy for: the session's, else the one `upstream-hash-by` names.
    fn pin<'a>(
        &mut self,
        cluster: &Cluster,
        table: Option<&'a ClusterTable>,
        session: Option<&'a Session>,
        forward: &Forward,
        facts: &Facts,
    ) -> Option<&'a str> {
        if let Some(session) = session {
            let pin = session.override_host();
            if let Some(record) = self.decision.as_mut().and_then(|d| d.affinity.as_mut()) {
                record.override_host = pin.map(str::to_owned);
            }
            return pin;
        }
        let value = forward.hash_by.as_deref()?;
        let endpoint = affinity::hashed(cluster, table, value, facts)?;
        self.note(Why::HashBy {
            endpoint: endpoint.to_owned(),
        });
        Some(endpoint)
    }

    /// What the response means for the session; `None`: there is none.
    fn close(
        &mut self,
        policy: &Policy,
        endpoints: &EndpointTable,
        forwarded: &Forwarded,
        elsewhere: Option<Vec<u8>>,
        head: &ResponseHead,
        facts: &Facts,
    ) -> Option<Closing> {
        let session = forwarded.session.as_ref()?;
        let cluster = policy.cluster(forwarded.cluster)?;
        let affinity = cluster.affinity.as_ref()?;
        let named = elsewhere.and_then(|value| decode(&value));
        // A pinned answer that names nobody else is the pinned endpoint's: nothing to ask. Where
        // the endpoint that served matters, only a real answer of a pod counts.
        let local_reply = (named.is_some()
            || !forwarded.pinned
            || affinity.refreshes()
            || session.is_rewritten())
            && (facts.property)(&["response", "code_details"]).as_deref() != Some(b"via_upstream");
        if !forwarded.pinned && named.is_none() && !local_reply {
            self.note(Why::FilterMissing);
            return Some(Closing {
                count: Some(Count::FilterMissing),
                set_cookie: None,
            });
        }
        let reads_response = affinity.reads_response() && !local_reply;
        let response = if reads_response {
            (head.headers)()
        } else {
            &[]
        };
        let served = Served {
            address: named.as_deref().or(session.override_host()),
            elsewhere: forwarded.pinned && named.is_some(),
            local_reply,
            response,
        };
        let place = CookiePlace {
            location_path: &forwarded.location.path,
            sets_cookie: forwarded.sets_cookie,
            https: forwarded.https,
            user_agent: forwarded.user_agent.as_deref(),
        };
        let table = endpoints.get(&cluster.envoy_name).map(Arc::as_ref);
        let closed = affinity::close(session, cluster, table, &place, &served, facts);
        self.note_closed(&closed, &served);
        Some(Closing {
            count: (closed.state != State::None).then_some(Count::Session(closed.state)),
            set_cookie: closed.set_cookie,
        })
    }

    fn reply(&mut self, outcome: Outcome, reply: Reply) -> Step<'static> {
        self.replied = true;
        if let Some(decision) = &mut self.decision {
            decision.outcome = outcome;
        }
        Step::Reply(reply)
    }
}

/// What `$http_user_agent` is: several fields are joined.
fn user_agent(headers: &Headers) -> Option<Vec<u8>> {
    let fields: Vec<&[u8]> = all(headers, "user-agent").collect();
    (!fields.is_empty()).then(|| fields.join(&b", "[..]))
}

/// The cluster of `default-backend`, where the location's own is known to have no endpoint.
fn fallback(policy: &Policy, endpoints: &EndpointTable, forward: &Forward) -> Option<ClusterId> {
    let fallback = forward.location.fallback?;
    let own = policy.cluster(forward.cluster)?;
    let table = endpoints.get(&own.envoy_name)?;
    table.endpoints().is_empty().then_some(fallback)
}
