//! One request through the engine, the endpoints played by what the request says about them.

use std::net::{Ipv4Addr, SocketAddr};

use host_harness::{
    Answer, Attempt as HostAttempt, Attempted, CallResponse, Connection, Engine, Exchange, Headers,
    PickRequest, Picker, Step,
};

use super::addresses;
use super::{AttemptResult, ByteString, Decision, Explanation, Request, Response, Upstream, why};
use limpet_envoy::filter_chain::{DEFAULT_HOST, RETRIES};

/// How often a request that the module holds is asked whether it may go on.
const PATIENCE: usize = 64;

pub(super) fn answer(engine: &Engine, request: &Request) -> Explanation {
    let head = match head(request) {
        Ok(head) => head,
        Err((status, why)) => return refused(request, status, why),
    };
    let picker = picker(request);
    let (mut exchange, mut step) = engine.request(head, connection(request), true, Some(picker));
    let mut last: Option<HostAttempt> = None;
    let mut answered = false;
    let mut asked = Vec::new();
    let mut patience = PATIENCE;
    let response = loop {
        step = match step {
            Step::Paused if patience == 0 => {
                return refused(request, 400, "the module never let it go");
            }
            Step::Paused => {
                patience -= 1;
                asked.extend(answer_calls(engine, request));
                engine.tick();
                exchange.resume()
            }
            Step::Attempt(attempt) => {
                let attempted = play(request, &attempt);
                answered = matches!(attempted, Attempted::Response(_));
                last = Some(attempt);
                exchange.respond(attempted)
            }
            Step::Answer(answer) => break answer,
        };
    };
    let upstream = last.map(|attempt| upstream(attempt, answered));
    let mut explanation = finish(request, &exchange, upstream, &response);
    explanation.why.extend(asked);
    explanation
}

/// Plays authorizers and error Services; what they are taken to say, in words.
fn answer_calls(engine: &Engine, request: &Request) -> Vec<String> {
    let calls = engine.poll_calls().into_iter();
    let played = calls.map(|call| {
        let first = |name: &str| {
            let value = call.head.first(name).unwrap_or_default();
            String::from_utf8_lossy(value).into_owned()
        };
        // An error Service is told the status; the usual ones answer with it.
        let code = first("x-code");
        let (head, words) = match code.parse() {
            Ok(status) => (
                Headers::with_status(status),
                format!(
                    "the error Service is asked for {}, and taken to answer {status}",
                    first(":path")
                ),
            ),
            Err(_) => {
                let status = request.auth_status.unwrap_or(200);
                let mut head = Headers::with_status(status);
                for (name, value) in &request.auth_headers {
                    head.add(String::from_utf8_lossy(&name.0), value.0.clone());
                }
                let url = format!("{}{}", first(":authority"), first(":path"));
                (
                    head,
                    format!("the authorizer {url} is asked, and taken to answer {status}"),
                )
            }
        };
        let response = CallResponse {
            head,
            ..CallResponse::default()
        };
        engine.answer_call(call.token, Some(response));
        words
    });
    played.collect()
}

/// Header fields between two neighbours alone: no proxy hands them on.
const HOP_BY_HOP: [&str; 3] = ["keep-alive", "te", "expect"];

/// The request head as a codec makes it; `Err`: what a request that is none is answered, and why.
///
/// Source: RFC 9112, 3.2; `ngx_http_parse_request_line` and `ngx_http_process_request_header` of
/// nginx 1.27.1.
fn head(request: &Request) -> Result<Headers, (u16, &'static str)> {
    let or = |given: &Option<ByteString>, default: &str| match given {
        Some(given) => given.0.clone(),
        None => default.into(),
    };
    let (authority, path) = target(request);
    let is_http_10 = request
        .http_version
        .as_ref()
        .is_some_and(|v| v.is("HTTP/1.0"));
    let authority = match authority {
        Some(authority) => authority,
        None if is_http_10 => DEFAULT_HOST.into(),
        None => return Err((400, "HTTP/1.1 without a Host header")),
    };
    let is = |field: &ByteString, name: &str| field.0.eq_ignore_ascii_case(name.as_bytes());
    if request.authority.is_some() && request.headers.iter().any(|(name, _)| is(name, "host")) {
        return Err((400, "more than one Host header"));
    }
    let method = or(&request.method, "GET");
    if method == b"CONNECT" {
        return Err((405, "CONNECT is for forward proxies"));
    }
    if !method
        .iter()
        .all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-'))
    {
        return Err((400, "a method that is not in capital letters"));
    }
    let mut head = Headers::with_capacity(request.headers.len() + 12);
    head.add(":authority", authority);
    head.add(":path", path);
    head.add(":method", method);
    head.add(":scheme", or(&request.scheme, "http"));
    for (name, value) in &request.headers {
        if !HOP_BY_HOP.iter().any(|hop| is(name, hop)) {
            let value = value.0.trim_ascii();
            head.add(String::from_utf8_lossy(&name.0), value.to_vec());
        }
    }
    Ok(head)
}

/// Authority and path; an absolute-form target brings its own authority, which wins (RFC 9112,
/// 3.2.2; Envoy does so).
fn target(request: &Request) -> (Option<Vec<u8>>, Vec<u8>) {
    let host = request
        .authority
        .as_ref()
        .map(|authority| authority.0.clone());
    let target = request.path.0.as_slice();
    let scheme_end = ["http://", "https://"].into_iter().find_map(|scheme| {
        let start = target.get(..scheme.len())?;
        start
            .eq_ignore_ascii_case(scheme.as_bytes())
            .then_some(scheme.len())
    });
    let Some(rest) = scheme_end.and_then(|end| target.get(end..)) else {
        return (host, target.to_vec());
    };
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let (authority, path) = rest
        .split_at_checked(end.unwrap_or(rest.len()))
        .unwrap_or((rest, b""));
    let slash: &[u8] = if path.starts_with(b"/") { b"" } else { b"/" };
    (Some(authority.to_vec()), [slash, path].concat())
}

fn connection(request: &Request) -> Connection {
    let https = request
        .scheme
        .as_ref()
        .is_some_and(|scheme| scheme.is("https"));
    let version = request.http_version.as_ref();
    Connection {
        source: SocketAddr::new(addresses::source(request), 40000),
        destination: SocketAddr::from((Ipv4Addr::LOCALHOST, if https { 443 } else { 80 })),
        tls_version: https.then(|| "TLSv1.3".to_owned()),
        protocol: version.map_or_else(|| "HTTP/1.1".to_owned(), ToString::to_string),
        ..Connection::default()
    }
}

/// Tries go where the request says they went: first `attempts`, then `served_by`.
fn picker(request: &Request) -> Picker {
    let tried: Vec<Option<SocketAddr>> = request
        .attempts
        .iter()
        .map(|attempt| attempt.endpoint.parse().ok())
        .collect();
    let served_by: Option<SocketAddr> = request
        .served_by
        .as_ref()
        .and_then(|address| address.parse().ok());
    Box::new(move |pick: &PickRequest<'_>| {
        let index = usize::try_from(pick.attempt).unwrap_or(1).saturating_sub(1);
        tried.get(index).copied().flatten().or(served_by)
    })
}

/// What the endpoint of this try does.
fn play(request: &Request, attempt: &HostAttempt) -> Attempted {
    let endpoint = attempt.endpoint.to_string();
    let index = usize::try_from(attempt.number)
        .unwrap_or(1)
        .saturating_sub(1);
    // After the tries that are told, an endpoint that failed before fails again.
    let failed = request.attempts.get(index).or_else(|| {
        let again = request
            .attempts
            .iter()
            .find(|failed| failed.endpoint == endpoint);
        again.filter(|_| request.served_by.as_ref() != Some(&endpoint))
    });
    match failed.map(|failed| &failed.status) {
        // A status that is listed as a failed try was tried again, and then nobody downstream sees
        // it: to the module it is as any other try that came to nothing. The last one is seen.
        Some(AttemptResult::Status(status)) if attempt.number > RETRIES => {
            Attempted::Response(Headers::with_status(*status))
        }
        Some(AttemptResult::Word(word)) if word == "reset" => Attempted::Reset,
        Some(AttemptResult::Word(word)) if word == "timeout" => Attempted::TimedOut,
        Some(_) => Attempted::ConnectFailed("Connection refused".to_owned()),
        None => {
            let mut head = Headers::with_status(request.upstream_status.unwrap_or(200));
            for (name, value) in &request.upstream_headers {
                head.add(String::from_utf8_lossy(&name.0), value.0.clone());
            }
            Attempted::Response(head)
        }
    }
}

fn upstream(attempt: HostAttempt, answered: bool) -> Upstream {
    let first = |name: &str| attempt.head.first(name).map(<[u8]>::to_vec);
    Upstream {
        endpoint: answered.then(|| attempt.endpoint.to_string()),
        method: first(":method").unwrap_or_default().into(),
        authority: first(":authority").map(ByteString),
        path: first(":path").unwrap_or_default().into(),
        headers: attempt
            .head
            .fields()
            .iter()
            .filter(|(name, _)| !name.starts_with(':'))
            .map(|(name, value)| (name.as_str().into(), ByteString(value.clone())))
            .collect(),
    }
}

fn finish(
    request: &Request,
    exchange: &Exchange,
    upstream: Option<Upstream>,
    response: &Answer,
) -> Explanation {
    let head = &response.head;
    let response = Response {
        status: head.status(),
        location: head.first("location").map(|value| value.to_vec().into()),
        set_cookie: head
            .all("set-cookie")
            .map(|value| value.to_vec().into())
            .collect(),
    };
    let mut answer = Explanation {
        id: request.id.clone(),
        upstream,
        response,
        ..Explanation::default()
    };
    match exchange.property("limpet_decision") {
        Some(record) => why::read_record(&record, &mut answer),
        None => {
            answer.outcome = Decision::Reject;
            answer
                .why
                .push("the module left no record of its decision".to_owned());
        }
    }
    why::add_what_the_proxy_did(&exchange.summary(), &mut answer);
    answer
}

fn refused(request: &Request, status: u16, reason: &str) -> Explanation {
    Explanation {
        id: request.id.clone(),
        outcome: Decision::Reject,
        response: Response {
            status: Some(status),
            ..Response::default()
        },
        why: vec![format!("refused before the module saw it: {reason}")],
        ..Explanation::default()
    }
}
