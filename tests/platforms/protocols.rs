//! What is more than a request and its answer.

use super::{HOST, envoy};
use limpet_tests::browser::Browser;
use limpet_tests::http::{self, Connection, Request, Response};
use limpet_tests::pod::Pod;
use limpet_tests::recorded::{Platform, bootstrap};
use limpet_tests::rendered::Rendered;
use limpet_tests::tls::{TlsPod, TlsPods};
use std::net::SocketAddr;

/// Opens a WebSocket, sends four bytes through it and gets them back.
fn talk(to: SocketAddr, cookie: Option<&str>) -> Response {
    let request = Request::get(HOST, "/app1/socket")
        .header("Connection", "Upgrade")
        .header("Upgrade", "WebSocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let request = match cookie {
        Some(cookie) => request.header("Cookie", format!("route={cookie}")),
        None => request,
    };
    let mut connection = Connection::open(to).unwrap();
    let answer = connection.send(&request).unwrap();
    assert_eq!(answer.status, 101);
    connection.send_bytes(b"ping").unwrap();
    assert_eq!(connection.read_bytes(4).unwrap(), b"ping");
    answer
}

#[test]
fn a_web_socket_lands_where_the_polling_requests_did_on_every_platform() {
    for platform in Platform::EVERY {
        let pods = Pod::several(4);
        let envoy = envoy(platform, "sample", &pods);
        for _ in 0..4 {
            let mut browser = Browser::new(envoy.http(), HOST);
            let home = browser.get("/app1/socket?poll=1").unwrap().endpoint();
            let answer = talk(envoy.http(), browser.cookie("route"));
            assert_eq!(answer.header("x-pod"), home, "{platform:?}");
            assert!(answer.all("set-cookie").is_empty());
        }
        let first = talk(envoy.http(), None);
        assert!(first.header("set-cookie").is_some(), "{platform:?}");
    }
}

#[test]
fn each_ingress_speaks_to_the_pods_of_a_service_as_it_says_on_istio() {
    let pod = TlsPod {
        certificate: "good",
        asks: false,
        is_modern: false,
        in_clear: true,
    };
    let names = ["one", "two", "three"];
    let pods = TlsPods::start(&names.map(|name| (name, pod)));
    let addresses = |_: &str| names.map(|name| pods.address(name).to_string()).into();
    for platform in [
        Platform::Istio,
        Platform::IstioSidecar,
        Platform::OlderIstio,
        Platform::OlderIstioSidecar,
    ] {
        let bootstrap = bootstrap(platform, "protocols", addresses);
        let envoy = Rendered::share_bootstrap(&bootstrap);
        let mut browser = Browser::new(envoy.http(), "plain.example.com");
        let home = browser.get("/").unwrap().header("x-pod");
        let cookie = format!("route={}", browser.cookie("route").unwrap());
        for (name, version, tls) in [
            ("plain", "HTTP/1.1", false),
            ("secure", "HTTP/1.1", true),
            ("called", "HTTP/2", false),
        ] {
            let host = format!("{name}.example.com");
            let request = Request::get(&host, "/").header("Cookie", cookie.clone());
            let answer = http::send(envoy.http(), &request).unwrap();
            let cipher = answer.header("x-cipher").unwrap_or_default();
            let spoken = (
                answer.header("x-protocol").unwrap_or_default(),
                !cipher.is_empty(),
            );
            assert_eq!(spoken, (version.to_owned(), tls), "{platform:?}: {name}");
            assert_eq!(answer.header("x-pod"), home, "{platform:?}: {name}");
        }
    }
}
