//! No redirect leads where a link chose, and nothing of a request reaches a header unescaped.

use fastrand::Rng;
use limpet::config;
use limpet::edit::Edit;
use limpet::endpoints::EndpointTable;
use limpet::facts::{Facts, Knowledge};
use limpet::policy::{self, Policy};
use limpet::route::{self, Disposition};
use serde_json::{Value, json};

const SEEDS: std::ops::Range<u64> = 0..20_000;

/// Host, path and annotations.
type Ingress = (&'static str, &'static str, &'static [Annotation]);
type Annotation = (&'static str, &'static str);

const INGRESSES: &[Ingress] = &[
    (
        "rewrite.example",
        "/a(.*)",
        &[("rewrite-target", "https://to.example$1")],
    ),
    (
        "slash.example",
        "/a/(.*)",
        &[("rewrite-target", "https://to.example/$1?x=$1")],
    ),
    (
        "scheme.example",
        "/a(.*)",
        &[("rewrite-target", "$scheme://to.example$1$1")],
    ),
    (
        "own.example",
        "/a(.*)",
        &[("rewrite-target", "https://$host$1")],
    ),
    (
        "label.example",
        "/a/(.*)",
        &[("rewrite-target", "https://$1.to.example/")],
    ),
    (
        "permanent.example",
        "/a(.*)",
        &[
            ("permanent-redirect", "https://to.example$1"),
            ("use-regex", "true"),
        ],
    ),
    (
        "uri.example",
        "/",
        &[("permanent-redirect", "https://to.example$uri?$args")],
    ),
    (
        "request.example",
        "/",
        &[("temporal-redirect", "https://to.example$request_uri")],
    ),
    (
        "arg.example",
        "/",
        &[("permanent-redirect", "https://to.example$arg_next")],
    ),
    (
        "path.example",
        "/a(.*)",
        &[
            ("permanent-redirect", "/$1"),
            ("use-regex", "true"),
            ("relative-redirects", "true"),
        ],
    ),
    (
        "relative.example",
        "/",
        &[
            ("permanent-redirect", "$request_uri"),
            ("relative-redirects", "true"),
        ],
    ),
    ("app.example", "/", &[("app-root", "/app")]),
    ("www.example", "/", &[("from-to-www-redirect", "true")]),
    ("tls.example", "/", &[("force-ssl-redirect", "true")]),
    ("folder.example", "/a/", &[("relative-redirects", "true")]),
    ("folders.example", "/a/", &[]),
    (
        "prefix.example",
        "/a(.*)",
        &[
            ("rewrite-target", "/$1"),
            ("x-forwarded-prefix", "/p$1"),
            ("upstream-vhost", "v$1"),
        ],
    ),
];

/// What targets are made of.
const PIECES: &[&str] = &[
    "/",
    "//",
    "/a",
    "/a/",
    "/A/",
    "/b",
    ".evil.example",
    "@evil.example",
    ":80@evil.example",
    "\\",
    "\\evil.example",
    "%5C",
    "%2F",
    "%2f%2fevil.example",
    "https://evil.example",
    "https:",
    "%0D%0ASet-Cookie:x=1",
    "%0a",
    "%0d",
    "%00",
    "\r\nx: y",
    "\0",
    "\n",
    "%25",
    "?",
    "&next=",
    "next=//evil.example",
    "next=.evil.example",
    "#",
    "..",
    "/../",
    "%2e%2e/",
    ";",
    "evil",
    "-",
    " ",
    "\u{e9}",
    "%ff",
    "\t",
];

fn compile() -> Policy {
    let ingress = |(host, path, annotations): &Ingress| -> Value {
        let named = |(name, value): &Annotation| {
            (format!("nginx.ingress.kubernetes.io/{name}"), json!(value))
        };
        let annotations: serde_json::Map<_, _> = annotations.iter().map(named).collect();
        let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
        let path = json!({"path": path, "pathType": "ImplementationSpecific", "backend": backend});
        json!({"metadata": {"name": host, "annotations": annotations},
            "spec": {"rules": [{"host": host, "http": {"paths": [path]}}]}})
    };
    let ingresses: Vec<Value> = INGRESSES.iter().map(ingress).collect();
    let config = json!({"ingresses": ingresses, "unmatched": "not_found"}).to_string();
    let (config, _) = config::read(config.as_bytes()).unwrap();
    policy::compile(&config).0
}

/// Where a browser would go: the host of a Location.
fn host_of(location: &str, asked: &str) -> String {
    let slashes = location.replace('\\', "/");
    let rest = match slashes.split_once(':') {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => rest,
        _ => &slashes,
    };
    let Some(rest) = rest.strip_prefix("//") else {
        return asked.to_owned();
    };
    let host = rest
        .trim_start_matches('/')
        .split(['/', '?', '#'])
        .next()
        .unwrap();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    host.split(':').next().unwrap().to_owned()
}

fn is_meant(host: &str, asked: &str) -> bool {
    let bare = asked.strip_prefix("www.").unwrap_or(asked);
    host == asked
        || host == bare
        || host == format!("www.{bare}")
        || host == "to.example"
        || host
            .strip_suffix(".to.example")
            .is_some_and(|label| asked == "label.example" && !label.contains(['.', '/']))
}

#[test]
fn no_redirect_leads_to_a_host_that_a_link_chose() {
    let policy = compile();
    let (mut redirects, mut forwards) = (0, 0);
    for seed in SEEDS {
        let mut rng = Rng::with_seed(seed);
        let (host, _, _) = INGRESSES[rng.usize(..INGRESSES.len())];
        let host = if host == "www.example" && rng.bool() {
            "www.www.example"
        } else {
            host
        };
        let first = ["/", "/a", "/a/", ""][rng.usize(..4)];
        let pieces: String = (0..rng.usize(..5))
            .map(|_| PIECES[rng.usize(..PIECES.len())])
            .collect();
        let target = format!("{first}{pieces}");
        let headers: [(&[u8], &[u8]); 4] = [
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b":authority", host.as_bytes()),
            (b":path", target.as_bytes()),
        ];
        let facts = Facts {
            now: &|| 0,
            random: &|| 0,
            property: &|_| None,
            knowledge: &|| Knowledge::Current,
        };
        let fields: Vec<(String, Vec<u8>)> =
            match route::dispose(&policy, &EndpointTable::default(), &headers, &facts) {
                Disposition::Reply { reply, .. } => {
                    redirects += usize::from(reply.status < 400);
                    reply
                        .headers
                        .into_iter()
                        .map(|(name, value)| (name.to_string(), value))
                        .collect()
                }
                Disposition::Forward(forward) => {
                    forwards += 1;
                    let set = forward.edits.iter().filter_map(|edit| match edit {
                        Edit::Set(name, value) | Edit::Add(name, value) => {
                            Some((name.to_string(), value.to_vec()))
                        }
                        Edit::Remove(_) => None,
                    });
                    let path = forward
                        .path
                        .as_ref()
                        .map(|path| (":path".to_owned(), path.to_vec()));
                    set.chain(path).collect()
                }
                Disposition::NotFound { .. } | Disposition::Pass { .. } => continue,
            };
        for (name, value) in fields {
            let is_control = |byte: &u8| matches!(byte, 0..=0x1f | 0x7f);
            assert!(
                !value.iter().any(is_control),
                "seed {seed}: {host} {target:?}: {name}: {value:?}"
            );
            if name == "location" {
                let location = String::from_utf8_lossy(&value).into_owned();
                let to = host_of(&location, host);
                assert!(
                    is_meant(&to, host),
                    "seed {seed}: {host} {target:?} leads to {to}: {location}"
                );
            }
        }
    }
    assert!(
        redirects > 2_000 && forwards > 200,
        "{redirects} redirects, {forwards} forwards"
    );
}
