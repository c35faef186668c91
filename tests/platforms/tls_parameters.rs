//! `ssl-protocols` and `ssl-ciphers` of the ConfigMap, toward clients.

use super::HOST;
use limpet_envoy::manifests::Manifests;
use limpet_tests::http::{self, Request};
use limpet_tests::pod::Pod;
use limpet_tests::recorded::{Platform, with_https};
use limpet_tests::rendered::{Rendered, Setup};
use limpet_tests::tls::{self, Greeting, Relay};
use std::net::{Ipv4Addr, SocketAddr};

/// Manifests whose ConfigMap has no room for a client of TLS 1.2 with ciphers of 128 bits.
const STRICT: [&str; 2] = ["tls-versions", "tls-ciphers"];

/// Whether a client comes in that speaks all that Envoy does.
fn lets_in(https: SocketAddr) -> bool {
    let greeting = Greeting {
        to: https,
        client: Ipv4Addr::LOCALHOST.into(),
        sni: HOST.to_owned(),
        shows: None,
        resumes: false,
        is_modern: true,
    };
    let relay = Relay::start([greeting.clone()]);
    let answer = http::send(relay.place(&greeting), &Request::get(HOST, "/"));
    answer.is_ok_and(|answer| answer.status == 200)
}

#[test]
fn clients_speak_the_versions_and_ciphers_that_the_config_map_names_and_no_others() {
    for platform in [
        Platform::Istio,
        Platform::OlderIstio,
        Platform::EnvoyGateway,
        Platform::OlderEnvoyGateway,
    ] {
        for recording in STRICT {
            let pod = Pod::start();
            let pods = |_: &str| vec![pod.endpoint()];
            let bootstrap = with_https(platform, recording, pods);
            let envoy = Rendered::share_bootstrap(&bootstrap);
            let name = format!("{platform:?}, {recording}");
            assert_eq!(tls::shown(envoy.https(), HOST), None, "{name}");
            assert!(lets_in(envoy.https()), "{name}");
        }
        // The same client, where nobody says anything.
        let bootstrap = with_https(platform, "client-certificates", |_| Vec::new());
        let envoy = Rendered::share_bootstrap(&bootstrap);
        let shown = tls::shown(envoy.https(), "plain.example");
        assert!(shown.is_some(), "{platform:?}");
    }
}

#[test]
fn rendered_for_envoy_too() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/control-planes/ingresses");
    let pod = Pod::start();
    let flags = [format!("default/http-service={}", pod.endpoint())
        .parse()
        .unwrap()];
    for (name, shows) in [
        ("tls-versions", false),
        ("tls-ciphers", false),
        ("tls-ciphers", true),
    ] {
        let path = format!("{folder}/{name}.yaml");
        let mut text = std::fs::read_to_string(path).unwrap();
        text = text.replace("secretName: web", &format!("secretName: {}", tls::SECRET));
        if shows {
            text = text.replace("AES256", "AES128");
        }
        let text = format!("{text}---\n{}\n", tls::secret());
        let manifests = Manifests::parse(name, &text).unwrap();
        let envoy = Rendered::start(&manifests, &flags, &Setup::default());
        assert_eq!(tls::shown(envoy.https(), HOST).is_some(), shows, "{name}");
        assert!(lets_in(envoy.https()), "{name}");
    }
}
