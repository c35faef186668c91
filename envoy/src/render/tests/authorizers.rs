//! Whom a tenant's `auth-url` names may be another tenant's Service: it stays as it is.

use crate::manifests::Manifests;
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};

const SHOP: &str = "
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: alpha}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: e, namespace: evil}, spec: {ports: [{port: 80}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: alpha}
spec:
  ingressClassName: nginx
  rules:
  - host: shop.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: x, namespace: evil, annotations: {nginx.ingress.kubernetes.io/auth-url: URL}}
spec:
  ingressClassName: nginx
  rules:
  - host: evil.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: e, port: {number: 80}}}}]}
";

fn manifests(url: &str) -> Manifests {
    Manifests::parse("in.yaml", &SHOP.replace("URL", url)).unwrap()
}

#[test]
fn a_stranger_who_asks_a_service_in_tls_does_not_have_others_speak_tls_to_it() {
    for sidecar in [false, true] {
        let args = IstioArgs {
            sidecar,
            ..IstioArgs::default()
        };
        for url in [
            "https://web.alpha.svc.cluster.local:80/ask",
            "https://web.alpha.svc:80/ask",
            "https://web.alpha:80/ask",
        ] {
            let text = istio::text(&manifests(url), &args).unwrap();
            assert!(!text.contains("kind: DestinationRule"), "{url}\n{text}");
            let origin = url.trim_end_matches("/ask");
            let name = format!("name: authorizer/{origin}\n");
            assert!(text.contains(&name), "{url}\n{text}");
            let address = "address: web.alpha.svc.cluster.local\n";
            assert!(text.contains(address), "{url}\n{text}");
        }
    }
}

#[test]
fn nothing_is_written_into_a_namespace_that_is_not_there() {
    let args = EnvoyGatewayArgs::default();
    let text = |url: &str| envoy_gateway::text(&manifests(url), &args);
    let known = text("http://web.alpha.svc.cluster.local/ask").unwrap();
    assert!(known.contains("namespace: alpha"), "{known}");
    let text = text("http://web.nowhere.svc.cluster.local/ask").unwrap();
    assert!(!text.contains("namespace: nowhere"));
    assert!(text.contains("is a Service of a namespace of which nothing is among"));
    assert!(text.contains("authorizers: {}"));
}
