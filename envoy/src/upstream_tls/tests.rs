use serde_json::{Value, json};

use crate::compiled::{Compiled, Flags};
use crate::manifests::Manifests;
use crate::render::envoy::{EnvoySettings, render};

fn ingress(name: &str, service: &str, said: &[(&str, &str)]) -> Value {
    let mut annotations = serde_json::Map::new();
    for (name, value) in [("backend-protocol", "HTTPS")].iter().chain(said) {
        let name = format!("nginx.ingress.kubernetes.io/{name}");
        annotations.insert(name, json!(value));
    }
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "namespace": "default", "annotations": annotations },
        "spec": { "ingressClassName": "nginx", "rules": [{ "host": format!("{name}.test"),
            "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": service, "port": { "number": 443 } } } }] } }] },
    })
}

fn secret(data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": data,
        "metadata": { "name": "pods", "namespace": "default" },
    })
}

fn authority() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/support/tls/pods");
    std::fs::read_to_string(format!("{folder}/ca.crt")).unwrap()
}

fn manifests(items: &Value) -> Manifests {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    Manifests::parse("in.json", &list.to_string()).unwrap()
}

fn flags() -> Flags {
    Flags {
        on_envoy: true,
        ..Flags::default()
    }
}

/// The clusters by name, and who answers 503.
fn rendered(items: &[Value], settings: &Value) -> (Value, Vec<String>) {
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": settings,
        "metadata": { "name": "ingress-nginx-controller", "namespace": "ingress-nginx" },
    });
    let items: Vec<&Value> = items.iter().chain([&config]).collect();
    let manifests = manifests(&json!(items));
    let compiled = Compiled::new(&manifests, &flags()).unwrap();
    let bootstrap = render(&compiled, &EnvoySettings::default()).bootstrap;
    let clusters = bootstrap["static_resources"]["clusters"]
        .as_array()
        .unwrap();
    let clusters = clusters.iter().map(|one| {
        let name = one["name"].as_str().unwrap().to_owned();
        (name, one["transport_socket"]["typed_config"].clone())
    });
    (clusters.collect(), compiled.config.close.clone())
}

fn validation(clusters: &Value, service: &str) -> Value {
    clusters[format!("default/{service}:443")]["common_tls_context"]["validation_context"].clone()
}

#[test]
fn text_of_a_tenant_gets_into_no_clusters_words() {
    let whole = secret(&json!({ "ca.crt": authority() }));
    let long = "x".repeat(70_000);
    for (name, value) in [
        ("proxy-ssl-name", "a\n- b: c"),
        ("proxy-ssl-name", "a\u{0}b"),
        ("proxy-ssl-name", "*.pods.example"),
        ("proxy-ssl-name", "[::1]"),
        ("proxy-ssl-name", &long),
        ("proxy-ssl-secret", "default/pods/x"),
        ("proxy-ssl-secret", "default/\u{85}\"}]"),
        ("proxy-ssl-secret", &long),
    ] {
        let said = [
            ("proxy-ssl-secret", "default/pods"),
            ("proxy-ssl-verify", "on"),
            (name, value),
        ];
        let (clusters, closed) = rendered(&[ingress("a", "web", &said), whole.clone()], &json!({}));
        assert_eq!(closed, ["default/a"], "{name}");
        assert_eq!(validation(&clusters, "web"), Value::Null, "{name}");
    }
    // What is not used is not looked at, and what is not known not handed on.
    let said = [
        ("proxy-ssl-secret", "default/pods"),
        ("proxy-ssl-name", "a\n- b: c"),
        ("proxy-ssl-ciphers", "AES128-SHA:\"}]:@SECLEVEL=0"),
        ("proxy-ssl-protocols", "SSLv3 TLSv1.3 \"}"),
        ("proxy-ssl-verify-depth", "-1\n"),
    ];
    let (clusters, closed) = rendered(&[ingress("a", "web", &said), whole], &json!({}));
    assert!(closed.is_empty(), "{closed:?}");
    let parameters = json!({
        "tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3",
    });
    let context = &clusters["default/web:443"]["common_tls_context"];
    assert_eq!(context, &json!({ "tls_params": parameters }));
}

#[test]
fn a_secret_that_envoy_would_refuse_closes_who_names_it_and_nobody_else() {
    let said = [
        ("proxy-ssl-secret", "default/pods"),
        ("proxy-ssl-verify", "on"),
    ];
    let authority = authority();
    let damaged = authority.replacen("MII", "MIJ", 1);
    for data in [
        json!({}),
        json!({ "ca.crt": "" }),
        json!({ "ca.crt": damaged }),
        json!({ "ca.crt": format!("{authority}{damaged}") }),
        json!({ "ca.crt": authority, "tls.crt": authority, "tls.key": "none" }),
        json!({ "tls.crt": authority, "tls.key": "none" }),
    ] {
        let items = [
            ingress("a", "web", &said),
            ingress("b", "else", &[]),
            secret(&data),
        ];
        let (clusters, closed) = rendered(&items, &json!({}));
        assert_eq!(closed, ["default/a"], "{data}");
        assert_eq!(validation(&clusters, "web"), Value::Null, "{data}");
    }
}

// It is read once more, so that nothing but certificates is in it.
#[test]
fn what_stands_around_certificates_is_not_written() {
    let said = [
        ("proxy-ssl-secret", "default/pods"),
        ("proxy-ssl-verify", "on"),
    ];
    let noisy = format!("# secret: x\n{}\nrest: y\n", authority());
    let items = [
        ingress("a", "web", &said),
        secret(&json!({ "ca.crt": noisy })),
    ];
    let (clusters, _) = rendered(&items, &json!({}));
    let written = &validation(&clusters, "web")["trusted_ca"]["inline_string"];
    let written = written.as_str().unwrap();
    assert!(
        written.starts_with("-----BEGIN") && !written.contains("rest"),
        "{written}"
    );
}

#[test]
fn what_an_ingress_says_holds_for_its_host_unless_the_settings_keep_it_to_locations() {
    let said = [
        ("proxy-ssl-secret", "default/pods"),
        ("proxy-ssl-verify", "on"),
        ("proxy-ssl-name", "web.test"),
        ("proxy-ssl-server-name", "on"),
    ];
    let mut beside = ingress("b", "beside", &[]);
    beside["spec"]["rules"][0]["host"] = json!("a.test");
    beside["spec"]["rules"][0]["http"]["paths"][0]["path"] = json!("/b");
    let items = [
        ingress("a", "web", &said),
        beside,
        secret(&json!({ "ca.crt": authority() })),
    ];
    for (only, is_verified) in [("false", true), ("true", false)] {
        let settings = json!({ "proxy-ssl-location-only": only });
        let (clusters, closed) = rendered(&items, &settings);
        assert!(closed.is_empty(), "{closed:?}");
        assert!(validation(&clusters, "web").is_object());
        assert_eq!(
            validation(&clusters, "beside").is_object(),
            is_verified,
            "{only}"
        );
        let sni = clusters["default/beside:443"]["sni"].as_str();
        assert_eq!(sni, is_verified.then_some("web.test"), "{only}");
    }
}

// Its canary would be sent what others verify, and what it says itself nginx does not read.
#[test]
fn a_canary_is_verified_as_the_ingress_that_it_is_of() {
    let said = [
        ("proxy-ssl-secret", "default/pods"),
        ("proxy-ssl-verify", "on"),
    ];
    let canary = |protocol| {
        let said = [
            ("canary", "true"),
            ("canary-weight", "10"),
            ("backend-protocol", protocol),
        ];
        let mut canary = ingress("b", "canary", &said);
        canary["spec"]["rules"][0]["host"] = json!("a.test");
        canary
    };
    let settings = json!({ "proxy-ssl-location-only": "true" });
    let secret = secret(&json!({ "ca.crt": authority() }));
    for protocol in ["HTTPS", "HTTP"] {
        let items = [ingress("a", "web", &said), canary(protocol), secret.clone()];
        let (clusters, closed) = rendered(&items, &settings);
        assert!(closed.is_empty(), "{closed:?}");
        assert!(validation(&clusters, "canary").is_object(), "{protocol}");
    }
}

// nginx asks it from within the server, so what is said there holds for it too.
#[test]
fn an_authorizer_that_nginx_verified_is_not_asked_unverified() {
    let verified = [
        ("proxy-ssl-secret", "default/pods"),
        ("proxy-ssl-verify", "on"),
        ("proxy-ssl-name", "web.test"),
    ];
    let secret = secret(&json!({ "ca.crt": authority() }));
    for (url, settings, is_closed) in [
        ("https://sso.auth.svc.cluster.local/ask", json!({}), true),
        ("http://sso.auth.svc.cluster.local/ask", json!({}), false),
        // By the authorities of the world.
        ("https://sso.example.com/ask", json!({}), false),
        ("https://192.0.2.7/ask", json!({}), true),
        (
            "https://sso.auth.svc.cluster.local/ask",
            json!({ "proxy-ssl-location-only": "true" }),
            false,
        ),
    ] {
        let said = [&verified[..], &[("auth-url", url)]].concat();
        let other = ingress("b", "else", &[("auth-url", url)]);
        let items = [ingress("a", "web", &said), other, secret.clone()];
        let (_, closed) = rendered(&items, &settings);
        assert_eq!(
            closed,
            if is_closed { vec!["default/a"] } else { vec![] },
            "{url}"
        );
    }
    let items = [ingress("a", "web", &verified), secret];
    let global = json!({ "global-auth-url": "https://sso.auth.svc.cluster.local/ask" });
    assert_eq!(rendered(&items, &global).1, ["default/a"]);
}

#[test]
fn that_copies_go_to_whom_nobody_verifies_is_said() {
    let said = |target| {
        [
            ("proxy-ssl-secret", "default/pods"),
            ("proxy-ssl-verify", "on"),
            ("mirror-target", target),
        ]
    };
    let secret = secret(&json!({ "ca.crt": authority() }));
    for (target, is_said) in [
        ("https://copies.example", true),
        ("http://copies.example", false),
    ] {
        let items = [ingress("a", "web", &said(target)), secret.clone()];
        let manifests = manifests(&json!(items));
        let compiled = Compiled::new(&manifests, &flags()).unwrap();
        let mut notes = compiled.all_notes();
        assert_eq!(
            notes.any(|note| note.contains("mirror-target by what")),
            is_said,
            "{target}"
        );
    }
}

// 360 Ingresses and a Secret of 268 KB made 127 MB of configuration, for everybody.
#[test]
fn whose_authority_is_too_long_to_be_written_for_each_of_his_services_closes_what_does_not_fit() {
    let said = [
        ("proxy-ssl-secret", "default/pods"),
        ("proxy-ssl-verify", "on"),
        ("proxy-ssl-name", "web.test"),
    ];
    let long = authority().repeat(2_000);
    let mut items = vec![secret(&json!({ "ca.crt": long }))];
    items.extend((0..9).map(|n| ingress(&format!("a{n}"), &format!("web{n}"), &said)));
    let mut others = [
        ingress("z", "web", &said),
        secret(&json!({ "ca.crt": authority() })),
    ];
    for one in &mut others {
        one["metadata"]["namespace"] = json!("other");
    }
    others[0]["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-ssl-secret"] =
        json!("other/pods");
    items.extend(others);
    let (clusters, closed) = rendered(&items, &json!({}));
    assert_eq!(closed, ["default/a6", "default/a7", "default/a8"]);
    let verified =
        |service: &str| clusters[service]["common_tls_context"]["validation_context"].is_object();
    assert!(verified("default/web5:443") && verified("other/web:443"));
    assert!(!verified("default/web6:443"));
}
