//! Calls inside the cluster that no Ingress took under ingress-nginx.

use serde_json::Value;

use crate::check::{Level, Platform, Report};
use crate::compiled::Compiled;
use crate::manifests::Manifests;
use crate::render::istio::{self, IstioArgs};
use crate::render::served::Served;

const BETA: &str = "
---
{apiVersion: v1, kind: Service, metadata: {name: oauth, namespace: beta}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Secret, metadata: {name: pods, namespace: gamma}, data: {a: YQ==}}
---
{apiVersion: v1, kind: Service, metadata: {name: e, namespace: evil}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: app, namespace: beta}, spec: {ports: [{port: 80}]}}
";

fn ingress(namespace: &str, host: &str, annotations: &str) -> String {
    let backend = if namespace == "beta" { "app" } else { "e" };
    format!(
        "\n---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {{name: i, namespace: {namespace}, annotations: {{{annotations}}}}}\n\
         spec: {{ingressClassName: nginx, rules: [{{host: '{host}', http: {{paths: [{{path: /, \
         pathType: Prefix, backend: {{service: {{name: {backend}, port: {{number: 80}}}}}}}}]}}}}]}}\n"
    )
}

fn annotation(name: &str, value: &str) -> String {
    format!("nginx.ingress.kubernetes.io/{name}: '{value}'")
}

struct Rendered {
    /// Of the VirtualServices.
    hosts: Vec<String>,
    /// Of the ServiceEntries.
    entries: Vec<String>,
    /// What the module decides by.
    known: Vec<String>,
    /// The comments.
    head: String,
}

fn rendered(text: &str, args: &IstioArgs) -> Rendered {
    let mut manifests = Manifests::parse("in.yaml", text).unwrap();
    let flags = args.flags();
    istio::make_room(&mut manifests, &flags, args).unwrap();
    let text = istio::text(&manifests, args).unwrap();
    let compiled = Compiled::new(&manifests, &flags).unwrap();
    let served = Served::new(&compiled);
    let resources = istio::resources(&served, args);
    let hosts = |kind: &str| -> Vec<String> {
        let all = resources.iter().filter(|one| one.kind() == kind);
        let hosts = all.flat_map(|one| one.value["spec"]["hosts"].as_array().unwrap());
        hosts
            .map(|host| host.as_str().unwrap().to_owned())
            .collect()
    };
    let known = compiled.policy.virtual_hosts();
    let known = known.filter(|host| !host.is_default() || served.hosts.contains(&"*".to_owned()));
    let lines = text.lines().filter(|line| line.starts_with('#'));
    Rendered {
        hosts: hosts("VirtualService"),
        entries: hosts("ServiceEntry"),
        known: known.map(|host| host.name.clone()).collect(),
        head: lines.collect::<Vec<_>>().join("\n"),
    }
}

fn sidecar() -> IstioArgs {
    IstioArgs {
        sidecar: true,
        namespace: "client".to_owned(),
        selector: "app=client".to_owned(),
        ..IstioArgs::default()
    }
}

/// Names of Services of other namespaces than `evil`, and what may cover them.
const OF_OTHERS: [&str; 22] = [
    "oauth.beta.svc.cluster.local",
    "OAUTH.Beta.svc.cluster.local",
    "oauth.beta.svc",
    "oauth.beta",
    "kubernetes.default",
    "kubernetes.default.svc.cluster.local",
    "nobody-knows.unseen.svc.cluster.local",
    "nobody-knows.unseen.svc",
    "x.gamma",
    "x.client",
    "pod-0.oauth.beta",
    "pod-0.oauth.beta.svc.cluster.local",
    "10-0-0-1.beta.pod.cluster.local",
    "oauth.beta.svc.clusterset.local",
    "*.local",
    "*.cluster.local",
    "*.svc.cluster.local",
    "*.beta.svc.cluster.local",
    "*.svc",
    "*.beta.svc",
    "*.beta",
    "*.oauth.beta",
];

#[test]
fn no_host_of_an_ingress_takes_calls_to_a_service_of_another_namespace_in_sidecars() {
    let bare = ["oauth", "localhost"];
    for host in OF_OTHERS.into_iter().chain(bare) {
        let text = [BETA, &ingress("evil", host, "")].concat();
        let one = rendered(&text, &sidecar());
        assert_eq!(one.hosts, Vec::<String>::new(), "{host}");
        assert_eq!(one.entries, Vec::<String>::new(), "{host}");
        assert_eq!(one.known, Vec::<String>::new(), "{host}");
        let told = format!("ingress evil/i: host {host} ");
        assert!(one.head.contains(&told), "{}", one.head);
        assert!(one.head.contains("calls to that name go where they went"));
    }
}

#[test]
fn no_alias_and_no_redirect_takes_calls_to_a_service_of_another_namespace_in_sidecars() {
    let others = [
        "oauth",
        "10.96.0.1",
        "~^oauth\\..*$",
        "oauth.*",
        ".beta.svc",
        "_x",
        "oauth.beta.*",
    ];
    for alias in OF_OTHERS.into_iter().chain(others) {
        let aliases = annotation("server-alias", &format!("other.test,{alias}"));
        let text = [BETA, &ingress("evil", "own.test", &aliases)].concat();
        let one = rendered(&text, &sidecar());
        assert_eq!(one.hosts, ["other.test", "own.test"], "{alias}");
        assert_eq!(one.entries, ["other.test", "own.test"], "{alias}");
        assert_eq!(one.known, ["own.test", "other.test"], "{alias}");
        let told = format!("ingress evil/i: server-alias {alias} ");
        assert!(
            one.head.replace("\\\\", "\\").contains(&told),
            "{}",
            one.head
        );
    }
    let www = annotation("from-to-www-redirect", "true");
    for host in ["www.oauth.beta", "www.oauth.beta.svc", "www.oauth"] {
        let one = rendered(&[BETA, &ingress("evil", host, &www)].concat(), &sidecar());
        assert_eq!(one.known, Vec::<String>::new(), "{host}");
        assert!(one.head.contains(host), "{}", one.head);
    }
}

// Its paths would be served under the alias of whoever has the host beside it.
#[test]
fn who_shares_a_host_takes_no_calls_to_the_service_that_is_its_alias() {
    let aliases = annotation("server-alias", "app.beta.svc.cluster.local");
    let beta = ingress("beta", "own.test", &aliases);
    let alone = rendered(&[BETA, &beta].concat(), &sidecar());
    assert_eq!(alone.known, ["own.test", "app.beta.svc.cluster.local"]);
    let text = [BETA, &beta, &ingress("evil", "own.test", "")].concat();
    let shared = rendered(&text, &sidecar());
    assert_eq!(shared.known, ["own.test"]);
    assert!(
        shared
            .head
            .contains("other namespaces have paths on that host")
    );
}

#[test]
fn a_service_of_its_own_namespace_and_names_of_no_service_stay_in_sidecars() {
    for (host, is_known) in [
        ("app.beta.svc.cluster.local", true),
        ("app.beta.svc", true),
        ("app.beta", true),
        ("*.beta.svc.cluster.local", false),
        ("shop.example.com", false),
        ("*.example.com", false),
        ("shop.example", false),
        ("grafana.cluster.local", false),
        ("beta.example.com", false),
        ("svc.example.com", false),
        ("a.b.svc.example.com", false),
        ("pod-0.shop.beta", false),
    ] {
        let one = rendered(&[BETA, &ingress("beta", host, "")].concat(), &sidecar());
        assert_eq!(one.hosts, [host]);
        assert_eq!(one.known, [host]);
        assert!(!one.head.contains("ingress beta/i"), "{}", one.head);
        if is_known {
            assert_eq!(one.entries, Vec::<String>::new(), "{host}");
        }
    }
    // Only the rule of the other namespace goes.
    let host = "app.beta.svc.cluster.local";
    let both = [BETA, &ingress("beta", host, ""), &ingress("evil", host, "")].concat();
    let one = rendered(&both, &sidecar());
    assert_eq!(one.known, [host]);
    assert!(one.head.contains("ingress evil/i: host") && !one.head.contains("ingress beta/i"));
}

#[test]
fn names_of_services_end_in_the_domain_of_the_cluster_in_sidecars() {
    let args = IstioArgs {
        cluster_domain: "k8s.example.com".to_owned(),
        ..sidecar()
    };
    for (host, stays) in [
        ("oauth.beta.svc.k8s.example.com", false),
        ("*.k8s.example.com", false),
        ("*.example.com", false),
        ("shop.example.com", true),
        ("oauth.beta.svc.cluster.local", true),
    ] {
        let one = rendered(&[BETA, &ingress("evil", host, "")].concat(), &args);
        assert_eq!(one.known.len(), usize::from(stays), "{host}");
    }
}

// The module would rewrite, redirect and ask about every call of the pod.
#[test]
fn without_a_host_an_ingress_takes_no_calls_in_sidecars() {
    let redirect = annotation("permanent-redirect", "https://evil.test");
    let default = "
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: d, namespace: evil}
spec: {ingressClassName: nginx, defaultBackend: {service: {name: e, port: {number: 80}}}}
";
    // The default backend of an Ingress of which no rule is left would be that of every host.
    let left = ingress("evil", "oauth.beta", "").replace(
        "rules:",
        "defaultBackend: {service: {name: e, port: {number: 80}}}, rules:",
    );
    for text in [&ingress("evil", "", &redirect), default, &left] {
        let one = rendered(&[BETA, text].concat(), &sidecar());
        assert_eq!(one.known, Vec::<String>::new(), "{text}");
        assert!(one.head.contains("note: in.yaml:"), "{}", one.head);
    }
    let kept = ingress("beta", "shop.test", "");
    let text = [BETA, default, &kept].concat();
    let one = rendered(&text, &sidecar());
    assert_eq!(one.known, ["shop.test"]);
    let told = "ingress evil/d: a rule without host cannot be served by sidecars";
    assert!(one.head.contains(told), "{}", one.head);
}

#[test]
fn a_gateway_serves_hosts_that_are_names_of_services() {
    for host in [
        "oauth.beta.svc.cluster.local",
        "*.svc.cluster.local",
        "",
        "oauth.beta",
    ] {
        let text = [BETA, &ingress("evil", host, "")].concat();
        let one = rendered(&text, &IstioArgs::default());
        let name = if host.is_empty() { "*" } else { host };
        assert_eq!(one.hosts, [name]);
        assert!(!one.head.contains("--sidecar") && !one.head.contains("left out"));
    }
}

#[test]
fn check_tells_of_hosts_that_sidecars_do_not_take() {
    let alias = annotation("server-alias", "oauth.beta.svc, fine.test");
    let text = [BETA, &ingress("evil", "*.svc.cluster.local", &alias)].concat();
    let manifests = Manifests::parse("in.yaml", &text).unwrap();
    let report = Report::new(&manifests, false, Some(Platform::Istio));
    let findings = report.findings.iter();
    let told: Vec<_> = findings
        .filter(|one| one.code == "host-of-a-service")
        .collect();
    let values: Vec<_> = told
        .iter()
        .map(|one| one.value.as_deref().unwrap())
        .collect();
    assert_eq!(values.len(), 2);
    for value in ["*.svc.cluster.local", "oauth.beta.svc"] {
        assert!(values.contains(&value), "{values:?}");
    }
    for one in told {
        assert_eq!(
            (one.ingress.as_deref(), one.level),
            (Some("evil/i"), Level::Note)
        );
        assert!(
            one.consequence
                .contains("go where they went without limpet")
        );
        assert!(one.line > 0);
    }
    let elsewhere = Report::new(&manifests, false, Some(Platform::EnvoyGateway));
    let mut elsewhere = elsewhere.findings.iter();
    assert!(!elsewhere.any(|one| one.code == "host-of-a-service"));
}

#[test]
fn what_is_rendered_for_sidecars_is_the_same_without_hosts_that_others_services_have() {
    let args = sidecar();
    let plain = ingress("beta", "shop.test", "");
    let with = plain.replace("rules: [", "rules: [{host: oauth.evil.svc}, ");
    let objects = |text: &str| -> Vec<Value> {
        let mut manifests = Manifests::parse("in.yaml", &[BETA, text].concat()).unwrap();
        istio::make_room(&mut manifests, &args.flags(), &args).unwrap();
        let compiled = Compiled::new(&manifests, &args.flags()).unwrap();
        let all = istio::resources(&Served::new(&compiled), &args);
        all.into_iter().map(|one| one.value).collect()
    };
    assert_eq!(objects(&with), objects(&plain));
}

// It named neither the Ingress nor the line.
#[test]
fn sidecars_refuse_lists_of_addresses_with_their_place_and_value() {
    let ingress = "apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: admin
  namespace: ops
  annotations:
    nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8
    nginx.ingress.kubernetes.io/limit-rps: '10'
    nginx.ingress.kubernetes.io/limit-rpm: '0'
spec:
  ingressClassName: nginx
  rules: [{host: admin.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
data:
  denylist-source-range: 10.6.6.6
";
    let manifests = Manifests::parse("m.yaml", ingress).unwrap();
    let refused = istio::text(&manifests, &sidecar()).unwrap_err().to_string();
    for place in [
        "m.yaml:7: ingress ops/admin: whitelist-source-range: \"10.0.0.0/8\"",
        "m.yaml:8: ingress ops/admin: limit-rps: \"10\"",
        "m.yaml:18: the ConfigMap: denylist-source-range: \"10.6.6.6\"",
    ] {
        assert!(refused.contains(place), "{refused}");
    }
    assert!(!refused.contains("limit-rpm"), "{refused}");
}
