//! Clients of IPv6, and of IPv4 at a socket of IPv6, to a real Envoy with what `limpet render envoy` writes: who
//! they are to lists, and to pods.

use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::http::{self, Request};
use limpet_tests::manifest::{self, Rule};
use limpet_tests::pod::Pod;
use limpet_tests::rendered::{Rendered, Setup};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const FOUR: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SIX: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// What an Ingress lists, and who comes in: whoever connects by IPv4, and by IPv6.
const LISTS: &[(&str, &str, bool, bool)] = &[
    ("whitelist-source-range", "::1/128", false, true),
    ("whitelist-source-range", "::/0", false, true),
    ("whitelist-source-range", "2001:db8::/32", false, false),
    ("whitelist-source-range", "127.0.0.0/8", true, false),
    ("whitelist-source-range", "0.0.0.0/0", true, false),
    (
        "whitelist-source-range",
        "::ffff:127.0.0.0/104",
        true,
        false,
    ),
    ("whitelist-source-range", "127.0.0.1,::1", true, true),
    ("denylist-source-range", "::1", true, false),
    ("denylist-source-range", "::/0", true, false),
    ("denylist-source-range", "127.0.0.1", false, true),
    ("denylist-source-range", "::ffff:127.0.0.1", false, true),
];

fn host(number: usize) -> String {
    format!("list-{number}.example")
}

/// An Envoy that listens on every address, with a host for each list and `open.example`.
struct Edge {
    envoy: Rendered,
    pod: Pod,
}

impl Edge {
    fn start(settings: Value) -> Self {
        let ingress = |name: &str, host: &str, said: &[(&str, &str)]| {
            let rule = Rule {
                host,
                path: "/",
                service: "web",
            };
            manifest::ingress(name, rule, said)
        };
        let listed = LISTS.iter().enumerate();
        let listed = listed.map(|(number, (name, value, ..))| {
            ingress(&format!("list-{number}"), &host(number), &[(name, value)])
        });
        let mut items: Vec<Value> = listed.collect();
        items.push(ingress("open", "open.example", &[]));
        items.push(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": settings,
            "metadata": { "name": "ingress-nginx-controller", "namespace": "ingress-nginx" },
        }));
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
        let manifests = Manifests::parse("lists.json", &list.to_string()).unwrap();
        let pod = Pod::start();
        let flag: EndpointsFlag = format!("default/web:80={}", pod.endpoint())
            .parse()
            .unwrap();
        let setup = Setup {
            listen: "[::]:0",
            ..Setup::default()
        };
        Self {
            envoy: Rendered::start(&manifests, &[flag], &setup),
            pod,
        }
    }

    /// The status, and whom the pod is told of. The client connects to its own address.
    fn ask(&self, client: IpAddr, host: &str, forwarded: &[&str]) -> (u16, Vec<String>) {
        let before = self.pod.requests();
        let place = SocketAddr::new(client, self.envoy.http().port());
        let request = forwarded
            .iter()
            .fold(Request::get(host, "/"), |request, value| {
                request.header("x-forwarded-for", value)
            });
        let answer = http::send(place, &request).unwrap();
        let is_served = answer.status == 200;
        assert_eq!(self.pod.requests() - before, u64::from(is_served), "{host}");
        let told = |echo: limpet_tests::pod::Echo| {
            let names = ["x-real-ip", "x-forwarded-for"];
            names.iter().flat_map(|name| echo.all(name)).collect()
        };
        (answer.status, answer.echo().map_or_else(Vec::new, told))
    }
}

fn twice(address: &str) -> (u16, Vec<String>) {
    (200, vec![address.to_owned(); 2])
}

// `--listen [::]:PORT` took no IPv4.
#[test]
fn a_client_is_of_ipv6_or_of_ipv4_as_it_connects() {
    let edge = Edge::start(json!({}));
    // What a client says of itself is nothing, whatever it is.
    for lie in [&[][..], &["::1"], &["127.0.0.1"], &["::ffff:127.0.0.1"]] {
        assert_eq!(edge.ask(FOUR, "open.example", lie), twice("127.0.0.1"));
        assert_eq!(edge.ask(SIX, "open.example", lie), twice("::1"));
        let mut wrong = Vec::new();
        for (number, (name, list, four, six)) in LISTS.iter().enumerate() {
            for (client, comes_in) in [(FOUR, four), (SIX, six)] {
                let status = if *comes_in { 200 } else { 403 };
                let is = edge.ask(client, &host(number), lie).0;
                if is != status {
                    wrong.push(format!("{name}: {list}, {client}: {is}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn a_proxy_of_ipv6_says_who_the_client_is_and_no_other() {
    let edge = Edge::start(json!({
        "use-forwarded-headers": "true",
        "proxy-real-ip-cidr": "::1/128,2001:db8:1::/48",
    }));
    for (client, forwarded, found) in [
        (SIX, &["2001:db8::7"][..], "2001:db8::7"),
        (SIX, &["10.0.0.9"], "10.0.0.9"),
        (SIX, &["2001:db8::7, 2001:db8:1::2"], "2001:db8::7"),
        (SIX, &["2001:db8::7", "2001:db8:1::2"], "2001:db8::7"),
        (SIX, &["9.9.9.9, 2001:db8::7"], "2001:db8::7"),
        (SIX, &["[2001:db8::7]:80"], "2001:db8::7"),
        (SIX, &["2001:DB8:0::7"], "2001:db8::7"),
        (SIX, &[], "::1"),
        (FOUR, &["2001:db8::7"], "127.0.0.1"),
        (FOUR, &["::1"], "127.0.0.1"),
    ] {
        let is = edge.ask(client, "open.example", forwarded);
        assert_eq!(is, twice(found), "{client} {forwarded:?}");
    }
    // Whom the proxy names is whom lists are about.
    for (forwarded, four, six) in [
        ("127.0.0.1", true, false),
        ("::ffff:127.0.0.1", true, false),
        ("::1", false, true),
    ] {
        for (number, (name, list, of_four, of_six)) in LISTS.iter().enumerate() {
            let comes_in = (four && *of_four) || (six && *of_six);
            let is = edge.ask(SIX, &host(number), &[forwarded]).0;
            let status = if comes_in { 200 } else { 403 };
            assert_eq!(is, status, "{name}: {list}, {forwarded}");
        }
    }
}
