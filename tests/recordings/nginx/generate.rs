//! Hosts, Ingresses and requests, made from a seed: the same seed makes the same ones.

use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Hosts and what is asked of them.
pub(super) struct Scenario {
    pub hosts: Vec<Host>,
    pub requests: Vec<Request>,
}

/// One virtual host and its Ingresses, oldest first.
#[derive(Debug)]
pub(super) struct Host {
    pub name: String,
    pub ingresses: Vec<Ingress>,
}

/// One Ingress: a rewrite target or `use-regex` for all of its paths, or neither; a few redirect.
#[derive(Debug)]
pub(super) struct Ingress {
    pub name: String,
    pub rewrite_target: Option<String>,
    pub use_regex: bool,
    /// `permanent-redirect` and its code.
    pub redirect: Option<(&'static str, u16)>,
    pub app_root: Option<&'static str>,
    pub paths: Vec<Path>,
}

/// One path with a Service of its own.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub path: String,
    pub path_type: &'static str,
    pub service: String,
}

/// One request: a host's name and a raw request target.
pub(super) struct Request {
    pub host: String,
    pub target: Vec<u8>,
}

/// Paths of hosts that stay literal.
const LITERAL: &[&str] = &[
    "/",
    "/foo",
    "/foo/",
    "/foo/bar",
    "/foo/bar/",
    "/Foo",
    "/fo",
    "/a.b",
    "/a-b_c~d",
    "/x/y/z",
    "/bar",
    "/bar/baz",
    "/api",
    "/api/v1",
    "/(app1/.*)",
    "/foo.*",
    "/a+b",
    "/é",
];

/// Paths of hosts that turn regex: shapes from manifests in the field.
const REGEX: &[&str] = &[
    "/",
    "/foo",
    "/foo/",
    "/(app1/.*)",
    "/(app2/.*)",
    "/something(/|$)(.*)",
    "/foo/(.*)",
    "/foo/?(.*)",
    "/v[0-9]+/(.*)",
    "/v[0-9]{1,2}/(.*)",
    "/a.b",
    "/[A-Z]{3}",
    "/x{2}/(.*)",
    "/(a|b)/c",
    "/(?:a|b)/d",
    "/a|/b",
    "/api/v1/(users|items)/([0-9]+)",
    "/.*\\.php$",
    "/foo$",
    "/\\d+/(\\w+)",
    "/a/(.+?)/(.*)",
    "/a/(.*)/b/(.*)",
    "/bar(.*)",
    "/(.*)",
    "/()(.*)",
    "/(.*)/",
    "/static/.+\\.(css|js)$",
    "/api(?:/(v\\d))?/(.*)",
    "/[^/]+/x",
    "/f\\.o",
    "/a b",
    "/baz/?$",
    "/(?i)Case/(.*)",
    "/é/(.*)",
    "/[a-c]*",
    "/(foo|foobar)/(.*)",
    "/a++/(.*)",
    "/.",
    "/(?!api|static)(.*)",
    "/((?!_internal).*)",
    "/api/((?!admin).*)",
    "/(?=foo)(.*)",
    "/foo(/|$)(.*)",
    "/foo(/v([0-9]+))?/(.*)",
    "/(foo|bar)/(.*)$",
    "/(.*)\\.html$",
    "/(?!foo|a)(.*)",
    "/[^/]++/(y)",
    "/%",
];

/// Rewrite targets, none of which nginx refuses.
const TARGETS: &[&str] = &[
    "/",
    "/$1",
    "/$2",
    "/new",
    "/api/$1",
    "/$1/$2",
    "/$10",
    "/$1-x",
    "/$1?k=v",
    "/$1?",
    "/n?a=$1&b=$2",
    "/$1$is_args$args",
    "/$1/",
    "//$1",
    "/a%20b/$1",
    "/$2/$1",
    "/$3",
    "/$uri",
    "/$host/$1",
    "/é/$1",
    "https://new.example.com/$1",
    "http://$host/$1",
    "$scheme://new.example.com/$2",
    "/x/$1?k=$2",
    "/x?y=$1&z=$2?",
    "/$10-$uri",
    "/p/$host?$args",
];

/// Where `permanent-redirect` sends to: whole URLs, paths, texts.
const REDIRECTS: &[&str] = &[
    "https://moved.example.com/",
    "https://moved.example.com$request_uri",
    "/moved",
    "/moved$request_uri",
    "moved",
];

/// What requests are made of, besides the paths themselves.
const PIECES: &[&str] = &[
    "/",
    "//",
    "/.",
    "/..",
    "/./",
    "/../",
    "/foo",
    "/Foo",
    "/FOO",
    "/bar",
    "/app1/",
    "/app2/x",
    "/something",
    "/api",
    "/v1/users/7",
    "/v12/",
    "/static/a.css",
    "/x.php",
    "/_internal",
    "/a",
    "/b",
    "/c",
    "/abc",
    "/é",
    "%C3%A9",
    "%2F",
    "%2f",
    "%2E%2E",
    "%2e",
    "%20",
    "%0a",
    "%3F",
    "%23",
    "%25",
    "%25%32%46",
    "%7C",
    "%7c",
    "%5B",
    "%41",
    "%61",
    "%80",
    "%ff",
    "%00",
    "%",
    "%z1",
    "%4",
    "|",
    "{",
    "}",
    "^",
    "[",
    "]",
    "\\",
    "\"",
    "<",
    "'",
    ";",
    ":",
    "@",
    "&",
    "=",
    "+",
    "~",
    "*",
    "(",
    ")",
    ",",
    "!",
    "#frag",
    "?",
    "?q=1",
    "?a=b&c=%2F",
    "??",
    "?/../x",
    "x",
    "xx",
    "1",
    ".html",
    "&r=%20",
    "/y",
    "/admin",
    "/user",
    "/items/42",
    "/Case/x",
    ".",
    "..",
    "...",
    "/.hidden",
    "/x/../y",
    "\u{7f}",
];

impl Scenario {
    /// About forty hosts and `requests` requests of them.
    pub(super) fn generate(seed: u64, requests: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let hosts: Vec<Host> = (0..40).map(|n| host(&mut rng, n)).collect();
        let requests = (0..requests).map(|_| request(&mut rng, &hosts)).collect();
        Self { hosts, requests }
    }

    pub(super) fn host(&self, name: &str) -> &Host {
        self.hosts
            .iter()
            .find(|host| host.name == name)
            .expect("requests name known hosts")
    }

    /// The plugin configuration: every Ingress, as Kubernetes would give it.
    pub(super) fn configuration(&self) -> Value {
        let ingresses: Vec<Value> = self.hosts.iter().flat_map(Host::manifests).collect();
        let services = self.services();
        let endpoint = |(number, name)| (format!("default/{name}:80"), json!([address(number)]));
        let endpoints: serde_json::Map<_, _> =
            services.into_iter().enumerate().map(endpoint).collect();
        json!({ "ingresses": ingresses, "unmatched": "not_found", "endpoints": endpoints })
    }

    fn services(&self) -> BTreeSet<&str> {
        let ingresses = self.hosts.iter().flat_map(|host| &host.ingresses);
        let paths = ingresses.flat_map(|ingress| &ingress.paths);
        paths.map(|path| path.service.as_str()).collect()
    }

    /// The Service whose endpoint listens there.
    pub(super) fn service_at(&self, endpoint: &str) -> String {
        let mut services = self.services().into_iter().enumerate();
        let found = services.find(|(number, _)| address(*number) == endpoint);
        found.expect("an endpoint of a Service").1.to_owned()
    }
}

/// The endpoint of the Service with that number.
fn address(number: usize) -> String {
    format!("127.1.0.1:{}", 8_000 + number)
}

impl Host {
    fn manifests(&self) -> impl Iterator<Item = Value> + '_ {
        self.ingresses.iter().enumerate().map(|(age, ingress)| {
            let mut annotations = serde_json::Map::new();
            let prefix = "nginx.ingress.kubernetes.io";
            if let Some(target) = &ingress.rewrite_target {
                annotations.insert(format!("{prefix}/rewrite-target"), json!(target));
            }
            if ingress.use_regex {
                annotations.insert(format!("{prefix}/use-regex"), json!("true"));
            }
            if let Some((url, code)) = ingress.redirect {
                annotations.insert(format!("{prefix}/permanent-redirect"), json!(url));
                let code = json!(code.to_string());
                annotations.insert(format!("{prefix}/permanent-redirect-code"), code);
            }
            if let Some(root) = ingress.app_root {
                annotations.insert(format!("{prefix}/app-root"), json!(root));
            }
            let paths: Vec<Value> = ingress.paths.iter().map(Path::manifest).collect();
            json!({
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {
                    "namespace": "default",
                    "name": ingress.name,
                    "annotations": annotations,
                    "creationTimestamp": format!("2024-01-01T00:0{age}:00Z"),
                },
                "spec": { "rules": [{ "host": self.name, "http": { "paths": paths } }] },
            })
        })
    }
}

impl Path {
    fn manifest(&self) -> Value {
        json!({
            "path": self.path,
            "pathType": self.path_type,
            "backend": { "service": { "name": self.service, "port": { "number": 80 } } },
        })
    }
}

fn host(rng: &mut Rng, number: usize) -> Host {
    let turns_regex = rng.u8(0..3) > 0;
    let mut taken = BTreeSet::new();
    let ingresses = (0..rng.usize(1..3)).map(|n| ingress(rng, number, n, turns_regex, &mut taken));
    Host {
        name: format!("h{number}.test"),
        ingresses: ingresses.collect(),
    }
}

fn ingress(
    rng: &mut Rng,
    host: usize,
    number: usize,
    turns_regex: bool,
    taken: &mut BTreeSet<String>,
) -> Ingress {
    // The first Ingress of such a host turns it; the others may only suffer from it.
    let turns = turns_regex && (number == 0 || rng.bool());
    let rewrites = turns && rng.u8(0..4) > 0;
    let pool = if turns_regex { REGEX } else { LITERAL };
    let mut paths = Vec::new();
    for n in 0..rng.usize(1..6) {
        let path = pool[rng.usize(0..pool.len())].to_owned();
        // Without regex nginx refuses a location twice, and `/foo` makes `/foo/` as well.
        if taken.insert(path.trim_end_matches('/').to_owned()) {
            let path_type = ["Prefix", "Exact", "ImplementationSpecific"][rng.usize(0..3)];
            paths.push(Path {
                path,
                path_type,
                service: format!("s{host}-{number}-{n}"),
            });
        }
    }
    Ingress {
        name: format!("i{host}-{number}"),
        rewrite_target: rewrites.then(|| TARGETS[rng.usize(0..TARGETS.len())].to_owned()),
        use_regex: turns && !rewrites,
        redirect: (rng.u8(0..8) == 0).then(|| {
            let code = [300, 301, 302, 303, 307, 308][rng.usize(0..6)];
            (REDIRECTS[rng.usize(0..REDIRECTS.len())], code)
        }),
        app_root: (rng.u8(0..8) == 0).then_some("/app/$host"),
        paths,
    }
}

/// A target near one of the host's paths: a path read literally, cut or grown by pieces.
fn request(rng: &mut Rng, hosts: &[Host]) -> Request {
    let host = &hosts[rng.usize(0..hosts.len())];
    let paths: Vec<&Path> = host
        .ingresses
        .iter()
        .flat_map(|ingress| &ingress.paths)
        .collect();
    let mut target = match paths.get(rng.usize(0..paths.len() + 1)) {
        Some(path) => literal(rng, &path.path),
        None => String::new(),
    };
    for _ in 0..rng.usize(0..4) {
        let piece = PIECES[rng.usize(0..PIECES.len())];
        let boundaries: Vec<usize> = (0..=target.len())
            .filter(|at| target.is_char_boundary(*at))
            .collect();
        let at = if rng.bool() {
            target.len()
        } else {
            boundaries[rng.usize(0..boundaries.len())]
        };
        target.insert_str(at, piece);
    }
    if !target.starts_with('/') {
        target.insert(0, '/');
    }
    if rng.u8(0..8) == 0 {
        target = target.to_uppercase();
    }
    let mut target = target.replace(' ', "%20").into_bytes();
    if rng.u8(0..40) == 0 {
        target.extend([b'/', rng.u8(0x80..=0xff)]);
    }
    Request {
        host: host.name.clone(),
        target,
    }
}

/// A string that the pattern may match: what its metacharacters stand for, roughly.
fn literal(rng: &mut Rng, path: &str) -> String {
    let any = [
        "",
        "x",
        "abc",
        "a/b",
        "foo/bar",
        "7",
        "a%2Fb",
        "é",
        "A b",
        "_internal",
        "admin",
    ];
    let mut text = path.to_owned();
    for (pattern, choices) in [
        ("(/|$)", &["/", "", "/"][..]),
        ("(.*)", &any[..]),
        (".*", &any[..]),
        ("(.+?)", &["x", "yy"][..]),
        (".+", &["x", "y.z"][..]),
        ("([0-9]+)", &["7", "42"][..]),
        ("[0-9]+", &["1", "23"][..]),
        ("[0-9]{1,2}", &["1", "23", "456"][..]),
        ("[A-Z]{3}", &["ABC", "uuid", "ab"][..]),
        ("(users|items)", &["users", "items", "other"][..]),
        ("(foo|foobar)", &["foo", "foobar"][..]),
        ("(css|js)", &["css", "JS"][..]),
        ("(?:a|b)", &["a", "b"][..]),
        ("(a|b)", &["a", "b", "c"][..]),
        ("(?:/(v\\d))?", &["/v1", ""][..]),
        ("(?!api|static)", &["", "api", "x"][..]),
        ("(?!_internal)", &["", "_internal"][..]),
        ("(?!admin)", &["", "admin"][..]),
        ("(?=foo)", &["foo", ""][..]),
        ("[^/]+", &["seg", ""][..]),
        ("[a-c]*", &["abc", "d", ""][..]),
        ("(\\w+)", &["word", "-"][..]),
        ("\\d+", &["7", "x"][..]),
    ] {
        while let Some(at) = text.find(pattern) {
            text.replace_range(at..at + pattern.len(), choices[rng.usize(0..choices.len())]);
        }
    }
    text.retain(|c| !"\\$?^(){}[]".contains(c));
    text
}
