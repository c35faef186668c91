mod authorizers;
mod certificates;
mod client_certificates;
mod hostile;
mod neighbours;
mod protocols;
mod routes;
mod services;
mod sidecars;
mod told;
mod unusable_certificates;
mod upstream_vhost;
mod verified_pods;
mod ways;

use super::args::RenderArgs;
use super::envoy::{EnvoySettings, render};
use super::envoy_gateway::{self, EnvoyGatewayArgs};
use super::istio::{self, IstioArgs};
use super::served::Served;
use crate::compiled::{Compiled, Flags};
use crate::manifests::{Manifests, Selection};

const TWO: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: foreign}
spec:
  CLASS
  tls: [{hosts: [foreign.example.com], secretName: foreign-tls}]
  rules:
  - host: foreign.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: foreign, port: {number: 80}}}}]}
---
{apiVersion: v1, kind: Service, metadata: {name: foreign}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: public}, spec: {ports: [{port: 80}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: public}
spec:
  ingressClassName: nginx
  rules:
  - host: public.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: public, port: {number: 80}}}}]}
";

/// Everything that is rendered, and the heads of the resources' texts.
fn rendered(class: &str, strict: bool) -> (Vec<String>, Vec<String>) {
    let manifests = Manifests::parse("two.yaml", &TWO.replace("CLASS", class)).unwrap();
    let flags = Flags {
        strict,
        ..Flags::default()
    };
    let compiled = Compiled::new(&manifests, &flags).unwrap();
    let served = Served::new(&compiled);
    let envoy = render(&compiled, &EnvoySettings::default());
    let mut render = RenderArgs::default();
    render.manifests.strict = strict;
    let (istio, gateway) = (
        IstioArgs {
            render: render.clone(),
            ..IstioArgs::default()
        },
        EnvoyGatewayArgs {
            render,
            ..EnvoyGatewayArgs::default()
        },
    );
    let resources = istio::resources(&served, &istio)
        .into_iter()
        .chain(envoy_gateway::resources(&served, &gateway))
        .map(|resource| resource.value.to_string());
    let heads = [
        istio::text(&manifests, &istio).unwrap(),
        envoy_gateway::text(&manifests, &gateway).unwrap(),
    ];
    (
        resources.chain([envoy.bootstrap.to_string()]).collect(),
        heads.into(),
    )
}

#[test]
fn nothing_of_an_ingress_that_the_module_ignores_is_rendered() {
    for (class, strict) in [("ingressClassName: alb", false), ("", true)] {
        let (all, heads) = rendered(class, strict);
        assert!(all.iter().any(|text| text.contains("public.example.com")));
        let leaks: Vec<&String> = all.iter().filter(|text| text.contains("foreign")).collect();
        assert_eq!(leaks, Vec::<&String>::new(), "{class}");
        for head in heads {
            let told = "# note: ingress default/foreign: ";
            assert!(head.contains(told), "{head}");
        }
    }
    // Taken, it is everywhere: the words above are the right ones.
    let (all, _) = rendered("ingressClassName: nginx", false);
    let named = all.iter().filter(|text| text.contains("foreign"));
    assert!(named.count() > 5);
}

// A second ingress-nginx, and one that reads its annotations under another prefix.
#[test]
fn a_class_and_a_prefix_that_are_asked_for_are_in_everything_that_is_rendered() {
    let text = TWO.replace("CLASS", "ingressClassName: internal").replace(
        "{name: foreign}",
        "{name: foreign, annotations: {ingress.kubernetes.io/server-alias: alias.example.com}}",
    );
    let flags = Selection {
        classes: vec!["internal".to_owned()],
        controllers: Vec::new(),
        annotations_prefix: Some("ingress.kubernetes.io".to_owned()),
        config_map: None,
    };
    let manifests = Manifests::parse("two.yaml", &text).unwrap();
    let manifests = manifests.with_selection(&flags);
    let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
    let served = Served::new(&compiled);
    assert_eq!(served.hosts, ["foreign.example.com", "alias.example.com"]);
    let envoy = render(&compiled, &EnvoySettings::default());
    for text in [
        envoy.bootstrap.to_string(),
        istio::text(&manifests, &IstioArgs::default()).unwrap(),
        envoy_gateway::text(&manifests, &EnvoyGatewayArgs::default()).unwrap(),
    ] {
        assert!(text.contains("foreign.example.com") && text.contains("annotations_prefix"));
        let told = "ingress default/public: ingressClassName: \"nginx\" is not the class internal";
        assert!(!text.replace(told, "").contains("public"), "{text}");
    }
}
