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
use crate::discovery::Knowledge;
use crate::edit::{Edit, Headers, Name, Reply, all};
use crate::endpoints::{ClusterTable, EndpointTable};
use crate::policy::Policy;
use crate::redirect;
use crate::route::{self, Answer, Forward, Location, Reason};
use edits::{add_first, decode, forward_edits, not_found, strip};
use std::sync::Arc;

/// What a decision may ask about the world, each asked only where a location needs it.
pub struct Facts<'f> {
    /// Seconds since 1970, UTC.
    pub now: &'f dyn Fn() -> u64,
    /// Random bits, new at every call.
    pub random: &'f dyn Fn() -> u64,
    /// A property of the stream by Envoy's path, such as `["source", "address"]`, in
    /// Envoy's encoding; `None` where the host has none.
    pub property: &'f dyn Fn(&[&str]) -> Option<Vec<u8>>,
    /// How far the endpoint table may be trusted for this request; asked only where its
    /// cookie names nobody in the table.
    pub knowledge: &'f dyn Fn() -> Knowledge,
}

/// The head of a response, read only as far as a decision needs.
pub struct ResponseHead<'f> {
    /// The first value of a header.
    pub header: &'f dyn Fn(&str) -> Option<Vec<u8>>,
    /// Every header, in order.
    pub headers: &'f dyn Fn() -> &'f Headers<'f>,
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
    count: Option<Count>,
    rewrite: Option<String>,
    served_elsewhere: bool,
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

impl Stream {
    /// Decides about a request. `headers` with pseudo-headers, as received.
    pub fn on_request<'p>(
        &mut self,
        policy: &'p Policy,
        endpoints: &EndpointTable,
        headers: &Headers,
        facts: &Facts,
    ) -> Step<'p> {
        self.decision = (policy.report != Report::Off).then(Box::default);
        match route::answer(policy, headers, facts) {
            Answer::Forward(forward) => {
                let to = forward.path.as_deref();
                self.rewrite = to.and_then(|to| rewrite_log::line(forward.location, headers, to));
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
                    self.rewrite = rewrite_log::line(location, headers, to);
                }
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
        }
    }

    /// Decides about a response, or about the local reply in its place.
    pub fn on_response<'p>(
        &mut self,
        policy: &'p Policy,
        endpoints: &EndpointTable,
        head: &ResponseHead<'p>,
        facts: &Facts,
    ) -> Vec<Edit<'p>> {
        if self.replied {
            return Vec::new();
        }
        // The session filter names the endpoint that served where it is another than the one
        // asked for: pod addresses never leak.
        let elsewhere = (head.header)(&policy.headers.endpoint);
        let mut edits = Vec::new();
        if elsewhere.is_some() {
            edits.push(Edit::Remove(Name::from(&policy.headers.endpoint)));
        }
        let Some(forwarded) = self.forwarded.take() else {
            return edits;
        };
        self.served_elsewhere = forwarded.pinned && elsewhere.is_some();
        if forwarded.location.translates_response() {
            edits.extend(redirect::on_response(
                &forwarded.location,
                (head.headers)(),
                facts,
            ));
        }
        let set_cookie = self.close(policy, endpoints, &forwarded, elsewhere, head, facts);
        if let Some(value) = set_cookie {
            add_first(value, &mut edits, head);
        }
        edits
    }

    /// The record of the decision so far, as JSON; `None` where none is asked for.
    #[must_use]
    pub fn decision(&self) -> Option<String> {
        self.decision.as_ref().map(|decision| decision.to_json())
    }

    /// Whether another endpoint answered than the one that was asked for: it may be gone, and
    /// the endpoint table is to be looked after.
    #[must_use]
    pub fn served_elsewhere(&self) -> bool {
        self.served_elsewhere
    }

    /// What is to be logged of a rewrite, once; `None` unless `enable-rewrite-log` asks for it.
    pub fn take_rewrite(&mut self) -> Option<String> {
        self.rewrite.take()
    }

    /// What the last step counts, once.
    pub fn take_count(&mut self) -> Option<Count> {
        self.count.take()
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

    /// What the response means for the session: the Set-Cookie to add, if any.
    fn close(
        &mut self,
        policy: &Policy,
        endpoints: &EndpointTable,
        forwarded: &Forwarded,
        elsewhere: Option<Vec<u8>>,
        head: &ResponseHead,
        facts: &Facts,
    ) -> Option<Vec<u8>> {
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
            self.count = Some(Count::FilterMissing);
            self.note(Why::FilterMissing);
            return None;
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
        self.count = (closed.state != State::None).then_some(Count::Session(closed.state));
        self.note_closed(&closed, &served);
        closed.set_cookie
    }

    fn reply(&mut self, outcome: Outcome, reply: Reply) -> Step<'static> {
        self.replied = true;
        self.count = match outcome {
            Outcome::Redirect => Some(Count::Redirect),
            Outcome::NotFound => Some(Count::NotFound),
            _ => None,
        };
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
