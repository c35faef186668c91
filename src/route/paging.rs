//! Pages in place of answers: what is asked for one, and when limpet itself asks.
//!
//! Source: the `CUSTOM_ERRORS` locations of `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx
//! dbb11b92d.

use super::admission::is_blocked;
use super::asking;
use super::disposition::{Disposition, Reason};
use super::fallback::is_empty;
use super::known::Known;
use crate::access;
use crate::authorizer::Question;
use crate::edit::{FieldValue, first};
use crate::endpoints::EndpointTable;
use crate::error_pages::{ErrorPages, Instead, Page};
use crate::policy::Policy;
use crate::redirect;
use crate::rewrite::variable::Scope;
use std::sync::Arc;

/// The same request, with what stands in place of its answer. `known`: also what the Service with the
/// pages answered.
pub(super) fn paged<'p>(
    policy: &'p Policy,
    endpoints: &EndpointTable,
    scope: &Scope,
    mut disposition: Disposition<'p>,
    known: &Known,
) -> Disposition<'p> {
    let location = match &disposition {
        Disposition::Forward(forward) => Some(forward.location),
        Disposition::Reply { location, .. } | Disposition::NotFound { location, .. } => *location,
        Disposition::Ask(_) | Disposition::Pass { .. } => None,
    };
    // `return 403` with a text is no error to `error_page`.
    let is_text = matches!(
        disposition,
        Disposition::Reply {
            reason: Reason::OtherName,
            ..
        }
    );
    if is_text || location.is_some_and(|location| location.closed) {
        return disposition;
    }
    let of_map = policy.error_pages.as_ref();
    let pages = match location {
        // A location that leads to the sign-in has no pages, and the default backend still has.
        Some(location) if matches!(disposition, Disposition::NotFound { .. }) => {
            location.error_pages.as_ref().or(of_map)
        }
        Some(location) => location.error_pages.as_ref(),
        None => of_map,
    };
    // `error_page 495` of a host replaces those of the ConfigMap, which stand further out.
    let holds = |pages: &&Arc<ErrorPages>| pages.is_own || !scope.client.has_own_page();
    let Some(pages) = pages.filter(holds) else {
        return disposition;
    };
    let status = match &mut disposition {
        Disposition::Forward(forward) => {
            // gRPC says its errors in another way.
            let kind = first(scope.headers, "content-type");
            if !kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
                forward.page = Some(Box::new(page(policy, endpoints, scope, pages)));
            }
            return disposition;
        }
        Disposition::Reply { reply, .. } => reply.status,
        Disposition::NotFound { .. } => 404,
        Disposition::Ask(_) | Disposition::Pass { .. } => {
            return disposition;
        }
    };
    if !pages.covers(status, false) {
        return disposition;
    }
    let page = page(policy, endpoints, scope, pages);
    let instead = match (page.instead(status), known.page.as_deref()) {
        (Instead::Ask(_), Some(answer)) => page.reply(answer.clone(), &policy.hidden),
        (Instead::Ask(question), None) => return Disposition::Ask(question),
        (Instead::Reply(reply), _) => reply,
    };
    let is_plain = page.question.is_none();
    match &mut disposition {
        Disposition::Reply { reply, paged, .. } => {
            // The challenge stays with the answer, whosever page it has.
            let own = std::mem::take(&mut reply.headers).into_iter();
            let asks = own.filter(|(name, _)| *name == asking::CHALLENGE);
            *reply = instead;
            reply.headers.extend(asks);
            *paged = Some(status);
        }
        Disposition::NotFound { page, headers, .. } => {
            let mut instead = instead;
            // nginx itself still answers in the location that it began in, unless it got as far as the
            // default backend.
            if is_plain && instead.status != 404 {
                instead.headers.append(headers);
                let custom = location.and_then(|location| location.custom_headers.as_deref());
                custom
                    .into_iter()
                    .for_each(|custom| custom.add_to(&mut instead.headers));
            }
            *page = Some(instead);
        }
        _ => {}
    }
    disposition
}

fn page(
    policy: &Policy,
    endpoints: &EndpointTable,
    scope: &Scope,
    pages: &Arc<ErrorPages>,
) -> Page {
    // The place that pages come from has no list of its own.
    let is_blocked = is_blocked(policy, scope);
    // A Service without endpoints has no pages.
    let service = pages.service.as_ref();
    let service = service.filter(|service| !is_empty(policy, endpoints, service.id));
    let service = service.filter(|_| !is_blocked);
    let question = service.and_then(|service| {
        let cluster = &policy.cluster(service.id)?.envoy_name;
        let asked = service.asked.as_ref();
        Some(Question {
            cluster: asked.unwrap_or(cluster).clone(),
            headers: headers(policy, scope, asked.is_some()),
            wants_body: true,
        })
    });
    Page {
        pages: Arc::clone(pages),
        question,
        otherwise: if is_blocked { 403 } else { pages.otherwise },
        is_head: first(scope.headers, ":method") == Some(b"HEAD"),
    }
}

/// The head of the question, without X-Code: what the client sent, but for what the template sets.
fn headers(policy: &Policy, scope: &Scope, is_told_apart: bool) -> Vec<(String, Vec<u8>)> {
    const OWN: [&str; 8] = [
        "x-code",
        "x-format",
        "x-original-uri",
        "x-namespace",
        "x-ingress-name",
        "x-service-name",
        "x-service-port",
        "x-request-id",
    ];
    let names = &scope.names;
    let (namespace, ingress) = names.of_ingress();
    let mut path = b"/".to_vec();
    if let Some(at) = scope.raw.iter().position(|byte| *byte == b'?') {
        // `$is_args`: a query that is empty is none.
        let query = scope.raw.get(at..).filter(|query| query.len() > 1);
        path.extend(query.unwrap_or_default());
    }
    let host = redirect::forwarded_host(policy, scope).unwrap_or(scope.http_host());
    let host = if host.is_empty() { &scope.host } else { host };
    let header = |name: &str| first(scope.headers, name).unwrap_or_default().to_vec();
    let (client, _) = access::told(scope.headers, scope.facts, policy.real_ip.as_ref());
    let client = client.unwrap_or_default();
    let told = if is_told_apart {
        client.clone()
    } else {
        Vec::new()
    };
    let fields = [
        (":method", header(":method")),
        (":path", asking::without_spaces(&path)),
        (":authority", host.to_vec()),
        ("x-format", header("accept")),
        ("x-original-uri", scope.raw.to_vec()),
        ("x-namespace", namespace.into()),
        ("x-ingress-name", ingress.into()),
        ("x-service-name", names.service.into()),
        ("x-service-port", names.port.into()),
        ("x-request-id", header("x-request-id")),
        ("x-forwarded-for", client),
        // Envoy appends itself to X-Forwarded-For.
        ("x-limpet-forwarded-for", told),
    ];
    // nginx leaves out what is empty.
    let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    let handed_on = asking::handed_on(policy, scope, |name| {
        OWN.contains(&name) || scope.client.is_lie(name)
    });
    let all = fields.chain(handed_on);
    all.map(|(name, value)| (name, FieldValue::received(value).into_owned()))
        .collect()
}
