//! One tenant's many ports and addresses.

use super::*;

/// `each` of the numbers up to `most`, as the entries of a YAML list.
fn list(most: usize, each: impl Fn(usize) -> String) -> String {
    let all: Vec<String> = (1..=most).map(each).collect();
    all.join(", ")
}

fn addresses(most: usize) -> String {
    list(most, |n| {
        format!("{{addresses: [10.0.{}.{}]}}", n / 250, n % 250)
    })
}

/// A path to a port of Service `web`.
fn path(port: usize) -> String {
    format!("{{backend: {{service: {{name: web, port: {{number: {port}}}}}}}}}")
}

// Each was compared with all before it: one slice of 44 KB took a minute and a half.
#[test]
fn a_slice_of_many_ports_and_addresses_is_read_at_once() {
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
        ports = list(100, |port| format!("{{port: {port}}}")),
        addresses = addresses(1000),
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
        paths = list(200, path),
        ports = list(200, |n| format!(
            "{{name: p{n}, port: {n}, targetPort: 80}}"
        )),
        addresses = addresses(1000),
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
        paths = list(1500, path),
        one = "{backend: {service: {name: one, port: {number: 80}}}}",
        ports = list(1500, |n| format!("{{name: p{n}, port: {n}}}")),
        of_slice = list(5000, |n| format!("{{name: p{n}, port: {n}}}")),
        same = list(20_000, |n| format!("{{name: p{n}, port: 8080}}")),
        addresses = addresses(500),
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
        let text = format!(
            "{ingress}\
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
",
            ingress = asking("http://ask.auth.svc.cluster.local/"),
            addresses = addresses(count),
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
