//! What Istio makes of Services' ports, told at the head of what is rendered.

use crate::manifests::Manifests;
use crate::render::istio::{self, IstioArgs};

fn head(service: &str, annotations: &str, sidecar: bool) -> String {
    let manifests = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: app}}\nspec: {service}\n---\n\
         apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: a, namespace: app, \
         annotations: {{{annotations}}}}}\nspec: {{ingressClassName: nginx, rules: [{{host: a.test, \
         http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: s, port: \
         {{number: 80}}}}}}}}]}}}}]}}\n"
    );
    let manifests = Manifests::parse("in.yaml", &manifests).unwrap();
    let args = IstioArgs {
        sidecar,
        ..IstioArgs::default()
    };
    let text = istio::text(&manifests, &args).unwrap();
    let head = text.lines().take_while(|line| line.starts_with('#'));
    head.collect::<Vec<_>>().join("\n")
}

// report c-istio-grpc-port-name
#[test]
fn a_port_whose_name_means_http2_to_istio_is_told_unless_the_ingress_asks_for_it() {
    let grpc = "nginx.ingress.kubernetes.io/backend-protocol: GRPC";
    for (port, annotations, told) in [
        ("{name: grpc, port: 80}", "", true),
        ("{name: grpc-api, port: 80}", "", true),
        ("{name: http2, port: 80}", "", true),
        (
            "{name: web, port: 80, appProtocol: kubernetes.io/h2c}",
            "",
            true,
        ),
        ("{name: grpc, port: 80, appProtocol: http}", "", false),
        ("{name: grpcish, port: 80}", "", false),
        ("{name: http, port: 80}", "", false),
        ("{port: 80}", "", false),
        ("{name: grpc, port: 80}", grpc, false),
    ] {
        let head = head(&format!("{{ports: [{port}]}}"), annotations, false);
        let is_told = head.contains("makes Istio speak HTTP/2 to its pods");
        assert_eq!(is_told, told, "{port} {annotations}\n{head}");
    }
}

// report b14-headless-sidecar
#[test]
fn a_headless_service_is_told_where_a_sidecar_would_not_choose_its_pods() {
    for (service, sidecar, told) in [
        ("{clusterIP: None, ports: [{port: 80}]}", true, true),
        ("{clusterIP: None, ports: [{port: 80}]}", false, false),
        ("{ports: [{port: 80}]}", true, false),
    ] {
        let head = head(service, "", sidecar);
        assert_eq!(
            head.contains("is headless"),
            told,
            "{service} {sidecar}\n{head}"
        );
    }
}
