//! `upstream-vhost` is what pods see, and no host of anybody's.

use serde_json::{Value, json};

use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};
use crate::render::resource::Resource;
use crate::render::served::Served;

/// Two Services, of which the first one's pods see `vhost`.
fn manifests(vhost: &str) -> Manifests {
    let ingress = |name: &str, annotations: Value| {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "namespace": "app", "name": name, "annotations": annotations },
            "spec": { "ingressClassName": "nginx", "rules": [{
                "host": format!("{name}.example.test"),
                "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                    "backend": { "service": { "name": name, "port": { "number": 80 } } } }] },
            }] },
        })
    };
    let annotations = json!({ "nginx.ingress.kubernetes.io/upstream-vhost": vhost });
    let text = [ingress("a", annotations), ingress("b", json!({}))];
    let text: Vec<String> = text.iter().map(Value::to_string).collect();
    Manifests::parse("in.json", &text.join("\n---\n")).unwrap()
}

fn of_kind<'r>(resources: &'r [Resource], kind: &str) -> Vec<&'r Value> {
    let of_kind = resources.iter().filter(|one| one.kind() == kind);
    of_kind.map(|one| &one.value).collect()
}

/// What a tenant wrote there, and the platform refused its object for, or took as everybody's.
const VHOSTS: [&str; 6] = [
    "inner.example.test",
    "inside.example:8443",
    "my_app.internal",
    "UPPER",
    "b.example.test",
    "$service_name.$namespace.svc",
];

#[test]
fn no_list_of_hosts_has_an_upstream_vhost() {
    let hosts = json!(["a.example.test", "b.example.test"]);
    for vhost in VHOSTS {
        let manifests = manifests(vhost);
        let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
        let served = Served::new(&compiled);
        assert_eq!(json!(served.hosts), hosts, "{vhost}");
        assert!(served.notes.is_empty(), "{:?}", served.notes);
        let mut resources = istio::resources(&served, &IstioArgs::default());
        resources.extend(envoy_gateway::resources(
            &served,
            &EnvoyGatewayArgs::default(),
        ));
        for resource in resources {
            // The Ingresses are in the module's configuration, as they are.
            let is_module = ["WasmPlugin", "EnvoyExtensionPolicy"].contains(&resource.kind());
            let text = resource.value.to_string();
            let is_new = vhost != "b.example.test" && text.contains(vhost);
            assert!(is_module || !is_new, "{vhost}: {text}");
        }
    }
}

#[test]
fn on_istio_the_routes_of_its_pods_alone_take_the_host_that_limpet_names() {
    for sidecar in [false, true] {
        let args = IstioArgs {
            sidecar,
            ..IstioArgs::default()
        };
        let manifests = manifests("my_app.internal");
        let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
        let resources = istio::resources(&Served::new(&compiled), &args);
        let filter = of_kind(&resources, "EnvoyFilter")[0];
        let patches = filter["spec"]["configPatches"].as_array().unwrap();
        let routes = patches.iter().filter(|one| one["applyTo"] == "HTTP_ROUTE");
        let routes: Vec<_> = routes
            .map(|one| {
                let vhost = &one["match"]["routeConfiguration"]["vhost"];
                (
                    vhost["route"]["name"].clone(),
                    one["patch"]["value"].clone(),
                )
            })
            .collect();
        let rewrites = routes.iter().filter(|(_, value)| {
            let header = value["route"].get("host_rewrite_header");
            header.is_some_and(|header| header == "x-limpet-host")
        });
        let rewrites: Vec<_> = rewrites.map(|(name, _)| name.as_str().unwrap()).collect();
        let names = [
            "limpet-upstream-vhost-idempotent",
            "limpet-upstream-vhost-not-idempotent",
        ];
        assert_eq!(rewrites, names);
        // The name is that of routes of its host alone.
        let services = of_kind(&resources, "VirtualService");
        for name in names {
            let with_it = services.iter().filter(|service| {
                let mut routes = service["spec"]["http"].as_array().unwrap().iter();
                routes.any(|route| route["name"] == name)
            });
            let with_it: Vec<_> = with_it.map(|service| &service["spec"]["hosts"]).collect();
            assert_eq!(with_it, [&json!(["a.example.test"])]);
        }
        let plugin = of_kind(&resources, "WasmPlugin")[0];
        let named = &plugin["spec"]["pluginConfig"]["headers"];
        assert_eq!(*named, json!({ "host": "x-limpet-host" }));
        // Nobody else names it.
        assert!(
            filter.to_string().contains(r#"{"remove":"x-limpet-host"}"#),
            "{filter}"
        );
    }
}

#[test]
fn on_envoy_gateway_the_rules_of_its_pods_alone_take_the_host_that_limpet_names() {
    let manifests = manifests("inside.example:8443");
    let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
    let args = EnvoyGatewayArgs::default();
    let resources = envoy_gateway::resources(&Served::new(&compiled), &args);
    let filters = of_kind(&resources, "HTTPRouteFilter");
    let filter = filters
        .iter()
        .find(|one| one["metadata"]["name"] == "limpet-upstream-host");
    let hostname = json!({ "type": "Header", "header": "x-limpet-host" });
    assert_eq!(filter.unwrap()["spec"]["urlRewrite"]["hostname"], hostname);
    let name = &filter.unwrap()["metadata"]["name"];
    let rules: Vec<(bool, String)> = of_kind(&resources, "HTTPRoute")
        .iter()
        .flat_map(|route| route["spec"]["rules"].as_array().unwrap())
        .filter(|rule| rule["matches"][0]["headers"][0]["name"] == "x-limpet-cluster")
        .map(|rule| {
            let filters = rule["filters"].as_array().unwrap();
            let is_it = |one: &Value| one["extensionRef"]["name"] == *name;
            let service = rule["backendRefs"][0]["name"].as_str().unwrap();
            (filters.iter().any(is_it), service.to_owned())
        })
        .collect();
    assert_eq!(rules, [(true, "a".to_owned()), (false, "b".to_owned())]);
    for policy in of_kind(&resources, "ClientTrafficPolicy") {
        let removed = &policy["spec"]["headers"]["earlyRequestHeaders"]["remove"];
        assert!(
            removed
                .as_array()
                .unwrap()
                .contains(&json!("x-limpet-host"))
        );
    }
}
