//! One tenant's many ports and addresses.

use super::*;

// Each was compared with all before it: one slice of 44 KB took a minute and a half.
#[test]
fn a_slice_of_many_ports_and_addresses_is_read_at_once() {
    let ports = (1..=100).map(|port| format!("{{port: {port}}}"));
    let addresses = (0..1000).map(|n| format!("{{addresses: [10.0.{}.{}]}}", n / 250, n % 250));
    let slice = format!(
        "
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, namespace: prod, labels: {{kubernetes.io/service-name: web}}}}
ports: [{ports}]
endpoints: [{addresses}]
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: prod}}
spec: {{ports: [{{port: 8080, targetPort: 80}}]}}
",
        ports = ports.collect::<Vec<_>>().join(", "),
        addresses = addresses.collect::<Vec<_>>().join(", "),
    );
    let start = std::time::Instant::now();
    let (clusters, notes) = clusters(&manifests(&slice), &[]);
    let all: usize = clusters.iter().map(|one| one.endpoints.len()).sum();
    assert_eq!(all, 65_536);
    let is_told = |note: &String| note.contains("than there is room for: 65536 of them");
    assert!(notes.iter().any(is_told), "{notes:?}");
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

#[test]
fn many_ports_of_one_namespace_take_nothing_from_another() {
    let names =
        |n: usize| format!("{{backend: {{service: {{name: web, port: {{number: {n}}}}}}}}}");
    let ports = (1..=200).map(|n| format!("{{name: p{n}, port: {n}, targetPort: 80}}"));
    let paths = (1..=200).map(names);
    let addresses = (0..1000).map(|n| format!("{{addresses: [10.0.{}.{}]}}", n / 250, n % 250));
    let all = format!(
        "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: many, namespace: evil, creationTimestamp: '2020-01-01T00:00:00Z'}}
spec: {{rules: [{{http: {{paths: [{paths}]}}}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: evil}}
spec: {{ports: [{ports}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, namespace: evil, labels: {{kubernetes.io/service-name: web}}}}
ports: [{{name: q, port: 80}}]
endpoints: [{addresses}]
---{SLICE}",
        paths = paths.collect::<Vec<_>>().join(", "),
        ports = ports.collect::<Vec<_>>().join(", "),
        addresses = addresses.collect::<Vec<_>>().join(", "),
    );
    let (clusters, notes) = clusters(&manifests(&all), &[]);
    let written = |namespace: &str| -> usize {
        let of_it = clusters.iter();
        let of_it = of_it.filter(|one| one.service_port.namespace == namespace);
        of_it.map(|one| one.endpoints.len()).sum()
    };
    assert_eq!((written("evil"), written("prod")), (65_536, 3));
    let told = notes
        .iter()
        .filter(|note| note.contains("than there is room for"));
    assert_eq!(told.count(), 200 - 65);
}

// Each port was looked for among all, of the Service and of the slice, and what was known was gone through again:
// 1.2 MB took a minute and a half.
#[test]
fn a_service_of_thousands_of_ports_is_read_once() {
    let list = |each: &dyn Fn(usize) -> String, most: usize| -> String {
        let all: Vec<String> = (1..=most).map(each).collect();
        all.join(", ")
    };
    let path = |n: usize| format!("{{backend: {{service: {{name: web, port: {{number: {n}}}}}}}}}");
    let all = format!(
        "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: many, namespace: evil, creationTimestamp: '2020-01-01T00:00:00Z'}}
spec: {{rules: [{{http: {{paths: [{paths}, {one}]}}}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: evil}}
spec: {{ports: [{ports}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: one, namespace: evil}}
spec: {{ports: [{{port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, namespace: evil, labels: {{kubernetes.io/service-name: web}}}}
ports: [{of_slice}]
endpoints: [{{addresses: [10.0.0.1]}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: one-1, namespace: evil, labels: {{kubernetes.io/service-name: one}}}}
ports: [{same}]
endpoints: [{addresses}]
",
        paths = list(&path, 1500),
        one = "{backend: {service: {name: one, port: {number: 80}}}}",
        ports = list(&|n| format!("{{name: p{n}, port: {n}}}"), 1500),
        of_slice = list(&|n| format!("{{name: p{n}, port: {n}}}"), 5000),
        same = list(&|n| format!("{{name: p{n}, port: 8080}}"), 20_000),
        addresses = list(
            &|n| format!("{{addresses: [10.1.{}.{}]}}", n / 250, n % 250),
            500
        ),
    );
    let manifests = manifests(&all);
    let start = std::time::Instant::now();
    let (clusters, _) = clusters(&manifests, &[]);
    let took = start.elapsed();
    let written: Vec<usize> = clusters.iter().map(|one| one.endpoints.len()).collect();
    assert_eq!(written.len(), 1503);
    assert_eq!(written.iter().sum::<usize>(), 1500 + 500, "{written:?}");
    assert!(took.as_secs() < 10, "{took:?}");
}

#[test]
fn that_not_all_endpoints_of_an_authorizer_are_asked_is_told() {
    let told = |count: usize| -> Vec<String> {
        let addresses =
            (0..count).map(|n| format!("{{addresses: [10.0.{}.{}]}}", n / 250, n % 250));
        let addresses = addresses.collect::<Vec<_>>().join(", ");
        let text = format!(
            "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
  namespace: prod
  annotations: {{nginx.ingress.kubernetes.io/auth-url: 'http://ask.auth.svc.cluster.local/'}}
spec:
  ingressClassName: nginx
  rules: [{{http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: ask, namespace: auth}}
spec: {{ports: [{{port: 80, targetPort: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: ask-1, namespace: auth, labels: {{kubernetes.io/service-name: ask}}}}
ports: [{{port: 80}}]
endpoints: [{addresses}]
"
        );
        let manifests = Manifests::parse("shop.yaml", &text).unwrap();
        let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
        assert_eq!(compiled.authorizers[0].endpoints.len(), count.min(256));
        let notes = compiled.notes.into_iter();
        notes
            .filter(|note| note.contains("256 of them are asked"))
            .collect()
    };
    assert_eq!(told(256), [""; 0]);
    assert_eq!(told(257).len(), 1, "{:?}", told(257));
}
