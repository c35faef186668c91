//! The rendered resources against the schemas of the platforms, and the kept examples against
//! what is rendered now.
//!
//! `tests/platforms/crds/*.json` are the resource definitions' own schemas, reduced to the kinds that are
//! rendered; an unknown field is refused, as the API server's strict validation does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::render::envoy_gateway::{self, EnvoyGatewayArgs};
use limpet_envoy::render::istio::{self, IstioArgs};
use limpet_envoy::render::resource::Resource;
use limpet_envoy::render::served::Served;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn schemas(platform: &str) -> BTreeMap<String, Validator> {
    let file = root().join(format!("tests/platforms/crds/{platform}.json"));
    let all: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let schemas = all["schemas"].as_object().unwrap().iter();
    let compiled = |schema| jsonschema::validator_for(schema).unwrap();
    schemas
        .map(|(kind, schema)| (kind.clone(), compiled(schema)))
        .collect()
}

/// Every manifest of `tests/check/` that can be read, and the first manifest.
fn manifests() -> Vec<(String, Manifests)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("tests/check"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.push(first_manifest());
    files
        .iter()
        .map(|file| {
            let name = file.to_string_lossy().into_owned();
            (name.clone(), Manifests::load(&[name]).unwrap())
        })
        .filter(|(_, manifests)| !manifests.ingresses.is_empty())
        .collect()
}

fn first_manifest() -> PathBuf {
    root().join("envoy/examples/sample-ingress.yaml")
}

/// Everything in `value` that `schema` does not allow, each with its place.
fn errors(schema: &Validator, value: &Value) -> Vec<String> {
    let errors = schema.iter_errors(value);
    errors
        .map(|error| format!("{}: {error}", error.instance_path))
        .collect()
}

fn refuse(
    schemas: &BTreeMap<String, Validator>,
    resources: &[Resource],
    name: &str,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for resource in resources {
        let text = |key: &str| resource.value[key].as_str().unwrap();
        let id = format!("{} {}", text("apiVersion"), text("kind"));
        // Kubernetes' own: the API server that was asked knows them.
        if ["v1 Service", "discovery.k8s.io/v1 EndpointSlice"].contains(&id.as_str()) {
            continue;
        }
        match schemas.get(&id) {
            Some(schema) => wrong.extend(
                errors(schema, &resource.value)
                    .into_iter()
                    .map(|error| format!("{name}: {id}{error}")),
            ),
            None => wrong.push(format!("{name}: no schema for {id}")),
        }
    }
    wrong
}

fn compiled(manifests: &Manifests) -> Compiled<'_> {
    Compiled::new(manifests, &Flags::default()).unwrap()
}

#[test]
fn what_is_rendered_for_istio_is_what_its_definitions_allow() {
    let schemas = schemas("istio");
    let mut wrong = Vec::new();
    for (name, manifests) in manifests() {
        for sidecar in [false, true] {
            let args = IstioArgs {
                sidecar,
                ..IstioArgs::default()
            };
            let resources = istio::resources(&Served::new(&compiled(&manifests)), &args);
            assert!(resources.iter().any(|r| r.kind() == "WasmPlugin"));
            wrong.extend(refuse(&schemas, &resources, &name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_service_spoken_to_by_tls_or_grpc_gets_a_destination_rule_and_no_other() {
    let text = |name: &str, protocol: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  annotations: \
             {{nginx.ingress.kubernetes.io/backend-protocol: {protocol}}}\nspec:\n  rules:\n  - host: \
             {name}.example.com\n    http:\n      paths: [{{path: /, pathType: Prefix, backend: {{service: \
             {{name: {name}, port: {{number: 443}}}}}}}}]\n---\n"
        )
    };
    let all: String = [("a", "HTTPS"), ("b", "grpc"), ("c", "HTTP"), ("d", "GRPCS")]
        .map(|(name, protocol)| text(name, protocol))
        .concat();
    let manifests = Manifests::parse("shops.yaml", &all).unwrap();
    let resources = istio::resources(&Served::new(&compiled(&manifests)), &IstioArgs::default());
    let rules: Vec<Value> = resources
        .iter()
        .filter(|resource| resource.kind() == "DestinationRule")
        .map(|resource| resource.value["spec"].clone())
        .collect();
    let tls = serde_json::json!({"mode": "SIMPLE", "insecureSkipVerify": true});
    let http2 = serde_json::json!({"http": {"h2UpgradePolicy": "UPGRADE"}});
    let rule = |service: &str, port: Value| {
        serde_json::json!({
            "host": format!("{service}.default.svc.cluster.local"),
            "exportTo": ["."],
            "trafficPolicy": {"portLevelSettings": [port]},
        })
    };
    let number = serde_json::json!({"number": 443});
    assert_eq!(
        rules,
        [
            rule("a", serde_json::json!({"port": number, "tls": tls})),
            rule(
                "b",
                serde_json::json!({"port": number, "connectionPool": http2})
            ),
            rule(
                "d",
                serde_json::json!({"port": number, "tls": tls, "connectionPool": http2})
            ),
        ]
    );
    let schemas = schemas("istio");
    assert_eq!(
        refuse(&schemas, &resources, "shops.yaml"),
        Vec::<String>::new()
    );
    let text = envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap();
    assert_eq!(text.matches("# note: backend-protocol: ").count(), 3);
}

#[test]
fn what_is_rendered_for_envoy_gateway_is_what_its_definitions_allow() {
    let schemas = schemas("envoy-gateway");
    let mut wrong = Vec::new();
    for (name, manifests) in manifests() {
        let compiled = compiled(&manifests);
        let served = Served::on_envoy_gateway(&compiled);
        let resources = envoy_gateway::resources(&served, &EnvoyGatewayArgs::default());
        assert!(resources.iter().any(|r| r.kind() == "EnvoyExtensionPolicy"));
        wrong.extend(refuse(&schemas, &resources, &name));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_secret_of_the_registry_is_named_as_the_definitions_allow() {
    let (name, manifests) = manifests().swap_remove(0);
    let compiled = compiled(&manifests);
    let served = Served::new(&compiled);
    let secret = Some("registry".to_owned());
    let istio = IstioArgs {
        image_pull_secret: secret.clone(),
        ..IstioArgs::default()
    };
    let istio = istio::resources(&served, &istio);
    let plugin = istio.iter().find(|r| r.kind() == "WasmPlugin").unwrap();
    assert_eq!(plugin.value["spec"]["imagePullSecret"], "registry");
    let gateway = EnvoyGatewayArgs {
        image_pull_secret: secret,
        ..EnvoyGatewayArgs::default()
    };
    let gateway = envoy_gateway::resources(&served, &gateway);
    let mut policies = gateway.iter();
    let policy = policies.find(|r| r.kind() == "EnvoyExtensionPolicy");
    let image = &policy.unwrap().value["spec"]["wasm"][0]["code"]["image"];
    assert_eq!(image["pullSecretRef"]["name"], "registry");
    let mut wrong = refuse(&schemas("istio"), &istio, &name);
    wrong.extend(refuse(&schemas("envoy-gateway"), &gateway, &name));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_environment_variables_of_cookie_keys_are_asked_for_as_the_definitions_allow() {
    for (name, mut manifests) in manifests() {
        let keys = serde_json::json!([{ "environment": "KEY" }, { "environment": "OLD" }]);
        manifests.given.insert("cookie_keys".into(), keys);
        let compiled = compiled(&manifests);
        let served = Served::new(&compiled);
        let istio = istio::resources(&served, &IstioArgs::default());
        let plugin = istio.iter().find(|r| r.kind() == "WasmPlugin").unwrap();
        let from_host = |name: &str| serde_json::json!({ "name": name, "valueFrom": "HOST" });
        let asked = &plugin.value["spec"]["vmConfig"]["env"];
        assert_eq!(
            *asked,
            Value::from(vec![from_host("KEY"), from_host("OLD")])
        );
        let gateway = envoy_gateway::resources(&served, &EnvoyGatewayArgs::default());
        let mut policies = gateway.iter();
        let policy = policies
            .find(|r| r.kind() == "EnvoyExtensionPolicy")
            .unwrap();
        let asked = &policy.value["spec"]["wasm"][0]["env"]["hostKeys"];
        assert_eq!(*asked, serde_json::json!(["KEY", "OLD"]));
        let mut wrong = refuse(&schemas("istio"), &istio, &name);
        wrong.extend(refuse(&schemas("envoy-gateway"), &gateway, &name));
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        for text in [
            istio::text(&manifests, &IstioArgs::default()).unwrap(),
            envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap(),
        ] {
            let head = text.lines().take_while(|line| line.starts_with('#'));
            assert!(
                head.filter(|line| line.contains("KEY, OLD")).count() == 1,
                "{text}"
            );
        }
    }
}

#[test]
fn a_schema_refuses_what_it_does_not_know() {
    let schemas = schemas("istio");
    let schema = &schemas["extensions.istio.io/v1alpha1 WasmPlugin"];
    let errors = |spec: Value| errors(schema, &serde_json::json!({ "spec": spec }));
    let good = serde_json::json!({ "url": "oci://x", "failStrategy": "FAIL_RELOAD" });
    assert_eq!(errors(good), Vec::<String>::new());
    let bad = serde_json::json!({ "url": 1, "failStrategy": "RELOAD", "sha": "" });
    assert_eq!(errors(bad).len(), 3);
}

/// `UPDATE=1` writes them anew.
#[test]
fn the_kept_examples_are_what_is_rendered_now() {
    // By the name that it has for everybody.
    let text = std::fs::read_to_string(first_manifest()).unwrap();
    let manifests = Manifests::parse("envoy/examples/sample-ingress.yaml", &text).unwrap();
    let sidecar = IstioArgs {
        sidecar: true,
        namespace: "default".into(),
        selector: "app=client".into(),
        ..IstioArgs::default()
    };
    for (file, text) in [
        (
            "envoy/istio/gateway.yaml",
            istio::text(&manifests, &IstioArgs::default()),
        ),
        (
            "envoy/istio/sidecar.yaml",
            istio::text(&manifests, &sidecar),
        ),
        (
            "envoy/envoy-gateway/limpet.yaml",
            envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()),
        ),
    ] {
        let (path, text) = (root().join(file), text.unwrap());
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == text,
            "{file} is not what is rendered now: UPDATE=1 cargo test -p limpet-tests kept_examples"
        );
    }
}

#[test]
fn a_configuration_that_no_object_can_hold_is_told() {
    let ingress = |n: usize| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: i{n}\n\
             spec:\n  rules:\n  - host: a.example.com\n    http:\n      paths: [{{path: /{n}/{}, pathType: Prefix, \
             backend: {{service: {{name: a, port: {{number: 80}}}}}}}}]\n---\n",
            "x".repeat(1_000)
        )
    };
    for (count, told) in [(100, false), (1_400, true)] {
        let text: String = (0..count).map(ingress).collect();
        let manifests = Manifests::parse("many.yaml", &text).unwrap();
        let istio = istio::text(&manifests, &IstioArgs::default()).unwrap();
        let gateway = envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap();
        assert_eq!(istio.contains("# note: the WasmPlugin limpet has "), told);
        assert_eq!(
            gateway.contains("# note: the EnvoyExtensionPolicy limpet has "),
            told
        );
    }
}

#[test]
fn the_text_is_yaml_that_says_the_same() {
    for (name, manifests) in manifests() {
        let args = EnvoyGatewayArgs::default();
        let text = envoy_gateway::text(&manifests, &args).unwrap();
        let read: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let compiled = compiled(&manifests);
        let resources = envoy_gateway::resources(&Served::on_envoy_gateway(&compiled), &args);
        let meant: Vec<Value> = resources
            .into_iter()
            .map(|resource| resource.value)
            .collect();
        assert_eq!(read, meant, "{name}");
    }
}
