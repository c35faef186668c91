//! What stays of an Ingress without room: the paths that would fall to others, without what protected
//! them. They answer 503.

use std::collections::HashSet;

use limpet::ingress::CLASS;
use serde_json::{Map, Value, json};

use crate::check::{Finding, left_to_others};
use crate::compiled::Compiled;
use crate::manifests::{Object, Room};

/// What bears on which requests are its own.
const BEAR_ON_PATHS: [&str; 3] = ["use-regex", "rewrite-target", "server-alias"];

/// Those that protected somebody on hosts that others answer: where each stands, and what stays of it.
pub(super) fn all(compiled: &Compiled<'_>) -> Vec<(usize, Value)> {
    let ingresses = compiled.manifests.ingresses.iter().enumerate();
    let mut without_room = ingresses
        .filter(|(_, one)| one.room == Room::Nothing)
        .peekable();
    if without_room.peek().is_none() {
        return Vec::new();
    }
    let left = left_to_others(compiled);
    let lost = left.iter().filter(|finding| finding.is_loss());
    let lost: HashSet<&str> = lost
        .filter_map(|one: &Finding| one.ingress.as_deref())
        .collect();
    let exposed = without_room.filter(|(_, one)| lost.contains(one.id().as_str()));
    exposed
        .filter_map(|(at, one)| Some((at, paths(compiled, one)?)))
        .collect()
}

/// `None`: nothing of it would fall to others.
fn paths(compiled: &Compiled<'_>, object: &Object) -> Option<Value> {
    let ingress = object.ingress()?;
    // Any of its own: what answers 503 asks none.
    let backend = object
        .list("/spec/rules")
        .iter()
        .flat_map(|rule| rule.pointer("/http/paths").and_then(Value::as_array))
        .flatten()
        .find_map(|path| path.get("backend"))?;
    let by_alias = compiled.answers_an_alias(object);
    let answered = ingress
        .rules
        .iter()
        .filter(|rule| by_alias || compiled.answers(&rule.host));
    let rules: Vec<Value> = answered
        .map(|rule| {
            let paths = rule.paths.iter().flatten();
            let paths = paths.map(|path| {
                let kind = if path.exact { "Exact" } else { "Prefix" };
                json!({ "path": path.path, "pathType": kind, "backend": backend })
            });
            let http = json!({ "paths": paths.collect::<Vec<Value>>() });
            match rule.host.as_str() {
                "" => json!({ "http": http }),
                host => json!({ "host": host, "http": http }),
            }
        })
        .collect();
    if rules.is_empty() {
        return None;
    }
    let mut metadata = Map::new();
    for name in ["name", "namespace", "creationTimestamp", "uid"] {
        metadata.extend(kept(object, &format!("/metadata/{name}"), name));
    }
    let mut annotations = Map::from_iter(kept(
        object,
        "/metadata/annotations/kubernetes.io~1ingress.class",
        CLASS,
    ));
    for name in BEAR_ON_PATHS {
        let key = [&object.prefix, "/", name].concat();
        annotations.extend(kept(object, &object.own_pointer(name), &key));
    }
    metadata.insert("annotations".to_owned(), annotations.into());
    let mut spec = Map::from_iter(kept(object, "/spec/ingressClassName", "ingressClassName"));
    spec.insert("rules".to_owned(), rules.into());
    Some(json!({
        "apiVersion": object.api_version(), "kind": object.kind(), "metadata": metadata, "spec": spec,
    }))
}

fn kept(object: &Object, pointer: &str, name: &str) -> Option<(String, Value)> {
    let value = object.value.pointer(pointer)?;
    Some((name.to_owned(), value.clone()))
}
