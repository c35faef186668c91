//! What is missing is named, with the way to give it; and `render` tells what it closes.

use crate::check::{Finding, Platform, Report};
use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};

fn manifests(annotations: &str, more: &str) -> Manifests {
    let text = format!(
        "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: prod
  annotations:
{annotations}
spec:
  ingressClassName: nginx
  tls: [{{hosts: [shop.test], secretName: tls}}]
  rules: [{{host: shop.test, http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: \
         {{number: 80}}}}}}}}]}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: prod}}
spec: {{ports: [{{port: 80}}]}}
{more}"
    );
    Manifests::parse("m.yaml", &text).unwrap()
}

fn annotations(all: &[(&str, &str)]) -> String {
    let line =
        |(name, value): &(&str, &str)| format!("    nginx.ingress.kubernetes.io/{name}: '{value}'");
    let lines: Vec<String> = all.iter().map(line).collect();
    lines.join("\n")
}

fn about(manifests: &Manifests, field: &str, on: Option<Platform>) -> Vec<Finding> {
    let report = Report::new(manifests, false, on);
    let findings = report.findings.into_iter();
    findings.filter(|one| one.field == field).collect()
}

const BASIC: [(&str, &str); 2] = [("auth-type", "basic"), ("auth-secret", "users")];

#[test]
fn a_secret_or_a_config_map_that_is_not_given_is_named_with_the_way_to_give_it() {
    for (all, field, what, command) in [
        (
            &BASIC[..],
            "auth-secret",
            "names Secret prod/users, which is not among the manifests (-f)",
            "kubectl get secret users -n prod -o yaml",
        ),
        (
            &[("custom-headers", "other/headers")],
            "custom-headers",
            "names ConfigMap other/headers, which is not among the manifests (-f)",
            "kubectl get configmap headers -n other -o yaml",
        ),
        (
            &[
                ("auth-url", "http://sso.auth.svc.cluster.local/ask"),
                ("auth-proxy-set-headers", "prod/headers"),
            ],
            "auth-proxy-set-headers",
            "names ConfigMap prod/headers, which is not among the manifests (-f)",
            "kubectl get configmap headers -n prod -o yaml",
        ),
    ] {
        let manifests = manifests(&annotations(all), "");
        let findings = about(&manifests, field, None);
        let [one] = &findings[..] else {
            panic!("{field}: {findings:?}")
        };
        assert_eq!(
            (&*one.expected, &*one.consequence),
            (what, "its paths answer 503")
        );
        assert!(
            one.help.iter().any(|line| line.contains(command)),
            "{:?}",
            one.help
        );
    }
}

#[test]
fn no_command_is_made_of_names_that_are_none() {
    let secret = [("auth-type", "basic"), ("auth-secret", "-A;reboot")];
    let findings = about(&manifests(&annotations(&secret), ""), "auth-secret", None);
    let help: Vec<&String> = findings.iter().flat_map(|one| &one.help).collect();
    assert_eq!(help, ["give it with -f"]);
}

#[test]
fn what_is_wrong_with_a_secret_that_is_given_is_said() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: users, namespace: NS}\nstringData: {other: x}\n";
    let said = |named: &str, namespace: &str| {
        let all = annotations(&[("auth-type", "basic"), ("auth-secret", named)]);
        let manifests = manifests(&all, &secret.replace("NS", namespace));
        let findings = about(&manifests, "auth-secret", None);
        findings.first().unwrap().expected.clone()
    };
    assert!(said("users", "prod").contains("no users under the key auth"));
    assert!(said("other/users", "other").contains("of another namespace"));
}

// check said 403 and 503 of one Secret.
#[test]
fn a_secret_of_client_certificates_that_is_not_given_answers_403_and_nothing_else() {
    let manifests = manifests(&annotations(&[("auth-tls-secret", "prod/ca")]), "");
    for on in [Platform::Envoy, Platform::Istio, Platform::EnvoyGateway] {
        let findings = about(&manifests, "auth-tls-secret", Some(on));
        let [one] = &findings[..] else {
            panic!("{on:?}: {findings:?}")
        };
        let what = "names Secret prod/ca, which is not among the manifests (-f)";
        assert_eq!(one.expected, what);
        assert_eq!(
            one.consequence,
            "its hosts answer 403, as under ingress-nginx"
        );
        let report = Report::new(&manifests, false, Some(on));
        let all: Vec<String> = report.findings.iter().map(Finding::message).collect();
        assert!(!all.iter().any(|one| one.contains("503")), "{all:?}");
        assert_eq!(
            all.iter().filter(|one| one.contains("403")).count(),
            1,
            "{all:?}"
        );
    }
    // Where it is lost anyway, whoever renders is told what to give.
    let findings = about(&manifests, "auth-tls-secret", None);
    let help: Vec<&String> = findings.iter().flat_map(|one| &one.help).collect();
    let command = "kubectl get secret ca -n prod -o yaml";
    assert!(help.iter().any(|line| line.contains(command)), "{help:?}");
}

// One whose names nobody can match let nobody in, and was said to be ignored.
#[test]
fn what_closes_a_host_by_its_client_certificates_is_said_to_answer_403() {
    let ca = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: ca, namespace: prod}\nstringData:\n  ca.crt: |\n";
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/recordings/rest/certs"
    );
    let pem = std::fs::read_to_string(format!("{folder}/ca.crt")).unwrap();
    let pem = pem.replace('\n', "\n    ");
    let all = annotations(&[
        ("auth-tls-secret", "prod/ca"),
        ("auth-tls-match-cn", "CN=("),
    ]);
    let manifests = manifests(&all, &format!("{ca}    {pem}\n"));
    let findings = about(&manifests, "auth-tls-match-cn", Some(Platform::Envoy));
    let said: Vec<&String> = findings.iter().map(|one| &one.consequence).collect();
    assert_eq!(said, ["its hosts answer 403, as under ingress-nginx"]);
}

#[test]
fn render_tells_what_it_closes_with_its_place() {
    for (all, told) in [
        (
            &BASIC[..],
            "m.yaml:8: ingress prod/shop: auth-secret: \"users\" names Secret prod/users, which is not among the \
             manifests (-f); its paths answer 503",
        ),
        (
            &[("custom-headers", "prod/headers")],
            "m.yaml:7: ingress prod/shop: custom-headers: \"prod/headers\" names ConfigMap prod/headers, which is not \
             among the manifests (-f); its paths answer 503",
        ),
        (
            &[("whitelist-source-range", "10.0.0.0/8;192.168.0.1")],
            "m.yaml:7: ingress prod/shop: whitelist-source-range: ",
        ),
        (
            &[("limit-rps", "5"), ("limit-whitelist", "nobody")],
            "m.yaml:8: ingress prod/shop: limit-whitelist: ",
        ),
    ] {
        let manifests = manifests(&annotations(all), "");
        let note = format!("# note: {told}");
        let istio = istio::text(&manifests, &IstioArgs::default()).unwrap();
        assert!(istio.contains(&note), "{told}: {istio}");
        let gateway = envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap();
        assert!(gateway.contains(&note), "{told}: {gateway}");
        let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
        let closed = crate::check::closed(&compiled);
        let on_envoy: Vec<String> = closed.iter().map(Finding::located).collect();
        assert!(
            on_envoy.iter().any(|one| one.starts_with(told)),
            "{on_envoy:?}"
        );
    }
}

#[test]
fn render_tells_nothing_of_an_ingress_that_is_served() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: users, namespace: prod}\nstringData: {auth: 'a:b'}\n";
    let manifests = manifests(&annotations(&BASIC), secret);
    let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
    assert_eq!(crate::check::closed(&compiled), []);
}

// Who wrote an Ingress was told of `authorizers` and `clusters`, keys of the plugin's configuration.
#[test]
fn what_an_ingress_says_is_judged_in_words_of_ingresses() {
    let urls = ["http://$service_name.svc/ask", "/ask", "http://[::1]/ask"];
    let said = urls.map(|url| ("auth-url", url));
    for (name, value) in said.into_iter().chain([("default-backend", "missing")]) {
        let manifests = manifests(&annotations(&[(name, value)]), "");
        let findings = about(&manifests, name, None);
        let [one] = &findings[..] else {
            panic!("{name}: {value}: {findings:?}")
        };
        let text = [one.message(), one.help.join("\n")].join("\n");
        let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
        let explained = crate::check::in_words(&compiled).join("\n");
        assert!(explained.contains(&one.expected), "{explained}");
        for jargon in ["authorizers", "clusters", "`"] {
            assert!(!text.contains(jargon), "{text}");
            assert!(!explained.contains(jargon), "{explained}");
        }
        assert!(!one.help.is_empty(), "{text}");
    }
}

// It is one, and may not be set.
#[test]
fn a_header_that_no_authorizer_may_set_is_said_to_be_what_it_is() {
    for (name, why) in [
        ("X-Limpet-Cluster", "is a header of limpet's own"),
        ("x-envoy-retry-on", "is a header that Envoy goes by"),
        ("connection", "is a header of one connection"),
        ("Content-Length", "is a header that bounds messages"),
        ("a b", "is not a header's name"),
    ] {
        let annotations = format!(
            "    nginx.ingress.kubernetes.io/auth-url: http://auth.test/\n    \
             nginx.ingress.kubernetes.io/auth-response-headers: '{name}'"
        );
        let manifests = manifests(&annotations, "");
        let report = Report::new(&manifests, false, Some(Platform::Istio));
        let said: Vec<String> = report.findings.iter().map(Finding::message).collect();
        let is_said = said
            .iter()
            .any(|said| said.starts_with("auth-response-headers: ") && said.contains(why));
        assert!(is_said, "{name}: {said:?}");
        let text = istio::text(&manifests, &IstioArgs::default()).unwrap();
        assert!(text.contains(why), "{text}");
    }
}
