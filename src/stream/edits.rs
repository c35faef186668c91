//! The edits that a decision comes to.

use crate::cluster::Cluster;
use crate::edit::{Edit, FieldValue, Headers, Name, Reply, all, first};
use crate::policy::Policy;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The edits that send a request to `cluster`: limpet's own headers are set, never added, so
/// that a downstream's are replaced, or removed where it sent some. `ingress`: whose location it is.
pub(super) fn forward_edits<'p>(
    policy: &'p Policy,
    headers: &Headers,
    ingress: &str,
    cluster: &'p Cluster,
    pin: Option<&str>,
    path: Option<Vec<u8>>,
    further: Vec<Edit<'p>>,
) -> Vec<Edit<'p>> {
    let names = &policy.headers;
    let mut edits = Vec::with_capacity(further.len().saturating_add(3));
    // First, so that what limpet itself sets of them stays.
    identities(policy, headers, ingress, &mut edits);
    edits.push(Edit::Set(
        Name::from(&names.cluster),
        FieldValue::new(cluster.envoy_name.as_bytes()),
    ));
    match pin {
        Some(endpoint) => {
            let value = encode(endpoint);
            edits.push(Edit::Set(
                Name::from(&names.endpoint),
                FieldValue::new(value),
            ));
        }
        None => edits.extend(remove_if_present(headers, &names.endpoint)),
    }
    let path = path.filter(|path| first(headers, ":path") != Some(path));
    edits.extend(path.map(|path| Edit::Set(":path".into(), FieldValue::new(path))));
    edits.extend(further);
    edits
}

/// Takes off the headers that `strip_headers` names.
fn identities(policy: &Policy, headers: &Headers, ingress: &str, edits: &mut Vec<Edit>) {
    if policy.strip_headers.is_empty() {
        return;
    }
    for (name, _) in headers {
        let mut strip = policy.strip_headers.iter();
        let is_meant = strip.any(|strip| strip.is(ingress, name));
        let Some(name) = std::str::from_utf8(name).ok().filter(|_| is_meant) else {
            continue;
        };
        let remove = Edit::Remove(name.to_owned().into());
        if !edits.contains(&remove) {
            edits.push(remove);
        }
    }
}

/// Takes limpet's own headers off a request that it has no interest in. One that carries none
/// is not touched: every edit clears Envoy's route cache.
pub(super) fn strip<'p>(policy: &'p Policy, headers: &Headers) -> Vec<Edit<'p>> {
    let names = &policy.headers;
    [&names.cluster, &names.endpoint]
        .into_iter()
        .chain(&names.host)
        .chain(policy.names_routes.then_some(&names.policy))
        .filter_map(|name| remove_if_present(headers, name))
        .collect()
}

fn remove_if_present<'p>(headers: &Headers, name: &'p str) -> Option<Edit<'p>> {
    first(headers, name).map(|_| Edit::Remove(name.into()))
}

/// Adds a Set-Cookie before those of the upstream, where ingress-nginx has it: of two cookies of
/// one name a browser keeps the last, so that the application's own survives.
pub(super) fn add_first<'h>(
    session_cookie: Vec<u8>,
    edits: &mut Vec<Edit>,
    headers: &dyn Fn() -> &'h Headers<'h>,
) {
    const NAME: Name = Name::Borrowed("set-cookie");
    let session_cookie = Edit::Add(NAME, FieldValue::new(session_cookie));
    if let Some(at) = edits.iter().position(|edit| *edit == Edit::Remove(NAME)) {
        edits.insert(at.saturating_add(1), session_cookie);
        return;
    }
    let mut upstreams = all(headers(), "set-cookie").peekable();
    edits.extend(upstreams.peek().map(|_| Edit::Remove(NAME)));
    edits.push(session_cookie);
    edits.extend(upstreams.map(|value| Edit::Add(NAME, FieldValue::received(value.to_vec()))));
}

/// `ip:port` for the session filter's header. Of the crate's ways to encode the one that does not look for UTF-8 in
/// what it has written.
fn encode(endpoint: &str) -> Vec<u8> {
    let length = base64::encoded_len(endpoint.len(), true);
    let mut text = vec![0; length.unwrap_or_default()];
    let written = BASE64.encode_slice(endpoint, &mut text);
    text.truncate(written.unwrap_or_default());
    text
}

/// `ip:port` from the session filter's header; `None` if it is not of its making.
pub(super) fn decode(value: &[u8]) -> Option<String> {
    let bytes = BASE64.decode(value).ok()?;
    String::from_utf8(bytes).ok()
}

pub(super) fn not_found() -> Reply {
    Reply {
        status: 404,
        headers: vec![("content-type".into(), FieldValue::new(&b"text/plain"[..]))],
        body: b"no location for this host and path\n".to_vec(),
    }
}
