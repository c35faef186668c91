//! Canaries by a header that no client may send.

use crate::check::finding::{Finding, Level, Place};
use crate::compiled::Compiled;
use crate::forwarding::{DROPPED_HEADERS, FORWARDING_HEADERS, POLICY_HEADER};
use crate::taken::TakenIngress;

const BY_HEADER: &str = "canary-by-header";

pub(super) fn run(compiled: &Compiled<'_>) -> Vec<Finding> {
    let believes = compiled.forwarding.trusted;
    let ingresses = compiled.ingresses.iter();
    let found = ingresses.filter_map(|ingress| by_header(ingress, believes));
    found.collect()
}

fn by_header(ingress: &TakenIngress<'_>, believes: bool) -> Option<Finding> {
    let canary = ingress.annotations.canary.as_ref()?;
    // As nginx reads it: `$http_x_limpet_cluster`.
    let name = canary.header.to_ascii_lowercase().replace('_', "-");
    let is_dropped =
        DROPPED_HEADERS.contains(&&*name) || name == POLICY_HEADER || name.starts_with("x-envoy-");
    let expected = if is_dropped {
        "is a header that is taken off every client's request before limpet reads it"
    } else if !believes && FORWARDING_HEADERS.iter().any(|one| one.name == name) {
        "is a header that the proxy writes anew before limpet reads it"
    } else {
        return None;
    };
    let finding = Finding::new(
        Level::Warning,
        "refused",
        &Place::annotation(ingress.object, BY_HEADER),
        expected,
        "it leads nobody to the canary",
    );
    Some(finding.help("name another header"))
}

#[cfg(test)]
mod tests {
    use crate::check::{Platform, Report, Verdict};
    use crate::manifests::Manifests;
    use crate::render::istio::{self, IstioArgs};

    #[test]
    fn a_canary_by_a_header_that_limpet_takes_off_is_not_honoured() {
        let manifests = |header: &str| {
            let ingress = |name: &str, annotations: &str| {
                format!(
                    "apiVersion: networking.k8s.io/v1\nkind: Ingress\n\
                     metadata: {{name: {name}, namespace: a, annotations: {{{annotations}}}}}\n\
                     spec: {{ingressClassName: nginx, rules: [{{host: a.test, http: {{paths: [{{path: /, \
                     pathType: Prefix, backend: {{service: {{name: {name}, port: {{number: 80}}}}}}}}]}}}}]}}\n---\n\
                     {{apiVersion: v1, kind: Service, metadata: {{name: {name}, namespace: a}}, \
                     spec: {{ports: [{{port: 80}}]}}}}\n---\n"
                )
            };
            let canary = format!(
                "nginx.ingress.kubernetes.io/canary: 'true', nginx.ingress.kubernetes.io/canary-by-header: '{header}'"
            );
            let text = [ingress("main", ""), ingress("next", &canary)].concat();
            Manifests::parse("m.yaml", &text).unwrap()
        };
        for (header, is_told) in [
            ("x-limpet-cluster", true),
            ("X_Limpet_Endpoint", true),
            ("Proxy", true),
            ("X-Envoy-Any", true),
            ("x-limpet-policy", true),
            ("X-Forwarded-For", true),
            ("x-canary", false),
            ("x-limpet-mine", false),
        ] {
            let manifests = manifests(header);
            for on in [None, Some(Platform::Istio)] {
                let report = Report::new(&manifests, false, on);
                let mut judged = report.annotations.iter();
                let judged = judged
                    .find(|one| one.annotation == "canary-by-header")
                    .unwrap();
                assert_eq!(judged.verdict == Verdict::Refused, is_told, "{header}");
                let mut found = report.findings.iter();
                let found = found.any(|one| one.message().contains("leads nobody to the canary"));
                assert_eq!(found, is_told, "{header}");
            }
            let text = istio::text(&manifests, &IstioArgs::default()).unwrap();
            assert_eq!(
                text.contains("leads nobody to the canary"),
                is_told,
                "{header}"
            );
        }
    }
}
