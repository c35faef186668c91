//! Remarks of the module in words of whoever wrote an Ingress: which object is meant, whether it is among
//! the manifests, and what to do.

use limpet::annotations::validator::parse_bool;
use limpet::remark::{Expected, Field, Problem, Remark};

use super::finding::Finding;
use crate::compiled::Compiled;
use crate::inert;
use crate::manifests::Manifests;
use crate::names;

/// Where `kubectl` has what an annotation names.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Secret,
    ConfigMap,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }

    fn is_given(self, manifests: &Manifests, id: &str) -> bool {
        match self {
            Self::Secret => manifests.secret(id).is_some(),
            Self::ConfigMap => manifests.config_maps.named(id).is_some(),
        }
    }
}

/// What an annotation may not name without it.
const CROSS_NAMESPACE: &str = "allow-cross-namespace-resources";

/// Why a name that is a header's is none that an authorizer may set.
fn no_header_of_an_authorizer(name: Option<&str>) -> Option<&'static str> {
    const BOUNDING: [&str; 3] = ["content-length", "transfer-encoding", "expect"];
    const OF_CONNECTIONS: [&str; 4] = ["connection", "te", "trailer", "upgrade"];
    let name = name?.to_ascii_lowercase();
    if name.starts_with("x-limpet-") {
        Some("is a header of limpet's own, which no authorizer may set")
    } else if name.starts_with("x-envoy-") {
        Some("is a header that Envoy goes by, which no authorizer may set")
    } else if BOUNDING.contains(&name.as_str()) {
        Some("is a header that bounds messages, which no authorizer may set")
    } else if OF_CONNECTIONS.contains(&name.as_str()) {
        Some("is a header of one connection (hop-by-hop), which no authorizer may set")
    } else {
        None
    }
}

/// The finding of a remark, `compiled` where there is something.
pub(super) fn reworded(
    manifests: &Manifests,
    compiled: Option<&Compiled<'_>>,
    remark: &Remark,
    mut finding: Finding,
) -> Finding {
    let Problem::Not(expected) = &remark.problem else {
        return match (&remark.problem, &remark.field) {
            (Problem::NoCluster, Field::Annotation(_)) => no_service(manifests, finding),
            _ => finding,
        };
    };
    match expected {
        Expected::HeaderName => {
            let why = no_header_of_an_authorizer(finding.value.as_deref());
            if let Some(why) = why.filter(|_| finding.field == "auth-response-headers") {
                why.clone_into(&mut finding.expected);
            }
            finding
        }
        Expected::Authorizer => {
            "is no URL that can be asked: http:// or https://, a name or an address or $host alone, and a path"
                .clone_into(&mut finding.expected);
            finding.help(
                "an authorizer in the cluster: http://NAME.NAMESPACE.svc.cluster.local:PORT/PATH",
            )
        }
        Expected::Secret => {
            let what = "which has no users under the key auth; with auth-secret-type: auth-map each key is a user";
            named(manifests, Kind::Secret, finding, what)
        }
        Expected::CustomHeaders => {
            let what = "which has a header that global-allowed-response-headers of ingress-nginx's ConfigMap does \
                        not name, or one that is none";
            named(manifests, Kind::ConfigMap, finding, what)
        }
        Expected::SetHeaders => {
            let what = "which has a header that may not be sent to an authorizer";
            named(manifests, Kind::ConfigMap, finding, what)
        }
        Expected::Authority => {
            let id = finding.value.as_deref().unwrap_or_default();
            let id = id.trim().trim_start_matches('/');
            let why = compiled.and_then(|one| one.no_authorities.get(id));
            // ingress-nginx has room for each.
            if why.is_some_and(|why| why.starts_with("is not used")) {
                "its hosts answer 403".clone_into(&mut finding.consequence);
            }
            let why = why.map_or_else(String::new, |why| format!("which {why}"));
            named(manifests, Kind::Secret, finding, &why)
        }
        _ => finding,
    }
}

/// Why what a finding's value names cannot be used; `otherwise`: where it is there and may be named.
fn named(manifests: &Manifests, kind: Kind, mut finding: Finding, otherwise: &str) -> Finding {
    let own = finding.ingress.as_deref().and_then(|id| id.split_once('/'));
    let own = own.map_or("", |(namespace, _)| namespace);
    let value = finding.value.as_deref().unwrap_or_default().trim();
    let (namespace, name) = match value.split_once('/') {
        Some(("", name)) => (own, name),
        Some(both) => both,
        None => (own, value),
    };
    if name.is_empty() || name.contains('/') {
        return finding;
    }
    let (id, what) = (format!("{namespace}/{name}"), kind.name());
    // ingress-nginx looks for no namespace where it takes one.
    let takes_own = finding.field == "auth-secret";
    if !value.contains('/') && !takes_own {
        finding.expected = format!("is not written as NAMESPACE/NAME of a {what}");
        return finding;
    }
    let may_name_any = manifests.setting(CROSS_NAMESPACE).and_then(parse_bool);
    // The ConfigMaps of `custom-headers` are anybody's.
    let is_bound = finding.field != "custom-headers";
    if is_bound && namespace != own && may_name_any != Some(true) {
        finding.expected = format!(
            "names {what} {id} of another namespace, and {CROSS_NAMESPACE} of ingress-nginx's ConfigMap is not true"
        );
        return match manifests.config_map() {
            Some(_) => finding,
            None => finding.help("if it says so, give that ConfigMap with -f"),
        };
    }
    if !kind.is_given(manifests, &id) {
        finding.expected = format!("names {what} {id}, which is not among the manifests (-f)");
        let help = how_to_give(kind, namespace, name);
        return finding.help(help);
    }
    if !otherwise.is_empty() {
        finding.expected = format!("names {what} {id}, {otherwise}");
    }
    match (kind, manifests.config_map()) {
        (Kind::ConfigMap, None) if finding.field == "custom-headers" => {
            finding.help("give ingress-nginx's ConfigMap with -f")
        }
        _ => finding,
    }
}

fn how_to_give(kind: Kind, namespace: &str, name: &str) -> String {
    // Whoever wrote the Ingress wrote the names.
    if !names::is_label(namespace) || !name.split('.').all(names::is_label) {
        return "give it with -f".to_owned();
    }
    let what = kind.name().to_ascii_lowercase();
    format!("give it with -f: kubectl get {what} {name} -n {namespace} -o yaml")
}

/// A Service of `default-backend`.
fn no_service(manifests: &Manifests, mut finding: Finding) -> Finding {
    let namespace = finding.ingress.as_deref().unwrap_or_default();
    let namespace = namespace.split('/').next().unwrap_or_default();
    let name = finding.value.as_deref().unwrap_or_default();
    let id = format!("{namespace}/{name}");
    let (what, help) = if manifests.service(&id).is_some() {
        ("has no port that can be asked", "give that Service a port")
    } else {
        (
            "is not among the manifests (-f)",
            "give it with -f; it has to be in the namespace of the Ingress",
        )
    };
    finding.expected = format!("names Service {}, which {what}", inert::line(&id));
    "nobody stands in where the Ingress's own Service has no pod (503), and custom-http-errors has no pages"
        .clone_into(&mut finding.consequence);
    finding.help(help)
}

/// The Secret that a finding's value names and that `limpet render` needs, where it is not among the manifests.
pub(super) fn with_missing_secret(manifests: &Manifests, finding: Finding) -> Finding {
    let value = finding.value.clone().unwrap_or_default();
    let Some((namespace, name)) = value.trim().split_once('/') else {
        return finding;
    };
    let id = format!("{namespace}/{name}");
    if name.is_empty() || Kind::Secret.is_given(manifests, &id) {
        return finding;
    }
    let help = how_to_give(Kind::Secret, namespace, name);
    finding.help(format!(
        "limpet render needs Secret {id}, which is not among the manifests: {help}"
    ))
}

/// The annotations that name a Secret which `limpet render` needs.
pub(super) const NAMING_SECRETS: [&str; 2] = ["auth-tls-secret", "proxy-ssl-secret"];

#[cfg(test)]
mod tests;
