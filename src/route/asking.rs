//! Asks an authorizer whether a request may come in.
//!
//! Source: the authentication location of `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx
//! dbb11b92d; `ngx_http_auth_request_handler`, nginx 1.27.1.

use super::Reason;
use crate::access;
use crate::authorizer::{Admitted, Answer, Authorizer, Question};
use crate::edit::{Edit, FieldValue, Name, Reply, all};
use crate::policy::Policy;
use crate::redirect;
use crate::rewrite::variable::Scope;

/// What an answer means.
pub(super) enum Verdict {
    /// The request may come in.
    Admitted(Admitted),
    /// It may not.
    Refused(Reply, Reason),
}

/// What is not handed on: what is of the connection, of Envoy, or written anew by whoever stands
/// before limpet.
const NOT_HANDED_ON: [&str; 20] = [
    "host",
    "connection",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
    "expect",
    "content-length",
    "x-request-id",
    "x-original-url",
    "x-original-method",
    "x-sent-from",
    "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-scheme",
    "x-auth-request-redirect",
];

/// What it is asked about a request.
pub(super) fn question(asked: &Authorizer, policy: &Policy, scope: &Scope) -> Question {
    let method = if asked.method.is_empty() {
        "GET"
    } else {
        &asked.method
    };
    let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: &str, value: Vec<u8>| {
        let value = FieldValue::received(value).into_owned();
        headers.push((name.to_owned(), value));
    };
    add(":method", method.into());
    let path = asked.path.value(scope);
    // No space ends a path here.
    let path = path.iter().flat_map(|byte| match byte {
        b' ' => b"%20".as_slice(),
        byte => std::slice::from_ref(byte),
    });
    add(":path", path.copied().collect());
    add(":authority", asked.host.clone().into_bytes());
    for (name, template) in &asked.sent {
        let value = template.value(scope);
        if !value.is_empty() {
            add(name, value);
        }
    }
    let client = access::address(scope.headers, scope.facts, policy.real_ip.as_ref());
    if let Some(client) = client {
        let client = client.to_string().into_bytes();
        add("x-real-ip", client.clone());
        add("x-forwarded-for", client);
    }
    let own = |name: &str| asked.sent.iter().any(|(own, _)| *own == name);
    for (name, value) in scope.headers {
        let Ok(name) = std::str::from_utf8(name) else {
            continue;
        };
        let is_internal = name.starts_with([':']) || name.starts_with("x-limpet-");
        let is_envoys = name.starts_with("x-envoy-") || name.starts_with("x-original-forwarded-");
        if !is_internal && !is_envoys && !NOT_HANDED_ON.contains(&name) && !own(name) {
            add(name, value.to_vec());
        }
    }
    // What the client said, before it was written anew.
    if let Some(host) = all(scope.headers, "x-original-forwarded-host").next() {
        add("x-forwarded-host", host.to_vec());
    }
    Question {
        cluster: asked.cluster.clone(),
        headers,
    }
}

/// What its answer means.
pub(super) fn verdict(
    asked: &Authorizer,
    policy: &Policy,
    answer: &Answer,
    scope: &Scope,
) -> Verdict {
    let cookie = answer.cookie();
    let always = asked.always_set_cookie;
    if (200..300).contains(&answer.status) {
        let edits = asked.response_headers.iter();
        return Verdict::Admitted(Admitted {
            edits: edits.map(|name| told(name, answer)).collect(),
            cookie,
            always,
        });
    }
    let (mut reply, reason) = match (answer.status, &asked.signin) {
        (401, Some(signin)) => {
            let url = signin.filled(scope);
            let reply = redirect::to(policy, 302, url, scope, false);
            (
                reply.unwrap_or_else(|| redirect::plain(401)),
                Reason::SignIn,
            )
        }
        (401, None) => {
            let mut reply = redirect::plain(401);
            let asks = answer.values(|name| name == "www-authenticate");
            reply.headers.extend(asks.into_iter().map(|value| {
                let value = FieldValue::received(value.to_vec());
                (Name::Borrowed("www-authenticate"), value)
            }));
            (reply, Reason::Unauthorized)
        }
        (403, _) => (redirect::plain(403), Reason::Unauthorized),
        _ => (redirect::plain(500), Reason::NoAuthorizer),
    };
    if let Some(cookie) = cookie.filter(|_| always || reply.status == 302) {
        let value = FieldValue::received(cookie);
        reply.headers.push((Name::Borrowed("set-cookie"), value));
    }
    Verdict::Refused(reply, reason)
}

/// What pods are told under `name`: all that the authorizer said, or nothing, whatever the client said.
/// nginx takes `-` and `_` for the same.
fn told(name: &str, answer: &Answer) -> Edit<'static> {
    let folded = |name: &str| name.replace('-', "_");
    let wanted = folded(name);
    let values = answer.values(|other| folded(other) == wanted);
    let value = values.join(&b", "[..]);
    let name = Name::Owned(name.to_owned());
    if value.is_empty() {
        Edit::Remove(name)
    } else {
        Edit::Set(name, FieldValue::received(value))
    }
}
