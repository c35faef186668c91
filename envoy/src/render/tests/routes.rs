//! Routes in what is rendered for Istio.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;
use crate::render::istio::{self, IstioArgs};
use crate::render::served::Served;

/// Host to where its routes lead, or the names of those that lead nowhere; every VirtualService has one
/// host.
fn routes(manifests: &str, sidecar: bool) -> BTreeMap<String, Vec<String>> {
    let manifests = Manifests::parse("in.yaml", manifests).unwrap();
    let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
    let args = IstioArgs {
        sidecar,
        ..IstioArgs::default()
    };
    let resources = istio::resources(&Served::new(&compiled), &args);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all = BTreeMap::new();
    for resource in resources
        .iter()
        .filter(|one| one.kind() == "VirtualService")
    {
        let spec = &resource.value["spec"];
        let [host] = spec["hosts"].as_array().unwrap().as_slice() else {
            panic!("{spec}");
        };
        let http = spec["http"].as_array().unwrap().iter();
        let mut leads: Vec<String> = http
            .map(|route| {
                let name = text(&route["name"]);
                let cluster = &route["match"][0]["headers"]["x-limpet-cluster"]["exact"];
                match cluster.as_str() {
                    // What a method may be tried again decides is told in another place.
                    Some(cluster) => cluster.trim_end_matches(".svc.cluster.local").to_owned(),
                    None => name,
                }
            })
            .collect();
        leads.dedup();
        assert!(all.insert(text(host), leads).is_none(), "{host} twice");
    }
    all
}

fn ingress(name: &str, host: &str, annotations: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {{name: {name}, namespace: {name}, annotations: {{{annotations}}}}}\n\
         spec: {{ingressClassName: nginx, rules: [{{host: {host}, http: {{paths: [{{path: /, \
         pathType: Prefix, backend: {{service: {{name: {name}, port: {{number: 80}}}}}}}}]}}}}]}}\n"
    )
}

// istiod refuses `*.x` beside `a.x`, and `*` beside anything, in one VirtualService: one tenant's
// wildcard took everybody's host away.
#[test]
fn a_wildcard_beside_names_costs_no_host_on_istio() {
    let all = [
        ingress("wild", "'*.saas.test'", ""),
        ingress("named", "admin.saas.test", ""),
        ingress("any", "''", ""),
        ingress("other", "other.test", ""),
    ]
    .concat();
    let named = [
        (
            "admin.saas.test".to_owned(),
            vec!["outbound|80||named.named".to_owned()],
        ),
        (
            "other.test".to_owned(),
            vec!["outbound|80||other.other".to_owned()],
        ),
    ];
    // Of several labels under a star, and of no Ingress's name, the default server answers.
    let wild = vec![
        "outbound|80||any.any".to_owned(),
        "outbound|80||wild.wild".to_owned(),
    ];
    let mut expected = BTreeMap::from(named);
    expected.insert("*".to_owned(), vec!["outbound|80||any.any".to_owned()]);
    let mut gateway = routes(&all, false);
    let mut of_wild = gateway.remove("*.saas.test").unwrap();
    of_wild.sort();
    assert_eq!(of_wild, wild);
    assert_eq!(gateway, expected);
}

#[test]
fn a_host_has_the_routes_of_whoever_may_serve_it_and_one_that_limpet_answers_leads_nowhere() {
    let canary = "nginx.ingress.kubernetes.io/canary: 'true', \
                  nginx.ingress.kubernetes.io/canary-weight: '10'";
    let all = [
        ingress(
            "shop",
            "shop.test",
            "nginx.ingress.kubernetes.io/from-to-www-redirect: 'true'",
        ),
        ingress("next", "shop.test", canary),
        ingress("other", "other.test", ""),
    ]
    .concat();
    let (shop, other) = (
        ["outbound|80||shop.shop", "outbound|80||next.next"],
        ["outbound|80||other.other"],
    );
    let gateway = routes(&all, false);
    // A VirtualService without routes is refused.
    assert_eq!(gateway["www.shop.test"], ["none"]);
    assert_eq!(gateway["shop.test"], shop);
    assert_eq!(gateway["other.test"], other);
    let unnamed = "not-named-by-an-ingress";
    let sidecar = routes(&all, true);
    assert_eq!(sidecar["shop.test"], [&shop[..], &[unnamed]].concat());
    assert_eq!(sidecar["www.shop.test"], [unnamed]);
}
