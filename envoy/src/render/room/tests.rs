use serde_json::{Value, json};

use super::super::make_room as make;
use super::*;
use crate::check::Platform;
use crate::losses::{LossArgs, LossError, settle};
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};

/// An Ingress with a path of so many bytes, as old as its number says.
fn ingress(namespace: &str, n: usize, size: usize, annotations: &Value) -> Value {
    let web = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let path = format!("/{}", "x".repeat(size));
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": format!("i{n:04}"),
            "namespace": namespace,
            "creationTimestamp": format!("2026-01-01T{:02}:{:02}:00Z", n / 60, n % 60),
            "annotations": annotations,
        },
        "spec": { "ingressClassName": "nginx", "rules": [{
            "host": format!("h{n}.{namespace}.test"),
            "http": { "paths": [{ "path": path, "pathType": "Prefix", "backend": web }] },
        }] },
    })
}

fn manifests(items: &[Value]) -> Manifests {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    Manifests::parse("list.json", &list.to_string()).unwrap()
}

fn without_room(manifests: &Manifests) -> Vec<String> {
    let all = manifests.ingresses.iter().filter(|one| one.has_no_room);
    all.map(Object::id).collect()
}

/// What is left is one object that Kubernetes keeps, and no smaller than it has to be.
fn fits(manifests: &Manifests, on: Platform) {
    let text = match on {
        Platform::EnvoyGateway => envoy_gateway::text(manifests, &EnvoyGatewayArgs::default()),
        _ => istio::text(manifests, &IstioArgs::default()),
    };
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text.unwrap()).unwrap();
    let sizes = objects.iter().map(|object| object.to_string().len());
    let largest = sizes.max().unwrap();
    assert!(
        largest <= LARGEST && largest > LARGEST * 9 / 10,
        "{largest}"
    );
}

// The API server refused the WasmPlugin of all tenants, and what was applied before stayed.
#[test]
fn who_fills_the_one_object_goes_without_and_nobody_else() {
    for on in [Platform::Istio, Platform::EnvoyGateway] {
        let none = json!({});
        let shop = (0..300).map(|n| ingress("shop", n, 500, &none));
        // The oldest of all.
        let filler = (0..400).map(|n| ingress("filler", n, 4_000, &none));
        let mut all = manifests(&shop.chain(filler).collect::<Vec<_>>());
        make(&mut all, &Flags::default(), on).unwrap();
        let left_out = without_room(&all);
        assert!(left_out.len() > 50 && left_out.len() < 200, "{left_out:?}");
        let youngest = (400 - left_out.len()..400).map(|n| format!("filler/i{n:04}"));
        assert_eq!(left_out, youngest.collect::<Vec<_>>());
        fits(&all, on);
        let compiled = Compiled::new(&all, &Flags::default()).unwrap();
        let told = compiled
            .notes
            .iter()
            .filter(|note| note.contains(crate::compiled::NO_ROOM));
        assert_eq!(told.count(), left_out.len());
    }
}

#[test]
fn a_header_map_weighs_on_those_who_name_it() {
    let names = json!({ "nginx.ingress.kubernetes.io/custom-headers": "filler/large" });
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "large", "namespace": "filler" },
        "data": { "X-Large": "x".repeat(1_500_000) },
    });
    let none = json!({});
    let mut all = manifests(&[
        ingress("shop", 1, 500, &none),
        ingress("filler", 0, 500, &names),
        map,
    ]);
    make(&mut all, &Flags::default(), Platform::Istio).unwrap();
    assert_eq!(without_room(&all), ["filler/i0000"]);
}

#[test]
fn what_protected_somebody_and_has_no_room_closes_the_output() {
    let guarded = json!({ "nginx.ingress.kubernetes.io/whitelist-source-range": "10.0.0.0/8" });
    let none = json!({});
    let mut all = manifests(&[
        ingress("shop", 1, 500, &none),
        ingress("filler", 0, 1_500_000, &guarded),
    ]);
    make(&mut all, &Flags::default(), Platform::Istio).unwrap();
    assert_eq!(without_room(&all), ["filler/i0000"]);
    let settled = settle(
        &mut all,
        &Flags::default(),
        &LossArgs::default(),
        Platform::Istio,
    );
    let Err(LossError::Refused(losses)) = settled else {
        panic!("{settled:?}");
    };
    assert_eq!(losses[0].ingress.as_deref(), Some("filler/i0000"));
}

#[test]
fn what_has_room_stays_and_envoy_alone_has_no_limit() {
    let none = json!({});
    let few: Vec<Value> = (0..300).map(|n| ingress("shop", n, 2_000, &none)).collect();
    let many: Vec<Value> = (0..300).map(|n| ingress("shop", n, 9_000, &none)).collect();
    for (items, on) in [
        (&few, Platform::Istio),
        (&few, Platform::EnvoyGateway),
        (&many, Platform::Envoy),
    ] {
        let mut all = manifests(items);
        make(&mut all, &Flags::default(), on).unwrap();
        assert_eq!(without_room(&all), [""; 0]);
    }
}
