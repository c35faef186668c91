//! `proxy-ssl-*` in what is rendered for Istio and Envoy Gateway.

use serde_json::{Map, Value, json};

use crate::check::{Platform, Report};
use crate::compiled::{Compiled, Flags};
use crate::losses::{LossArgs, settle};
use crate::manifests::{Manifests, Room};
use crate::pods::Pods;
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};
use crate::render::make_room;
use crate::render::resource::Resource;
use crate::render::served::Served;

fn read(file: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests");
    std::fs::read_to_string(format!("{folder}/{file}")).unwrap()
}

const VERIFIED: [(&str, &str); 3] = [
    ("secret", "shop/pods"),
    ("verify", "on"),
    ("name", "web.pods.example"),
];

/// That pods are shown a certificate of this Secret.
fn shown(secret: &str) -> [(&str, &str); 3] {
    [("secret", secret), VERIFIED[1], VERIFIED[2]]
}

fn ingress(name: &str, service: &str, port: &Value, said: &[(&str, &str)]) -> Value {
    let protocol = ("backend-protocol".to_owned(), "HTTPS");
    let said = said
        .iter()
        .map(|(name, value)| (format!("proxy-ssl-{name}"), *value));
    let annotations: Map<String, Value> = [protocol]
        .into_iter()
        .chain(said)
        .map(|(name, value)| {
            let name = format!("nginx.ingress.kubernetes.io/{name}");
            (name, json!(value))
        })
        .collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "namespace": "shop", "annotations": annotations },
        "spec": { "ingressClassName": "nginx", "rules": [{ "host": format!("{name}.test"),
            "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": service, "port": port } } }] } }] },
    })
}

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": "shop" },
        "spec": { "ports": [{ "name": "https", "port": 443 }, { "name": "http", "port": 80 }] },
    })
}

fn secret(namespace: &str, name: &str, has_key: bool) -> Value {
    let mut data = json!({ "ca.crt": read("support/tls/pods/ca.crt") });
    if has_key {
        data["tls.crt"] = json!(read("recordings/rest/certs/good.crt"));
        data["tls.key"] = json!(read("recordings/rest/certs/good.key"));
    }
    json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": data,
        "metadata": { "name": name, "namespace": namespace },
    })
}

fn manifests(items: &[Value]) -> Manifests {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    Manifests::parse("in.json", &list.to_string()).unwrap()
}

fn flags(pods: Pods) -> Flags {
    Flags {
        pods,
        ..Flags::default()
    }
}

fn number() -> Value {
    json!({ "number": 443 })
}

fn on_istio(compiled: &Compiled<'_>) -> Vec<Resource> {
    istio::resources(&Served::new(compiled), &IstioArgs::default())
}

/// Those of a kind whose names begin so.
fn named<'r>(all: &'r [Resource], kind: &str, name: &str) -> Vec<&'r Value> {
    let is_it = |one: &&Resource| {
        let its = one.value["metadata"]["name"].as_str().unwrap();
        one.kind() == kind && its.starts_with(name)
    };
    all.iter().filter(is_it).map(|one| &one.value).collect()
}

// An EnvoyFilter is applied after it, may be refused, and may be taken away.
#[test]
fn on_istio_a_rule_alone_believes_nobody_for_being_nobodys() {
    let all = manifests(&[
        ingress("a", "web", &number(), &VERIFIED),
        secret("shop", "pods", false),
    ]);
    let compiled = Compiled::new(&all, &flags(Pods::All)).unwrap();
    let all = on_istio(&compiled);
    let rule = named(&all, "DestinationRule", "limpet-shop.web")[0];
    let subset = &rule["spec"]["subsets"][0];
    let tls = &subset["trafficPolicy"]["portLevelSettings"][0]["tls"];
    assert_eq!(
        tls,
        &json!({ "mode": "SIMPLE", "subjectAltNames": ["web.pods.example"] })
    );
    let cluster = "outbound|443|proxy-ssl|web.shop.svc.cluster.local";
    let filter = named(&all, "EnvoyFilter", "limpet-pods-shop.web.443")[0];
    let patch = &filter["spec"]["configPatches"][0];
    assert_eq!(patch["match"]["cluster"]["name"], cluster);
    // Whatever leads there is limpet's.
    let plugin = named(&all, "WasmPlugin", "limpet")[0];
    assert_eq!(
        plugin["spec"]["pluginConfig"]["clusters"]["shop/web:443"],
        cluster
    );
    let service = named(&all, "VirtualService", "limpet-host-a.test")[0];
    for route in service["spec"]["http"].as_array().unwrap() {
        assert_eq!(route["route"][0]["destination"]["subset"], "proxy-ssl");
    }
}

#[test]
fn no_key_is_in_what_is_rendered_and_its_copy_is_named_to_the_operator() {
    let all = manifests(&[
        ingress("a", "web", &number(), &shown("shop/both")),
        secret("shop", "both", true),
    ]);
    let text = istio::text(&all, &IstioArgs::default()).unwrap();
    let copy = "copy Secret shop/both to istio-system/shop.both";
    assert!(text.contains(copy), "{text}");
    assert!(text.contains("name: kubernetes://shop.both"), "{text}");
    assert!(!text.contains("PRIVATE KEY"), "{text}");
    let report = Report::new(&all, false, Some(Platform::Istio));
    let mut found = report.findings.iter();
    let copies = found.find(|one| one.code == "copy-secret").unwrap();
    assert_eq!(copies.field, "proxy-ssl-secret");
    assert!(
        copies
            .message()
            .contains("pods are not shown it until a copy"),
        "{copies:?}"
    );
}

/// What is closed once there is room, and the notes.
fn closed(mut all: Manifests, on: Platform, args: &LossArgs) -> (Vec<String>, String) {
    let flags = flags(on.pods());
    make_room(&mut all, &flags, on).unwrap();
    settle(&mut all, &flags, args, on).unwrap();
    let compiled = Compiled::new(&all, &flags).unwrap();
    let notes = compiled.all_notes().collect::<Vec<_>>().join("\n");
    (compiled.config.close.clone(), notes)
}

// istiod takes the one for an authority, and Envoy would refuse what it sends with it: the certificates of others.
#[test]
fn on_istio_a_secret_that_no_copy_can_have_the_name_of_closes_who_shows_it() {
    let long = "l".repeat(250);
    for name in ["both-cacert", &long] {
        let all = manifests(&[
            ingress("a", "web", &number(), &shown(&format!("shop/{name}"))),
            ingress("b", "else", &number(), &[]),
            secret("shop", name, true),
        ]);
        let (closed, notes) = closed(all, Platform::Istio, &LossArgs::default());
        assert_eq!(closed, ["shop/a"], "{notes}");
    }
}

// One of its Secrets could else be the copy of another one's.
#[test]
fn on_istio_no_copy_replaces_a_secret_of_the_gateways_own() {
    let mut own = ingress("own", "own", &number(), &shown("istio-system/shop.both"));
    own["metadata"]["namespace"] = json!("istio-system");
    let all = manifests(&[
        own,
        ingress("a", "web", &number(), &shown("shop/both")),
        secret("istio-system", "shop.both", true),
        secret("shop", "both", true),
    ]);
    let (closed, notes) = closed(all, Platform::Istio, &LossArgs::default());
    assert_eq!(closed, ["shop/a"], "{notes}");
}

#[test]
fn a_port_that_is_named_is_that_of_its_number() {
    let mut other = secret("shop", "other", false);
    other["stringData"]["ca.crt"] = json!(read("recordings/rest/certs/ca.crt"));
    let by_name = [("secret", "shop/other"), VERIFIED[1], VERIFIED[2]];
    for on in [Platform::Istio, Platform::EnvoyGateway] {
        let all = manifests(&[
            ingress("a", "web", &number(), &VERIFIED),
            ingress("b", "web", &json!({ "name": "https" }), &by_name),
            ingress("c", "web", &json!({ "name": "https" }), &[]),
            service("web"),
            secret("shop", "pods", false),
            other.clone(),
        ]);
        let flags = flags(on.pods());
        let compiled = Compiled::new(&all, &flags).unwrap();
        assert_eq!(compiled.config.close, ["shop/b"], "{on:?}");
        let told = &compiled.upstream_tls.by_cluster;
        assert_eq!(told["shop/web:443"], told["shop/web:https"]);
    }
}

/// Two Ingresses of one Service, of which one speaks to it in the clear.
fn in_two_ways() -> Vec<Value> {
    let mut plain = ingress("b", "web", &number(), &[]);
    plain["metadata"]["annotations"] = json!({});
    vec![
        ingress("a", "web", &number(), &VERIFIED),
        plain,
        service("web"),
        secret("shop", "pods", false),
    ]
}

#[test]
fn on_istio_who_speaks_in_the_clear_takes_nothing_from_who_verifies() {
    let all = manifests(&in_two_ways());
    let compiled = Compiled::new(&all, &flags(Pods::All)).unwrap();
    assert!(compiled.config.close.is_empty());
    let all = on_istio(&compiled);
    let rule = named(&all, "DestinationRule", "limpet-shop.web")[0];
    let subset = &rule["spec"]["subsets"][0];
    let tls = &subset["trafficPolicy"]["portLevelSettings"][0]["tls"];
    assert_eq!(subset["name"], "https");
    assert_eq!(tls["subjectAltNames"], json!(["web.pods.example"]));
    let filter = named(&all, "EnvoyFilter", "limpet-pods-shop.web.443")[0];
    let patches = filter["spec"]["configPatches"].as_array().unwrap();
    let cluster = &patches[0]["match"]["cluster"]["name"];
    assert_eq!(
        (patches.len(), cluster),
        (1, &json!("outbound|443|https|web.shop.svc.cluster.local"))
    );
    // Routes and the module's configuration do not change in the same moment.
    let service = named(&all, "VirtualService", "limpet-host-a.test")[0];
    for route in service["spec"]["http"].as_array().unwrap() {
        let wanted = &route["match"][0];
        let destination = &route["route"][0]["destination"];
        let of_a_way = wanted["headers"].get("x-limpet-policy").is_some();
        let of_none = wanted["withoutHeaders"].get("x-limpet-policy").is_some();
        assert!(of_a_way != of_none, "{route}");
        assert_eq!(destination["subset"] == "https", of_a_way, "{route}");
    }
}

#[test]
fn on_envoy_gateway_who_speaks_in_the_clear_closes_who_verifies() {
    let all = manifests(&in_two_ways());
    let (closed, notes) = closed(all, Platform::EnvoyGateway, &LossArgs::default());
    assert_eq!(closed, ["shop/a"], "{notes}");
    assert!(notes.contains("in the clear"), "{notes}");
}

#[test]
fn envoy_gateway_is_told_whose_certificates_are_taken_and_no_more() {
    let unnamed = &VERIFIED[..2];
    let underscore = [VERIFIED[0], VERIFIED[1], ("name", "web_1.pods.example")];
    let unverified = [VERIFIED[0], VERIFIED[2]];
    let shows = shown("shop/both");
    for (said, has_key, is_said) in [
        (&VERIFIED[..], false, true),
        (unnamed, false, false),
        (&underscore, false, false),
        (&unverified, false, false),
        (&shows, true, false),
    ] {
        let items = [
            ingress("a", "web", &number(), said),
            service("web"),
            secret("shop", "pods", false),
            secret("shop", "both", has_key),
        ];
        let on = Platform::EnvoyGateway;
        let nothing_lost = settle(
            &mut manifests(&items),
            &flags(on.pods()),
            &LossArgs::default(),
            on,
        );
        // An underscore is no host name to limpet on any platform.
        let is_closed = said == underscore;
        assert_eq!(nothing_lost.is_ok(), is_said || is_closed, "{said:?}");
        let args = LossArgs {
            close: true,
            ..LossArgs::default()
        };
        let (closed, notes) = closed(manifests(&items), on, &args);
        assert_eq!(closed.is_empty(), is_said, "{said:?}: {notes}");
    }
}

#[test]
fn on_envoy_gateway_a_policy_names_the_port_and_what_is_not_known_is_closed() {
    let items = [
        ingress("a", "web", &number(), &VERIFIED),
        secret("shop", "pods", false),
        service("web"),
    ];
    let all = manifests(&items);
    let compiled = Compiled::new(&all, &flags(Pods::Verified)).unwrap();
    let args = EnvoyGatewayArgs::default();
    let resources = envoy_gateway::resources(&Served::on_envoy_gateway(&compiled), &args);
    let policy = named(&resources, "BackendTLSPolicy", "limpet.web.443")[0];
    assert_eq!(policy["metadata"]["namespace"], "shop");
    assert_eq!(policy["spec"]["targetRefs"][0]["sectionName"], "https");
    let text = envoy_gateway::text(&all, &args).unwrap();
    let place = |text: &str, what: &str| text.find(what).unwrap();
    // What leads there before it would be plain http.
    let route = place(&text, "name: limpet-clusters-shop-0");
    assert!(place(&text, "kind: BackendTLSPolicy") < route);
    assert!(!text.contains("is spoken to in plain"), "{text}");

    let all = manifests(&items[..2]);
    let (closed, notes) = closed(all, Platform::EnvoyGateway, &LossArgs::default());
    assert_eq!(closed, ["shop/a"], "{notes}");
    assert!(notes.contains("Service shop/web is not among the manifests"));
}

// A certificate of an authority stands there once for each Service: a megabyte a thousand times.
#[test]
fn who_tells_pods_too_much_goes_without_and_nobody_else() {
    for on in [Platform::Istio, Platform::EnvoyGateway] {
        let mut large = secret("shop", "pods", false);
        let authority = read("support/tls/pods/ca.crt");
        large["stringData"]["ca.crt"] = json!(authority.repeat(300));
        let mut items = vec![large];
        for n in 0..20 {
            let name = format!("web-{n}");
            items.push(service(&name));
            items.push(ingress(&name, &name, &number(), &VERIFIED));
        }
        let mut other = ingress("other", "other", &number(), &[("secret", "other/pods")]);
        other["metadata"]["namespace"] = json!("other");
        items.push(other);
        items.push(secret("other", "pods", false));
        let mut all = manifests(&items);
        make_room(&mut all, &flags(on.pods()), on).unwrap();
        let left_out = all.ingresses.iter().filter(|one| one.room != Room::All);
        let left_out: Vec<String> = left_out.map(|one| one.id()).collect();
        assert!((10..18).contains(&left_out.len()), "{on:?}: {left_out:?}");
        assert!(left_out.iter().all(|id| id.starts_with("shop/")));
        let written: usize = {
            let compiled = Compiled::new(&all, &flags(on.pods())).unwrap();
            let told = compiled.upstream_tls.by_cluster.values();
            told.filter_map(|told| told.verified())
                .map(|(authority, _)| authority.len())
                .sum()
        };
        assert!(written < 1_500_000, "{on:?}: {written}");
    }
}

#[test]
fn on_envoy_gateway_that_no_tls_is_passed_to_pods_that_are_verified_is_said() {
    let mut passed = ingress("p", "web", &number(), &VERIFIED);
    passed["metadata"]["annotations"]["nginx.ingress.kubernetes.io/ssl-passthrough"] =
        json!("true");
    let mut all = manifests(&[passed, service("web"), secret("shop", "pods", false)]);
    all.ssl_passthrough = Some(true);
    let text = envoy_gateway::text(&all, &EnvoyGatewayArgs::default()).unwrap();
    assert!(text.contains("would get the TLS of p.test"), "{text}");
}
