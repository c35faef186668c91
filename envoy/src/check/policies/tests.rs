//! Objects of others that take, or never see, what limpet serves.

use crate::check::{Level, Platform, Report};
use crate::manifests::Manifests;

const SHOP: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: prod}
spec:
  ingressClassName: nginx
  tls: [{hosts: [shop.test], secretName: shop-tls}]
  rules:
  - host: shop.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: prod}, spec: {ports: [{port: 80}]}}
---
";

/// What is warned of where Istio serves the shop beside `object`.
fn warned(object: &str) -> Vec<String> {
    let manifests = Manifests::parse("in.yaml", &format!("{SHOP}{object}")).unwrap();
    let report = Report::new(&manifests, false, Some(Platform::Istio));
    let warned = report.findings.iter();
    let warned = warned.filter(|one| one.level == Level::Warning);
    warned.map(|one| one.message()).collect()
}

#[test]
fn a_policy_with_the_gateways_label_runs_in_its_namespace_alone() {
    let policy = |namespace: &str| {
        format!(
            "{{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, \
             metadata: {{name: p, namespace: {namespace}}}, \
             spec: {{selector: {{matchLabels: {{istio: ingressgateway}}}}, action: DENY, rules: [{{}}]}}}}\n"
        )
    };
    let said = warned(&policy("prod"));
    assert!(
        said.len() == 1 && said[0].contains("selects pods of namespace prod alone"),
        "{said:?}"
    );
    assert!(warned(&policy("istio-system")).is_empty());
    // There is a gateway.
    let gateway = "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: gw, namespace: prod}, \
                   spec: {template: {metadata: {labels: {istio: ingressgateway}}}}}\n";
    assert!(warned(&format!("{}{gateway}", policy("prod"))).is_empty());
}

#[test]
fn a_gateway_of_somebody_else_that_has_a_host_on_443_is_told() {
    let gateway = |fields: &str, server: &str| {
        format!(
            "{{apiVersion: networking.istio.io/v1, kind: Gateway, \
             metadata: {{name: theirs, namespace: b, creationTimestamp: '2019-01-01T00:00:00Z'}}, \
             spec: {{{fields}, servers: [{{{server}, tls: {{mode: SIMPLE, credentialName: z}}}}]}}}}\n"
        )
    };
    let pods = "selector: {istio: ingressgateway}";
    let https = "port: {number: 443, name: https, protocol: HTTPS}";
    let taken = gateway(pods, &format!("{https}, hosts: [other.test, shop.test]"));
    let said = warned(&taken);
    assert!(
        said.len() == 1 && said[0].starts_with("Gateway b/theirs: has shop.test on 443 too"),
        "{said:?}"
    );
    assert_eq!(
        warned(&taken.replace("[other.test, shop.test]", "['*/shop.test']")).len(),
        1
    );
    for harmless in [
        gateway(
            "selector: {istio: egressgateway}",
            &format!("{https}, hosts: [shop.test]"),
        ),
        gateway(pods, &format!("{https}, hosts: [other.test]")),
        // The most specific name has it.
        gateway(pods, &format!("{https}, hosts: ['*']")),
        gateway(
            pods,
            "port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.test]",
        ),
        gateway(
            pods,
            &format!("{https}, bind: 10.0.0.1, hosts: [shop.test]"),
        ),
    ] {
        assert!(warned(&harmless).is_empty(), "{harmless}");
    }
    let limpets = "---\n{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: limpet, \
                   namespace: istio-system, creationTimestamp: '2018-01-01T00:00:00Z'}, spec: {}}\n";
    assert!(
        warned(&format!("{taken}{limpets}")).is_empty(),
        "it is the younger"
    );
}
