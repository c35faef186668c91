use super::*;

const SHOP: &str = include_str!("../../../../../envoy/examples/sample-ingress.yaml");

fn rendered(text: &str, change: impl FnOnce(&mut EnvoySettings)) -> Rendered {
    let manifests = Manifests::parse("m.yaml", text).unwrap();
    let (clusters, _) = clusters::clusters(&manifests, &[]);
    let mut settings = EnvoySettings::default();
    change(&mut settings);
    render(&manifests, &clusters, &settings, false).unwrap()
}

fn find<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            if name == key {
                Some(field)
            } else {
                find(field, key)
            }
        }),
        Value::Array(items) => items.iter().find_map(|item| find(item, key)),
        _ => None,
    }
}

#[test]
fn the_ingress_is_in_the_bootstrap_unmodified() {
    let manifests = Manifests::parse("m.yaml", SHOP).unwrap();
    let out = rendered(SHOP, |_| {});
    let yaml = to_yaml(&out.bootstrap).unwrap();
    let read: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(read, out.bootstrap, "the YAML reads back as it was");
    let configuration = find(&read, "configuration").unwrap()["value"]
        .as_str()
        .unwrap();
    let plugin: Value = serde_json::from_str(configuration).unwrap();
    assert_eq!(plugin["ingresses"][0], manifests.ingresses[0].value);
}

#[test]
fn the_module_stands_before_the_session_filter_and_that_before_the_router() {
    let out = rendered(SHOP, |_| {});
    let filters = find(&out.bootstrap, "http_filters")
        .unwrap()
        .as_array()
        .unwrap();
    let names: Vec<&str> = filters
        .iter()
        .map(|filter| filter["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "limpet",
            "envoy.filters.http.stateful_session",
            "envoy.filters.http.router"
        ]
    );
}

#[test]
fn with_eds_listeners_and_endpoints_stand_in_files_of_their_own() {
    let out = rendered(SHOP, |settings| settings.eds = Some("/xds".into()));
    let paths: Vec<String> = out
        .files
        .iter()
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert_eq!(
        paths,
        ["/xds/default-http-service-8080.yaml", "/xds/listeners.yaml"]
    );
    assert_eq!(out.bootstrap["static_resources"].get("listeners"), None);
    assert!(find(&out.files[1].1, "early_header_mutation_extensions").is_some());
}

#[test]
fn with_dns_a_headless_service_is_resolved_to_its_pods_and_their_port() {
    let out = rendered(SHOP, |settings| settings.dns = true);
    let address = find(
        &out.bootstrap["static_resources"]["clusters"],
        "socket_address",
    )
    .unwrap();
    assert_eq!(address["address"], "http-service.default.svc.cluster.local");
}

const TLS: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  tls: [{hosts: [Shop.example.com, '*.example.com'], secretName: shop-tls}]
  rules: [{host: shop.example.com, http: {paths: [{path: /, backend: {service: {name: web, port: {number: 80}}}}]}}]
";

#[test]
fn redirects_to_https_without_an_https_listener_are_noted() {
    let out = rendered(TLS, |_| {});
    assert!(
        out.notes.iter().any(|note| note.contains("lead nowhere")),
        "{:?}",
        out.notes
    );
    let out = rendered(TLS, |settings| {
        settings.tls = Some(("c.pem".into(), "k.pem".into()))
    });
    assert!(
        !out.notes.iter().any(|note| note.contains("lead nowhere")),
        "{:?}",
        out.notes
    );
}

#[test]
fn a_tls_secret_serves_its_hosts_by_sni() {
    let secret = "
---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: shop-tls}
data: {tls.crt: Y2VydA==, tls.key: a2V5}
";
    let out = rendered(&format!("{TLS}{secret}"), |_| {});
    let https = &out.bootstrap["static_resources"]["listeners"][1];
    assert_eq!(
        find(https, "server_names").unwrap(),
        &json!(["shop.example.com", "*.example.com"])
    );
    assert_eq!(find(https, "private_key").unwrap()["inline_string"], "key");
}

#[test]
fn the_envoy_yaml_of_the_repository_is_what_render_prints_for_the_first_manifest() {
    let out = rendered(SHOP, |settings| settings.dns = true);
    let printed = to_yaml(&out.bootstrap).unwrap();
    let kept = include_str!("../../../../../envoy/envoy.yaml");
    assert!(
        printed == kept,
        "envoy/envoy.yaml is out of date: cargo run -p limpet-cli --bin limpet -- render envoy \
         -f envoy/examples/sample-ingress.yaml --dns > envoy/envoy.yaml"
    );
}
