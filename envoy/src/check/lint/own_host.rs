//! Authorizers on the host that they guard (`https://$host/oauth2/auth`), where nobody answers: the host's
//! own rules decide who does, and the module asks by them.

use std::collections::BTreeSet;

use limpet::annotations::AuthorizerUrl;
use limpet::annotations::validator::parse_bool;
use limpet::edit::fields;
use limpet::endpoints::EndpointTable;
use limpet::facts::Facts;
use limpet::route::{self, Disposition, Reason};

use crate::check::finding::{Finding, Level, Place};
use crate::compiled::Compiled;
use crate::taken::TakenIngress;

const AUTH_URL: &str = "auth-url";

const GLOBAL_AUTH_URL: &str = "global-auth-url";

/// A finding on each Ingress that asks in vain, and one on the ConfigMap.
pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let open = compiled.ingresses.iter().filter(|one| {
        let is_closed = compiled.config.close.iter().any(|id| id == one.id());
        one.annotations.canary.is_none() && !is_closed
    });
    let mut findings: Vec<Finding> = open
        .clone()
        .filter_map(|ingress| of_ingress(compiled, ingress))
        .collect();
    findings.extend(global(compiled, open));
    findings
}

fn of_ingress(compiled: &Compiled<'_>, ingress: &TakenIngress<'_>) -> Option<Finding> {
    let path = own_path(ingress.annotation(AUTH_URL)?)?;
    let (host, why) = hosts(ingress).find_map(|host| {
        let why = unserved(compiled, host, &path, Some(ingress.id()))?;
        Some((host, why))
    })?;
    let place = Place::annotation(ingress.object, AUTH_URL);
    let expected = format!("asks the host itself, and {}", why.said(host, &path));
    Some(in_vain(&place, expected))
}

/// What is asked for everybody.
fn global<'c>(
    compiled: &Compiled<'_>,
    ingresses: impl Iterator<Item = &'c TakenIngress<'c>>,
) -> Option<Finding> {
    let path = own_path(compiled.manifests.setting(GLOBAL_AUTH_URL)?)?;
    let map = compiled.manifests.config_map()?;
    let asks = |ingress: &&TakenIngress<'_>| {
        let said = |name: &str| ingress.annotation(name).unwrap_or_default().trim();
        said(AUTH_URL).is_empty() && parse_bool(said("enable-global-auth")) != Some(false)
    };
    let (host, why) = ingresses.filter(asks).find_map(|ingress| {
        hosts(ingress).find_map(|host| {
            let why = unserved(compiled, host, &path, None)?;
            Some((host, why))
        })
    })?;
    let place = Place::at(map, &format!("/data/{GLOBAL_AUTH_URL}"), GLOBAL_AUTH_URL);
    let expected = format!("asks each host itself, and {}", why.said(host, &path));
    Some(Finding {
        ingress: None,
        ..in_vain(&place, expected)
    })
}

fn in_vain(place: &Place<'_>, expected: String) -> Finding {
    let consequence = "every request there is answered 500";
    Finding::new(Level::Warning, "asks-itself", place, expected, consequence)
        .help("give the Ingress that serves that path on that host with -f, without rules of its own (auth-url, lists, a rewrite)")
        .help("or name the authorizer's Service: http://NAME.NAMESPACE.svc.cluster.local:PORT/PATH")
}

/// The hosts of its rules, each once.
fn hosts<'i>(ingress: &'i TakenIngress<'_>) -> impl Iterator<Item = &'i str> {
    let hosts: BTreeSet<&str> = ingress.paths().map(|path| path.host).collect();
    hosts.into_iter()
}

/// The path that a URL asks for, where its host is the request's own and the path is fixed.
fn own_path(url: &str) -> Option<String> {
    let url = AuthorizerUrl::read(url.trim()).filter(AuthorizerUrl::is_own)?;
    let path = url.path.split('?').next().unwrap_or_default();
    (!path.is_empty() && !path.contains('$')).then(|| path.to_owned())
}

/// Why nobody answers there.
enum Unserved {
    /// No Ingress has the path, but for whoever asks.
    Nobody,
    /// This one has, and answers itself, or asks somebody first.
    Asks(String),
    /// This one has, and makes another path of it.
    Rewrites(String),
}

impl Unserved {
    fn said(&self, host: &str, path: &str) -> String {
        let host = match host {
            "" => "without a rule of its own".to_owned(),
            host => host.to_owned(),
        };
        match self {
            Self::Nobody => {
                format!("no other Ingress among the manifests serves {path} on host {host}")
            }
            Self::Asks(id) => format!(
                "ingress {id}, which serves {path} on host {host}, lets in nobody unasked, or answers itself"
            ),
            Self::Rewrites(id) => {
                format!("ingress {id}, which serves {path} on host {host}, rewrites it")
            }
        }
    }
}

/// Whether the host serves a path as `question` in the core's `route/asking.rs` wants it; `asking`: the Ingress
/// that would not be asked by itself.
fn unserved(
    compiled: &Compiled<'_>,
    host: &str,
    path: &str,
    asking: Option<&str>,
) -> Option<Unserved> {
    // Any that it stands for.
    let authority = match (host, host.strip_prefix("*.")) {
        ("", _) => "limpet-asks.invalid".to_owned(),
        (_, Some(rest)) => format!("limpet-asks.{rest}"),
        (host, None) => host.to_owned(),
    };
    let head = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", &*authority),
        (":path", path),
        // As a question, which is not asked about in turn.
        ("x-sent-from", "nginx-ingress-controller"),
    ];
    let facts = Facts::NONE;
    let endpoints = EndpointTable::default();
    let of = |location: Option<&std::sync::Arc<limpet::route::Location>>| {
        let id = location.map(|location| location.ingress.clone());
        id.filter(|id| !id.is_empty() && asking != Some(id))
    };
    match route::dispose(&compiled.policy, &endpoints, &fields(&head), &facts) {
        Disposition::Forward(forward) if forward.path.is_some() => {
            Some(of(Some(forward.location)).map_or(Unserved::Nobody, Unserved::Rewrites))
        }
        Disposition::Forward(_) | Disposition::Ask(_) => None,
        Disposition::NotFound { .. } | Disposition::Pass { .. } => Some(Unserved::Nobody),
        Disposition::Reply {
            reason, location, ..
        } => is_of_path(reason).then(|| of(location).map_or(Unserved::Nobody, Unserved::Asks)),
    }
}

/// Whether a location says so; certificates and http are of whoever asks from outside.
fn is_of_path(reason: Reason) -> bool {
    use Reason::{
        Address, Client, Closed, Denied, NoAuthorizer, NoService, Password, Redirect,
        RewriteRedirect, Unauthorized,
    };
    matches!(
        reason,
        Address
            | Client
            | Closed
            | Denied
            | NoAuthorizer
            | NoService
            | Password
            | Redirect
            | RewriteRedirect
            | Unauthorized
    )
}

#[cfg(test)]
mod tests;
