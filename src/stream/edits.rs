//! The edits that a decision comes to.

use super::ResponseHead;
use crate::cluster::Cluster;
use crate::edit::{Edit, Headers, Name, Reply, all, first};
use crate::policy::Policy;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The edits that send a request to `cluster`: limpet's own headers are set, never added, so
/// that a downstream's are replaced, or removed where it sent some.
pub(super) fn forward_edits(
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
pub(super) fn strip(policy: &Policy, headers: &Headers) -> Vec<Edit> {
    let names = [&policy.headers.cluster, &policy.headers.endpoint];
    names
        .into_iter()
        .filter_map(|name| remove_if_present(headers, name))
        .collect()
}

fn remove_if_present(headers: &Headers, name: &str) -> Option<Edit> {
    first(headers, name).map(|_| Edit::Remove(Name::Owned(name.to_owned())))
}

/// Adds a Set-Cookie before those of the upstream, where ingress-nginx has it: of two cookies of
/// one name a browser keeps the last, so that the application's own survives.
pub(super) fn add_first(session_cookie: Vec<u8>, edits: &mut Vec<Edit>, head: &ResponseHead) {
    const NAME: Name = Name::Borrowed("set-cookie");
    let session_cookie = Edit::Add(NAME, session_cookie);
    if let Some(at) = edits.iter().position(|edit| *edit == Edit::Remove(NAME)) {
        edits.insert(at.saturating_add(1), session_cookie);
        return;
    }
    let response = (head.headers)();
    let mut upstreams = all(&response, "set-cookie").peekable();
    edits.extend(upstreams.peek().map(|_| Edit::Remove(NAME)));
    edits.push(session_cookie);
    edits.extend(upstreams.map(|value| Edit::Add(NAME, value.to_vec())));
}

/// `ip:port` from the session filter's header; `None` if it is not of its making.
pub(super) fn decode(value: &[u8]) -> Option<String> {
    let bytes = BASE64.decode(value).ok()?;
    String::from_utf8(bytes).ok()
}

pub(super) fn not_found() -> Reply {
    Reply {
        status: 404,
        headers: vec![("content-type".into(), b"text/plain".to_vec())],
        body: b"no location for this host and path\n".to_vec(),
    }
}
