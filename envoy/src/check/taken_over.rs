//! What `limpet render` does itself on one platform, and leaves to others elsewhere.

use std::collections::BTreeSet;

use limpet::annotations::validator::parse_bool;

use super::alternatives::{self, Known};
use super::annotations::{Judged, Verdict, speaks_otherwise};
use super::finding::{ELSEWHERE, Finding, IDLE, SETTING};
use super::platform::Platform;
use super::settings::JudgedKey;
use crate::compiled::{Clients, Compiled};
use crate::passthrough;

/// With which difference what `finding` leaves to others is done on `on`: `exact` is none; `None`: others do it.
pub(crate) fn taken_over(finding: &Finding, on: Platform) -> Option<&'static str> {
    let is_left = [ELSEWHERE, SETTING].contains(&finding.code);
    is_left.then(|| difference(&finding.field, on)).flatten()
}

/// Whether it is about certificates, those of clients or those toward pods, or about TLS that is passed on,
/// and `compiled` is written with that. What the module does not read as text is lost there too.
pub(crate) fn is_written(compiled: &Compiled<'_>, finding: &Finding, on: Option<Platform>) -> bool {
    let ingress = finding.ingress.as_deref();
    let ingress = ingress.and_then(|id| compiled.ingress(id));
    let is_passed = on.is_some()
        && finding.field == passthrough::ANNOTATION
        && compiled.manifests.ssl_passthrough == Some(true);
    let is_of_clients = finding.field.starts_with("auth-tls-");
    let is_toward_pods = finding.field.starts_with("proxy-ssl-");
    let is_of_envoy = (compiled.clients == Clients::Any && is_of_clients)
        || (is_toward_pods && ingress.is_some_and(|one| compiled.upstream_tls.says(one.id())));
    // One that nobody vouches for ends the handshake there, and here it is to come in.
    let takes_any = || {
        let said = ingress.and_then(|one| one.annotation("auth-tls-verify-client"));
        said.is_some_and(|said| said.trim() == "optional_no_ca")
    };
    let is_verified = compiled.clients == Clients::Verified && is_of_clients && !takes_any();
    (is_passed || is_of_envoy || is_verified)
        && finding.code != IDLE
        && ingress.is_some_and(|one| {
            let said = one.annotation(&finding.field);
            // With one that is neither true nor false, the Ingress may be no Ingress.
            said.is_some_and(|said| !is_passed || parse_bool(said).is_some())
        })
}

fn difference(name: &str, on: Platform) -> Option<&'static str> {
    let is_key = matches!(alternatives::key(name), Some(Known::Job(..)));
    let has_job = is_key || alternatives::job(name, "").is_some();
    has_job
        .then(|| alternatives::on_platform(name, on.column()))
        .flatten()
}

/// Whether what limpet honours with this value is one of those that are otherwise on some platform.
fn shows(name: &str, value: &str) -> bool {
    let value = value.trim();
    let has_job = alternatives::job(name, value).is_some();
    match (name, alternatives::key(name)) {
        ("backend-protocol", _) => speaks_otherwise(value),
        ("server-alias", _) => value.contains(['~', '*']),
        (_, Some(Known::Honoured(known))) => !known.is_default(value),
        (_, key) => !has_job && !value.is_empty() && !matches!(key, Some(Known::Job(..))),
    }
}

/// Says of what is done on `on` that it is honoured, and of the rest what does it there alone.
pub(super) fn narrow(
    findings: &mut Vec<Finding>,
    judged: &mut [Judged],
    keys: &mut [JudgedKey],
    on: Platform,
) {
    findings.retain(|finding| taken_over(finding, on).is_none());
    for finding in findings.iter_mut() {
        let help = &mut finding.help;
        help.retain(|line| on.is_for(line));
    }
    let annotations = judged.iter_mut();
    let annotations = annotations.map(|one| {
        let said = (&*one.annotation, &*one.value);
        (said, &mut one.verdict, &mut one.difference)
    });
    let keys = keys.iter_mut();
    let keys = keys.map(|one| {
        let said = (&*one.key, &*one.value);
        (said, &mut one.verdict, &mut one.difference)
    });
    let lost = findings.iter().filter(|finding| finding.is_loss());
    let lost: BTreeSet<&str> = lost.map(|finding| finding.field.as_str()).collect();
    for ((name, value), verdict, told) in annotations.chain(keys) {
        let holds = match verdict {
            Verdict::Elsewhere if !lost.contains(name) => difference(name, on),
            Verdict::Honoured | Verdict::Differs if shows(name, value) => {
                alternatives::on_platform(name, on.column())
            }
            _ => None,
        };
        match holds {
            Some("exact") => {
                *verdict = Verdict::Honoured;
                *told = "";
            }
            Some(differs) => {
                *verdict = Verdict::Differs;
                *told = differs;
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::{Platform, Report, Verdict};
    use crate::manifests::Manifests;

    fn report(annotation: &str, on: Option<Platform>) -> Report {
        let text = format!(
            "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: prod
  annotations:
    nginx.ingress.kubernetes.io/auth-url: http://sso.auth.svc.cluster.local/ask
    nginx.ingress.kubernetes.io/{annotation}
spec:
  ingressClassName: nginx
  rules:
  - http:
      paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: ingress-nginx-controller, namespace: ingress-nginx}}
data: {{keep-alive: '60'}}
"
        );
        Report::new(&Manifests::parse("m.yaml", &text).unwrap(), false, on)
    }

    #[test]
    fn what_render_envoy_takes_over_is_no_warning_there() {
        use Platform::{Envoy, EnvoyGateway, Istio};
        for (annotation, on, verdict) in [
            ("proxy-read-timeout: '30'", Some(Envoy), Verdict::Honoured),
            ("proxy-connect-timeout: '3'", Some(Envoy), Verdict::Differs),
            ("proxy-read-timeout: '30'", Some(Istio), Verdict::Honoured),
            (
                "proxy-read-timeout: '30'",
                Some(EnvoyGateway),
                Verdict::Differs,
            ),
            ("proxy-read-timeout: '30'", None, Verdict::Elsewhere),
            (
                "enable-access-log: 'false'",
                Some(Envoy),
                Verdict::Elsewhere,
            ),
        ] {
            let report = report(annotation, on);
            let name = annotation.split(':').next().unwrap();
            let mut judged = report.annotations.iter();
            let judged = judged.find(|one| one.annotation == name).unwrap();
            assert_eq!(judged.verdict, verdict, "{annotation} {on:?}");
            let mut left = report.findings.iter();
            let is_left = left.any(|finding| finding.field == name);
            assert_eq!(
                is_left,
                verdict == Verdict::Elsewhere,
                "{annotation} {on:?}"
            );
            let mut keys = report.findings.iter();
            let is_left = keys.any(|finding| finding.field == "keep-alive");
            assert_eq!(is_left, on.is_none(), "{annotation} {on:?}");
        }
    }

    #[test]
    fn only_what_does_a_job_on_the_platform_is_advised() {
        let report = report("proxy-buffering: 'on'", Some(Platform::Istio));
        let mut findings = report.findings.iter();
        let left = findings.find(|one| one.field == "proxy-buffering");
        let help = &left.unwrap().help;
        assert!(!help.is_empty(), "{help:?}");
        assert!(
            help.iter().all(|line| line.starts_with("Istio: ")),
            "{help:?}"
        );
    }

    // Both were said to be left to others, or accepted; their paths answer 503.
    #[test]
    fn what_closes_its_paths_beside_an_authorizer_is_said() {
        for (annotation, consequence) in [
            ("auth-cache-duration: 200 5m;", "503"),
            ("auth-method: FOO", "503"),
        ] {
            let report = report(annotation, None);
            let name = annotation.split(':').next().unwrap();
            let findings = report.findings.iter();
            let mut about = findings.filter(|finding| finding.field == name);
            let said = about.any(|finding| finding.consequence.contains(consequence));
            assert!(said, "{:#?}", report.findings);
        }
    }
}
