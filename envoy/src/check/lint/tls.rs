//! Redirects to https that nobody answers.

use std::collections::HashSet;

use crate::certificates::{self, Certificate};
use crate::check::finding::{Finding, Level, Place};
use crate::check::platform::Platform;
use crate::compiled::Compiled;
use crate::passthrough::Passthrough;
use crate::taken::TakenIngress;

pub(super) fn run(compiled: &Compiled<'_>, on: Option<Platform>) -> Vec<Finding> {
    let mut findings = without_https(compiled, on);
    // TLS ends in front then.
    if !compiled.ends_tls_in_front() {
        findings.extend(unusable_pairs(compiled));
    }
    findings
}

/// The Ingresses whose hosts are led to https, or ask for it, and have no certificate.
pub(crate) fn without_https(compiled: &Compiled<'_>, on: Option<Platform>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if compiled.ends_tls_in_front() {
        return findings;
    }
    let serving = certificates::certificates(compiled).serving;
    let another = on == Some(Platform::EnvoyGateway) && has_hostless_listener(compiled, &serving);
    let hosts = serving.iter().flat_map(|one| &one.hosts);
    let hosts: HashSet<String> = hosts.map(|host| host.to_ascii_lowercase()).collect();
    let primaries = compiled.ingresses.iter();
    for ingress in primaries.filter(|one| one.annotations.canary.is_none()) {
        let of_it = [
            https_without_tls(ingress, &hosts),
            without_secret(ingress),
            tls_of_other_hosts(ingress, &hosts),
            tls_without_host(ingress),
        ];
        findings.extend(of_it.into_iter().flatten().map(|mut one| {
            if another {
                ANOTHERS.clone_into(&mut one.consequence);
            }
            one
        }));
    }
    findings
}

/// On Envoy Gateway one https listener has the certificates of all hosts, and no name.
const ANOTHERS: &str = "https shows the certificate of another host there, as the listener of all has no name; \
     ingress-nginx served its own certificate";

/// Hosts that ask for certificates, and those whose TLS goes on as it comes, have listeners of their own.
fn has_hostless_listener(compiled: &Compiled<'_>, serving: &[Certificate<'_>]) -> bool {
    let passed = Passthrough::all(compiled);
    let is_plain = |host: &String| {
        let asks = compiled.virtual_host(host);
        let asks = asks.is_some_and(|one| one.client_certificate().is_some());
        !asks && passed.iter().all(|one| one.host != *host)
    };
    serving.iter().any(|one| {
        let secret = compiled.manifests.tls_secret(&one.secret_id());
        let is_usable = secret.is_none_or(|one| certificates::known_pair(one).is_ok());
        is_usable && one.hosts.iter().any(is_plain)
    })
}

/// ingress-nginx always listens on 443, with a certificate of its own if there is no other.
fn https_without_tls(ingress: &TakenIngress<'_>, serving: &HashSet<String>) -> Option<Finding> {
    if !ingress.annotations.rewrite.force_ssl_redirect {
        return None;
    }
    let mut hosts = ingress.paths().map(|path| path.host);
    let host = hosts.find(|host| !covers(ingress, host) && !is_served(serving, host))?;
    let whose = if host.is_empty() {
        "hosts that nobody names".to_owned()
    } else {
        format!("host {host:?}")
    };
    let (place, expected) = if ingress.annotation("force-ssl-redirect").is_some() {
        (
            Place::annotation(ingress.object, "force-ssl-redirect"),
            format!("sends {whose} to https, and no tls section covers that"),
        )
    } else {
        (
            Place::at(ingress.object, "/spec/rules", "spec.tls"),
            format!(
                "does not cover {whose}, and force-ssl-redirect of the ConfigMap sends all to https"
            ),
        )
    };
    let consequence = "nobody answers on 443 unless you add a listener; ingress-nginx did, with its own certificate";
    let finding = Finding::new(
        Level::Warning,
        HTTPS_LISTENER,
        &place,
        expected,
        consequence,
    );
    Some(finding.help("where TLS ends in front of the proxy, give ingress-nginx's ConfigMap with use-forwarded-headers, or --config with trust_forwarded_proto: true"))
}

/// The code of what leads to an https listener that is not there.
const HTTPS_LISTENER: &str = "https-listener";

/// A tls section without a Secret: ingress-nginx served its own certificate there.
///
/// Source: `createServers`, `internal/ingress/controller/controller.go`, ingress-nginx dbb11b92d.
fn without_secret(ingress: &TakenIngress<'_>) -> Option<Finding> {
    let mut entries = ingress.ingress.tls.iter();
    let at = entries.position(|entry| entry.secret.is_none())?;
    Some(
        Finding::new(
            Level::Warning,
            HTTPS_LISTENER,
            &Place::at(ingress.object, &format!("/spec/tls/{at}"), "tls"),
            "names no secretName",
            "no https listener is rendered for its hosts, and requests are still redirected to https; ingress-nginx served its own certificate",
        )
        .help("name a Secret with a certificate, or render envoy with --tls CERT,KEY"),
    )
}

/// A Secret that holds no pair: what `render envoy` says of it.
fn unusable_pairs(compiled: &Compiled<'_>) -> Vec<Finding> {
    let all = certificates::certificates(compiled).serving.into_iter();
    let finding = |one: Certificate<'_>| {
        let id = one.secret_id();
        let error = certificates::pair(compiled.manifests.tls_secret(&id)?).err()?;
        let finding = Finding::new(
            Level::Warning,
            HTTPS_LISTENER,
            &Place::at(one.ingress.object, &certificates::pointer(one.entry), "tls"),
            format!(
                "names Secret {id}, which cannot be used: {}",
                error.root_cause()
            ),
            "its hosts get no https from it; ingress-nginx served its own certificate there",
        );
        Some(finding.help("put a certificate and the key that belongs to it into the Secret"))
    };
    all.filter_map(finding).collect()
}

/// A host that the tls section does not list: ingress-nginx redirects it all the same.
///
/// Source: `createServers` and `extractTLSSecretName`, `internal/ingress/controller/controller.go`,
/// ingress-nginx dbb11b92d.
fn tls_of_other_hosts(ingress: &TakenIngress<'_>, serving: &HashSet<String>) -> Option<Finding> {
    let rewrite = &ingress.annotations.rewrite;
    if ingress.ingress.tls.is_empty() || !rewrite.ssl_redirect || rewrite.force_ssl_redirect {
        return None;
    }
    let mut hosts = ingress.paths().map(|path| path.host);
    let host = hosts
        .find(|host| !host.is_empty() && !covers(ingress, host) && !is_served(serving, host))?;
    let finding = Finding::new(
        Level::Warning,
        HTTPS_LISTENER,
        &Place::at(ingress.object, "/spec/tls", "tls"),
        format!("does not list host {host:?}, which is redirected to https with the others"),
        "no https listener is rendered for it; ingress-nginx served its own certificate",
    );
    Some(finding.help("list the host, or set ssl-redirect: \"false\" on an Ingress of its own"))
}

/// The server of rules without host has the controller's own certificate, whatever they say.
///
/// Source: `createServers`, `internal/ingress/controller/controller.go`, ingress-nginx dbb11b92d.
fn tls_without_host(ingress: &TakenIngress<'_>) -> Option<Finding> {
    let mut paths = ingress.paths();
    let secret = ingress
        .ingress
        .tls
        .iter()
        .find_map(|tls| tls.secret.as_ref());
    secret.filter(|_| paths.any(|path| path.host.is_empty()))?;
    let finding = Finding::new(
        Level::Warning,
        HTTPS_LISTENER,
        &Place::at(ingress.object, "/spec/tls", "tls"),
        "stands beside a rule without host, which gets no certificate of an Ingress",
        "no https listener is rendered for that rule; ingress-nginx served its own certificate",
    );
    Some(finding.help("name the host in the rule, or render envoy with --tls CERT,KEY"))
}

/// Whether some Ingress has a certificate for `host`, or for the wildcard above it.
fn is_served(serving: &HashSet<String>, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let above = host.split_once('.').map(|(_, rest)| format!("*.{rest}"));
    serving.contains(&host) || above.is_some_and(|above| serving.contains(&above))
}

/// Whether the `tls` section of an Ingress covers `host`; an entry without hosts counts for all.
pub(super) fn covers(ingress: &TakenIngress<'_>, host: &str) -> bool {
    let mut entries = ingress.ingress.tls.iter();
    entries.any(|entry| entry.hosts.is_empty() || certificates::covers(&entry.hosts, host))
}

#[cfg(test)]
mod tests {
    use crate::check::Report;
    use crate::manifests::Manifests;
    use serde_json::{Value, json};

    fn ingress(name: &str, annotations: &Value, host: &str, tls: &Value) -> Value {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "name": name, "namespace": "n", "annotations": annotations },
            "spec": { "tls": tls, "rules": [{ "host": host, "http": { "paths": [{
                "path": format!("/{name}"), "pathType": "Prefix",
                "backend": { "service": { "name": "s", "port": { "number": 80 } } },
            }] } }] },
        })
    }

    // Whose certificate it is does not matter: who says `tls` for a host, says it for all of its paths.
    #[test]
    fn redirects_to_https_are_told_where_no_ingress_has_a_certificate_for_the_host() {
        const FORCE: &str = "nginx.ingress.kubernetes.io/force-ssl-redirect";
        let force = json!({ FORCE: "true" });
        let canary = json!({ FORCE: "true", "nginx.ingress.kubernetes.io/canary": "true" });
        for (annotations, host, certified, is_told) in [
            (&force, "a.test", "a.test", false),
            (&force, "a.test", "A.test", false),
            (&force, "a.test", "*.test", false),
            (&force, "a.test", "b.test", true),
            (&force, "a.b.test", "*.test", true),
            (&canary, "a.test", "b.test", false),
        ] {
            let tls = json!([{ "hosts": [certified], "secretName": "t" }]);
            let items = [
                ingress("a", &json!({}), certified, &tls),
                ingress("b", annotations, host, &json!([])),
            ];
            let text = json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string();
            let report = Report::new(&Manifests::parse("m.yaml", &text).unwrap(), false, None);
            let told = report
                .findings
                .iter()
                .filter(|one| one.code == super::HTTPS_LISTENER);
            assert_eq!(
                told.count() > 0,
                is_told,
                "{host} {certified}: {:#?}",
                report.findings
            );
        }
    }
}
