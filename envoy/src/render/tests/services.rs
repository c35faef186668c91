//! Services as Kubernetes reads them, on every platform.

use super::super::envoy::{EnvoySettings, Rendered};
use super::*;
use crate::check::{Platform, Report};
use serde_json::Value;

/// An Ingress `NAME` of the host `NAME.example.com` on the Service of that name.
fn ingress(name: &str, port: &str, annotations: &str) -> String {
    format!(
        "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, annotations: {{{annotations}}}}}
spec:
  ingressClassName: nginx
  rules:
  - host: {name}.example.com
    http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: {name}, port: {port}}}}}}}]}}
---
"
    )
}

fn service(name: &str, spec: &str) -> String {
    format!("{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {spec}}}\n---\n")
}

fn read(texts: &[String]) -> Manifests {
    Manifests::parse("m.yaml", &texts.concat()).unwrap()
}

fn on_envoy(manifests: &Manifests, dns: bool) -> Rendered {
    let settings = EnvoySettings {
        dns,
        ..EnvoySettings::default()
    };
    let compiled = Compiled::new(manifests, &Flags::default()).unwrap();
    render(&compiled, &settings)
}

/// Where the only cluster but the admin's leads, `address:port`.
fn address(rendered: &Rendered) -> String {
    let cluster = &rendered.bootstrap["static_resources"]["clusters"][0];
    let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
    let socket = cluster.pointer(endpoint).unwrap_or(&Value::Null);
    format!("{}:{}", socket["address"], socket["port_value"]).replace('"', "")
}

/// The ports that Istio's routes lead to.
fn ports_on_istio(manifests: &Manifests) -> Vec<u64> {
    let compiled = Compiled::new(manifests, &Flags::default()).unwrap();
    let all = istio::resources(&Served::new(&compiled), &IstioArgs::default());
    let routes = all.iter().filter(|one| one.kind() == "VirtualService");
    let routes = routes.flat_map(|one| one.value["spec"]["http"].as_array().unwrap());
    let port = |route: &Value| route["route"][0]["destination"]["port"]["number"].as_u64();
    let mut ports: Vec<u64> = routes.filter_map(port).collect();
    ports.dedup();
    ports
}

/// The ports that Envoy Gateway's routes lead to.
fn ports_on_envoy_gateway(manifests: &Manifests) -> Vec<u64> {
    let compiled = Compiled::new(manifests, &Flags::default()).unwrap();
    let all = envoy_gateway::resources(&Served::new(&compiled), &EnvoyGatewayArgs::default());
    let routes = all.iter().filter(|one| one.kind() == "HTTPRoute");
    let rules = routes.flat_map(|one| one.value["spec"]["rules"].as_array().unwrap());
    let leading =
        rules.filter(|rule| rule["matches"][0]["headers"][0]["name"] == "x-limpet-cluster");
    let port = |rule: &Value| rule["backendRefs"][0]["port"].as_u64();
    leading.filter_map(port).collect()
}

// grafana's chart: the Ingress names the pods' port, and the other one by its name.
#[test]
fn the_services_own_port_is_rendered_where_the_ingress_names_the_target() {
    let manifests = read(&[
        service(
            "grafana",
            "{ports: [{name: service, port: 80, targetPort: 3000}]}",
        ),
        ingress("grafana", "{number: 3000}", ""),
        service(
            "prometheus",
            "{ports: [{name: metrics, port: 9090, targetPort: web}]}",
        ),
        ingress("prometheus", "{name: web}", ""),
    ]);
    assert_eq!(ports_on_istio(&manifests), [80, 9090]);
    assert_eq!(ports_on_envoy_gateway(&manifests), [80, 9090]);
    let istio = istio::text(&manifests, &IstioArgs::default()).unwrap();
    for named in [
        "\"default/grafana:3000\": outbound|80||grafana.default.svc.cluster.local",
        "\"default/prometheus:web\": outbound|9090||prometheus.default.svc.cluster.local",
    ] {
        assert!(istio.contains(named), "{istio}");
    }
    assert!(!istio.contains("# note"), "{istio}");
    // DNS of a headless Service names pods.
    let manifests = read(&[
        service(
            "grafana",
            "{clusterIP: None, ports: [{port: 80, targetPort: 3000}]}",
        ),
        ingress("grafana", "{number: 80}", ""),
    ]);
    let envoy = on_envoy(&manifests, true);
    assert_eq!(address(&envoy), "grafana.default.svc.cluster.local:3000");
}

#[test]
fn a_port_that_is_not_known_is_never_guessed() {
    for (services, port, told) in [
        (
            service(
                "web",
                "{ports: [{name: http, port: 8080, targetPort: 3000}]}",
            ),
            "{number: 80}",
            "it has 8080 (http, targetPort 3000)",
        ),
        (
            service(
                "web",
                "{clusterIP: None, ports: [{name: http, port: 8080, targetPort: adm}]}",
            ),
            "{name: http}",
            "named targetPort",
        ),
        (String::new(), "{name: http}", "give the Service with -f"),
    ] {
        let manifests = read(&[services, ingress("web", port, "")]);
        let rendered = on_envoy(&manifests, true);
        assert_eq!(address(&rendered), "null:null", "{port}");
        let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
        let notes = [compiled.notes, rendered.notes].concat().join("\n");
        assert!(notes.contains(told), "{notes}");
    }
    let manifests = read(&[
        service(
            "web",
            "{ports: [{name: http, port: 8080, targetPort: 3000}]}",
        ),
        ingress("web", "{number: 80}", ""),
    ]);
    for text in [
        istio::text(&manifests, &IstioArgs::default()).unwrap(),
        envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap(),
    ] {
        let told = "# note: m.yaml:11: Service default/web has no port \"80\", it has 8080 (http, targetPort 3000)";
        assert!(text.contains(told), "{text}");
    }
    assert_eq!(ports_on_istio(&manifests), [0; 0]);
    assert_eq!(ports_on_envoy_gateway(&manifests), [0; 0]);
    let report = Report::new(&manifests, false, None);
    let found: Vec<_> = report.findings.iter().map(|f| (f.code, f.line)).collect();
    assert_eq!(found, [("port", 11)]);
    assert_eq!(report.exit_status(), 2);
}

#[test]
fn an_external_name_is_asked_at_its_target_port() {
    let tls = "nginx.ingress.kubernetes.io/backend-protocol: HTTPS";
    let partner = "{type: ExternalName, externalName: api.partner.example, ports: [{port: 80, targetPort: 443}]}";
    let manifests = read(&[
        service("partner", partner),
        ingress("partner", "{number: 80}", tls),
    ]);
    let rendered = on_envoy(&manifests, false);
    assert_eq!(address(&rendered), "api.partner.example:443");
    let portless = "{type: ExternalName, externalName: old.partner.example}";
    let manifests = read(&[
        service("old", portless),
        ingress("old", "{number: 8081}", ""),
    ]);
    let rendered = on_envoy(&manifests, false);
    assert_eq!(address(&rendered), "old.partner.example:8081");
    let unset = rendered
        .notes
        .iter()
        .filter(|note| note.contains("cluster address"));
    assert_eq!(unset.count(), 0, "{:?}", rendered.notes);
}

#[test]
fn what_platforms_do_with_an_external_name_is_told_by_check_and_render() {
    let partner = "{type: ExternalName, externalName: api.partner.example, ports: [{port: 8080, targetPort: 443}]}";
    let manifests = read(&[
        service("partner", partner),
        ingress("partner", "{number: 8080}", ""),
    ]);
    let istio = istio::text(&manifests, &IstioArgs::default()).unwrap();
    let gateway = envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap();
    for (platform, text, told) in [
        (
            Platform::Istio,
            istio,
            ["ServiceEntry", "port number 8080 and targetPort 443"],
        ),
        (
            Platform::EnvoyGateway,
            gateway,
            ["Backend with fqdn", "port 443"],
        ),
    ] {
        let note = text
            .lines()
            .find(|line| line.contains("Service default/partner is an ExternalName"));
        let note = note.unwrap_or_else(|| panic!("{text}"));
        let report = Report::new(&manifests, false, Some(platform));
        let mut found = report.findings.iter().filter(|f| f.code == "not-rendered");
        let found = found.next().unwrap().message();
        for told in told {
            assert!(
                note.contains(told) && found.contains(told),
                "{note}\n{found}"
            );
        }
        assert_eq!(report.exit_status(), 1);
    }
    assert_eq!(Report::new(&manifests, false, None).exit_status(), 0);
}

// What the Service's port says already needs no advice.
#[test]
fn grpc_over_an_h2c_port_is_no_plain_http_1_on_envoy_gateway() {
    let grpc = "nginx.ingress.kubernetes.io/backend-protocol: GRPC";
    for (port, told) in [
        (
            "{name: grpc, port: 50051, appProtocol: kubernetes.io/h2c}",
            false,
        ),
        ("{name: grpc, port: 50051}", true),
    ] {
        let spec = format!("{{ports: [{port}]}}");
        let manifests = read(&[
            service("api", &spec),
            ingress("api", "{number: 50051}", grpc),
        ]);
        let text = envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap();
        assert_eq!(text.contains("plain HTTP/1"), told, "{text}");
        for on in [None, Some(Platform::EnvoyGateway)] {
            let report = Report::new(&manifests, false, on);
            let mut found = report.findings.iter();
            assert_eq!(found.any(|f| f.code == "backend-protocol"), told);
        }
    }
}

/// Ingresses of a tenant's with 200 KB in an annotation each.
fn large(annotation: &str) -> Manifests {
    let mut all = vec![ingress("good", "{number: 80}", "")];
    let said = format!("{annotation}: \"{}\"", "10.0.0.1/32,".repeat(17_000));
    all.extend((0..8).map(|n| ingress(&format!("large{n}"), "{number: 80}", &said)));
    read(&all)
}

// The one object that has the Ingresses of all would have been refused.
#[test]
fn what_nobody_reads_of_a_tenants_ingresses_takes_no_room() {
    let all = large("example.com/notes");
    let notes = [
        istio::text(&all, &istio::IstioArgs::default()).unwrap(),
        envoy_gateway::text(&all, &envoy_gateway::EnvoyGatewayArgs::default()).unwrap(),
    ];
    for text in notes {
        assert!(text.len() < 100_000, "{} bytes", text.len());
        assert!(text.contains("large7.example.com"));
        assert!(!text.contains("above 1.5 MiB"));
    }
}

#[test]
fn whose_ingresses_make_an_object_too_large_is_said() {
    let all = large("nginx.ingress.kubernetes.io/allowlist-source-range");
    let text = istio::text(&all, &istio::IstioArgs::default()).unwrap();
    let note = text.lines().find(|line| line.contains("above 1.5 MiB"));
    let note = note.unwrap();
    assert!(
        note.starts_with("# note: the WasmPlugin limpet has 15"),
        "{note}"
    );
    assert!(
        note.contains("largest of them: default/large0 (199 KiB), default/large1"),
        "{note}"
    );
}

/// What Istio is told of two Ingresses that call one port otherwise, by its name and by its number.
fn called_otherwise(host: &str, annotation: &str) -> String {
    let ingress = |name: &str, host: &str, path: &str, port: &str, annotation: &str| {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, annotations: \
             {{{annotation}}}}}\nspec: {{ingressClassName: nginx, rules: [{{host: {host}, http: {{paths: [{{path: \
             {path}, pathType: Prefix, backend: {{service: {{name: web, port: {{{port}}}}}}}}}]}}}}]}}\n"
        )
    };
    let service = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{name: http, port: 80}]}}\n";
    let text = [
        service,
        &ingress("a", "a.test", "/", "name: http", ""),
        &ingress("b", host, "/b", "number: 80", annotation),
    ];
    let manifests = Manifests::parse("in.yaml", &text.concat()).unwrap();
    istio::text(&manifests, &IstioArgs::default()).unwrap()
}

#[test]
fn a_port_called_by_name_and_by_number_has_one_route_and_it_may_change_the_host() {
    let vhost = "nginx.ingress.kubernetes.io/upstream-vhost: inner.example";
    let text = called_otherwise("a.test", vhost);
    let of_hosts = text.split("\n---\n");
    let mut of_hosts = of_hosts.filter(|one| one.contains("kind: VirtualService"));
    let routes = of_hosts.find(|one| one.contains("- a.test")).unwrap();
    let times = |name: &str| routes.matches(&format!("name: {name}\n")).count();
    assert_eq!(times("limpet-upstream-vhost-idempotent"), 1, "{routes}");
    assert_eq!(times("limpet-idempotent"), 0, "{routes}");
}

#[test]
fn a_port_called_by_name_and_by_number_is_spoken_to_as_each_ingress_says() {
    let https = "nginx.ingress.kubernetes.io/backend-protocol: HTTPS";
    for host in ["a.test", "b.test"] {
        let text = called_otherwise(host, https);
        let mut all = text.split("\n---\n");
        let rule = all.find(|one| one.contains("kind: DestinationRule"));
        let rule = rule.unwrap();
        assert!(rule.contains("subsets:\n  - name: https\n"), "{rule}");
        assert!(!rule.contains("\n  trafficPolicy:"), "{rule}");
        assert!(text.contains("subset: https\n"), "{text}");
    }
}

// Of all these something was silent, or the way out led nowhere.
#[test]
fn what_a_service_makes_a_platform_do_is_told_with_a_way_out_that_helps() {
    let name =
        |name: &str| format!("{{type: ExternalName, externalName: {name}, ports: [{{port: 80}}]}}");
    let h2c = "{ports: [{name: x, port: 80, appProtocol: kubernetes.io/h2c}]}".to_owned();
    let (istio, gateway) = (Platform::Istio, Platform::EnvoyGateway);
    for (spec, on, told) in [
        (name("10.9.9.9"), istio, "EndpointSlice of that address"),
        (name("10.9.9.9"), gateway, "EndpointSlice of that address"),
        (
            name("web.b.svc.cluster.local"),
            istio,
            "names that Service itself",
        ),
        (
            name("web.b.svc.cluster.local"),
            gateway,
            "name that Service itself",
        ),
        (h2c.clone(), istio, "take the appProtocol off"),
        (h2c, gateway, "take the appProtocol off"),
    ] {
        let manifests = read(&[service("api", &spec), ingress("api", "{number: 80}", "")]);
        let text = match on {
            Platform::Istio => istio::text(&manifests, &IstioArgs::default()).unwrap(),
            _ => envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap(),
        };
        let report = Report::new(&manifests, false, Some(on));
        let mut found = report.findings.iter().filter(|f| f.code == "not-rendered");
        assert!(text.contains(told), "{spec}: {text}");
        assert!(found.any(|one| one.message().contains(told)), "{spec}");
    }
}

#[test]
fn a_service_that_its_proxy_does_not_see_and_one_that_is_headless_are_told_on_istio() {
    let hidden = "{apiVersion: v1, kind: Service, metadata: {name: api, annotations: \
                  {networking.istio.io/exportTo: '.'}}, spec: {ports: [{port: 80}]}}\n---\n";
    let headless = service("api", "{clusterIP: None, ports: [{port: 80}]}");
    for (service, code, status) in [
        (hidden.to_owned(), "not-rendered", 1),
        (headless, "headless", 0),
    ] {
        let manifests = read(&[service, ingress("api", "{number: 80}", "")]);
        let report = Report::new(&manifests, false, Some(Platform::Istio));
        assert!(report.findings.iter().any(|one| one.code == code), "{code}");
        assert_eq!(report.exit_status(), status, "{code}");
    }
}

// In silence requests were sent to an https that is not there.
#[test]
fn a_tls_section_without_a_secret_is_told_at_the_head_of_what_is_rendered() {
    let text = ingress("api", "{number: 80}", "")
        .replace("spec:", "spec:\n  tls: [{hosts: [api.example.com]}]");
    let manifests = read(&[service("api", "{ports: [{port: 80}]}"), text]);
    let args = IstioArgs::default();
    let sidecar = IstioArgs {
        sidecar: true,
        ..IstioArgs::default()
    };
    for (text, is_told) in [
        (istio::text(&manifests, &args).unwrap(), true),
        (istio::text(&manifests, &sidecar).unwrap(), false),
        (
            envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap(),
            true,
        ),
    ] {
        assert_eq!(text.contains("names no secretName"), is_told, "{text}");
        let told = "no https listener is rendered for its hosts";
        assert_eq!(text.contains(told), is_told, "{text}");
    }
}

#[test]
fn a_host_that_a_platform_does_not_take_has_a_rule_all_the_same() {
    let text = ingress("api", "{number: 80}", "").replace(
        "spec:",
        "spec:\n  tls: [{hosts: [10.1.2.3], secretName: x}]",
    );
    let text = text.replace("host: api.example.com", "host: 10.1.2.3");
    let manifests = read(&[service("api", "{ports: [{port: 80}]}"), text]);
    let sidecar = IstioArgs {
        sidecar: true,
        ..IstioArgs::default()
    };
    let text = istio::text(&manifests, &sidecar).unwrap();
    assert!(!text.contains("has no rule"), "{text}");
}

// The heads said nothing of it.
#[test]
fn a_redirect_to_https_without_a_tls_section_is_told_at_the_head_of_what_is_rendered() {
    let forced = "nginx.ingress.kubernetes.io/force-ssl-redirect: 'true'";
    let manifests = read(&[
        service("api", "{ports: [{port: 80}]}"),
        ingress("api", "{number: 80}", forced),
    ]);
    for text in [
        istio::text(&manifests, &IstioArgs::default()).unwrap(),
        envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap(),
    ] {
        let head: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("# note: "))
            .collect();
        let told = head
            .iter()
            .filter(|line| line.contains("no tls section covers that; nobody answers on 443"));
        assert_eq!(told.count(), 1, "{head:?}");
    }
}

// The listener of all has no name, and shows another's certificate.
#[test]
fn a_host_without_certificate_beside_one_that_has_one_is_not_said_to_have_no_listener_on_envoy_gateway()
 {
    let with = |host: &str, tls: &str| {
        ingress(host, "{number: 80}", "").replace(
            "spec:",
            &format!("spec:\n  tls: [{{hosts: [{host}.example.com]{tls}}}]"),
        )
    };
    let manifests = read(&[
        service("api", "{ports: [{port: 80}]}"),
        service("shop", "{ports: [{port: 80}]}"),
        with("api", ""),
        with("shop", ", secretName: shop-tls"),
    ]);
    let gateway = envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap();
    assert!(
        gateway.contains("names no secretName; https shows the certificate of another host there"),
        "{gateway}"
    );
    assert!(
        !gateway.contains("no https listener is rendered"),
        "{gateway}"
    );
    let istio = istio::text(&manifests, &IstioArgs::default()).unwrap();
    assert!(
        istio.contains("names no secretName; no https listener is rendered for its hosts"),
        "{istio}"
    );
}
