//! Hosts whose TLS goes to their pods as it comes (`ssl-passthrough`).

use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::http::{Connection, Request, send};
use limpet_tests::rendered::Rendered;
use limpet_tests::tls::{self, Greeting, Relay, TlsPod, TlsPods};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

fn ingress(name: &str, path: &str, passes: bool) -> Value {
    let host = format!("{name}.example");
    let annotation = |name: &str| format!("nginx.ingress.kubernetes.io/{name}");
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": name, "namespace": "default", "annotations": {
            annotation("backend-protocol"): "HTTPS",
            annotation("ssl-redirect"): "false",
            annotation("ssl-passthrough"): passes.to_string(),
            // Of what is passed on ingress-nginx sees nothing.
            annotation("denylist-source-range"): if passes { "127.0.0.0/8" } else { "192.0.2.1" },
        } },
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{ "hosts": [host], "secretName": tls::SECRET }],
            "rules": [{ "host": host, "http": { "paths": [{
                "path": path, "pathType": "Prefix",
                "backend": { "service": { "name": name, "port": { "number": 443 } } },
            }] } }],
        },
    })
}

#[test]
fn a_pod_shows_its_own_certificate_and_sees_the_clients() {
    let pod = TlsPod {
        certificate: "good",
        asks: false,
        is_modern: false,
        in_clear: false,
    };
    let pods = TlsPods::start(&[("passed", TlsPod { asks: true, ..pod }), ("ended", pod)]);
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": [
        ingress("passed", "/", true), ingress("part", "/part", true), ingress("ended", "/", false),
        tls::secret(),
    ] });
    let mut manifests = Manifests::parse("hosts.json", &list.to_string()).unwrap();
    manifests.ssl_passthrough = Some(true);
    let flags = ["passed", "ended"].map(|name| -> EndpointsFlag {
        let address = pods.address(name);
        format!("default/{name}:443={address}").parse().unwrap()
    });
    let envoy = Rendered::share(&manifests, &flags, |_| {});
    let greeting = |name: &str, shows: Option<&str>| Greeting {
        to: envoy.https(),
        client: Ipv4Addr::LOCALHOST.into(),
        sni: format!("{name}.example"),
        shows: shows.map(tls::of_client),
        resumes: false,
        is_modern: false,
    };
    let good = Some("good");
    let cases = [
        // The name that is greeted, the client, the host that is asked, the status (0: no answer), who
        // answers, whom that one sees.
        (
            "passed",
            good,
            "passed",
            200,
            "passed",
            "O=tests,CN=good.client.test",
        ),
        ("passed", None, "passed", 0, "", ""),
        // Whatever is asked for within.
        (
            "passed",
            good,
            "ended",
            200,
            "passed",
            "O=tests,CN=good.client.test",
        ),
        ("part", good, "part", 0, "", ""),
        ("ended", good, "ended", 200, "ended", ""),
        // The rules of a host hold where its TLS ends.
        ("ended", good, "passed", 403, "", ""),
        ("nobody", good, "passed", 0, "", ""),
    ];
    let relay = Relay::start(cases.map(|(name, shows, ..)| greeting(name, shows)));
    for (name, shows, host, status, pod, seen) in cases {
        let mut connection = Connection::open(relay.place(&greeting(name, shows))).unwrap();
        let request = Request::get(&format!("{host}.example"), "/");
        let answer = connection.send(&request);
        let got = answer.map_or((0, String::new(), String::new()), |answer| {
            let header = |name| answer.header(name).unwrap_or_default();
            (answer.status, header("x-pod"), header("x-shown"))
        });
        assert_eq!(
            (got.0, &*got.1, &*got.2),
            (status, pod, seen),
            "{name} {shows:?} {host}"
        );
    }
    let plain = send(envoy.http(), &Request::get("passed.example", "/")).unwrap();
    assert_eq!(plain.status, 403);
}
