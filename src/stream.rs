//! One request, from its head to the head of its response: what to edit, what to remember.

mod edits;
mod record;
mod rewrite_log;
#[cfg(test)]
mod tests;

use crate::affinity::{self, Affinity, CookiePlace, Served, Session, State};
use crate::authorizer::{Admitted, Answer, Question};
use crate::balancer::{self, Candidate};
use crate::body;
use crate::cluster::ClusterId;
use crate::decision::{Decision, Outcome, Why};
use crate::edit::{Edit, FieldValue, Headers, Name, Reply, all, first};
use crate::endpoints::EndpointTable;
use crate::error_pages::{Instead, Page};
use crate::facts::{Facts, Knowledge};
use crate::fields::Answers;
use crate::policy::Policy;
use crate::route::{self, Disposition, Forward, Known, Location, Reason};
use edits::{add_first, decode, forward_edits, not_found, strip};
use std::sync::Arc;

/// The head of a response, read only as far as a decision needs.
pub struct ResponseHead<'f> {
    /// The first value of a header.
    pub header: &'f dyn Fn(&str) -> Option<Vec<u8>>,
    /// Every header, in order.
    pub headers: &'f dyn Fn() -> &'f Headers<'f>,
    /// `ip:port` of who served, where that is another endpoint than the one asked for. `None`: the
    /// session filter says it in a header.
    pub elsewhere: Option<&'f dyn Fn() -> Option<String>>,
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
    /// What stands in its place; `None`: it goes on.
    pub instead: Option<Instead>,
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
    /// It waits for an answer to this; [`Stream::answered`] takes it, and [`Stream::on_request`] is
    /// to be called again then.
    Ask(Question),
    /// It waits for the endpoints; [`Stream::on_request`] is to be called again once
    /// [`Facts::knowledge`] has changed.
    Wait,
}

/// What an operator's counters count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// A session ended as this state says.
    Session(State),
    /// limpet answered with a redirect.
    Redirect,
    /// limpet answered that there is no such location.
    NotFound,
    /// limpet refused it because of `protect`.
    Protected,
    /// The patterns of its host are more work than one request may be.
    TooCostly,
    /// limpet refused it because of the client's address.
    DeniedAddress,
    /// limpet refused it because of its User-Agent or Referer.
    DeniedClient,
    /// Its client sends too many, or has too many under way.
    Limited,
    /// limpet refused it because of the length of its body.
    TooLarge,
    /// limpet refused it for want of a name and its password.
    DeniedPassword,
    /// An authorizer did not let it in.
    DeniedAuthorizer,
    /// limpet refused it because of its client's certificate.
    DeniedCertificate,
    /// Its location is closed, by the configuration or by an annotation that is refused.
    Closed,
    /// nginx refuses such a request of anybody.
    BadRequest,
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
    /// How many bytes of its body may still come; `None`: nobody counts them.
    body: Option<u64>,
    decision: Option<Box<Decision>>,
    /// Who has a page for limpet's own answer is asked.
    asks_for_page: bool,
    /// For when it is decided again.
    known: Known,
    /// The page that stands in place of a response, and what goes with it.
    paging: Option<(Box<Page>, Fields)>,
    /// What `add-headers` says of the answer; `None`: what it says of every answer.
    additions: Option<Answers>,
}

/// What is remembered of a request that went on to a cluster.
#[derive(Debug)]
struct Forwarded {
    location: Arc<Location>,
    cluster: ClusterId,
    is_canary: bool,
    /// `None`: the cluster has no affinity.
    session: Option<Session>,
    /// An endpoint was asked for, by the session or by `upstream-hash-by`.
    pinned: bool,
    https: bool,
    /// Its scheme and host, where `proxy-redirect-from` may write a path.
    origin: Option<Vec<u8>>,
    /// The answer says Strict-Transport-Security.
    hsts: bool,
    /// The Access-Control-Allow-Origin of the answer.
    cors: Option<Vec<u8>>,
    is_deep: bool,
    user_agent: Option<Vec<u8>>,
    /// What the authorizer said of it.
    admitted: Option<Box<Admitted>>,
    /// What stands in place of its answer.
    page: Option<Box<Page>>,
}

impl Forwarded {
    /// Whether it matters who serves it.
    fn asks_who(&self) -> bool {
        self.session.is_some() || self.pinned
    }

    /// Whether the response's whole head is read anyway: one call to the host instead of two. A
    /// session that is about to begin gets its cookie before those of the pod.
    fn reads_all(&self) -> bool {
        self.location.translates_response() || (self.session.is_some() && !self.pinned)
    }
}

type Fields = Vec<(Name<'static>, FieldValue<'static>)>;

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
        self.decision = Decision::new(policy.report).map(Box::new);
        let mut telemetry = Telemetry::default();
        let disposition = route::dispose_knowing(policy, endpoints, headers, facts, &self.known);
        let location = disposition.location();
        self.additions = route::additions(policy, headers, facts, location, &self.known);
        let step = match disposition {
            Disposition::Ask(question) => {
                self.asks_for_page = question.wants_body;
                Step::Ask(question)
            }
            Disposition::Forward(forward) => {
                let to = forward.path.as_deref();
                telemetry.log = to.and_then(|to| rewrite_log::line(forward.location, headers, to));
                self.forward(policy, endpoints, headers, facts, forward)
            }
            Disposition::Reply {
                mut reply,
                location,
                reason,
                paged,
            } => {
                let additions = self.additions(policy);
                // `app-root` is of the host, before any location, and what leads to the sign-in is a
                // location of its own.
                let is_elsewhere = matches!(reason, Reason::AppRoot | Reason::SignIn);
                let of = location.filter(|_| !is_elsewhere);
                reply = add_fields(additions, of, reply, paged.is_some());
                let redirect = (300..400).contains(&reply.status);
                if let (Reason::RewriteRedirect, Some(location)) = (reason, location) {
                    let to = reply.headers.first().map_or(&b""[..], |(_, url)| url);
                    telemetry.log = rewrite_log::line(location, headers, to);
                }
                telemetry.count = match reason {
                    Reason::Address => Some(Count::DeniedAddress),
                    Reason::Client => Some(Count::DeniedClient),
                    Reason::TooLarge | Reason::LargeHead => Some(Count::TooLarge),
                    Reason::TooFast | Reason::TooMany => Some(Count::Limited),
                    Reason::Password => Some(Count::DeniedPassword),
                    Reason::Unauthorized | Reason::SignIn | Reason::NoAuthorizer => {
                        Some(Count::DeniedAuthorizer)
                    }
                    Reason::NoCertificate
                    | Reason::BadCertificate
                    | Reason::OtherName
                    | Reason::NoAuthority
                    | Reason::Misdirected => Some(Count::DeniedCertificate),
                    Reason::AmbiguousPath | Reason::ProtectedPath => Some(Count::Protected),
                    Reason::TooCostly => Some(Count::TooCostly),
                    Reason::Closed | Reason::Denied => Some(Count::Closed),
                    Reason::BadRequest | Reason::NotAllowed => Some(Count::BadRequest),
                    _ => redirect.then_some(Count::Redirect),
                };
                self.note_location(location);
                self.note(Why::Answered(reason));
                self.note_page(paged);
                self.reply(
                    if redirect {
                        Outcome::Redirect
                    } else {
                        Outcome::Reject
                    },
                    reply,
                )
            }
            Disposition::NotFound {
                location,
                unknown,
                headers: told,
                page,
            } => {
                telemetry.count = Some(Count::NotFound);
                self.note_location(location);
                self.note_unknown(unknown);
                let is_page = page.is_some();
                self.note_page(is_page.then_some(404));
                let reply = page.unwrap_or_else(|| {
                    let mut reply = not_found();
                    reply.headers.extend(told);
                    reply
                });
                let additions = self.additions(policy);
                let reply = add_fields(additions, location, reply, is_page);
                self.reply(Outcome::NotFound, reply)
            }
            Disposition::Pass { unknown } => {
                unknown.into_iter().for_each(|it| self.note_unknown(it));
                Step::Forward(strip(policy, headers))
            }
        };
        if matches!(step, Step::Wait | Step::Ask(_)) {
            let telemetry = Telemetry::default();
            return OnRequest { step, telemetry };
        }
        telemetry.record = self.record();
        OnRequest { step, telemetry }
    }

    /// A body follows the head that is about to come.
    pub fn body_follows(&mut self) {
        self.known.has_body = true;
    }

    /// Takes the answer to what was asked.
    pub fn answered(&mut self, answer: Answer) {
        if self.asks_for_page {
            self.known.page = Some(Box::new(answer));
        } else {
            self.known.answer = Some(Box::new(answer));
        }
    }

    /// Whether the response waits for a page.
    #[must_use]
    pub fn is_paging(&self) -> bool {
        self.paging.is_some()
    }

    /// Whether the body of the answer that is due is looked at.
    #[must_use]
    pub fn wants_body(&self) -> bool {
        self.asks_for_page || self.is_paging()
    }

    /// Takes the page that stands in place of the response; `None`: nobody asked for one.
    pub fn page(&mut self, policy: &Policy, answer: Answer) -> Option<Reply> {
        let (page, fields) = self.paging.take()?;
        Some(with(page.reply(answer, &policy.hidden), fields))
    }

    /// Decides about a response, or about the local reply in its place.
    pub fn on_response<'p>(
        &mut self,
        policy: &'p Policy,
        endpoints: &EndpointTable,
        head: &ResponseHead,
        facts: &Facts,
    ) -> OnResponse<'p> {
        let mut decided = OnResponse {
            edits: Vec::new(),
            served_elsewhere: false,
            instead: None,
            telemetry: Telemetry::default(),
        };
        if self.replied {
            return decided;
        }
        let forwarded = self.forwarded.take();
        let elsewhere = match head.elsewhere {
            Some(elsewhere) => forwarded
                .as_ref()
                .filter(|it| it.asks_who())
                .and_then(|_| elsewhere()),
            None => named(policy, forwarded.as_ref(), head, &mut decided.edits),
        };
        let Some(mut forwarded) = forwarded else {
            return decided;
        };
        decided.served_elsewhere = forwarded.pinned && elsewhere.is_some();
        if forwarded.location.translates_response() {
            let origin = forwarded.origin.as_deref();
            let edits = forwarded.location.rules.edits((head.headers)(), origin);
            decided.edits.extend(edits);
        }
        let hidden = policy.hidden.iter();
        decided
            .edits
            .extend(hidden.map(|name| Edit::Remove(name.into())));
        if let Some(value) = policy.hsts.as_deref().filter(|_| forwarded.hsts) {
            let value = FieldValue::new(value.as_bytes());
            decided.edits.push(Edit::Set(route::HSTS, value));
        }
        decided.edits.extend(self.additions(policy).edits());
        if let Some(custom) = &forwarded.location.custom_headers {
            decided.edits.extend(custom.edits());
        }
        if let (Some(cors), Some(allowed)) = (&forwarded.location.cors, &forwarded.cors) {
            let fields = cors.fields(allowed.clone());
            let fields = fields.map(|(name, value)| Edit::Set(name, value));
            decided.edits.extend(fields);
        }
        let closed = self.close(policy, endpoints, &forwarded, elsewhere, head, facts);
        let page = forwarded.page.take();
        let paged = page.and_then(|page| Some((status(&page, head, facts)?, page)));
        let mut session_cookie = None;
        if let Some(closing) = closed {
            decided.telemetry.count = closing.count;
            if let Some(value) = closing.set_cookie {
                session_cookie = paged.is_some().then(|| value.clone());
                add_first(value, &mut decided.edits, head.headers);
            }
        }
        decided.edits.extend(cookie(&forwarded, head));
        if let Some((status, page)) = paged {
            self.note(Why::ErrorPage { status });
            self.replied = true;
            let fields = page_fields(self.additions(policy), session_cookie);
            decided.instead = Some(match page.instead(status) {
                Instead::Reply(reply) => Instead::Reply(with(reply, fields)),
                question => {
                    self.paging = Some((page, fields));
                    question
                }
            });
        }
        decided.telemetry.record = self.record();
        decided
    }

    /// Counts bytes of a request's body; `Some`: that is more than may come.
    pub fn on_body(&mut self, bytes: u64) -> Option<(Reply, Telemetry)> {
        let left = self.body.as_mut()?;
        if let Some(rest) = left.checked_sub(bytes) {
            *left = rest;
            return None;
        }
        self.body = None;
        // What the location tells of itself goes with it as with an answer of a pod.
        let reason = Reason::TooLarge;
        self.note(Why::Answered(reason));
        if let Some(decision) = &mut self.decision {
            decision.outcome = Outcome::Reject;
        }
        let telemetry = Telemetry {
            count: Some(Count::TooLarge),
            log: None,
            record: self.record(),
        };
        let reply = Reply {
            status: 413,
            headers: Vec::new(),
            body: Vec::new(),
        };
        Some((reply, telemetry))
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
        forward: Forward<'p>,
    ) -> Step<'p> {
        let clusters = &policy.clusters;
        let primary = forward.cluster;
        let chosen = if forward.is_fallback {
            Candidate::open(clusters, endpoints, primary, headers)
        } else {
            balancer::choose(clusters, endpoints, primary, headers, facts)
        };
        let Some(mut chosen) = chosen else {
            return Step::Forward(strip(policy, headers));
        };
        if let Some(session) = &mut chosen.session
            && session.wants_refresh()
        {
            match (facts.knowledge)() {
                Knowledge::Coming => return Step::Wait,
                Knowledge::Unavailable => session.leave_unjudged(),
                Knowledge::Current => {}
            }
        }
        self.note_forward(policy, &forward, &chosen);
        let pin = self.pin(&chosen, &forward, facts);
        let (cluster, pinned) = (chosen.cluster, pin.is_some());
        let ingress = &forward.location.ingress;
        let origin = origin(headers, &forward);
        let (path, further) = (forward.path, forward.edits);
        if self.known.has_body {
            self.body = body::allowance(forward.location.body_size, headers);
        }
        let edits = forward_edits(policy, headers, ingress, cluster, pin, path, further);
        let affinity = cluster.affinity.as_ref();
        let reads_user_agent = affinity.is_some_and(Affinity::reads_user_agent);
        self.forwarded = Some(Forwarded {
            location: Arc::clone(forward.location),
            cluster: chosen.id,
            is_canary: chosen.id != primary,
            pinned,
            https: forward.https,
            origin,
            hsts: forward.hsts,
            cors: forward.cors,
            is_deep: forward.is_deep,
            admitted: forward.admitted,
            page: forward.page,
            user_agent: reads_user_agent.then(|| user_agent(headers)).flatten(),
            session: chosen.session,
        });
        Step::Forward(edits)
    }

    /// The endpoint to ask Envoy for: the session's, else the one `upstream-hash-by` names.
    fn pin<'a>(
        &mut self,
        chosen: &'a Candidate,
        forward: &Forward,
        facts: &Facts,
    ) -> Option<&'a str> {
        if let Some(session) = &chosen.session {
            let pin = session.override_host();
            if let Some(record) = self.decision.as_mut().and_then(|d| d.affinity.as_mut()) {
                record.override_host = pin.map(str::to_owned);
            }
            return pin;
        }
        let value = forward.hash_by.as_deref()?;
        let endpoint = balancer::hashed(chosen.cluster, chosen.table, value, facts)?;
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
        named: Option<String>,
        head: &ResponseHead,
        facts: &Facts,
    ) -> Option<Closing> {
        let session = forwarded.session.as_ref()?;
        let cluster = policy.cluster(forwarded.cluster)?;
        let affinity = cluster.affinity.as_ref()?;
        // A pinned answer that names nobody else is the pinned endpoint's: nothing to ask. Where
        // the endpoint that served matters, only a real answer of a pod counts.
        let is_a_pods =
            || forwarded.reads_all() && named.is_some() && is_no_error((head.headers)());
        let local_reply = (named.is_some()
            || !forwarded.pinned
            || affinity.refreshes()
            || session.is_rewritten())
            && !is_a_pods()
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
            sets_cookie: !forwarded.is_deep && forwarded.location.sets_cookie(forwarded.is_canary),
            https: forwarded.https,
            user_agent: forwarded.user_agent.as_deref(),
        };
        let table = || endpoints.get(&cluster.envoy_name).map(Arc::as_ref);
        let closed = affinity::close(affinity, session, &table, &place, &served, facts);
        self.note_closed(&closed, &served);
        Some(Closing {
            count: Some(Count::Session(closed.state)),
            set_cookie: closed.set_cookie,
        })
    }

    fn additions<'a>(&'a self, policy: &'a Policy) -> &'a Answers {
        self.additions.as_ref().unwrap_or(&policy.additions.fixed)
    }

    fn reply(&mut self, outcome: Outcome, reply: Reply) -> Step<'static> {
        self.replied = true;
        if let Some(decision) = &mut self.decision {
            decision.outcome = outcome;
        }
        Step::Reply(reply)
    }
}

/// Whom the session filter names. What it says is taken off: pod addresses never leak.
fn named<'p>(
    policy: &'p Policy,
    forwarded: Option<&Forwarded>,
    head: &ResponseHead,
    edits: &mut Vec<Edit<'p>>,
) -> Option<String> {
    let header = &policy.headers.endpoint;
    let remove = Edit::Remove(header.into());
    let Some(forwarded) = forwarded.filter(|it| it.asks_who()) else {
        // To take it off costs less than to look for it.
        edits.push(remove);
        return None;
    };
    let value = if forwarded.reads_all() {
        first((head.headers)(), header).map(<[u8]>::to_vec)
    } else {
        (head.header)(header)
    };
    edits.extend(value.is_some().then_some(remove));
    decode(&value?)
}

/// What `custom-headers` and `add-headers` say of every answer; a page is not of the location, and
/// what it says itself of these does not count.
fn add_fields(
    additions: &Answers,
    location: Option<&Arc<Location>>,
    mut reply: Reply,
    is_page: bool,
) -> Reply {
    if is_page {
        let mut fields = Fields::new();
        additions.add_to(&mut fields);
        return with(reply, fields);
    }
    let custom = location.and_then(|location| location.custom_headers.as_deref());
    let custom = custom.filter(|_| location.is_some_and(|location| !location.denied));
    for fields in custom.into_iter().chain([additions]) {
        fields.add_to(&mut reply.headers);
    }
    reply
}

/// Whether a proxy gives no such answer in place of a pod's, whatever failed: to gRPC it says so in a
/// 200.
fn is_no_error(headers: &Headers) -> bool {
    let status = first(headers, ":status");
    let is_good = matches!(status, Some([b'1'..=b'3', _, _]));
    is_good && first(headers, "grpc-status").is_none()
}

/// The status of an answer that a page stands in place of.
fn status(page: &Page, head: &ResponseHead, facts: &Facts) -> Option<u16> {
    let status = (head.header)(":status")?;
    let status = std::str::from_utf8(&status).ok()?.parse().ok()?;
    if page.pages.covers(status, true) {
        return Some(status);
    }
    let is_own = || {
        let details = (facts.property)(&["response", "code_details"]);
        details.as_deref() != Some(b"via_upstream")
    };
    (page.pages.covers(status, false) && is_own()).then_some(status)
}

/// What goes with a page: what goes with every answer, and the session that the pod began. What is
/// of the location is not of its pages: CORS, `custom-headers`, Strict-Transport-Security.
fn page_fields(additions: &Answers, session_cookie: Option<Vec<u8>>) -> Fields {
    let mut fields = Fields::new();
    if let Some(value) = session_cookie {
        fields.push(("set-cookie".into(), FieldValue::new(value)));
    }
    additions.add_to(&mut fields);
    fields
}

/// What is told goes before what the page says, and in its place where it is the same field.
fn with(mut reply: Reply, fields: Fields) -> Reply {
    let is_told = |name: &Name| *name != "set-cookie" && fields.iter().any(|(own, _)| own == name);
    reply.headers.retain(|(name, _)| !is_told(name));
    reply.headers.splice(0..0, fields);
    reply
}

/// The authorizer's cookie, behind those of the pod: with every answer, or with those alone that
/// `add_header` takes for good.
fn cookie(forwarded: &Forwarded, head: &ResponseHead) -> Option<Edit<'static>> {
    const GOOD: [&[u8]; 10] = [
        b"200", b"201", b"204", b"206", b"301", b"302", b"303", b"304", b"307", b"308",
    ];
    let admitted = forwarded.admitted.as_ref()?;
    let cookie = admitted.cookie.clone()?;
    let is_good = || {
        let status = (head.header)(":status").unwrap_or_default();
        GOOD.contains(&&status[..])
    };
    let goes = admitted.always || is_good();
    goes.then(|| Edit::Add("set-cookie".into(), FieldValue::received(cookie)))
}

/// Scheme and host, where an answer may need them.
fn origin(headers: &Headers, forward: &Forward) -> Option<Vec<u8>> {
    if !forward.location.rules.redirects() {
        return None;
    }
    let host = route::host_of(headers)?;
    let scheme: &[u8] = if forward.https {
        b"https://"
    } else {
        b"http://"
    };
    Some([scheme, &*host].concat())
}

/// What `$http_user_agent` is: several fields are joined.
fn user_agent(headers: &Headers) -> Option<Vec<u8>> {
    let fields: Vec<&[u8]> = all(headers, "user-agent").collect();
    (!fields.is_empty()).then(|| fields.join(&b", "[..]))
}
