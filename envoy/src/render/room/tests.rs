use serde_json::{Value, json};

use super::super::make_room as make;
use super::*;
use crate::check::{Finding, Platform, Report};
use crate::losses::{LossArgs, settle};
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
    let all = manifests
        .ingresses
        .iter()
        .filter(|one| one.room != Room::All);
    all.map(Object::id).collect()
}

/// No object is too large for Kubernetes any more.
fn fits(manifests: &Manifests, on: Platform) {
    let text = match on {
        Platform::EnvoyGateway => envoy_gateway::text(manifests, &EnvoyGatewayArgs::default()),
        _ => istio::text(manifests, &IstioArgs::default()),
    };
    assert!(!text.unwrap().contains("Kubernetes keeps no object above"));
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

// Users of passwords weighed nothing, and 691 of 1,000 Ingresses of somebody else were left out.
#[test]
fn users_weigh_on_those_whose_secret_has_them() {
    for on in [Platform::Istio, Platform::EnvoyGateway] {
        let none = json!({});
        let mut items: Vec<Value> = (0..500).map(|n| ingress("honest", n, 800, &none)).collect();
        for n in 0..20 {
            let users = (0..700).map(|user| {
                (
                    format!("user-{user}"),
                    json!("e1NIQX1mRXFOQ2NvM1lxOWg1WlVnbEQzQ1pKVDRsQnM9"),
                )
            });
            let users: serde_json::Map<String, Value> = users.collect();
            items.push(ingress(
                "evil",
                n,
                10,
                &json!({
                    "nginx.ingress.kubernetes.io/auth-type": "basic",
                    "nginx.ingress.kubernetes.io/auth-secret": format!("users-{n}"),
                    "nginx.ingress.kubernetes.io/auth-secret-type": "auth-map",
                }),
            ));
            items.push(json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": { "name": format!("users-{n}"), "namespace": "evil" },
                "data": users,
            }));
        }
        let mut all = manifests(&items);
        make(&mut all, &Flags::default(), on).unwrap();
        let left_out = without_room(&all);
        // On Istio the module has few variables, and users without one take no room.
        assert_eq!(left_out.is_empty(), on == Platform::Istio);
        assert!(
            left_out.iter().all(|id| id.starts_with("evil/")),
            "{left_out:?}"
        );
    }
}

// The EnvoyFilter is one object of all tenants too.
#[test]
fn ways_weigh_on_those_who_bring_them() {
    let none = json!({});
    let mut items: Vec<Value> = (0..200).map(|n| ingress("honest", n, 800, &none)).collect();
    items.extend((0..1_500).map(|n| {
        let way =
            json!({ "nginx.ingress.kubernetes.io/proxy-read-timeout": (n + 100).to_string() });
        ingress("evil", n, 10, &way)
    }));
    let mut all = manifests(&items);
    make(&mut all, &Flags::default(), Platform::Istio).unwrap();
    let left_out = without_room(&all);
    assert!(
        left_out.len() > 50 && left_out.len() < 700,
        "{}",
        left_out.len()
    );
    assert!(
        left_out.iter().all(|id| id.starts_with("evil/")),
        "{left_out:?}"
    );
    fits(&all, Platform::Istio);
}

// The VirtualService of the host was refused.
#[test]
fn who_fills_the_object_of_a_host_goes_without() {
    let none = json!({});
    let mut items = vec![ingress("shop", 0, 10, &none)];
    items.extend((1..2_500).map(|n| {
        let mut one = ingress("filler", n, 10, &none);
        one["spec"]["rules"][0]["host"] = json!("h0.shop.test");
        let path = &mut one["spec"]["rules"][0]["http"]["paths"][0];
        path["path"] = json!(format!("/{n}"));
        path["backend"]["service"]["name"] = json!(format!("web-{n}"));
        one
    }));
    let mut all = manifests(&items);
    make(&mut all, &Flags::default(), Platform::Istio).unwrap();
    let left_out = without_room(&all);
    assert!(!left_out.is_empty());
    assert!(
        left_out.iter().all(|id| id.starts_with("filler/")),
        "{left_out:?}"
    );
    fits(&all, Platform::Istio);
}

/// What keeps somebody out.
fn guarded() -> Value {
    json!({ "nginx.ingress.kubernetes.io/whitelist-source-range": "10.0.0.0/8" })
}

/// On another's host.
fn on_host(mut ingress: Value, host: &str) -> Value {
    ingress["spec"]["rules"][0]["host"] = json!(host);
    ingress
}

#[test]
fn what_protected_somebody_where_nobody_answers_now_is_not_lost() {
    let mut all = manifests(&[
        ingress("shop", 1, 500, &json!({})),
        ingress("filler", 0, 1_500_000, &guarded()),
    ]);
    let flags = Flags::default();
    make(&mut all, &flags, Platform::Istio).unwrap();
    assert_eq!(without_room(&all), ["filler/i0000"]);
    let settled = settle(&mut all, &flags, &LossArgs::default(), Platform::Istio);
    assert!(settled.is_ok(), "{settled:?}");
    let compiled = Compiled::new(&all, &flags).unwrap();
    assert!(compiled.virtual_host("h0.filler.test").is_none());
    assert!(
        compiled
            .notes
            .iter()
            .any(|note| note.contains("filler/i0000"))
    );
}

#[test]
fn where_others_answer_the_paths_that_were_protected_stay_and_nothing_else_is_closed() {
    let shop = "h1.shop.test";
    let mut large = guarded();
    large["nginx.ingress.kubernetes.io/x"] = json!("x".repeat(200_000));
    let mut items = vec![on_host(ingress("shop", 1, 1, &json!({})), shop)];
    items.extend((2..12).map(|n| on_host(ingress("filler", n, n, &large), shop)));
    let wildcard = json!({ "nginx.ingress.kubernetes.io/server-alias": "*.filler.test" });
    items.push(ingress("shop", 12, 1, &wildcard));
    for on in [Platform::Istio, Platform::EnvoyGateway] {
        let mut all = manifests(&items);
        let flags = Flags::default();
        make(&mut all, &flags, on).unwrap();
        let left_out = without_room(&all);
        assert!(left_out.len() > 1, "{left_out:?}");
        let settled = settle(&mut all, &flags, &LossArgs::default(), on);
        assert!(settled.is_ok(), "{settled:?}");
        let compiled = Compiled::new(&all, &flags).unwrap();
        let shop = compiled.virtual_host(shop).unwrap();
        assert_eq!(compiled.config.close, left_out);
        let paths: Vec<&str> = shop.locations.iter().map(|one| one.path.as_str()).collect();
        assert!(paths.contains(&"/xxxxxxxxxxx"), "{paths:?}");
        fits(&all, on);
    }
}

// One tenant's paths on another's host stopped render for everybody.
#[test]
fn whoever_has_no_room_even_for_paths_that_protected_somebody_costs_his_own_namespace() {
    let none = json!({});
    let large = || ingress("filler", 5, 1_500_000, &guarded());
    let mut aliased = large();
    aliased["metadata"]["annotations"]["nginx.ingress.kubernetes.io/server-alias"] =
        json!("h1.shop.test");
    let hostless = |namespace: &str, n| {
        let mut one = ingress(namespace, n, n, &none);
        let rule = one["spec"]["rules"][0].as_object_mut().unwrap();
        rule.remove("host");
        one
    };
    let wildcard = |namespace: &str, n| on_host(ingress(namespace, n, n, &none), "*.filler.test");
    let shop = |n| ingress("shop", n, 1, &none);
    let own = |n| on_host(ingress("filler", n, n, &none), "h1.shop.test");
    for (of_others, of_its_own, large) in [
        (shop(1), own(2), on_host(large(), "h1.shop.test")),
        (wildcard("shop", 1), wildcard("filler", 2), large()),
        (hostless("shop", 1), hostless("filler", 2), large()),
        (shop(1), own(2), aliased),
    ] {
        let mut all = manifests(&[of_others, of_its_own, large]);
        let flags = Flags::default();
        make(&mut all, &flags, Platform::Istio).unwrap();
        assert_eq!(without_room(&all), ["filler/i0005"]);
        settle(&mut all, &flags, &LossArgs::default(), Platform::Istio).unwrap();
        let compiled = Compiled::new(&all, &flags).unwrap();
        assert_eq!(compiled.config.close, ["filler/i0002"]);
        let told = "other Ingresses of its namespace answer 503 there";
        assert!(compiled.notes.iter().any(|note| note.contains(told)));
    }
}

// A thousand authorizers of one tenant took the EnvoyFilter, and whoever had a time-out of his own went without.
#[test]
fn whoever_has_many_authorizers_goes_without_and_not_who_has_a_time_out() {
    let timeout = json!({ "nginx.ingress.kubernetes.io/proxy-read-timeout": "600" });
    let mut items = vec![ingress("shop", 1_400, 5, &timeout)];
    items.extend((0..1_100).map(|n| {
        let url = format!("http://a{n}.{}.test/", "z".repeat(60));
        let asks = json!({ "nginx.ingress.kubernetes.io/auth-url": url });
        ingress("odd", n, 5, &asks)
    }));
    let mut all = manifests(&items);
    make(&mut all, &Flags::default(), Platform::Istio).unwrap();
    let left_out = without_room(&all);
    assert!(!left_out.is_empty());
    assert!(
        left_out.iter().all(|id| id.starts_with("odd/")),
        "{left_out:?}"
    );
    fits(&all, Platform::Istio);
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

#[test]
fn many_small_ones_that_protected_somebody_on_hosts_of_their_own_stop_nothing() {
    let mut padded = guarded();
    padded["nginx.ingress.kubernetes.io/x"] = json!("x".repeat(5_000));
    let mut items = vec![ingress("shop", 1, 500, &json!({}))];
    items.extend((0..400).map(|n| ingress(&format!("filler-{}", n / 40), n, 10, &padded)));
    for on in [Platform::Istio, Platform::EnvoyGateway] {
        let mut all = manifests(&items);
        make(&mut all, &Flags::default(), on).unwrap();
        assert!(without_room(&all).len() > 1);
        let settled = settle(&mut all, &Flags::default(), &LossArgs::default(), on);
        assert!(settled.is_ok(), "{settled:?}");
        fits(&all, on);
    }
}

#[test]
fn names_of_fields_that_the_api_server_keeps_again_take_room() {
    let none = json!({});
    let namespace = "n".repeat(63);
    let items: Vec<Value> = (0..60)
        .map(|n| {
            let mut one = ingress(&namespace, n, 1, &none);
            let paths = (0..100).map(|path| {
                let service = format!("{:s<61}z", format!("s{n}-{path}-"));
                let backend = json!({ "service": { "name": service, "port": { "number": 80 } } });
                json!({ "path": format!("/{path}"), "pathType": "Prefix", "backend": backend })
            });
            one["spec"]["rules"][0]["http"]["paths"] = paths.collect();
            one
        })
        .collect();
    let mut all = manifests(&items);
    make(&mut all, &Flags::default(), Platform::Istio).unwrap();
    let compiled = Compiled::new(&all, &Flags::default()).unwrap();
    let resources = istio::resources(
        &crate::render::served::Served::new(&compiled),
        &IstioArgs::default(),
    );
    let plugin = resources
        .iter()
        .find(|one| one.kind() == "WasmPlugin")
        .unwrap();
    let clusters = plugin.value["spec"]["pluginConfig"]["clusters"]
        .as_object()
        .unwrap();
    let names: usize = clusters.keys().map(|name| name.len() + 8).sum();
    assert!(plugin.value.to_string().len() + names < 1_450_000);
}

#[test]
fn on_sidecars_lists_of_addresses_are_closed_and_cost_nobody_else() {
    let mut all = manifests(&[
        ingress("shop", 1, 5, &json!({})),
        ingress("odd", 2, 5, &guarded()),
    ]);
    let mut args = IstioArgs {
        sidecar: true,
        ..IstioArgs::default()
    };
    assert!(istio::text(&all, &args).is_err());
    args.render.losses.close = true;
    istio::make_room(&mut all, &Flags::default(), &args).unwrap();
    let text = istio::text(&all, &args).unwrap();
    assert!(
        text.contains("closed, answers 503: ingress odd/i0002"),
        "{text}"
    );
    assert_eq!(all.given["close"], json!(["odd/i0002"]));
}

// Their names alone were half a megabyte more, once the room was made: nobody's object was taken.
#[test]
fn those_who_are_closed_for_want_of_room_find_room_in_the_list_of_the_closed() {
    let inside = json!({ "nginx.ingress.kubernetes.io/whitelist-source-range": "10.0.0.0/8" });
    let namespace = "e".repeat(63);
    let shared = |one: &mut Value, name: String| {
        one["metadata"]["name"] = json!(name);
        one["spec"]["rules"][0]["host"] = json!("shop.test");
    };
    let mut all = vec![ingress("shop", 0, 10, &json!({}))];
    shared(&mut all[0], "shop".to_owned());
    all.extend((0..1_400).map(|n| {
        let mut one = ingress(&namespace, n, 400, &inside);
        shared(&mut one, format!("x{n:04}-{}", "y".repeat(247)));
        one["spec"]["rules"][0]["http"]["paths"][0]["path"] =
            json!(format!("/{n}{}", "x".repeat(400)));
        one
    }));
    let mut all = manifests(&all);
    make(&mut all, &Flags::default(), Platform::Istio).unwrap();
    fits(&all, Platform::Istio);
    assert!(!without_room(&all).contains(&"shop/shop".to_owned()));
}

// Told of the object of all tenants, and to render it apart, which helps nobody.
#[test]
fn one_ingress_whose_routes_are_too_many_is_told_of_its_host_and_once() {
    let ingress = |hosts: usize| {
        let rule = |host: usize| {
            let paths = (0..1_000).filter(|n| n % hosts == host).map(|n| {
                let service = json!({ "name": format!("s{n}"), "port": { "number": 80 } });
                json!({ "path": format!("/p{n}"), "pathType": "Prefix", "backend": { "service": service } })
            });
            json!({ "host": format!("h{host}.test"), "http": { "paths": Vec::from_iter(paths) } })
        };
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": { "name": "many", "namespace": "a", "annotations": {
                "nginx.ingress.kubernetes.io/proxy-read-timeout": "77" } },
            "spec": { "ingressClassName": "nginx", "rules": (0..hosts).map(rule).collect::<Vec<_>>() },
        })
    };
    let services = (0..1_000).map(|n| {
        json!({ "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": format!("s{n}"), "namespace": "a" }, "spec": { "ports": [{ "port": 80 }] } })
    });
    let services: Vec<Value> = services.collect();
    let made = |hosts: usize| {
        let mut all = manifests(&[&[ingress(hosts)], &services[..]].concat());
        make(&mut all, &Flags::default(), Platform::Istio).unwrap();
        all
    };
    let all = made(1);
    let report = Report::new(&all, false, Some(Platform::Istio));
    let told = report.findings.iter();
    let told: Vec<String> = told
        .map(Finding::message)
        .filter(|said| said.contains("no room"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let has = |part: &str| told[0].contains(part);
    assert!(
        has("in the VirtualService of its host") && has("give some of its paths another host"),
        "{told:?}"
    );
    // And that helps.
    assert_eq!(without_room(&made(2)), [""; 0]);
}
