//! Hosts that are asked about their own requests.

use crate::check::Report;
use crate::manifests::Manifests;

fn ingress(name: &str, host: &str, path: &str, annotations: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, annotations: {{{annotations}}}}}
spec:
  ingressClassName: nginx
  rules: [{{host: '{host}', http: {{paths: [{{{path}, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]
---
"
    )
}

const ASKS: &str = "nginx.ingress.kubernetes.io/auth-url: 'https://$host/oauth2/auth'";

const ROOT: &str = "path: /, pathType: Prefix";

fn told(text: &str) -> Vec<String> {
    let report = Report::new(&Manifests::parse("m.yaml", text).unwrap(), false, None);
    let findings = report.findings.iter();
    let of_it = findings.filter(|one| one.code == "asks-itself");
    of_it.map(|one| one.expected.clone()).collect()
}

#[test]
fn a_host_that_asks_itself_and_is_answered_by_nobody_is_told() {
    let asking = ingress("dash", "d.test", ROOT, ASKS);
    let nobody = [
        "asks the host itself, and no other Ingress among the manifests serves /oauth2/auth on host d.test",
    ];
    assert_eq!(told(&asking), nobody);
    // Of another host, of another path.
    for (host, path) in [
        ("e.test", "path: /oauth2, pathType: Prefix"),
        ("d.test", "path: /oauth, pathType: Exact"),
    ] {
        let other = ingress("sso", host, path, "");
        assert_eq!(told(&[&*asking, &*other].concat()), nobody, "{host} {path}");
    }
    let alone = ingress("dash", "d.test", "path: /app, pathType: Prefix", ASKS);
    assert_eq!(told(&alone), nobody);
    let global = "apiVersion: v1
kind: ConfigMap
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
data: {global-auth-url: 'https://$host/oauth2/auth'}
";
    let open = ingress("dash", "d.test", ROOT, "");
    assert_eq!(told(&[&*open, global].concat()).len(), 1);
}

#[test]
fn who_is_answered_by_another_ingress_of_the_host_is_not_warned() {
    let served = |host: &str, path: &str, more: &str| {
        let asking = ingress("dash", host, ROOT, ASKS);
        let other = ingress("sso", host, path, more);
        told(&[asking, other].concat())
    };
    for path in [
        "path: /oauth2, pathType: Prefix",
        "path: /oauth2/auth, pathType: Exact",
        "path: /oauth2/, pathType: ImplementationSpecific",
    ] {
        for host in ["d.test", "*.d.test", ""] {
            assert!(served(host, path, "").is_empty(), "{host} {path}");
        }
    }
    let regex = "nginx.ingress.kubernetes.io/use-regex: 'true'";
    assert!(
        served(
            "d.test",
            "path: '/oauth2/(a|b).*', pathType: ImplementationSpecific",
            regex
        )
        .is_empty()
    );
    let limited = "nginx.ingress.kubernetes.io/limit-rps: '5'";
    assert!(served("d.test", "path: /oauth2, pathType: Prefix", limited).is_empty());
    // Not the host itself.
    let service = "nginx.ingress.kubernetes.io/auth-url: 'http://sso.auth.svc.cluster.local/auth'";
    assert!(told(&ingress("dash", "d.test", ROOT, service)).is_empty());
}

#[test]
fn who_answers_only_after_a_question_of_its_own_or_rewrites_is_told() {
    let told = |more: &str| {
        let asking = ingress("dash", "d.test", ROOT, ASKS);
        let path = "path: /oauth2, pathType: Prefix";
        told(&[asking, ingress("sso", "d.test", path, more)].concat())
    };
    for (more, why) in [
        (ASKS, "lets in nobody unasked"),
        (
            "nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8",
            "lets in nobody unasked",
        ),
        (
            "nginx.ingress.kubernetes.io/rewrite-target: /x",
            "rewrites it",
        ),
    ] {
        let told = told(more);
        assert!(
            told.iter()
                .any(|one| one.contains("ingress default/sso") && one.contains(why)),
            "{more}: {told:?}"
        );
    }
}
