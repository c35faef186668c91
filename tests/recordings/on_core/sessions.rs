//! The end-to-end part of `affinity.json`: Ingresses and requests, through the whole core.

use super::affinity::{RECORDED, text};
use limpet_tests::recordings::{Tally, list, read, sessions, start};
use limpet_tests::target::{Asked, Core, Target};
use serde_json::{Value, json};

#[test]
fn e2e_sessions_go_and_cookies_come_as_recorded() {
    sessions("E2E_affinity", &RECORDED["E2E_affinity"], Core::start, 49);
}

#[test]
fn further_sessions_go_and_cookies_come_as_recorded() {
    let recorded = &read("further-affinity.json");
    sessions("further_affinity", recorded, Core::start, 192);
}

#[test]
fn a6_cookies_are_set_where_recorded() {
    let mut tally = Tally::of("A6_should_set_cookie");
    for vector in list(&RECORDED["A6_should_set_cookie"]) {
        let path = text(&vector["location_path"]);
        let backend = json!({"service": {"name": "web", "port": {"number": 8080}}});
        let rule = |host: &str, path: &str| {
            let paths =
                [json!({"path": path, "pathType": "ImplementationSpecific", "backend": backend})];
            match host {
                "_" => json!({"http": {"paths": paths}}),
                host => json!({"host": host, "http": {"paths": paths}}),
            }
        };
        let ingress = |name: &str, annotations: Value, rules: Vec<Value>| {
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": {"name": name, "namespace": "default", "annotations": annotations},
                "spec": {"ingressClassName": "nginx", "rules": rules},
            })
        };
        let listed = vector["locations"].as_object().unwrap();
        let rules = listed.iter().flat_map(|(host, paths)| {
            list(paths)
                .iter()
                .map(|path| rule(host, text(path)))
                .collect::<Vec<_>>()
        });
        let annotations = json!({
            "nginx.ingress.kubernetes.io/affinity": "cookie",
            "nginx.ingress.kubernetes.io/use-regex": path.contains('(').to_string(),
        });
        let sticky = ingress("sticky", annotations, rules.collect());
        // The location itself, where the listed ones do not make it.
        let server = text(&vector["server_name"]);
        let host = if server.starts_with('~') {
            "a.wild.example.com"
        } else {
            server
        };
        let plain = ingress("plain", json!({}), vec![rule(host, path)]);
        let scenario = json!({
            "ingresses": [sticky, plain],
            "controller_config": {},
            "endpoints": {"default/web": ["10.0.0.1:8080"]},
        });
        let target = if path.contains('(') { "/app1/x" } else { path };
        let request = Asked::get("http", text(&vector["request_host_header"]), target);
        let answer = start(&scenario, Core::start).ask(&request).unwrap();
        let ours = !answer.set_cookie.is_empty();
        tally.case(text(&vector["desc"]), ours, vector["set_cookie"] == true);
    }
    tally.finish(11);
}
