//! Nothing is honoured of which a finding says that it is not.

use crate::check::{Platform, Report, Verdict};
use crate::manifests::Manifests;

fn report(annotations: &[(&str, &str)], on: Option<Platform>) -> Report {
    let line = |(name, value): &(&str, &str)| {
        format!("    nginx.ingress.kubernetes.io/{name}: '{value}'\n")
    };
    let annotations: String = annotations.iter().map(line).collect();
    let text = format!(
        "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: prod
  annotations:
{annotations}spec:
  ingressClassName: nginx
  rules: [{{host: shop.test, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: \
         {{number: 80}}}}}}}}]}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: prod}}
spec: {{ports: [{{port: 80}}]}}
"
    );
    Report::new(&Manifests::parse("m.yaml", &text).unwrap(), false, on)
}

fn verdict(report: &Report, name: &str) -> Verdict {
    let mut judged = report.annotations.iter();
    judged.find(|one| one.annotation == name).unwrap().verdict
}

#[test]
fn what_a_platform_closes_is_not_honoured_there() {
    use Platform::{Envoy, EnvoyGateway, Istio};
    use Verdict::{Differs, Refused};
    for (name, value, on, wanted) in [
        (
            "auth-url",
            "https://sso.test/ask",
            Some(EnvoyGateway),
            Refused,
        ),
        (
            "auth-url",
            "https://sso.auth.svc/ask",
            Some(EnvoyGateway),
            Refused,
        ),
        (
            "auth-url",
            "http://sso.prod.svc/ask",
            Some(EnvoyGateway),
            Differs,
        ),
        (
            "auth-url",
            "http://sso.nowhere.svc/ask",
            Some(EnvoyGateway),
            Refused,
        ),
        ("auth-url", "https://sso.test/ask", Some(Istio), Differs),
        ("auth-url", "https://sso.test/ask", Some(Envoy), Differs),
        ("auth-url", "http://127.0.0.1/ask", None, Refused),
        (
            "mirror-target",
            "https://copy.test$request_uri",
            Some(EnvoyGateway),
            Refused,
        ),
        (
            "mirror-target",
            "https://copy.test$request_uri",
            Some(Istio),
            Differs,
        ),
        (
            "mirror-target",
            "http://localhost$request_uri",
            Some(Istio),
            Refused,
        ),
        ("whitelist-source-range", "nobody", None, Refused),
        ("custom-headers", "prod/missing", None, Refused),
        ("proxy-ssl-secret", "prod/missing", Some(Istio), Refused),
        (
            "auth-tls-secret",
            "prod/missing",
            Some(EnvoyGateway),
            Refused,
        ),
    ] {
        let report = report(&[(name, value)], on);
        assert_eq!(verdict(&report, name), wanted, "{name}: {value} {on:?}");
        let is_told = report.exit_status() != 0;
        assert_eq!(is_told, wanted == Refused, "{name}: {value} {on:?}");
        let mut text = Vec::new();
        crate::check::print_text(&mut text, &report).unwrap();
        let text = String::from_utf8(text).unwrap();
        let is_honoured = text.contains(&format!("{name}: honoured"));
        assert_eq!(is_honoured, wanted == Differs, "{text}");
        assert_eq!(text.contains(" refused"), wanted == Refused, "{text}");
    }
}

#[test]
fn what_goes_with_it_is_not_honoured_either() {
    let all = [
        ("mirror-target", "https://copy.test$request_uri"),
        ("mirror-host", "copy.test"),
        ("auth-tls-secret", "prod/missing"),
        ("auth-tls-verify-depth", "2"),
    ];
    let report = report(&all, Some(Platform::EnvoyGateway));
    for (name, _) in all {
        assert_eq!(verdict(&report, name), Verdict::Refused, "{name}");
    }
}

#[test]
fn what_is_honoured_says_what_the_table_says_of_the_platform() {
    let difference = |name: &str, value: &str, on| {
        let report = report(&[(name, value)], Some(on));
        let mut judged = report.annotations.iter();
        let judged = judged.find(|one| one.annotation == name).unwrap();
        judged.difference
    };
    let (url, on) = ("https://$host/oauth2/auth", Platform::EnvoyGateway);
    let said = difference("auth-url", url, on);
    assert!(said.contains("plain http, or $host"), "{said}");
    for name in ["whitelist-source-range", "limit-rps"] {
        let value = if name == "limit-rps" {
            "5"
        } else {
            "10.0.0.0/8"
        };
        let said = difference(name, value, Platform::Istio);
        assert!(
            said.contains("exact at a gateway; render istio --sidecar refuses it"),
            "{said}"
        );
        assert_eq!(difference(name, value, Platform::Envoy), "");
    }
    // Where it differs for some values alone.
    assert_eq!(difference("backend-protocol", "HTTP", on), "");
    assert_eq!(difference("server-alias", "b.test", on), "");
    assert!(!difference("server-alias", "*.b.test", on).is_empty());
    assert_eq!(difference("auth-type", "basic", on), "");
}

#[test]
fn a_key_that_the_platform_has_to_be_told_of_says_so() {
    let difference = |value: &str, on| {
        let text = format!(
            "apiVersion: v1
kind: ConfigMap
metadata: {{name: ingress-nginx-controller, namespace: ingress-nginx}}
data: {{use-forwarded-headers: '{value}'}}
"
        );
        let report = Report::new(&Manifests::parse("m.yaml", &text).unwrap(), false, Some(on));
        report.settings.first().unwrap().difference
    };
    assert!(difference("true", Platform::Istio).contains("numTrustedProxies"));
    assert_eq!(difference("false", Platform::Istio), "");
    assert_eq!(difference("true", Platform::EnvoyGateway), "");
}
