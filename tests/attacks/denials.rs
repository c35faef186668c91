//! What keeps a request out is counted by its kind, and as nothing else: on a real Envoy with what `limpet
//! render envoy` writes.

use limpet::plugin::metric::{Kind, NAMES};
use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::http::{self, Connection, Request};
use limpet_tests::manifest::{self, Rule};
use limpet_tests::pod::{Manner, Pod, Script};
use limpet_tests::rendered::{Rendered, Setup};
use limpet_tests::tls::{self, Greeting, Relay};
use limpet_tests::wait;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// What does not tell of a request that was stopped.
const OTHERS: [&str; 10] = [
    "sessions_new",
    "sessions_kept",
    "sessions_moved",
    "sessions_dead",
    "sessions_foreign",
    "waited",
    "discovery_polls",
    "discovery_failures",
    "filter_missing",
    "host_call_failures",
];

/// Hosts, each `.example`, and what their Ingresses say.
const HOSTS: &[(&str, &[(&str, &str)])] = &[
    ("open", &[]),
    ("listed", &[("whitelist-source-range", "10.0.0.0/8")]),
    ("barred", &[("denylist-source-range", "127.0.0.0/8")]),
    ("named", &[("auth-type", "basic"), ("auth-secret", "users")]),
    ("asks", &[("auth-url", "http://sso.default.svc/")]),
    (
        "signs-in",
        &[
            ("auth-url", "http://sso.default.svc/"),
            ("auth-signin", "https://login.example/"),
        ],
    ),
    ("asks-nobody", &[("auth-url", "http://ill.default.svc/")]),
    ("shown", &[("auth-tls-secret", "default/ca")]),
    (
        "matched",
        &[
            ("auth-tls-secret", "default/ca"),
            ("auth-tls-match-cn", "CN=else"),
        ],
    ),
    ("unknown-authority", &[("auth-tls-secret", "default/none")]),
    ("small", &[("proxy-body-size", "1k")]),
    (
        "rare",
        &[("limit-rpm", "1"), ("limit-burst-multiplier", "1")],
    ),
    ("alone", &[("limit-connections", "1")]),
    ("rewritten", &[("rewrite-target", "/admin")]),
    ("costly", &[("use-regex", "true")]),
    ("moved", &[("permanent-redirect", "https://else.example")]),
    ("shut", &[]),
    ("refused", &[("whitelist-source-range", "nobody")]),
];

fn manifests() -> Manifests {
    let mut items: Vec<Value> = HOSTS.iter().map(|(name, said)| host(name, said)).collect();
    items.extend([
        tls::secret(),
        manifest::secret("ca", &json!({ "ca.crt": tls::of_authority("ca.crt") })),
        manifest::secret("users", &json!({ "auth": "ann:{PLAIN}word" })),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "ingress-nginx-controller", "namespace": "ingress-nginx" },
            "data": {
                "block-cidrs": "127.0.0.9/32",
                "block-user-agents": "~*crawler",
                "block-referers": "~*spam",
                "ssl-redirect": "false",
            },
        }),
    ]);
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let mut manifests = Manifests::parse("hosts.json", &list.to_string()).unwrap();
    let given = [("close", "default/shut"), ("protect", "/admin")];
    let given = given.map(|(key, value)| (key.to_owned(), json!([value])));
    manifests.given.extend(given);
    manifests
}

fn host(name: &str, said: &[(&str, &str)]) -> Value {
    let host = format!("{name}.example");
    let is_costly = name == "costly";
    let rule = Rule {
        host: &host,
        path: if is_costly { "/.*[ab].{2500}q$" } else { "/" },
        service: "web",
    };
    let mut ingress = manifest::ingress(name, rule, said);
    ingress["spec"]["tls"] = json!([{ "hosts": [host], "secretName": tls::SECRET }]);
    if is_costly {
        ingress["spec"]["rules"][0]["http"]["paths"][0]["pathType"] =
            "ImplementationSpecific".into();
    }
    ingress
}

/// An Envoy, and what it has behind it.
struct Edge {
    envoy: Rendered,
    web: Pod,
    _authorizers: [Pod; 2],
    relay: Relay,
}

impl Edge {
    fn start() -> Self {
        let web = Pod::start();
        let authorizers = [401, 500].map(|status| {
            let pod = Pod::start();
            pod.behave(Script {
                status,
                ..Script::default()
            });
            pod
        });
        let flag = |service: &str, pod: &Pod| -> EndpointsFlag {
            let flag = format!("default/{service}={}", pod.endpoint());
            flag.parse().unwrap()
        };
        let flags = [
            flag("web:80", &web),
            flag("sso", &authorizers[0]),
            flag("ill", &authorizers[1]),
        ];
        let envoy = Rendered::start(&manifests(), &flags, &Setup::default());
        let relay = Relay::start(GREETINGS.map(|(sni, shows)| greeting(&envoy, sni, shows)));
        Self {
            envoy,
            web,
            _authorizers: authorizers,
            relay,
        }
    }

    /// Every counter; what limpet does by itself is left out.
    fn counters(&self) -> BTreeMap<String, u64> {
        let text = self.envoy.envoy.admin("/stats?filter=limpet_").text();
        let all = text.lines().filter_map(|line| {
            let (_, counter) = line.split_once(".limpet_")?;
            let (name, count) = counter.split_once(": ")?;
            let is_counter = |(known, kind): &(&str, Kind)| {
                *kind == Kind::Counter && known.strip_prefix("limpet_") == Some(name)
            };
            let is_of_a_request = NAMES.iter().any(is_counter) && !name.starts_with("discovery_");
            is_of_a_request.then(|| (name.to_owned(), count.parse().unwrap()))
        });
        all.collect()
    }

    /// The status, and by how much which counters went up.
    fn ask(&self, by: By, request: &Request) -> (u16, Vec<(String, u64)>) {
        let before = self.counters();
        let answer = match by {
            By::Client(last) => {
                let client = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
                let mut connection = Connection::open_from(client, self.envoy.http()).unwrap();
                connection.send(request)
            }
            By::Tls(sni, shows) => {
                let place = self.relay.place(&greeting(&self.envoy, sni, shows));
                http::send(place, request)
            }
        };
        let after = self.counters().into_iter();
        let grown = after.filter_map(|(name, count)| {
            let by = count - before.get(&name).unwrap_or(&0);
            (by > 0).then_some((name, by))
        });
        (answer.unwrap().status, grown.collect())
    }
}

/// From where somebody asks.
#[derive(Debug, Clone, Copy)]
enum By {
    /// 127.0.0.this, without TLS.
    Client(u8),
    /// With TLS: the name that is greeted, and the certificate.
    Tls(&'static str, Option<&'static str>),
}

const GREETINGS: [(&str, Option<&str>); 4] = [
    ("shown", None),
    ("shown", Some("other")),
    ("matched", Some("good")),
    ("open", None),
];

fn greeting(envoy: &Rendered, sni: &str, shows: Option<&str>) -> Greeting {
    Greeting {
        to: envoy.https(),
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        sni: format!("{sni}.example"),
        shows: shows.map(tls::of_client),
        resumes: false,
        is_modern: false,
    }
}

/// Who asks what, the status, the counter; an empty one: it is served.
fn rows() -> Vec<(By, Request, u16, &'static str)> {
    let get = |name: &str, target: &str| Request::get(&format!("{name}.example"), target);
    let root = |name: &str| get(name, "/");
    let agent = root("open").header("user-agent", "a crawler");
    let referer = root("open").header("referer", "http://spam.example/");
    let lengthy = root("small")
        .method("POST")
        .header("content-length", "2000");
    let mut pieces = root("small")
        .method("POST")
        .header("transfer-encoding", "chunked");
    pieces.body = [b"7d0\r\n", &[b'b'; 2000][..], b"\r\n0\r\n\r\n"].concat();
    let line = get("open", &format!("/{}", "a".repeat(9_000)));
    let field = root("open").header("x-long", "a".repeat(9_000));
    let costly = get("costly", &format!("/{}", "a".repeat(8_000)));
    let wrong = |secret: &str| format!("Basic {secret}");
    let unknown = root("named").header("authorization", wrong("YW5uOm5vdA=="));
    let mut rows = vec![
        (root("open"), 200, ""),
        (root("listed"), 403, "denied_address"),
        (root("barred"), 403, "denied_address"),
        (agent, 403, "denied_client"),
        (referer, 403, "denied_client"),
        (root("named"), 401, "denied_password"),
        (unknown, 401, "denied_password"),
        (root("asks"), 401, "denied_authorizer"),
        (root("signs-in"), 302, "denied_authorizer"),
        (root("asks-nobody"), 500, "denied_authorizer"),
        (root("shown"), 400, "denied_certificate"),
        (root("unknown-authority"), 403, "denied_certificate"),
        (lengthy, 413, "too_large"),
        (pieces, 413, "too_large"),
        (line, 414, "too_large"),
        (field, 400, "too_large"),
        (root("rare"), 200, ""),
        (root("rare"), 200, ""),
        (root("rare"), 503, "limited"),
        (get("open", "//admin"), 400, "protected"),
        (get("rewritten", "/x"), 400, "protected"),
        (costly, 500, "too_costly"),
        (root("nobodys"), 404, "not_found"),
        (root("moved"), 301, "redirects"),
        (root("shut"), 503, "closed"),
        (root("refused"), 503, "closed"),
        (root("open").method("TRACE"), 405, "bad_requests"),
        (get("open", "/%zz"), 400, "bad_requests"),
    ];
    let mut rows: Vec<_> = rows
        .drain(..)
        .map(|(request, status, counter)| (By::Client(1), request, status, counter))
        .collect();
    rows.push((By::Client(9), root("open"), 403, "denied_address"));
    for ((sni, shows), host, status) in [
        (GREETINGS[0], "shown", 400),
        (GREETINGS[1], "shown", 400),
        (GREETINGS[2], "matched", 403),
        (GREETINGS[3], "shown", 421),
    ] {
        let by = By::Tls(sni, shows);
        rows.push((by, root(host), status, "denied_certificate"));
    }
    rows
}

#[test]
fn whatever_keeps_a_request_out_is_counted_by_its_kind_alone() {
    let edge = Edge::start();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (by, request, status, counter) in rows() {
        let pods = edge.web.requests();
        let is = edge.ask(by, &request);
        let is_served = counter.is_empty();
        let counted = (!is_served).then(|| (counter.to_owned(), 1));
        if is != (status, counted.into_iter().collect()) {
            let target = String::from_utf8_lossy(&request.target).into_owned();
            let target: String = target.chars().take(20).collect();
            wrong.push(format!("{by:?} {target} ({status} {counter}): {is:?}"));
        }
        // A body in pieces is on its way when it turns out to be too long.
        let is_stopped = edge.web.requests() == pods;
        assert!(is_stopped != is_served || !request.body.is_empty());
        seen.insert(counter);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let kinds = NAMES.iter().filter(|(_, kind)| *kind == Kind::Counter);
    let kinds = kinds.filter_map(|(name, _)| name.strip_prefix("limpet_"));
    let kinds: BTreeSet<_> = kinds.filter(|name| !OTHERS.contains(name)).collect();
    seen.remove("");
    assert_eq!(seen, kinds, "each has a row");

    let script = |manner| Script {
        manner,
        ..Script::default()
    };
    edge.web.behave(script(Manner::Hold));
    let before = edge.web.requests();
    let request = Request::get("alone.example", "/");
    let mut first = Connection::open(edge.envoy.http()).unwrap();
    first.send_bytes(&request.write()).unwrap();
    wait::until("it is under way", || edge.web.requests() > before);
    let is = edge.ask(By::Client(1), &request);
    assert_eq!(is, (503, vec![("limited".to_owned(), 1)]));
    edge.web.behave(script(Manner::Answer));
}
