//! One request through the engine: carries out its steps.

use super::config::AccessRecord;
use super::context::{Context, Counted};
use super::pool::{Connection as Upstream, SendError};
use super::request_body::RequestBody;
use super::response_body::{Ending, Log, ResponseBody};
use super::target::RawTarget;
use super::{message, upgrade};
use crate::connection::Connection;
use crate::engine::{Answer, Attempt, Attempted, Body, Exchange, Step};
use crate::headers::Headers;
use crate::summary::Summary;
use http::{Request, Response};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use std::future::poll_fn;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

/// The request on its way, and what has come back so far.
struct Forward {
    context: Rc<Context>,
    exchange: Exchange,
    body: Option<RequestBody>,
    upgrade: Option<OnUpgrade>,
    /// The response of the last attempt.
    response: Option<(Response<Incoming>, Upstream)>,
}

/// The response for the downstream. `target` is told when the request has been read whole.
pub(super) async fn run(
    context: Rc<Context>,
    connection: Connection,
    head: Headers,
    mut request: Request<Incoming>,
    target: RawTarget,
) -> Response<ResponseBody> {
    let log = access_log(&context, &connection, &head);
    let upgrade = message::is_upgrade(request.headers());
    let upgrade = upgrade.then(|| hyper::upgrade::on(&mut request));
    let body = request.into_body();
    let end_of_stream = body.is_end_stream() && upgrade.is_none();
    let (exchange, mut step) = context
        .engine
        .request(head, connection, end_of_stream, None);
    let body = if body.is_end_stream() {
        RequestBody::whole(Vec::new())
    } else {
        let patience = context.config.idle_timeout;
        RequestBody::streamed(body, target, exchange.body_watch(), patience)
    };
    let mut forward = Forward {
        context,
        exchange,
        body: Some(body),
        upgrade,
        response: None,
    };
    loop {
        step = match step {
            Step::Paused => {
                poll_fn(|cx| forward.exchange.poll_resumed(cx)).await;
                forward.exchange.resume()
            }
            Step::Attempt(attempt) => {
                let attempted = forward.attempt(attempt).await;
                forward.exchange.respond(attempted)
            }
            Step::Answer(answer) => return forward.answer(answer, log),
        };
    }
}

impl Forward {
    async fn attempt(&mut self, attempt: Attempt) -> Attempted {
        self.response = None;
        let body = self
            .body
            .take()
            .unwrap_or_else(|| RequestBody::whole(Vec::new()));
        let is_empty = body.is_end_stream();
        let Some(request) = message::to_upstream(&attempt.head, body) else {
            return Attempted::Reset; // a module has written what HTTP/1.1 cannot carry
        };
        let pool = Rc::clone(&self.context.pool);
        let sending = pool.send(attempt.endpoint, request);
        let sent = match attempt.timeout {
            Some(limit) => tokio::time::timeout(limit, sending).await,
            None => Ok(sending.await),
        };
        let failure = match sent {
            Ok(Err(SendError::Connect(words, unsent))) => {
                self.body = Some(unsent.http.into_body());
                return Attempted::ConnectFailed(words);
            }
            Ok(Ok((response, connection))) => {
                let (parts, body) = response.into_parts();
                let head = message::response_head(&parts);
                self.response = Some((Response::from_parts(parts, body), connection));
                Attempted::Response(head)
            }
            Ok(Err(SendError::Reset)) => Attempted::Reset,
            Err(_) => Attempted::TimedOut,
        };
        if !is_empty {
            self.exchange.forbid_retries();
        }
        failure
    }

    fn answer(self, answer: Answer, log: Option<Log>) -> Response<ResponseBody> {
        let Self {
            context,
            exchange,
            upgrade,
            response,
            ..
        } = self;
        let ending = Ending { exchange, log };
        match (answer.body, response) {
            (Body::Upstream, Some((mut upstream, connection))) => {
                if let Some(downstream) = upgrade
                    && upstream.status() == http::StatusCode::SWITCHING_PROTOCOLS
                {
                    let upstream = hyper::upgrade::on(&mut upstream);
                    let counted = Counted::new(Rc::clone(&context));
                    let patience = context.config.idle_timeout;
                    upgrade::join(downstream, upstream, patience, counted, ending);
                    return respond(&answer.head, ResponseBody::local(Vec::new(), None));
                }
                let body = upstream.into_body();
                let body = ResponseBody::upstream(body, connection, &context.pool, ending);
                respond(&answer.head, body)
            }
            (Body::Local(bytes), _) => {
                respond(&answer.head, ResponseBody::local(bytes, Some(ending)))
            }
            (Body::Upstream, None) => {
                respond(&answer.head, ResponseBody::local(Vec::new(), Some(ending)))
            }
        }
    }
}

fn respond(head: &Headers, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    message::write_head(&mut response, head);
    response
}

/// What will be logged at the end, as far as it is known at the beginning.
fn access_log(context: &Rc<Context>, connection: &Connection, head: &Headers) -> Option<Log> {
    let log = context.config.access_log.clone()?;
    let text = |name| String::from_utf8_lossy(head.first(name).unwrap_or_default()).into_owned();
    let started = Instant::now();
    let mut record = AccessRecord {
        time: SystemTime::now(),
        duration: Duration::ZERO,
        source: connection.source,
        method: text(":method"),
        authority: text(":authority"),
        path: text(":path"),
        summary: Summary::default(),
        properties: std::collections::HashMap::new(),
    };
    let context = Rc::clone(context);
    Some(Box::new(move |exchange| {
        record.duration = started.elapsed();
        record.summary = exchange.summary();
        for name in &context.config.log_properties {
            if let Some(value) = exchange.property(name) {
                record.properties.insert(name.clone(), value);
            }
        }
        log(&record);
    }))
}
