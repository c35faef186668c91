//! Asks an authorizer whether a request may come in.
//!
//! Source: the authentication location of `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx
//! dbb11b92d; `ngx_http_auth_request_handler`, nginx 1.27.1.

use super::Reason;
use super::host::VirtualHost;
use super::location::Backend;
use super::lookup::Found;
use super::pattern::Work;
use crate::access;
use crate::authorizer::{Admitted, Answer, Authorizer, Question};
use crate::edit::{Edit, FieldValue, Name, Reply, all, first};
use crate::fields::BUILT_IN;
use crate::policy::Policy;
use crate::redirect;
use crate::rewrite::variable::Scope;
use std::cell::OnceCell;

/// What an answer means.
pub(super) enum Verdict {
    /// The request may come in.
    Admitted(Admitted),
    /// It may not.
    Refused(Reply, Reason),
}

/// What is not handed on: what is of the connection, of Envoy, or written anew by whoever stands
/// before limpet.
const NOT_HANDED_ON: [&str; 15] = [
    "host",
    "connection",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
    "expect",
    "content-length",
    "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-scheme",
];

/// What the client sent beside those, for whoever is asked about its request. `own`: what is set
/// anew.
pub(super) fn handed_on(
    policy: &Policy,
    scope: &Scope,
    own: impl Fn(&str) -> bool,
) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for (name, value) in scope.headers {
        let Ok(name) = std::str::from_utf8(name) else {
            continue;
        };
        let is_internal = name.starts_with([':']) || name.starts_with("x-limpet-");
        let is_envoys = name.starts_with("x-envoy-") || name.starts_with("x-original-forwarded-");
        let is_free = !NOT_HANDED_ON.contains(&name) && !policy.drops(name.as_bytes());
        if !is_internal && !is_envoys && is_free && !own(name) {
            out.push((name.to_owned(), value.to_vec()));
        }
    }
    // What the client said, before it was written anew.
    let said = all(scope.headers, "x-original-forwarded-host").next();
    if let Some(host) = said.filter(|_| !own("x-forwarded-host")) {
        out.push(("x-forwarded-host".to_owned(), host.to_vec()));
    }
    // A proxy in front that is believed said it, where it is not what Envoy writes.
    let said = [
        ("x-forwarded-proto", scope.scheme()),
        ("x-forwarded-port", scope.port()),
    ];
    let said = said.into_iter().filter(|_| policy.use_forwarded_headers);
    for (name, written) in said.filter(|(name, _)| !own(name)) {
        let value = first(scope.headers, name);
        if let Some(value) = value.filter(|value| *value != written.as_bytes()) {
            out.push((name.to_owned(), value.to_vec()));
        }
    }
    out
}

/// No space ends a path here.
pub(super) fn without_spaces(path: &[u8]) -> Vec<u8> {
    let path = path.iter().flat_map(|byte| match byte {
        b' ' => b"%20".as_slice(),
        byte => std::slice::from_ref(byte),
    });
    path.copied().collect()
}

/// The field by which a question is known, and its value.
const SENT_FROM: (&str, &[u8]) = ("x-sent-from", b"nginx-ingress-controller");

/// What it is asked about a request; `None`: nobody can be asked. The request is one to `host`.
pub(super) fn question(
    asked: &Authorizer,
    policy: &Policy,
    host: &VirtualHost,
    scope: &Scope,
) -> Option<Question> {
    // A host whose own rule asks it would be asked for ever.
    let is_question = |(name, value)| first(scope.headers, name) == Some(value);
    if is_question(SENT_FROM) {
        return None;
    }
    let path = asked.path.value(scope);
    let named = asked.host.as_ref().map(String::as_bytes);
    // A host that is named is asked where that name leads, whatever a client calls this one.
    let own = || serving(policy, host, &path, scope);
    let own = named.is_none().then(own).flatten();
    let cluster = own.or(asked.cluster.as_deref())?;
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
    add(":path", without_spaces(&path));
    add(":authority", named.unwrap_or(&scope.host).to_vec());
    for (name, template) in &asked.sent {
        let value = template.value(scope);
        if !value.is_empty() {
            add(name, value);
        }
    }
    let (client, forwarded) = access::told(scope.headers, scope.facts, policy.real_ip.as_ref());
    // Envoy appends itself to X-Forwarded-For.
    let full = forwarded.clone().filter(|_| forwarded != client);
    let told = [
        ("x-real-ip", client),
        ("x-forwarded-for", forwarded),
        ("x-limpet-forwarded-for", full),
    ];
    for (name, value) in told {
        if let Some(value) = value {
            add(name, value);
        }
    }
    for (name, value) in asked.set.values(scope) {
        if !scope.work.copies(&value) {
            return None;
        }
        add(name, value);
    }
    for (name, value) in scope.client.told() {
        if let Some(value) = value {
            add(name, value.into_owned());
        }
    }
    let own = |name: &str| {
        let is_sent = asked.sent.iter().any(|(own, _)| *own == name);
        // Pods are told so before (`proxy-add-original-uri-header`), and the authorizer is not.
        let is_for_pods =
            name == "x-original-uri" && first(scope.headers, name) == Some(&*scope.raw);
        let is_left_out = name == "x-forwarded-proto" || is_for_pods;
        is_sent || is_left_out || asked.set.has(name) || scope.client.is_lie(name)
    };
    for (name, value) in handed_on(policy, scope, own) {
        add(&name, value);
    }
    Some(Question {
        cluster: cluster.to_owned(),
        headers,
        wants_body: false,
    })
}

/// Envoy's name of the cluster that serves `path` on the request's own host to everybody; `None`:
/// somebody would be asked first, or the path would become another one.
fn serving<'p>(
    policy: &'p Policy,
    host: &'p VirtualHost,
    path: &[u8],
    scope: &Scope,
) -> Option<&'p str> {
    let uri = path.split(|byte| *byte == b'?').next()?;
    let is_plain = |pair: &[u8]| !matches!(pair, b"//" | b"/.") && !pair.contains(&b'%');
    if !uri.starts_with(b"/") || !uri.windows(2).all(is_plain) {
        return None;
    }
    let location = match host.find(uri, &OnceCell::new()) {
        Found::Location(location) => location,
        Found::TooCostly => {
            scope.work.spend();
            return None;
        }
        Found::MissingSlash(_) | Found::Nothing => return None,
    };
    let asks = location.access.is_some() || location.basic.is_some() || policy.blocked.is_some();
    let is_other = location.rewrite.is_some() || location.redirect.is_some();
    let is_shut = location.closed || location.denied || location.authorizer.is_some();
    let Backend::Cluster(id) = location.backend else {
        return None;
    };
    let cluster = policy
        .cluster(id)
        .filter(|_| !asks && !is_other && !is_shut)?;
    Some(&cluster.envoy_name)
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
        return Verdict::Admitted(Admitted {
            edits: edits(asked, answer, scope.work),
            cookie,
            always,
        });
    }
    let (mut reply, reason) = match answer.status {
        401 => {
            let (mut reply, reason) = match sign_in(Some(asked), policy, scope) {
                Some(reply) => (reply, Reason::SignIn),
                None => (redirect::plain(401), Reason::Unauthorized),
            };
            let asks = answer.values(|name| name == CHALLENGE);
            reply.headers.extend(asks.into_iter().map(|value| {
                let value = FieldValue::received(value.to_vec());
                (Name::Borrowed(CHALLENGE), value)
            }));
            (reply, reason)
        }
        403 => (redirect::plain(403), Reason::Unauthorized),
        _ => (redirect::plain(500), Reason::NoAuthorizer),
    };
    if let Some(cookie) = cookie.filter(|_| always || reply.status == 302) {
        let value = FieldValue::received(cookie);
        reply.headers.push((Name::Borrowed("set-cookie"), value));
    }
    Verdict::Refused(reply, reason)
}

/// What follows where another rule lets somebody in, and it is not asked: what pods are told by it is
/// not the client's to say.
pub(super) fn unasked(asked: Option<&Authorizer>) -> Option<Admitted> {
    let nothing = Answer::default();
    let names = asked?.response_headers.iter();
    let edits: Vec<_> = names.filter_map(|name| told(name, &nothing)).collect();
    (!edits.is_empty()).then(|| Admitted {
        edits,
        ..Admitted::default()
    })
}

/// As far as the work of the request goes: what two spellings of a name say is copied for each.
fn edits(asked: &Authorizer, answer: &Answer, work: &Work) -> Vec<Edit<'static>> {
    let names = asked.response_headers.iter();
    let edits = names.filter_map(|name| told(name, answer));
    let is_affordable = |edit: &Edit| match edit {
        Edit::Set(_, value) => work.copies(value),
        _ => true,
    };
    edits.take_while(is_affordable).collect()
}

/// What a client is asked its name with.
pub(super) const CHALLENGE: &str = "www-authenticate";

/// Where `auth-signin` leads whoever would be answered 401, by whatever rule; `None`: nowhere.
pub(super) fn sign_in(asked: Option<&Authorizer>, policy: &Policy, scope: &Scope) -> Option<Reply> {
    let url = asked?.signin.as_ref()?.filled(scope);
    if url.text.is_empty() {
        return Some(redirect::found(302, Vec::new()));
    }
    redirect::to(policy, 302, url, scope, false)
}

/// What pods are told under `name`: all that the authorizer said, or nothing, whatever the client said.
/// nginx takes `-` and `_` for the same. What ingress-nginx says itself by that name stays.
fn told(name: &str, answer: &Answer) -> Option<Edit<'static>> {
    let folded = |name: &str| name.replace('-', "_");
    let wanted = folded(name);
    let values = answer.values(|other| folded(other) == wanted);
    let value = values.join(&b", "[..]);
    let is_built_in = BUILT_IN.contains(&&*name.replace('_', "-"));
    let name = Name::Owned(name.to_owned());
    if !value.is_empty() {
        return Some(Edit::Set(name, FieldValue::received(value)));
    }
    (!is_built_in).then_some(Edit::Remove(name))
}
