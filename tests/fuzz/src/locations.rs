//! The index of a host's locations beside a plain search through them.

use super::exchange::facts;
use limpet::config;
use limpet::edit;
use limpet::endpoints::EndpointTable;
use limpet::policy;
use limpet::route::location::{Kind, Location};
use limpet::route::{self, Disposition, Reason};
use serde_json::{Value, json};
use std::sync::Arc;

/// The path of a request, then lines with a path of an Ingress each: what they begin with says how it
/// is compared. Letters are `a` or `b`, so that many paths begin with others.
pub fn locations(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let uri = path(lines.next().unwrap_or_default());
    let service = json!({ "name": "web", "port": { "number": 80 } });
    let paths = lines.take(32).map(|line| {
        let (kind, line) = line.split_first().unwrap_or((&b'p', line));
        let kind = match kind {
            b'e' => "Exact",
            b'i' => "ImplementationSpecific",
            _ => "Prefix",
        };
        json!({ "path": path(line), "pathType": kind, "backend": { "service": service } })
    });
    let paths: Vec<Value> = paths.collect();
    let rule = json!({ "host": "shop.test", "http": { "paths": paths } });
    let ingress = json!({
        "kind": "Ingress", "metadata": { "name": "shop" }, "spec": { "rules": [rule] },
    });
    let config = json!({ "unmatched": "not_found", "ingresses": [ingress] }).to_string();
    let Ok((config, _)) = config::read(config.as_bytes()) else {
        return;
    };
    let (policy, _) = policy::compile(&config);
    let Some(host) = policy.virtual_hosts().find(|host| host.name == "shop.test") else {
        return;
    };
    let head = [
        (":method", "GET"),
        (":path", uri.as_str()),
        (":authority", "shop.test"),
    ];
    let endpoints = EndpointTable::default();
    let head = edit::fields(&head);
    let facts = facts(b"via_upstream", &|| 7);
    let found = match route::dispose(&policy, &endpoints, &head, &facts) {
        Disposition::Forward(forward) => Found::Location(forward.location.name.clone()),
        Disposition::Reply {
            location: Some(location),
            reason: Reason::MissingSlash,
            ..
        } => Found::MissingSlash(location.name.clone()),
        Disposition::NotFound { .. } => Found::Nothing,
        other => panic!("{other:?}"),
    };
    assert_eq!(found, plain(&host.locations, &uri), "{uri} in {paths:?}");
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Location(String),
    MissingSlash(String),
    Nothing,
}

/// As nginx's manual says it of `location`, and of prefixes that end with a slash.
fn plain(locations: &[Arc<Location>], uri: &str) -> Found {
    let named = |name: &str, kind: Option<Kind>| {
        let mut all = locations.iter();
        all.any(|one| one.name == name && kind.is_none_or(|kind| one.kind == kind))
    };
    if named(uri, Some(Kind::Exact)) {
        return Found::Location(uri.to_owned());
    }
    let slashed = format!("{uri}/");
    if named(&slashed, None) {
        return Found::MissingSlash(slashed);
    }
    let prefixes = locations.iter().filter(|one| one.kind == Kind::Prefix);
    let begun = prefixes.filter(|one| uri.starts_with(&one.name));
    match begun.max_by_key(|one| one.name.len()) {
        Some(longest) if longest.is_implicit => Found::Nothing,
        Some(longest) => Found::Location(longest.name.clone()),
        None => Found::Nothing,
    }
}

fn path(bytes: &[u8]) -> String {
    let mut path = String::from("/");
    for byte in bytes {
        match byte {
            b'/' if path.ends_with('/') => {}
            b'/' => path.push('/'),
            odd if odd % 2 == 1 => path.push('a'),
            _ => path.push('b'),
        }
    }
    path
}
