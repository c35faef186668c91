//! Certificates in what is rendered for Istio and Envoy Gateway.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;
use crate::render::envoy_gateway::{self, EnvoyGatewayArgs};
use crate::render::istio::{self, IstioArgs};
use crate::render::resource::Resource;
use crate::render::served::Served;

/// An Ingress for each `(namespace, host, Secret)`.
fn manifests(all: &[(&str, &str, &str)]) -> Manifests {
    Manifests::parse("in.json", &documents(all).join("\n---\n")).unwrap()
}

/// The same, and one that asks for `ssl-passthrough` of each of `passed`.
fn with_passed(all: &[(&str, &str, &str)], passed: &[&str]) -> Manifests {
    let asks = |host: &&str| {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "namespace": "shop", "name": format!("passes-{host}"), "annotations": {
                "nginx.ingress.kubernetes.io/ssl-passthrough": "true",
                "nginx.ingress.kubernetes.io/backend-protocol": "HTTPS",
            } },
            "spec": {
                "ingressClassName": "nginx",
                "rules": [{ "host": host, "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                    "backend": { "service": { "name": "pods", "port": { "number": 443 } } } }] } }],
            },
        })
        .to_string()
    };
    let mut documents = documents(all);
    documents.extend(passed.iter().map(asks));
    let mut all = Manifests::parse("in.json", &documents.join("\n---\n")).unwrap();
    all.ssl_passthrough = Some(true);
    all
}

fn documents(all: &[(&str, &str, &str)]) -> Vec<String> {
    let ingress = |(namespace, host, secret): &(&str, &str, &str)| {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "namespace": namespace, "name": "web" },
            "spec": {
                "ingressClassName": "nginx",
                "tls": [{ "hosts": [host], "secretName": secret }],
                "rules": [{ "host": host, "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                    "backend": { "service": { "name": "web", "port": { "number": 80 } } } }] } }],
            },
        })
        .to_string()
    };
    all.iter().map(ingress).collect()
}

/// Host to the credential that Istio's gateway serves it with.
fn credentials(manifests: &Manifests) -> Vec<(String, String)> {
    let compiled = Compiled::new(manifests, &Flags::default()).unwrap();
    let resources = istio::resources(&Served::new(&compiled), &IstioArgs::default());
    let gateway = resources.iter().find(|one| one.kind() == "Gateway");
    let servers = gateway.unwrap().value["spec"]["servers"]
        .as_array()
        .unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let https = servers.iter().filter_map(|server| {
        let name = server.pointer("/tls/credentialName")?;
        Some((text(&server["hosts"][0]), text(name)))
    });
    https.collect()
}

#[test]
fn two_secrets_of_one_name_in_two_namespaces_are_two_credentials_on_istio() {
    let two = [("shop", "shop.test", "tls"), ("blog", "blog.test", "tls")];
    // One that is called as a copy would be, and one where the gateway is.
    let more = [
        ("x", "x.test", "shop.tls"),
        ("istio-system", "own.test", "tls"),
    ];
    let all = manifests(&[two, more].concat());
    let credentials = credentials(&all);
    let names: BTreeSet<&str> = credentials.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names.len(), 4, "{credentials:?}");
    for expected in [
        ("blog.test", "blog.tls"),
        ("own.test", "tls"),
        ("shop.test", "shop.tls"),
        ("x.test", "x.shop.tls"),
    ] {
        let expected = (expected.0.to_owned(), expected.1.to_owned());
        assert!(credentials.contains(&expected), "{credentials:?}");
    }
    let text = istio::text(&all, &IstioArgs::default()).unwrap();
    let copies = text
        .lines()
        .filter(|line| line.starts_with("# copy Secret"));
    let copies: Vec<&str> = copies.collect();
    assert_eq!(copies.len(), 3, "{copies:?}");
    assert!(copies[0].starts_with("# copy Secret shop/tls to istio-system/shop.tls: "));
}

// The copy would have replaced the gateway's own.
// Istio refused the Gateway of all for it.
#[test]
fn a_host_that_istio_refuses_is_in_no_listener_and_told() {
    let all = [
        ("good", "shop.test", "tls"),
        ("odd", "a.1", "tls"),
        ("odd-2", "intranet", "tls"),
        ("odd-3", "*.2", "tls"),
    ];
    let manifests = manifests(&all);
    let compiled = Compiled::new(&manifests, &Flags::default()).unwrap();
    let resources = istio::resources(&Served::new(&compiled), &IstioArgs::default());
    let gateway = resources
        .iter()
        .find(|one| one.kind() == "Gateway")
        .unwrap();
    let servers = gateway.value["spec"]["servers"].as_array().unwrap();
    for server in servers {
        assert_eq!(server["hosts"], json!(["shop.test"]), "{server}");
    }
    assert_eq!(servers.len(), 2);
    let text = istio::text(&manifests, &IstioArgs::default()).unwrap();
    for (_, host, _) in &all[1..] {
        assert!(text.contains(&format!("host {host}: Istio")), "{text}");
    }
}

#[test]
fn no_copy_of_a_secret_takes_the_name_of_the_gateways_own_on_istio() {
    let all = manifests(&[
        ("shop", "shop.test", "tls"),
        ("istio-system", "own.test", "shop.tls"),
    ]);
    let own = ("own.test".to_owned(), "shop.tls".to_owned());
    assert_eq!(credentials(&all), [own]);
    let text = istio::text(&all, &IstioArgs::default()).unwrap();
    assert!(!text.contains("# copy Secret"), "{text}");
    let told = ": Secret shop/tls: shop.tls is another Secret there";
    assert!(text.contains(told), "{text}");
}

#[test]
fn a_secret_of_no_possible_name_costs_its_own_hosts_on_istio() {
    let long = ["a".repeat(60).as_str(); 4].join(".");
    let all = manifests(&[
        ("some-namespace", "long.test", &long),
        ("shop", "shop.test", "tls"),
    ]);
    assert_eq!(
        credentials(&all),
        [("shop.test".to_owned(), "shop.tls".to_owned())]
    );
    let text = istio::text(&all, &IstioArgs::default()).unwrap();
    assert!(
        text.contains("is too long for the name of a Secret"),
        "{text}"
    );
}

#[test]
fn an_older_platform_gets_what_it_knows_and_its_operator_is_told() {
    let all = manifests(&[("shop", "shop.test", "tls")]);
    for (version, knows) in [("1.7", false), ("1.8", true), ("v1.9.1", true)] {
        let args = EnvoyGatewayArgs {
            envoy_gateway: version.parse().unwrap(),
            ..EnvoyGatewayArgs::default()
        };
        let text = envoy_gateway::text(&all, &args).unwrap();
        assert_eq!(text.contains("streamIdleTimeout:"), knows, "{version}");
        let told = "its Envoy waits without end for";
        assert_eq!(text.contains(told), !knows, "{version}: {text}");
    }
    for (version, strategy) in [("1.24", "FAIL_CLOSE"), ("1.27", "FAIL_RELOAD")] {
        let args = IstioArgs {
            istio: version.parse().unwrap(),
            ..IstioArgs::default()
        };
        let text = istio::text(&all, &args).unwrap();
        assert!(
            text.contains(&format!("failStrategy: {strategy}")),
            "{version}: {text}"
        );
        let told = "it starts no module anew after a trap";
        assert_eq!(
            text.contains(told),
            strategy == "FAIL_CLOSE",
            "{version}: {text}"
        );
    }
}

#[test]
fn envoy_gateway_reads_each_secret_in_its_own_namespace() {
    let all = manifests(&[("shop", "shop.test", "tls"), ("blog", "blog.test", "tls")]);
    let compiled = Compiled::new(&all, &Flags::default()).unwrap();
    let resources = envoy_gateway::resources(&Served::new(&compiled), &EnvoyGatewayArgs::default());
    let gateway = resources.iter().find(|one| one.kind() == "Gateway");
    let listeners = gateway.unwrap().value["spec"]["listeners"]
        .as_array()
        .unwrap();
    // One listener, which chooses by the name of the connection.
    let https = listeners.iter().filter(|one| one["port"] == 443);
    let https: Vec<&Value> = https.collect();
    assert_eq!(https.len(), 1);
    assert_eq!(https[0].get("hostname"), None);
    let references = https[0]["tls"]["certificateRefs"].as_array().unwrap();
    let references: Vec<Value> = references
        .iter()
        .map(|one| json!([one["namespace"], one["name"]]))
        .collect();
    assert_eq!(references, [json!(["shop", "tls"]), json!(["blog", "tls"])]);
    let grants = resources
        .iter()
        .filter(|one| one.kind() == "ReferenceGrant");
    let grants: Vec<Value> = grants
        .map(|one| {
            let spec = &one.value["spec"];
            json!([
                one.value["metadata"]["namespace"],
                spec["from"][0]["kind"],
                spec["to"]
            ])
        })
        .collect();
    // And no other Secret of theirs, and no other Service.
    let secret = json!([{ "group": "", "kind": "Secret", "name": "tls" }]);
    let service = json!([{ "group": "", "kind": "Service", "name": "web" }]);
    assert_eq!(
        grants,
        [
            json!(["blog", "Gateway", secret]),
            json!(["shop", "Gateway", secret]),
            json!(["blog", "HTTPRoute", service]),
            json!(["shop", "HTTPRoute", service]),
        ]
    );
}

/// What is rendered for Envoy Gateway.
fn on_envoy_gateway(manifests: &Manifests) -> (Vec<Value>, Vec<Resource>, String) {
    let compiled = Compiled::new(manifests, &Flags::default()).unwrap();
    let args = EnvoyGatewayArgs::default();
    let resources = envoy_gateway::resources(&Served::on_envoy_gateway(&compiled), &args);
    let gateway = resources.iter().find(|one| one.kind() == "Gateway");
    let listeners = gateway.unwrap().value["spec"]["listeners"].clone();
    let listeners = listeners.as_array().unwrap().clone();
    let text = envoy_gateway::text(manifests, &args).unwrap();
    (listeners, resources, text)
}

// Envoy Gateway took both listeners for invalid: TLS of that host ended with another host's certificate.
#[test]
fn a_passed_host_with_a_certificate_beyond_the_limit_has_one_listener_on_envoy_gateway() {
    let names: Vec<[String; 2]> = (0..66)
        .map(|n| [format!("shop-{n}"), format!("h{n:02}.test")])
        .collect();
    let all = names.iter().map(|[shop, host]| (&**shop, &**host, "tls"));
    let all: Vec<(&str, &str, &str)> = all.collect();
    let (listeners, ..) = on_envoy_gateway(&with_passed(&all, &["h65.test"]));
    let named = listeners.iter().filter_map(|one| {
        let host = one.get("hostname")?.as_str()?;
        Some((host, one["protocol"].as_str()?))
    });
    let named: Vec<(&str, &str)> = named.collect();
    assert_eq!(named, [("h65.test", "TLS"), ("h64.test", "HTTPS")]);
}

#[test]
fn certificates_of_passed_hosts_take_no_place_of_others_on_envoy_gateway() {
    let names: Vec<[String; 2]> = (0..70)
        .map(|n| [format!("shop-{n}"), format!("h{n:02}.test")])
        .collect();
    let all = names.iter().map(|[shop, host]| (&**shop, &**host, "tls"));
    let all: Vec<(&str, &str, &str)> = all.collect();
    let passed: Vec<&str> = all.iter().take(6).map(|(_, host, _)| *host).collect();
    let (listeners, _, text) = on_envoy_gateway(&with_passed(&all, &passed));
    let named: Vec<&str> = listeners
        .iter()
        .filter_map(|one| one["hostname"].as_str())
        .collect();
    assert_eq!(named, passed);
    assert!(!text.contains("the certificate of another host"), "{text}");
}

// Envoy Gateway writes each route once for each listener: 300 hosts with a certificate each took it half a minute.
#[test]
fn a_listener_of_one_host_has_the_routes_of_that_host_alone_on_envoy_gateway() {
    let names: Vec<[String; 2]> = (0..70)
        .map(|n| [format!("shop-{n}"), format!("h{n:02}.test")])
        .collect();
    let all = names.iter().map(|[shop, host]| (&**shop, &**host, "tls"));
    let all: Vec<(&str, &str, &str)> = all.collect();
    let (_, resources, _) = on_envoy_gateway(&with_passed(&all, &[]));
    let mut by_listener: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for route in resources.iter().filter(|one| one.kind() == "HTTPRoute") {
        let parents = route.value["spec"]["parentRefs"].as_array().unwrap();
        let sections = parents.iter().map(|one| one["sectionName"].as_str());
        let sections: Vec<&str> = sections.map(Option::unwrap_or_default).collect();
        let rules = route.value["spec"]["rules"].as_array().unwrap();
        let all = by_listener.entry(sections.join(" ")).or_default();
        all.extend(rules.iter().cloned());
    }
    let listeners: Vec<&str> = by_listener.keys().map(String::as_str).collect();
    let own: Vec<String> = (0..6).map(|n| format!("https-{n}")).collect();
    let expected = ["", "http https"].into_iter();
    let expected: Vec<&str> = expected.chain(own.iter().map(String::as_str)).collect();
    assert_eq!(listeners, expected);
    assert_eq!(by_listener["http https"].len(), 70);
    for (n, listener) in own.iter().enumerate() {
        let [rule] = &by_listener[listener][..] else {
            panic!("{:?}", by_listener[listener]);
        };
        let namespace = format!("shop-{}", 64 + n);
        assert_eq!(rule["backendRefs"][0]["namespace"], *namespace);
        // The module calls the cluster by one name, whatever listener the request came by.
        assert!(by_listener["http https"].contains(rule));
    }
}

// The routes of a namespace that was called so took the place of those of a listener.
#[test]
fn no_namespace_is_named_like_the_routes_of_a_listener_on_envoy_gateway() {
    let names: Vec<[String; 2]> = (0..65)
        .map(|n| [format!("shop-{n}"), format!("h{n:02}.test")])
        .collect();
    let all = names.iter().map(|[shop, host]| (&**shop, &**host, "tls"));
    let mut texts = documents(&all.collect::<Vec<(&str, &str, &str)>>());
    let odd = documents(&[("shop-64-https-0", "odd.test", "none")]).remove(0);
    let mut odd: Value = serde_json::from_str(&odd).unwrap();
    odd["spec"].as_object_mut().unwrap().remove("tls");
    texts.push(odd.to_string());
    let manifests = Manifests::parse("in.json", &texts.join("\n---\n")).unwrap();
    let (_, resources, _) = on_envoy_gateway(&manifests);
    let routes = resources.iter().filter(|one| one.kind() == "HTTPRoute");
    let of_listener =
        routes.filter(|one| one.value["spec"]["parentRefs"][0]["sectionName"] == "https-0");
    let of_listener: Vec<&Resource> = of_listener.collect();
    assert_eq!(of_listener.len(), 1);
    let rules = of_listener[0].value["spec"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0]["backendRefs"][0]["namespace"], "shop-64");
}

// The certificates of an older tenant took every place, and others' hosts were served with one of his.
#[test]
fn whoever_has_many_certificates_takes_no_place_from_other_namespaces_on_envoy_gateway() {
    let many: Vec<[String; 2]> = (0..200)
        .map(|n| {
            let star = if n < 100 { "*." } else { "" };
            [format!("{star}odd{}.test", n % 100), format!("tls-{n}")]
        })
        .collect();
    let many = many
        .iter()
        .map(|[host, secret]| ("odd", &**host, &**secret));
    let names: Vec<[String; 2]> = (0..100)
        .map(|n| [format!("shop-{n}"), format!("h{n}.test")])
        .collect();
    let others = names.iter().map(|[shop, host]| (&**shop, &**host, "tls"));
    let all: Vec<(&str, &str, &str)> = many.chain(others).collect();
    let manifests = {
        let mut all = Manifests::parse("in.json", &documents(&all).join("\n---\n")).unwrap();
        for (n, ingress) in all.ingresses.iter_mut().enumerate() {
            ingress.value["metadata"]["name"] = json!(format!("web-{n}"));
        }
        all
    };
    let (listeners, ..) = on_envoy_gateway(&manifests);
    let mut served = BTreeSet::new();
    for reference in listeners
        .iter()
        .flat_map(|one| one["tls"]["certificateRefs"].as_array())
        .flatten()
    {
        served.extend(reference["namespace"].as_str());
    }
    for [shop, _] in &names {
        assert!(served.contains(&**shop), "{shop}: {served:?}");
    }
}

// The listener of the wildcard took the connections of the hosts under it, and had no route for them.
#[test]
fn a_wildcard_beyond_the_limit_takes_no_host_away_on_envoy_gateway() {
    let rules = |resources: &[Resource], listener: &str| -> usize {
        let routes = resources.iter().filter(|one| one.kind() == "HTTPRoute");
        let of_it = routes.filter(|route| {
            let parents = route.value["spec"]["parentRefs"].as_array().unwrap();
            parents.iter().any(|one| one["sectionName"] == *listener)
        });
        let rules = of_it.map(|route| route.value["spec"]["rules"].as_array().unwrap().len());
        rules.sum()
    };
    // One wildcard: it is among those that share a listener.
    let names: Vec<[String; 2]> = (0..66)
        .map(|n| [format!("shop-{n}"), format!("h{n:02}.test")])
        .chain([["star".to_owned(), "*.test".to_owned()]])
        .collect();
    let all = names.iter().map(|[shop, host]| (&**shop, &**host, "tls"));
    let all: Vec<(&str, &str, &str)> = all.collect();
    let (listeners, resources, _) = on_envoy_gateway(&with_passed(&all, &[]));
    let hosts: Vec<&str> = listeners
        .iter()
        .filter_map(|one| one["hostname"].as_str())
        .collect();
    assert_eq!(hosts, ["h63.test", "h64.test", "h65.test"]);
    assert_eq!(rules(&resources, "https-0"), 1);
    // Too many of them: each listener has what is under its wildcard.
    let names: Vec<[String; 2]> = (0..65)
        .map(|n| [format!("star-{n}"), format!("*.d{n:02}.test")])
        .chain([["shop".to_owned(), "a.d64.test".to_owned()]])
        .collect();
    let all = names.iter().map(|[shop, host]| (&**shop, &**host, "tls"));
    let all: Vec<(&str, &str, &str)> = all.collect();
    let mut texts = documents(&all);
    let bare = documents(&[("bare", "b.d63.test", "tls")]).remove(0);
    let mut bare: Value = serde_json::from_str(&bare).unwrap();
    bare["spec"].as_object_mut().unwrap().remove("tls");
    texts.push(bare.to_string());
    let manifests = Manifests::parse("in.json", &texts.join("\n---\n")).unwrap();
    let (listeners, resources, _) = on_envoy_gateway(&manifests);
    let hosts: Vec<&str> = listeners
        .iter()
        .filter_map(|one| one["hostname"].as_str())
        .collect();
    assert_eq!(hosts, ["*.d63.test", "a.d64.test"]);
    // Its own and that of b.d63.test.
    assert_eq!(rules(&resources, "https-0"), 2);
}

#[test]
fn passed_hosts_have_routes_for_as_many_as_have_listeners_on_envoy_gateway() {
    let names: Vec<String> = (0..70).map(|n| format!("h{n:02}.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (certificates, most) in [(&[][..], 63), (&[("shop", "shop.test", "tls")][..], 62)] {
        let (listeners, resources, text) = on_envoy_gateway(&with_passed(certificates, &names));
        assert_eq!(listeners.len(), 64);
        let routes = resources.iter().filter(|one| one.kind() == "TLSRoute");
        assert_eq!(routes.count(), most);
        let not_passed = names[most..].join(", ");
        let told = format!("It ends at the proxy for {not_passed}. Render");
        assert!(text.contains(&told), "{text}");
    }
}

// Sixty hosts of one tenant took the listeners of everybody.
#[test]
fn whoever_passes_tls_on_takes_no_listener_from_other_namespaces_on_envoy_gateway() {
    let names: Vec<String> = (0..70).map(|n| format!("h{n:02}.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let others = ["y.test", "z.test"];
    let certificates: Vec<[String; 2]> = (0..65)
        .map(|n| [format!("shop-{n}"), format!("s{n:02}.test")])
        .collect();
    let certificates = certificates
        .iter()
        .map(|[shop, host]| (&**shop, &**host, "tls"));
    let certificates: Vec<(&str, &str, &str)> = certificates.collect();
    let mut all = with_passed(&certificates, &[&names[..], &others[..]].concat());
    for ingress in all.ingresses.iter_mut().rev().take(others.len()) {
        ingress.value["metadata"]["namespace"] = json!("other");
    }
    let (listeners, _, text) = on_envoy_gateway(&all);
    assert_eq!(listeners.len(), 64);
    let names = listeners.iter().filter_map(|one| one["hostname"].as_str());
    let names: Vec<&str> = names.collect();
    for host in ["s64.test", "y.test", "z.test", "h00.test"] {
        assert!(names.contains(&host), "{host}: {names:?}");
    }
    assert!(
        text.contains("It ends at the proxy for h59.test, "),
        "{text}"
    );
}

// Envoy Gateway speaks TLS to the pods of a TLSRoute as well, and so TLS was in TLS.
#[test]
fn nobody_is_told_to_write_a_backend_tls_policy_for_what_is_passed_on() {
    let (.., text) = on_envoy_gateway(&with_passed(&[], &["a.test", "b.test"]));
    let told: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("BackendTLSPolicy"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let expected =
        "note: Service shop/pods gets the TLS of a.test, b.test as it comes: no BackendTLSPolicy";
    assert!(told[0].contains(expected), "{told:?}");
}
