//! No redirect leads where a link chose, and nothing of a request reaches a header unescaped.

use fastrand::Rng;
use limpet::config;
use limpet::edit::Edit;
use limpet::endpoints::EndpointTable;
use limpet::facts::Facts;
use limpet::policy::{self, Policy};
use limpet::route::{self, Disposition};
use serde_json::{Value, json};
use url::Url;

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
        "scheme-only.example",
        "/",
        &[("permanent-redirect", "https:$arg_next")],
    ),
    (
        "one-slash.example",
        "/a(.*)",
        &[("rewrite-target", "https:/$1")],
    ),
    (
        "any-scheme.example",
        "/a(.*)",
        &[("rewrite-target", "$scheme:$1")],
    ),
    ("whole.example", "/", &[("permanent-redirect", "$arg_next")]),
    (
        "capture.example",
        "/a(.*)",
        &[("temporal-redirect", "http:$1"), ("use-regex", "true")],
    ),
    (
        "two.example",
        "/a([^/]*)/?(.*)",
        &[("rewrite-target", "https://$1/$2")],
    ),
    (
        "top.example",
        "/a/(.*)",
        &[("rewrite-target", "https://$1.example/")],
    ),
    (
        "page.example",
        "/",
        &[("permanent-redirect", "$http_referer")],
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
    "next=https://evil.example",
    "next=https:evil.example",
    "next=https:/evil.example",
    "next=/\\evil.example",
    "next=\\\\evil.example",
    "next=/evil.example",
    "next=javascript:evil",
    "https:/evil.example",
    "https:evil.example",
    "/\\evil.example",
    "\\/evil.example",
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

/// Where a browser goes by a Location; `None`: nowhere.
fn destination(location: &str, asked: &Url) -> Option<Url> {
    // A header's value has no white space at its ends.
    asked.join(location.trim_matches([' ', '\t'])).ok()
}

fn is_meant(host: &str, asked: &str) -> bool {
    let bare = asked.strip_prefix("www.").unwrap_or(asked);
    host == asked
        || host == bare
        || host == format!("www.{bare}")
        || host == "to.example"
        // What the text of top.example names by itself.
        || (host == ".example" && asked == "top.example")
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
        let scheme = ["http", "https"][rng.usize(..2)];
        let headers: [(&[u8], &[u8]); 5] = [
            (b":method", b"GET"),
            (b":scheme", scheme.as_bytes()),
            (b":authority", host.as_bytes()),
            (b":path", target.as_bytes()),
            (b"referer", b"https://evil.example/"),
        ];
        let facts = Facts::NONE;
        let fields: Vec<(String, Vec<u8>)> =
            match route::dispose(&policy, &EndpointTable::default(), &headers, &facts) {
                Disposition::Reply { reply, .. } => {
                    redirects += usize::from(reply.status < 400);
                    reply
                        .headers
                        .into_iter()
                        .map(|(name, value)| (name.to_string(), value.to_vec()))
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
                Disposition::NotFound { .. } | Disposition::Pass { .. } | Disposition::Ask(_) => {
                    continue;
                }
            };
        for (name, value) in fields {
            let is_control = |byte: &u8| matches!(byte, 0..=0x1f | 0x7f);
            assert!(
                !value.iter().any(is_control),
                "seed {seed}: {host} {target:?}: {name}: {value:?}"
            );
            if name == "location" {
                let location = String::from_utf8_lossy(&value).into_owned();
                let asked = Url::parse(&format!("{scheme}://{host}/")).unwrap();
                let Some(to) = destination(&location, &asked) else {
                    continue;
                };
                let is_web = matches!(to.scheme(), "http" | "https");
                assert!(
                    is_web && is_meant(to.host_str().unwrap(), host),
                    "seed {seed}: {scheme} {host} {target:?} leads to {to}: {location}"
                );
            }
        }
    }
    assert!(
        redirects > 2_000 && forwards > 100,
        "{redirects} redirects, {forwards} forwards"
    );
}
