//! What a module does on its own: ticks and HTTP calls.

use super::context::Context;
use super::message;
use super::pool::SendError;
use super::request_body::RequestBody;
use crate::cluster::balance::Choice;
use crate::headers::Headers;
use crate::http_call::{CallResponse, HttpCall};
use crate::stream::LocalReply;
use crate::summary::Summary;
use http_body_util::BodyExt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// Runs for as long as the worker does.
pub(super) async fn drive(context: Rc<Context>) {
    let mut last_tick = Instant::now();
    loop {
        for call in context.engine.poll_calls() {
            tokio::task::spawn_local(call_out(Rc::clone(&context), call));
        }
        let news = woken(&context);
        match context.engine.tick_period() {
            None => {
                news.await;
                last_tick = Instant::now();
            }
            Some(period) => {
                let due = last_tick + period;
                if tokio::time::timeout_at(due, news).await.is_err() {
                    last_tick = Instant::now();
                    context.engine.tick();
                }
            }
        }
    }
}

/// Ready at the next wake-up after the one that brought us here.
async fn woken(context: &Context) {
    let mut registered = false;
    poll_fn(|cx| {
        if registered {
            return Poll::Ready(());
        }
        registered = true;
        context.engine.register(cx.waker());
        Poll::Pending
    })
    .await;
}

/// Envoy's default for calls that name no time limit.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

async fn call_out(context: Rc<Context>, call: HttpCall) {
    let token = call.token;
    let limit = Some(call.timeout).filter(|timeout| !timeout.is_zero());
    let sending = request(&context, call);
    let response = tokio::time::timeout(limit.unwrap_or(CALL_TIMEOUT), sending).await;
    context.engine.answer_call(token, response.ok().flatten());
}

/// `None`: no whole response. Where there is no endpoint or no connection, the answer is the
/// proxy's own 503, as in Envoy: calls go through its router too.
async fn request(context: &Context, call: HttpCall) -> Option<CallResponse> {
    let cluster = context.engine.environment().clusters.get(&call.cluster)?;
    let Some(endpoint) = cluster.choose(Choice::default()) else {
        return Some(own_answer(LocalReply::no_healthy_upstream()));
    };
    let request = message::to_upstream(&call.head, RequestBody::whole(call.body))?;
    let (response, connection) = match context.pool.send(endpoint, request).await {
        Ok(answered) => answered,
        Err(SendError::Connect(words, _)) => {
            return Some(own_answer(LocalReply::connect_failed(&words)));
        }
        Err(SendError::Reset) => return Some(own_answer(LocalReply::reset())),
    };
    let (head, body) = response.into_parts();
    let collected = body.collect().await.ok()?;
    let trailers = collected.trailers().map(fields).unwrap_or_default();
    let body = collected.to_bytes().to_vec();
    context.pool.put(connection);
    Some(CallResponse {
        head: message::response_head(&head),
        body,
        trailers,
    })
}

fn own_answer(reply: LocalReply) -> CallResponse {
    let (head, body) = reply.into_answer(&mut Summary::default());
    CallResponse {
        head,
        body,
        trailers: Headers::new(),
    }
}

fn fields(trailers: &http::HeaderMap) -> Headers {
    let pairs = trailers.iter();
    pairs
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect()
}
