//! One request, from its head to the head of its response: what to edit, what to remember.

use crate::affinity::{self, Affinity, CookiePlace, Served, Session, State};
use crate::canary;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Report;
use crate::decision::{AffinityRecord, Decision, Outcome, Why, latin1};
use crate::discovery::Knowledge;
use crate::edit::{Edit, Headers, Name, Reply, first};
use crate::endpoints::{ClusterTable, EndpointTable};
use crate::policy::Policy;
use crate::redirect;
use crate::route::{self, Answer, Forward, Location};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
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
    pub headers: &'f dyn Fn() -> Vec<(String, Vec<u8>)>,
}

/// What is to happen to a request now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes on, with these edits of its head; often none.
    Forward(Vec<Edit>),
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
    /// The endpoints were not known in time: the response must not start a session.
    endpoints_unknown: bool,
}

impl Stream {
    /// Decides about a request. `headers` with pseudo-headers, as received.
    pub fn on_request(
        &mut self,
        policy: &Policy,
        endpoints: &EndpointTable,
        headers: &Headers,
        facts: &Facts,
    ) -> Step {
        self.decision = (policy.report != Report::Off).then(Box::default);
        match route::answer(policy, headers, facts) {
            Answer::Forward(forward) => self.forward(policy, endpoints, headers, facts, forward),
            Answer::Reply {
                reply,
                location,
                reason,
            } => {
                let redirect = (300..400).contains(&reply.status);
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
    pub fn on_response(
        &mut self,
        policy: &Policy,
        endpoints: &EndpointTable,
        head: &ResponseHead,
        facts: &Facts,
    ) -> Vec<Edit> {
        if self.replied {
            return Vec::new();
        }
        // The session filter names the endpoint that served where it is another than the one
        // asked for: pod addresses never leak.
        let elsewhere = (head.header)(&policy.headers.endpoint);
        let mut edits = Vec::new();
        if elsewhere.is_some() {
            edits.push(Edit::Remove(policy.headers.endpoint.clone().into()));
        }
        let Some(forwarded) = self.forwarded.take() else {
            return edits;
        };
        if forwarded.location.translates_response() {
            edits.extend(redirect::on_response(
                &forwarded.location,
                &(head.headers)(),
                facts,
            ));
        }
        let set_cookie = self.close(policy, endpoints, &forwarded, elsewhere, head, facts);
        edits.extend(set_cookie.map(|value| Edit::Add("set-cookie".into(), value)));
        edits
    }

    /// The record of the decision so far, as JSON; `None` where none is asked for.
    #[must_use]
    pub fn decision(&self) -> Option<String> {
        self.decision.as_ref().map(|decision| decision.to_json())
    }

    /// What the last step counts, once.
    pub fn take_count(&mut self) -> Option<Count> {
        self.count.take()
    }

    fn forward(
        &mut self,
        policy: &Policy,
        endpoints: &EndpointTable,
        headers: &Headers,
        facts: &Facts,
        forward: Forward,
    ) -> Step {
        let id = canary::choose(policy, endpoints, forward.cluster, headers, facts);
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
        let reads_user_agent = cluster
            .affinity
            .as_ref()
            .is_some_and(Affinity::reads_user_agent);
        self.forwarded = Some(Forwarded {
            location: Arc::clone(forward.location),
            cluster: id,
            pinned: pin.is_some(),
            https: forward.https,
            user_agent: first(headers, "user-agent")
                .filter(|_| reads_user_agent)
                .map(<[u8]>::to_vec),
            endpoints_unknown,
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
            Vec::new()
        };
        let served = Served {
            address: named.as_deref().or(session.override_host()),
            elsewhere: forwarded.pinned && named.is_some(),
            local_reply,
            response: &response,
        };
        let place = CookiePlace {
            location_path: &forwarded.location.path,
            sets_cookie: forwarded.location.sets_cookie && !forwarded.endpoints_unknown,
            https: forwarded.https,
            user_agent: forwarded.user_agent.as_deref(),
        };
        let table = endpoints.get(&cluster.envoy_name).map(Arc::as_ref);
        let closed = affinity::close(session, cluster, table, &place, &served, facts);
        self.count = (closed.state != State::None).then_some(Count::Session(closed.state));
        self.note_closed(&closed, &served);
        closed.set_cookie
    }

    fn reply(&mut self, outcome: Outcome, reply: Reply) -> Step {
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

/// What the record says of each step; nothing where there is none.
impl Stream {
    fn note(&mut self, why: Why) {
        if let Some(decision) = &mut self.decision {
            decision.why.push(why);
        }
    }

    fn note_location(&mut self, location: Option<&Arc<Location>>) {
        if let (Some(decision), Some(location)) = (&mut self.decision, location) {
            decision.ingress = Some(location.ingress.clone()).filter(|name| !name.is_empty());
            decision.location = Some(location.path.clone());
            decision.why.push(Why::Location {
                ingress: location.ingress.clone(),
                path: location.path.clone(),
            });
        }
    }

    fn note_forward(
        &mut self,
        policy: &Policy,
        forward: &Forward,
        chosen: ClusterId,
        session: Option<&Session>,
        endpoints_unknown: bool,
    ) {
        if self.decision.is_none() {
            return;
        }
        self.note_location(Some(forward.location));
        let upstream_name = |id| policy.cluster(id).map(|c| c.upstream_name.clone());
        if let (true, Some(primary), Some(canary)) = (
            chosen != forward.cluster,
            upstream_name(forward.cluster),
            upstream_name(chosen),
        ) {
            self.note(Why::Canary { primary, canary });
        }
        if let Some(path) = &forward.path {
            self.note(Why::Rewritten { to: latin1(path) });
        }
        if let Some(session) = session {
            self.note(match session.override_host() {
                Some(endpoint) => Why::Cookie {
                    endpoint: endpoint.to_owned(),
                },
                None if endpoints_unknown => Why::EndpointsUnknown,
                None if session.has_cookie() => Why::NobodyNamed,
                None => Why::Balanced,
            });
        }
        let affinity = policy.cluster(chosen).and_then(|c| c.affinity.as_ref());
        if let Some(decision) = &mut self.decision {
            decision.outcome = Outcome::Forward;
            decision.cluster = upstream_name(chosen);
            decision.affinity = affinity.map(|affinity| AffinityRecord {
                cookie: affinity.cookie_name().to_owned(),
                state: State::None,
                override_host: None,
            });
        }
    }

    fn note_closed(&mut self, closed: &affinity::Closed, served: &Served) {
        let Some(decision) = &mut self.decision else {
            return;
        };
        if let Some(record) = &mut decision.affinity {
            record.state = closed.state;
        }
        let endpoint = served.address.unwrap_or_default().to_owned();
        if served.local_reply {
            decision.why.push(Why::LocalReply);
        } else if served.elsewhere {
            decision.why.push(Why::Elsewhere {
                endpoint: endpoint.clone(),
            });
        }
        if closed.set_cookie.is_some() {
            decision.why.push(Why::Minted { endpoint });
        }
    }
}

/// The edits that send a request to `cluster`: limpet's own headers are set, never added, so
/// that a downstream's are replaced, or removed where it sent some.
fn forward_edits(
    policy: &Policy,
    headers: &Headers,
    cluster: &Cluster,
    pin: Option<&str>,
    path: Option<Vec<u8>>,
    further: Vec<Edit>,
) -> Vec<Edit> {
    let names = &policy.headers;
    let mut edits = Vec::with_capacity(further.len().saturating_add(3));
    edits.push(Edit::Set(
        names.cluster.clone().into(),
        cluster.envoy_name.clone().into_bytes(),
    ));
    match pin {
        Some(endpoint) => {
            let value = BASE64.encode(endpoint).into_bytes();
            edits.push(Edit::Set(names.endpoint.clone().into(), value));
        }
        None => edits.extend(remove_if_present(headers, &names.endpoint)),
    }
    edits.extend(path.map(|path| Edit::Set(":path".into(), path)));
    edits.extend(further);
    edits
}

/// Takes limpet's own headers off a request that it has no interest in. One that carries none
/// is not touched: every edit clears Envoy's route cache.
fn strip(policy: &Policy, headers: &Headers) -> Vec<Edit> {
    let names = [&policy.headers.cluster, &policy.headers.endpoint];
    names
        .into_iter()
        .filter_map(|name| remove_if_present(headers, name))
        .collect()
}

fn remove_if_present(headers: &Headers, name: &str) -> Option<Edit> {
    first(headers, name).map(|_| Edit::Remove(Name::Owned(name.to_owned())))
}

/// `ip:port` from the session filter's header; `None` if it is not of its making.
fn decode(value: &[u8]) -> Option<String> {
    let bytes = BASE64.decode(value).ok()?;
    String::from_utf8(bytes).ok()
}

fn not_found() -> Reply {
    Reply {
        status: 404,
        headers: vec![("content-type".into(), b"text/plain".to_vec())],
        body: b"no location for this host and path\n".to_vec(),
    }
}
