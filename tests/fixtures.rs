//! The fixtures themselves, before anything is proven with them.

use limpet_tests::envoy::RealEnvoy;
use limpet_tests::http::{self, Connection, Request};
use limpet_tests::pod::{Manner, Pod, Script};
use limpet_tests::{eds, wait};
use std::net::TcpStream;

#[test]
fn a_pod_answers_with_what_it_received() {
    let pod = Pod::start();
    let request = Request::get("shop.example", "/a%2Fb?x=1").header("X-Raw", b"\x80\xff");
    let answer = http::send(pod.address(), &request).unwrap();
    let echo = answer.echo().unwrap();
    assert_eq!(
        (echo.endpoint, echo.path.as_str()),
        (pod.endpoint(), "/a%2Fb?x=1")
    );
    assert_eq!(pod.last().unwrap().all("x-raw"), ["\u{80}\u{ff}"]);
    assert_eq!(pod.requests(), 1);
}

#[test]
fn a_pod_does_what_its_script_says() {
    let mut pod = Pod::start();
    let request = Request::get("shop.example", "/");
    let mut connection = Connection::open(pod.address()).unwrap();
    let headers = vec![("set-cookie".to_owned(), "a=1".to_owned())];
    pod.behave(Script {
        status: 503,
        headers,
        ..Script::default()
    });
    let answer = connection.send(&request).unwrap();
    assert_eq!(
        (answer.status, answer.all("set-cookie")),
        (503, vec!["a=1".to_owned()])
    );
    pod.behave(Script {
        manner: Manner::Reset,
        ..Script::default()
    });
    assert!(connection.send(&request).is_err());
    pod.stop();
    assert!(TcpStream::connect(pod.address()).is_err());
    pod.restart();
    assert!(TcpStream::connect(pod.address()).is_ok());
}

#[test]
fn envoy_starts_on_free_ports_and_follows_an_endpoint_file() {
    let pods = Pod::several(2);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.json");
    eds::write(&file, "web", &eds::healthy(&pods[..1]));
    let bootstrap = BOOTSTRAP.replace("FOLDER", folder.path().to_str().unwrap());
    let envoy = RealEnvoy::start(&bootstrap);
    let at = envoy.listener("main");
    let answer = http::send(at, &Request::get("shop.example", "/")).unwrap();
    assert_eq!(answer.endpoint(), Some(pods[0].endpoint()));

    eds::write(&file, "web", &eds::healthy(&pods[1..]));
    envoy.wait_for_endpoints("web", &[pods[1].endpoint()]);
    wait::until("the other pod answers", || {
        let answer = http::send(at, &Request::get("shop.example", "/")).unwrap();
        answer.endpoint() == Some(pods[1].endpoint())
    });
    assert_eq!(envoy.stat("cluster.web.membership_total"), 1);
    // A name that is not there is no zero: a test that asks for it could not fail.
    assert_eq!(envoy.find_stat("cluster.web.membership"), None);
}

const BOOTSTRAP: &str = r#"
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
node: {id: fixtures, cluster: fixtures}
static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: web}}]}]}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: web
    type: EDS
    eds_cluster_config:
      eds_config: {path_config_source: {path: FOLDER/web.json, watched_directory: {path: FOLDER}}, resource_api_version: V3}
"#;
