//! Objects that serve otherwise than they look.

use crate::check::{Finding, Report};
use crate::manifests::{Manifests, Selection};

const CLUSTER: &str = "\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: internal}
spec: {controller: k8s.io/internal-nginx}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec: {ingressClassName: internal, rules: [{host: shop.example.com}]}
";

fn asked_in_vain(classes: &[&str], controllers: &[&str]) -> (u8, Vec<Finding>) {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let selection = Selection {
        classes: owned(classes),
        controllers: owned(controllers),
        annotations_prefix: None,
        config_map: None,
    };
    let manifests = Manifests::parse("m.yaml", CLUSTER).unwrap();
    let report = Report::new(&manifests.with_selection(&selection), false, None);
    let status = report.exit_status();
    let findings = report.findings.into_iter();
    let of_it = findings.filter(|finding| finding.code == "asked-in-vain");
    (status, of_it.collect())
}

// Nothing was taken, nothing rendered, and everything was said to be as under ingress-nginx.
#[test]
fn a_class_or_a_controller_that_nothing_names_is_told() {
    let (status, found) = asked_in_vain(&["intrnal", "internal"], &[]);
    assert_eq!(status, 1);
    let help: Vec<_> = found
        .iter()
        .map(|one| (&one.value, &one.help[..]))
        .collect();
    let meant = &["did you mean internal?".to_owned()][..];
    assert_eq!(help, [(&Some("intrnal".to_owned()), meant)]);
    let (_, found) = asked_in_vain(&[], &["k8s.io/other"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(asked_in_vain(&["internal"], &[]), (0, Vec::new()));
    assert_eq!(
        asked_in_vain(&[], &["k8s.io/internal-nginx"]),
        (0, Vec::new())
    );
    assert_eq!(asked_in_vain(&["internal", ""], &[]), (0, Vec::new()));
}

#[test]
fn settings_that_are_not_at_hand_are_told() {
    let notes = |text: &str| {
        let manifests = Manifests::parse("m.yaml", text).unwrap();
        Report::new(&manifests, false, None).notes
    };
    let [note] = &notes(CLUSTER)[..] else {
        panic!("{:?}", notes(CLUSTER));
    };
    assert!(
        note.contains("ConfigMap is not among the manifests"),
        "{note}"
    );
    let settings = "\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ingress-nginx-controller}
";
    assert!(notes(&[CLUSTER, settings].concat()).is_empty());
}

// render said that it answers 503, and check nothing.
#[test]
fn a_name_without_ports_needs_a_number() {
    let status = |port: &str| {
        let text = format!(
            "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: shop}}
spec: {{ingressClassName: nginx, rules: [{{http: {{paths: [{{path: /, pathType: Prefix, backend: \
             {{service: {{name: web, port: {port}}}}}}}]}}}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: ExternalName, externalName: shop.example.org}}
"
        );
        let manifests = Manifests::parse("m.yaml", &text).unwrap();
        Report::new(&manifests, false, None).exit_status()
    };
    assert_eq!(status("{name: http}"), 2);
    assert_eq!(status("{number: 80}"), 0);
}

#[test]
fn an_authorizer_that_nobody_is_asked_at_is_told() {
    let told = |url: &str| {
        let text = format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: shop, annotations: \
             {{nginx.ingress.kubernetes.io/auth-url: '{url}'}}}}\nspec: {{rules: [{{http: {{paths: [{{path: /, \
             pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]}}\n\
             ---\napiVersion: v1\nkind: Service\nmetadata: {{name: ext, namespace: default}}\n\
             spec: {{type: ExternalName, externalName: localhost}}\n"
        );
        let manifests = Manifests::parse("m.yaml", &text).unwrap();
        let report = Report::new(&manifests, false, None);
        report.findings.iter().any(|one| one.code == "off-limits")
    };
    for url in [
        "http://127.0.0.1/verify",
        "http://0x7f.1/verify",
        "http://169.254.169.254/latest",
        "http://localhost:4180/verify",
        "http://ext.default.svc/verify",
    ] {
        assert!(told(url), "{url}");
    }
    assert!(!told("http://sso.auth.svc.cluster.local/verify"));
    assert!(!told("https://sso.example.net/verify"));
}
