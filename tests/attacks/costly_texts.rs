//! Texts of manifests made to cost, beside patterns: annotations and Secrets as large as Kubernetes lets them be, and
//! what a pod answers.

use super::costly_patterns::{LIMIT, cost};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::http::Request;
use limpet_tests::manifest::{self, Rule};
use limpet_tests::pod::Pod;
use limpet_tests::rendered::Rendered;
use serde_json::{Value, json};

/// Bytes of an annotation: all of an object's may have 262,144.
const MOST: usize = 240_000;

/// What an Ingress says, and what a client sends its host.
struct Hostile {
    name: &'static str,
    said: Vec<(&'static str, String)>,
    path: &'static str,
    target: String,
    host: Option<String>,
    headers: Vec<(String, String)>,
}

fn one(name: &'static str, annotation: &'static str, value: String) -> Hostile {
    Hostile {
        name,
        said: vec![(annotation, value)],
        path: "/",
        target: "/".to_owned(),
        host: None,
        headers: Vec::new(),
    }
}

impl Hostile {
    fn sent(self, name: &str, value: &str) -> Self {
        let headers = vec![(name.to_owned(), value.to_owned())];
        Self { headers, ..self }
    }

    /// Of somebody whose password is asked for.
    fn asks(self, secret: &str) -> Self {
        let said = vec![
            ("auth-type", "basic".to_owned()),
            ("auth-secret", secret.to_owned()),
        ];
        let password = STANDARD.encode(format!("a:{}", "p".repeat(72)));
        Self { said, ..self }.sent("authorization", &format!("Basic {password}"))
    }
}

fn all() -> Vec<Hostile> {
    let times = |text: &str| format!("/{}", text.repeat(MOST / text.len()));
    let target = "rewrite-target";
    let long = "a.".repeat(29_000);
    let of_long = |name, alias| Hostile {
        host: Some(format!("{long}b")),
        ..one(name, "server-alias", alias)
    };
    vec![
        Hostile {
            target: format!("/?{}", "y&".repeat(4_000)),
            ..one("arguments", target, times("$arg_x"))
        },
        one("cookies", target, times("$cookie_x")).sent("cookie", &"y=1;".repeat(2_000)),
        Hostile {
            headers: (0..90).map(|n| (format!("x{n}"), n.to_string())).collect(),
            ..one("fields", target, times("$http_x"))
        },
        one("ports", target, times("$remote_port")),
        of_long("ends-of-a-host", format!("*.{long}labels")),
        of_long("beginnings-of-a-host", format!("{long}labels.*")),
        one(
            "set-cookie",
            "proxy-cookie-path",
            format!("/ {}", times("y")),
        ),
        one(
            "set-cookie-pattern",
            "proxy-cookie-path",
            format!("~/ {}", times("y")),
        ),
        Hostile {
            said: vec![
                ("enable-cors", "true".to_owned()),
                ("cors-allow-origin", "h://*.a,".repeat(MOST / 8)),
            ],
            ..one("origins", "", String::new())
        }
        .sent("origin", &format!("h://{}/.a", "a".repeat(7_000))),
        one(
            "addresses",
            target,
            format!("/{}", "$remote_addr".repeat(12)),
        )
        .sent("x-forwarded-for", &"::,".repeat(2_600)),
        one("salt", "", String::new()).asks("salt"),
        one("rounds-of-256-bits", "", String::new()).asks("rounds-5"),
        one("rounds-of-512-bits", "", String::new()).asks("rounds-6"),
        one("users", "", String::new()).asks("users"),
    ]
}

fn manifests(all: &[Hostile]) -> Manifests {
    let ingress = |one: &Hostile| {
        let said = one.said.iter().map(|(name, value)| (*name, value.as_str()));
        let host = format!("{}.test", one.name);
        let (path, service) = (one.path, "web");
        let rule = Rule {
            host: &host,
            path,
            service,
        };
        let mut ingress = manifest::ingress(one.name, rule, &said.collect::<Vec<_>>());
        ingress["spec"]["rules"][0]["http"]["paths"][0]["pathType"] =
            "ImplementationSpecific".into();
        ingress
    };
    let mut items: Vec<Value> = all.iter().map(ingress).collect();
    let salt = STANDARD.encode(vec![7_u8; 700_000]);
    let users: String = (0..90_000).map(|n| format!("b{n:x}:x\n")).collect();
    let secrets = [
        ("salt", format!("a:{{SSHA}}{salt}")),
        ("rounds-5", "a:$5$saltsaltsaltsalt$x".to_owned()),
        ("rounds-6", "a:$6$rounds=5000$saltsaltsaltsalt$x".to_owned()),
        ("users", users),
    ];
    let secrets = secrets.map(|(name, users)| manifest::secret(name, &json!({ "auth": users })));
    items.extend(secrets);
    // Of a client that is believed: whom it names is looked for in all of them.
    let networks = (0..20_000).map(|n| format!("10.{}.{}.0/24", n / 256, n % 256));
    let networks = networks.chain(["127.0.0.0/8".into(), "::/0".into()]);
    items.push(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "ingress-nginx-controller", "namespace": "ingress-nginx" },
        "data": {
            "use-forwarded-headers": "true",
            "proxy-real-ip-cidr": networks.collect::<Vec<_>>().join(","),
        },
    }));
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    Manifests::parse("hostile.yaml", &list.to_string()).unwrap()
}

#[test]
fn no_text_of_a_manifest_keeps_a_worker_for_long() {
    let all = all();
    let pod = Pod::start();
    let cookie = format!("a=b{}", ";path=/x".repeat(7_000));
    pod.answer(200, &[("set-cookie", &cookie)]);
    let endpoints: EndpointsFlag = format!("default/web:80={}", pod.endpoint())
        .parse()
        .unwrap();
    let envoy = Rendered::share(&manifests(&all), &[endpoints], |_| {});
    let mut slow = Vec::new();
    let mut statuses = Vec::new();
    for one in &all {
        let host = one.host.clone();
        let host = host.unwrap_or_else(|| format!("{}.test", one.name));
        let send = |host: &str| {
            let request = Request::get(host, &one.target);
            one.headers.iter().fold(request, |request, (name, value)| {
                request.header(name, value)
            })
        };
        let plain = send("nobody.test").header("x-host", &host);
        let (cost, status) = cost(&envoy, &send(&host), &plain);
        println!("{}: {cost:?} ({status})", one.name);
        statuses.push(status);
        if cost > LIMIT {
            slow.push(one.name);
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
    // Texts beyond what a request may cost; hosts that are too long for nginx; cookies that are left as
    // they are, an origin that is not listed, and addresses of a few; passwords of nobody.
    let expected = [[500; 4].as_slice(), &[400; 2], &[200; 4], &[401; 4]].concat();
    assert_eq!(statuses, expected);
}
