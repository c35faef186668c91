use serde_json::json;

use super::run;
use crate::check::Report;
use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};

/// Two tenants; the second one's `metadata` and `spec` follow.
const OWNER: &str = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop, creationTimestamp: 2026-01-01T00:00:00Z}
spec:
  tls: [{hosts: [shop.test], secretName: own}]
  rules:
  - {host: shop.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}
  - {host: plain.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}
  - {host: '*.wild.test', http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
";

const BACKEND: &str = "http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: x, port: {number: 80}}}}]}";

/// `line code: message` of what is said, each at the place of the second Ingress.
fn said(second: &str) -> Vec<String> {
    let text = format!("{OWNER}{}", second.replace("BACKEND", BACKEND));
    let mut manifests = Manifests::parse("in.yaml", &text).unwrap();
    manifests.ssl_passthrough = Some(true);
    let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
    let findings = run(&compiled);
    // What is said by one is said by all.
    let report = Report::new(&manifests, false, None);
    let heads = [
        istio::text(&manifests, &IstioArgs::default()).unwrap(),
        envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap(),
    ];
    for finding in &findings {
        assert!(report.findings.contains(finding), "{finding:?}");
        let line = format!("# note: {}\n", finding.located());
        for head in &heads {
            assert!(head.contains(&line), "{line}{head}");
        }
    }
    let one = |finding: &crate::check::Finding| {
        format!("{} {}: {}", finding.line, finding.code, finding.message())
    };
    findings.iter().map(one).collect()
}

// Nothing told of them, though they take all of a wildcard's hosts.
#[test]
fn aliases_with_a_star_or_a_dot_are_told_where_they_take_a_wildcards_hosts() {
    for (alias, host, wildcard, is_told) in [
        ("*.alpha.test", "b.test", "*.a.alpha.test", true),
        (".alpha.test", "b.test", "*.a.alpha.test", true),
        (".a.alpha.test", "b.test", "*.a.alpha.test", true),
        ("x.*", "b.test", "*.a.alpha.test", true),
        ("x.a.*", "b.test", "*.a.alpha.test", true),
        ("*.b.a.alpha.test", "b.test", "*.a.alpha.test", false),
        ("*.lpha.test", "b.test", "*.alpha.test", false),
        ("x.b.*", "b.test", "*.a.alpha.test", false),
        ("*.alpha.test", "*.a.alpha.test", "*.a.alpha.test", false),
        ("x.a.alpha.test", "*.a.alpha.test", "*.a.alpha.test", false),
        ("x.a.alpha.test", "b.test", "*.a.alpha.test", true),
        ("X.alpha.test", "b.test", "x.alpha.test", true),
    ] {
        let rule = |host: &str| {
            json!([{ "host": host, "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": "s", "port": { "number": 80 } } } }] } }])
        };
        let alpha = json!({ "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "name": "a", "namespace": "alpha" }, "spec": { "rules": rule(wildcard) } });
        let beta = json!({ "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "name": "b", "namespace": "beta",
                "annotations": { "nginx.ingress.kubernetes.io/server-alias": alias } },
            "spec": { "rules": rule(host) } });
        let text = json!({ "apiVersion": "v1", "kind": "List", "items": [alpha, beta] });
        let manifests = Manifests::parse("m.yaml", &text.to_string()).unwrap();
        let report = Report::new(&manifests, false, None);
        let told = report
            .findings
            .iter()
            .filter(|one| one.code == "alias-of-others");
        assert_eq!(
            told.count(),
            usize::from(is_told),
            "{alias} of {host} beside {wildcard}: {:#?}",
            report.findings
        );
    }
}

#[test]
fn tls_that_somebody_else_passes_on_is_told() {
    let second = "\
metadata:
  name: x
  namespace: evil
  creationTimestamp: 2026-02-01T00:00:00Z
  annotations: {nginx.ingress.kubernetes.io/ssl-passthrough: 'true'}
spec:
  rules:
  - {host: shop.test, http: {paths: [{path: /x, pathType: Prefix, backend: {service: {name: x, port: {number: 80}}}}]}}
  - {host: own.test, BACKEND}
";
    let said = said(second);
    let [one] = &said[..] else {
        panic!("{said:?}");
    };
    for words in [
        "17 passthrough-of-others",
        "\"shop.test\"",
        "shop/web (in.yaml:1)",
    ] {
        assert!(one.contains(words), "{one}");
    }
}

#[test]
fn a_certificate_that_is_contested_is_told_with_both_places() {
    let second = "\
metadata: {name: x, namespace: evil, creationTimestamp: 2026-02-01T00:00:00Z}
spec:
  tls:
  - {hosts: [shop.test, plain.test, nobody.test], secretName: stolen}
  rules: [{host: shop.test, BACKEND}, {host: plain.test, BACKEND}]
";
    let asks = |host: &str| {
        format!(
            "16 certificate: tls: asks for another certificate for host {host:?} than ingress \
             shop/web (in.yaml:1), which is older; what the older one says counts, as under \
             ingress-nginx"
        )
    };
    assert_eq!(
        said(second),
        [
            asks("shop.test"),
            // Whose tls section does not list it: the controller's own certificate.
            asks("plain.test"),
            "16 certificate: tls: lists host \"nobody.test\", for which the Ingress has no rule; \
             the host gets no certificate from here, as under ingress-nginx"
                .to_owned(),
        ]
    );
}

#[test]
fn a_canary_that_takes_another_namespaces_requests_is_told_with_both_places() {
    let second = "\
metadata:
  name: x
  namespace: evil
  annotations:
    nginx.ingress.kubernetes.io/canary: 'true'
    nginx.ingress.kubernetes.io/canary-weight: '100'
spec: {rules: [{host: shop.test, BACKEND}, {host: plain.test, BACKEND}]}
";
    assert_eq!(
        said(second),
        [
            "17 canary-of-others: canary: \"true\" takes requests from Service shop/web:80, on every \
          path that leads there, of ingress shop/web (in.yaml:1), in another namespace; it gets \
          them, as under ingress-nginx"
        ]
    );
    // Its own namespace's is nobody's business.
    let own = second.replace("namespace: evil", "namespace: shop");
    assert_eq!(said(&own), Vec::<String>::new());
}

// Its note said that such a canary gets no requests, and it got all of them.
#[test]
fn a_canary_of_another_namespaces_default_backend_is_told() {
    for canary in [
        format!("rules: [{{{BACKEND}}}]"),
        "defaultBackend: {service: {name: x, port: {number: 80}}}".to_owned(),
    ] {
        let text = format!(
            "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web, namespace: shop}}
spec: {{ingressClassName: nginx, defaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: x
  namespace: evil
  annotations:
    nginx.ingress.kubernetes.io/canary: 'true'
    nginx.ingress.kubernetes.io/canary-weight: '100'
spec: {{ingressClassName: nginx, {canary}}}
"
        );
        let manifests = Manifests::parse("in.yaml", &text).unwrap();
        let report = Report::new(&manifests, false, None);
        let codes: Vec<&str> = report.findings.iter().map(|one| one.code).collect();
        assert_eq!(codes, ["canary-of-others"], "{text}{:?}", report.findings);
    }
}

#[test]
fn an_alias_that_another_namespace_has_too_is_told_once() {
    let second = "\
metadata:
  name: x
  namespace: evil
  annotations: {nginx.ingress.kubernetes.io/server-alias: both.test}
spec: {rules: [{host: evil.test, BACKEND}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: z
  namespace: third
  annotations: {nginx.ingress.kubernetes.io/server-alias: both.test}
spec: {rules: [{host: third.test, BACKEND}]}
";
    assert_eq!(
        said(second),
        [
            "24 alias-of-others: server-alias: \"both.test\" names host \"both.test\", which ingress \
             evil/x (in.yaml:11) has for an alias too, in another namespace; whoever has the first \
             own host in the alphabet has it, as under ingress-nginx"
        ]
    );
}

#[test]
fn an_alias_of_another_namespaces_host_is_told_with_both_places() {
    let second = "\
metadata:
  name: x
  namespace: evil
  annotations:
    nginx.ingress.kubernetes.io/server-alias: shop.test,a.wild.test,free.test
spec: {rules: [{host: evil.test, BACKEND}]}
";
    assert_eq!(
        said(second),
        [
            "17 alias-of-others: server-alias: \"shop.test,a.wild.test,free.test\" names host \
             \"a.wild.test\", which ingress shop/web (in.yaml:1) has by a wildcard, in another \
             namespace; the alias takes the host, as under ingress-nginx",
            "17 alias-of-others: server-alias: \"shop.test,a.wild.test,free.test\" names host \
             \"shop.test\", which ingress shop/web (in.yaml:1) has, in another namespace; its rules \
             count and the alias has no effect, as under ingress-nginx",
        ]
    );
}

// A regex was told nowhere, though it may take all that nobody else names.
#[test]
fn a_regex_alias_of_another_namespaces_hosts_is_told() {
    let told = |alias: &str| {
        let second = "\
metadata:
  name: x
  namespace: evil
  annotations:
    nginx.ingress.kubernetes.io/server-alias: ALIAS
spec: {rules: [{host: evil.test, BACKEND}]}
";
        said(&second.replace("ALIAS", alias))
    };
    for (alias, host, more) in [
        ("~^shop\\.test$", "shop.test", ""),
        ("~.*", "shop.test", ", and 2 more"),
        ("~^admin\\.wild\\.test$", "*.wild.test", ""),
        ("~^[a-z]+\\.wild\\.test$", "*.wild.test", ""),
        ("~^x[0-9]{2}\\.wild\\.test$", "*.wild.test", ""),
    ] {
        let said = told(alias);
        assert_eq!(said.len(), 1, "{said:?}");
        let expected = format!(
            "means host {host:?}, which ingress shop/web (in.yaml:1) has{more}, in another namespace"
        );
        assert!(
            said[0].starts_with("17 alias-of-others: server-alias: "),
            "{said:?}"
        );
        assert!(said[0].contains(&expected), "{said:?}");
    }
    assert_eq!(told("~^free[0-9]+\\.test$"), [""; 0]);
}
