//! TLS that goes to pods as it comes, on Envoys that got what control planes made of what is rendered.

use limpet_tests::envoy::RealEnvoy;
use limpet_tests::http::{Connection, Request};
use limpet_tests::recorded::{Platform, passthrough};
use limpet_tests::tls::{self, Greeting, Relay, TlsPod, TlsPods};
use std::net::Ipv4Addr;

const HOST: &str = "passed.example.com";

#[test]
fn a_pod_sees_the_clients_own_certificate_behind_every_gateway() {
    let pod = TlsPod {
        certificate: "good",
        asks: true,
        is_modern: false,
        in_clear: false,
    };
    let pods = TlsPods::start(&[("passed", pod)]);
    let address = pods.address("passed").to_string();
    for platform in [
        Platform::Istio,
        Platform::EnvoyGateway,
        Platform::OlderEnvoyGateway,
    ] {
        let bootstrap = passthrough(platform, "passthrough", HOST, &address);
        let envoy = RealEnvoy::start(&bootstrap.to_string());
        let greeting = |sni: &str| Greeting {
            to: envoy.listener("https"),
            client: Ipv4Addr::LOCALHOST.into(),
            sni: sni.to_owned(),
            shows: Some(tls::of_client("good")),
            resumes: false,
            is_modern: false,
        };
        let relay = Relay::start([greeting(HOST), greeting("other.example.com")]);
        let ask = |sni: &str| {
            let mut connection = Connection::open(relay.place(&greeting(sni))).unwrap();
            connection.send(&Request::get(HOST, "/"))
        };
        let answer = ask(HOST).unwrap();
        let seen = answer.header("x-shown");
        assert_eq!(answer.status, 200, "{platform:?}");
        assert_eq!(
            seen.as_deref(),
            Some("O=tests,CN=good.client.test"),
            "{platform:?}"
        );
        assert!(ask("other.example.com").is_err(), "{platform:?}");
    }
}
