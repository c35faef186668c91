use super::*;
use crate::compiled::{Compiled, Flags};

mod many;

fn manifests(more: &str) -> Manifests {
    let ingress = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: prod}
spec:
  defaultBackend: {service: {name: web, port: {name: http}}}
  rules:
  - http: {paths: [{backend: {service: {name: web, port: {number: 8080}}}}, {backend: {resource: {}}}]}
";
    Manifests::parse("shop.yaml", &format!("{ingress}---\n{more}")).unwrap()
}

fn clusters(manifests: &Manifests, endpoints: &[EndpointsFlag]) -> (Vec<Cluster>, Vec<String>) {
    let flags = Flags {
        endpoints: endpoints.to_vec(),
        ..Flags::default()
    };
    let compiled = Compiled::new(manifests, &flags).unwrap();
    (compiled.clusters, compiled.notes)
}

const SLICE: &str = "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: prod, labels: {kubernetes.io/service-name: web}}
ports: [{name: metrics, port: 9}, {name: http, port: 80}]
endpoints:
- {addresses: [10.0.0.1]}
- {addresses: [10.0.0.2], conditions: {ready: false, serving: true, terminating: true}}
- {addresses: [10.0.0.3], conditions: {ready: false}}
- {addresses: ['fd00::1'], conditions: {ready: true}}
";

fn addresses(cluster: &Cluster) -> Vec<&str> {
    cluster
        .endpoints
        .iter()
        .map(|endpoint| endpoint.address.as_str())
        .collect()
}

#[test]
fn each_service_port_is_one_cluster_with_the_endpoints_of_its_slices() {
    let service = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: prod}
spec: {ports: [{name: http, port: 8080, targetPort: 80}]}
---";
    let (clusters, notes) = clusters(&manifests(&format!("{service}{SLICE}")), &[]);
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(clusters.len(), 2);
    assert_eq!(clusters[0].name(), "prod/web:http");
    assert_eq!(clusters[1].service_port.key(), "prod/web:8080");
    assert_eq!(
        addresses(&clusters[1]),
        ["10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80"]
    );
    assert_eq!(clusters[1].endpoints[1].health, Health::Draining);
    assert_eq!(clusters[0].endpoints, clusters[1].endpoints);
    assert_eq!(clusters[0].number, Some(8080));
    assert!(!clusters[0].missing);
}

// A line for each path that names no port had all ports of the Service.
#[test]
fn a_port_that_is_not_there_is_told_with_few_of_those_that_are() {
    let ports: Vec<String> = (1..=100)
        .map(|n| format!("{{name: p{n}, port: {n}}}"))
        .collect();
    let all = format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: prod}}
spec: {{ports: [{}]}}
",
        ports.join(", ")
    );
    let (_, notes) = clusters(&manifests(&all), &[]);
    let told = notes.iter().find(|note| note.contains("has no port"));
    let told = told.unwrap();
    assert!(told.contains("and 84 more") && told.len() < 500, "{told}");
}

#[test]
fn flags_win_over_slices_and_an_unused_one_is_noted() {
    let flags: Vec<EndpointsFlag> = ["prod/web:8080=10.1.0.1:1,10.1.0.2:2", "web=10.1.0.3:3"]
        .map(|flag| flag.parse().unwrap())
        .into();
    let (clusters, notes) = clusters(&manifests(SLICE), &flags);
    assert_eq!(addresses(&clusters[1]), ["10.1.0.1:1", "10.1.0.2:2"]);
    assert_eq!(
        addresses(&clusters[0]).len(),
        3,
        "the slice's port is taken by its name"
    );
    assert!(notes[0].contains("default/web=10.1.0.3:3"), "{notes:?}");
}

#[test]
fn a_backend_without_its_service_is_missing_where_services_are_given() {
    let other = "{apiVersion: v1, kind: Service, metadata: {name: other, namespace: prod}}";
    assert!(clusters(&manifests(other), &[]).0[0].missing);
    assert!(!clusters(&manifests(""), &[]).0[0].missing);
}

#[test]
fn a_flag_that_is_no_endpoint_says_what_was_expected() {
    for (flag, expect) in [
        ("a/b:80", "has no `=`"),
        ("a/b:80=pod:80", "\"pod:80\" is not an ip:port"),
        ("/b:80=", "is not a Service port"),
    ] {
        let error = flag.parse::<EndpointsFlag>().unwrap_err();
        assert!(error.contains(expect), "{error}");
    }
    assert_eq!("a/b=".parse::<EndpointsFlag>().unwrap().to_string(), "a/b=");
}

// `defaultbackend.go`: the Service's first port.
#[test]
fn the_service_of_default_backend_is_a_cluster_too() {
    let manifests = |service: &str| {
        let ingress = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  annotations: {nginx.ingress.kubernetes.io/default-backend: spare}
spec:
  rules:
  - http: {paths: [{backend: {service: {name: web, port: {number: 80}}}}]}
---
";
        Manifests::parse("shop.yaml", &format!("{ingress}{service}")).unwrap()
    };
    let named = |manifests: &Manifests, flags: &[EndpointsFlag]| {
        let (clusters, notes) = clusters(manifests, flags);
        assert_eq!(notes, [""; 0]);
        let spare = clusters.into_iter().filter(|cluster| cluster.by_annotation);
        spare.map(|cluster| cluster.name()).collect::<Vec<_>>()
    };
    let flag = |text: &str| [text.parse().unwrap()];
    let unknown = manifests("");
    assert_eq!(named(&unknown, &[]), ["default/spare:80"]);
    let flags = flag("default/spare:8080=10.0.0.1:80");
    assert_eq!(named(&unknown, &flags), ["default/spare:8080"]);
    let ports = "{apiVersion: v1, kind: Service, metadata: {name: spare}, spec: {ports: [{port: 81}, {port: 82}]}}";
    assert_eq!(named(&manifests(ports), &[]), ["default/spare:81"]);
    let other = "{apiVersion: v1, kind: Service, metadata: {name: web}}";
    assert_eq!(named(&manifests(other), &[]), [""; 0], "it does not exist");
}

/// Services and Ingresses `web` with one backend port each.
fn backends(service: &str, ports: &[&str]) -> Manifests {
    let path = |port: &&str| {
        format!("{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {port}}}}}}}")
    };
    let paths: Vec<String> = ports.iter().map(path).collect();
    let text = format!(
        "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: shop, namespace: prod}}
spec: {{rules: [{{http: {{paths: [{}]}}}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: prod}}
spec: {service}
---
{SLICE}",
        paths.join(", ")
    );
    Manifests::parse("shop.yaml", &text).unwrap()
}

/// Of each cluster: its key, the Service's port, the pods' port.
fn ports(clusters: &[Cluster]) -> Vec<(String, Option<u16>, Option<u16>)> {
    let port = |one: &Cluster| (one.service_port.key(), one.number, one.target);
    clusters.iter().map(port).collect()
}

// grafana: the Ingress says 3000, the Service 80 with targetPort 3000; prometheus: the same by name.
#[test]
fn a_backend_port_may_be_the_services_target() {
    let service = "{ports: [{name: http, port: 8080, targetPort: 3000}, {name: admin, port: 9, targetPort: adm}]}";
    let named = [
        "{number: 3000}",
        "{name: adm}",
        "{number: 8080}",
        "{name: http}",
    ];
    let (clusters, notes) = clusters(&backends(service, &named), &[]);
    assert_eq!(notes, [""; 0]);
    assert_eq!(
        ports(&clusters),
        [
            ("prod/web:3000".to_owned(), Some(8080), Some(3000)),
            ("prod/web:adm".to_owned(), Some(9), None),
            ("prod/web:8080".to_owned(), Some(8080), Some(3000)),
            ("prod/web:http".to_owned(), Some(8080), Some(3000)),
        ]
    );
    // By the slice's port of the same name; no slice has a port `admin`.
    assert_eq!(addresses(&clusters[0])[0], "10.0.0.1:80");
    assert_eq!(addresses(&clusters[1]), [""; 0]);
}

#[test]
fn endpoints_are_given_by_whatever_the_port_is_called() {
    let service = "{ports: [{name: http, port: 8080, targetPort: 3000}]}";
    let manifests = backends(service, &["{number: 3000}"]);
    let given = |flags: &[&str]| {
        let flags: Vec<EndpointsFlag> = flags.iter().map(|flag| flag.parse().unwrap()).collect();
        let (clusters, notes) = clusters(&manifests, &flags);
        assert_eq!(clusters.len(), 1);
        (addresses(&clusters[0]).join(" "), notes.len())
    };
    for name in ["3000", "8080", "http"] {
        let flag = format!("prod/web:{name}=10.1.0.1:1");
        assert_eq!(given(&[&flag]), ("10.1.0.1:1".to_owned(), 0), "{name}");
    }
    let both = ["prod/web:8080=10.1.0.1:1", "prod/web:3000=10.1.0.2:2"];
    assert_eq!(
        given(&both),
        ("10.1.0.2:2".to_owned(), 1),
        "as the Ingress calls it"
    );
}

#[test]
fn of_several_ports_that_fit_the_first_is_meant() {
    let service =
        "{ports: [{name: a, port: 80, targetPort: 81}, {name: b, port: 81, targetPort: 82}]}";
    let (clusters, _) = clusters(&backends(service, &["{number: 81}"]), &[]);
    assert_eq!(
        ports(&clusters),
        [("prod/web:81".to_owned(), Some(80), Some(81))]
    );
}

#[test]
fn a_named_target_is_what_the_slices_say() {
    let service = "{clusterIP: None, ports: [{name: http, port: 8080, targetPort: web}]}";
    let (clusters, notes) = clusters(&backends(service, &["{name: web}"]), &[]);
    assert_eq!(notes, [""; 0]);
    assert_eq!(
        ports(&clusters),
        [("prod/web:web".to_owned(), Some(8080), Some(80))]
    );
}

// A slice without a port of that name, or without ports at all: the number of targetPort counts.
#[test]
fn where_no_slice_names_the_port_its_target_counts() {
    let service = "{ports: [{name: other, port: 8080, targetPort: 3000}]}";
    let manifests = backends(service, &["{number: 8080}"]);
    assert_eq!(
        addresses(&clusters(&manifests, &[]).0[0])[0],
        "10.0.0.1:3000"
    );
    let unnamed = backends(
        "{ports: [{port: 8080, targetPort: 3000}]}",
        &["{number: 8080}"],
    );
    let both = ["10.0.0.1:9", "10.0.0.2:9", "[fd00::1]:9", "10.0.0.1:80"];
    assert_eq!(addresses(&clusters(&unnamed, &[]).0[0])[..4], both);
}

#[test]
fn a_port_that_the_service_does_not_have_is_told_with_those_that_it_has() {
    let service = "{ports: [{name: http, port: 8080, targetPort: 3000}, {port: 9}]}";
    let (clusters, notes) = clusters(&backends(service, &["{number: 80}", "{name: x}"]), &[]);
    assert_eq!(
        ports(&clusters),
        [
            ("prod/web:80".to_owned(), None, None),
            ("prod/web:x".to_owned(), None, None)
        ]
    );
    assert_eq!(
        notes,
        [
            "shop.yaml:5: Service prod/web has no port \"80\", it has 8080 (http, targetPort 3000), \
             9: its paths answer 503",
            "shop.yaml:5: Service prod/web has no port \"x\", it has 8080 (http, targetPort 3000), \
             9: its paths answer 503",
        ]
    );
    // Nothing is known of its ports.
    let (clusters, notes) = super::tests::clusters(&backends("{}", &["{number: 80}"]), &[]);
    assert_eq!((clusters[0].number, notes), (Some(80), Vec::new()));
}

// `externalNamePorts`.
#[test]
fn the_port_of_a_name_need_not_be_declared() {
    let service = "{type: ExternalName, externalName: a.example, ports: [{name: http, port: 80, targetPort: 443}]}";
    let named = [
        "{number: 80}",
        "{name: http}",
        "{number: 8081}",
        "{name: x}",
    ];
    let (clusters, notes) = clusters(&backends(service, &named), &[]);
    assert_eq!(
        ports(&clusters),
        [
            ("prod/web:80".to_owned(), Some(80), Some(443)),
            ("prod/web:http".to_owned(), Some(80), Some(443)),
            ("prod/web:8081".to_owned(), Some(8081), Some(8081)),
            ("prod/web:x".to_owned(), None, None),
        ]
    );
    assert!(
        notes[0].contains("no port \"x\", it has 80 (http, targetPort 443)"),
        "{notes:?}"
    );
}

/// An Ingress with an authorizer.
fn asking(url: &str) -> String {
    format!(
        "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: prod
  annotations: {{nginx.ingress.kubernetes.io/auth-url: '{url}'}}
spec:
  ingressClassName: nginx
  rules:
  - http:
      paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]
"
    )
}

/// The authorizers of an Ingress, and how many of the flags are of nobody's Service.
fn authorizers(url: &str, flags: &[&str]) -> (Vec<Cluster>, usize) {
    let manifests = Manifests::parse("shop.yaml", &asking(url)).unwrap();
    let flags = Flags {
        endpoints: flags.iter().map(|flag| flag.parse().unwrap()).collect(),
        ..Flags::default()
    };
    let compiled = Compiled::new(&manifests, &flags).unwrap();
    let told = compiled.config.authorizers.unwrap();
    let names = compiled.authorizers.iter().map(Cluster::name);
    assert_eq!(
        told.into_values().collect::<Vec<_>>(),
        names.collect::<Vec<_>>()
    );
    let unused = compiled.notes.iter();
    let unused = unused.filter(|note| note.starts_with("--endpoints"));
    (compiled.authorizers, unused.count())
}

#[test]
fn an_authorizer_is_a_service_an_address_or_a_name() {
    let flags = ["auth/sso:4180=10.0.0.1:4180,10.0.0.2:4180"];
    for (url, name, endpoints, external) in [
        (
            "http://sso.auth.svc.cluster.local:4180/x",
            "authorizer/http://sso.auth.svc.cluster.local:4180",
            &["10.0.0.1:4180", "10.0.0.2:4180"][..],
            None,
        ),
        (
            "http://sso.auth:4180",
            "authorizer/http://sso.auth:4180",
            &["10.0.0.1:4180", "10.0.0.2:4180"],
            None,
        ),
        (
            "http://other.auth.svc",
            "authorizer/http://other.auth.svc:80",
            &[],
            Some("other.auth.svc"),
        ),
        (
            "https://Auth.Example.com/verify",
            "authorizer/https://auth.example.com:443",
            &[],
            Some("auth.example.com"),
        ),
        (
            "http://10.1.1.1:81/",
            "authorizer/http://10.1.1.1:81",
            &["10.1.1.1:81"],
            None,
        ),
    ] {
        let (all, unused) = authorizers(url, &flags);
        let one = all.first().unwrap();
        assert_eq!(
            unused,
            usize::from(endpoints.first() != Some(&"10.0.0.1:4180"))
        );
        let addresses: Vec<&str> = one.endpoints.iter().map(|e| e.address.as_str()).collect();
        assert_eq!((one.name().as_str(), &addresses[..]), (name, endpoints));
        assert_eq!(one.external_name.as_deref(), external, "{url}");
        assert_eq!(one.is_verified(), url.starts_with("https:"), "{url}");
    }
    assert!(authorizers("https://$host/oauth2/auth", &[]).0.is_empty());
    assert!(authorizers("https://$http_x_a/", &[]).0.is_empty());
}
