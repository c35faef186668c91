//! The same questions to a real nginx: generated hosts, rendered into its own locations and
//! rewrites, and generated requests, in bytes.

use limpet::config;
use limpet::discovery::Knowledge;
use limpet::policy::{self, Policy};
use limpet::route::{self, Answer};
use limpet::stream::Facts;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const HOSTS: u64 = 250;
const REQUESTS: u64 = 100;
const SEED: u64 = 0x11a9_e7e7;

const LITERAL: [&str; 10] = [
    "/",
    "/foo",
    "/foo/",
    "/foo/bar",
    "/Foo",
    "/a b",
    "/foo.x",
    "/fo",
    "/é",
    "/foo/bar/baz/",
];
const REGEX: [&str; 16] = [
    "/",
    "/foo",
    "/foo(/|$)(.*)",
    "/(foo/.*)",
    "/a|/b",
    "/v[0-9]{1,2}/(.*)",
    "/((?!bar).*)",
    "/(foo|bar)/(.*)$",
    "/[^/]+/x",
    "/(.*)\\.html$",
    "/foo(/v([0-9]+))?/(.*)",
    "/%",
    "/a.c",
    "/(?!foo|a)(.*)",
    "/\\w+/(\\d+)",
    "/[^/]++/(y)",
];
const TARGETS: [&str; 9] = [
    "/$1",
    "/$2",
    "/",
    "/x/$1?k=$2",
    "/$1?",
    "/$10-$uri",
    "/$1x",
    "/p/$host?$args",
    "/x?y=$1&z=$2?",
];
const PIECES: [&str; 34] = [
    "/", "/", "/", "foo", "FOO", "bar", "a", "b", "v1", "v12", "x", "y", "12", ".html", ".", "..",
    "%2F", "%2e", "%20", "%3F", "%23", "%25", "%0A", "%41", "%c3%a9", "é", "|", "?", "?q=1", "&r",
    "#f", "+", "%zz", "a b",
];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn one<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }
}

/// Paths of one host; a target makes it regex.
struct Host {
    paths: Vec<&'static str>,
    target: Option<&'static str>,
    is_regex: bool,
}

fn host(random: &mut Random) -> Host {
    let is_regex = random.below(4) > 0;
    let pool: &[&str] = if is_regex { &REGEX } else { &LITERAL };
    let mut paths = Vec::new();
    for _ in 0..=random.below(4) {
        let path = random.one(pool);
        let twin = |known: &&str| known.trim_end_matches('/') == path.trim_end_matches('/');
        if !paths.iter().any(twin) {
            paths.push(path);
        }
    }
    paths.sort_by_key(|path| std::cmp::Reverse((path.len(), *path)));
    let target = (is_regex && random.below(4) > 0).then(|| random.one(&TARGETS));
    let target = target.filter(|target| !paths.contains(target));
    Host {
        paths,
        target,
        is_regex,
    }
}

/// What ingress-nginx's template makes of it.
fn render(at: u64, host: &Host, echo: &Path, config: &mut String) {
    let quote = |path: &str| path.replace('\\', "\\\\").replace('"', "\\\"");
    let _ = writeln!(
        config,
        "server {{ listen unix:{}/front; server_name h{at}.example;",
        echo.display()
    );
    let pass = |tag: String| format!("proxy_set_header X-Loc \"{tag}\"; proxy_pass http://echo;");
    for (number, path) in host.paths.iter().enumerate() {
        let tag = pass(format!("s{number}"));
        let quoted = quote(path);
        let rewrite = host
            .target
            .map(|target| format!("rewrite \"(?i){quoted}\" \"{target}\" break;"));
        let rewrite = rewrite.unwrap_or_default();
        let _ = match (host.is_regex, *path) {
            (true, _) => writeln!(config, "location ~* \"^{quoted}\" {{ {rewrite} {tag} }}"),
            (false, "/") => writeln!(config, "location \"/\" {{ {tag} }}"),
            (false, _) => {
                let slashed = if path.ends_with('/') {
                    quoted.clone()
                } else {
                    format!("{quoted}/")
                };
                writeln!(
                    config,
                    "location \"{slashed}\" {{ {tag} }} location = \"{quoted}\" {{ {tag} }}"
                )
            }
        };
    }
    // The root that every host has inherits the rewrite, and is served by nobody.
    if !host.paths.contains(&"/") {
        let root = if host.is_regex { "~* \"^/\"" } else { "\"/\"" };
        let rewrite = host
            .target
            .map(|target| format!("rewrite \"(?i)/\" \"{target}\" break;"));
        let tag = pass("nobody".to_owned());
        let _ = writeln!(
            config,
            "location {root} {{ {} {tag} }}",
            rewrite.unwrap_or_default()
        );
    }
    config.push_str("}\n");
}

fn ingress(at: u64, host: &Host) -> Value {
    let mut annotations = json!({});
    if let Some(target) = host.target {
        annotations["nginx.ingress.kubernetes.io/rewrite-target"] = json!(target);
    } else if host.is_regex {
        annotations["nginx.ingress.kubernetes.io/use-regex"] = json!("true");
    }
    let path = |(number, path): (usize, &&str)| {
        let service = json!({"name": format!("s{number}"), "port": {"number": 80}});
        json!({"path": path, "pathType": "Prefix", "backend": {"service": service}})
    };
    let paths: Vec<Value> = host.paths.iter().enumerate().map(path).collect();
    json!({
        "metadata": {"name": format!("i{at}"), "annotations": annotations},
        "spec": {"rules": [{"host": format!("h{at}.example"), "http": {"paths": paths}}]},
    })
}

fn ours(policy: &Policy, host: &str, target: &[u8]) -> String {
    let headers = [
        (":method".to_owned(), b"GET".to_vec()),
        (":scheme".to_owned(), b"http".to_vec()),
        (":path".to_owned(), target.to_vec()),
        (":authority".to_owned(), host.as_bytes().to_vec()),
    ];
    let facts = Facts {
        now: &|| 0,
        random: &|| 0,
        property: &|_| None,
        knowledge: &|| Knowledge::Current,
    };
    match route::answer(policy, &headers, &facts) {
        Answer::Forward(forward) => {
            let path = forward.path.unwrap_or_else(|| target.to_vec());
            let cluster = &policy.cluster(forward.cluster).unwrap().upstream_name;
            let service = cluster.split('-').nth(1).unwrap();
            format!("200 {service} {}", text(&path))
        }
        Answer::Reply { reply, .. } => {
            let location = reply.headers.iter().find(|(name, _)| name == "location");
            let location = location.map_or(String::new(), |(_, value)| text(value));
            format!("{} {location}", reply.status)
        }
        Answer::NotFound { .. } => "404 ".to_owned(),
        Answer::Pass => "pass".to_owned(),
    }
}

fn theirs(socket: &Path, host: &str, target: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket.join("front")).unwrap();
    let head = format!(" HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream
        .write_all(&[b"GET ", target, head.as_bytes()].concat())
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = text(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).unwrap_or_default();
    if body.starts_with("nobody ") {
        return "404 ".to_owned();
    }
    if status == "200" {
        return format!("200 {body}");
    }
    let location = head
        .lines()
        .find_map(|line| line.strip_prefix("Location: "));
    format!("{status} {}", location.unwrap_or_default())
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(folder: &Path, servers: &str) -> Nginx {
    let at = folder.display();
    let config = format!(
        "daemon off; master_process off; error_log {at}/error.log; pid {at}/pid;\n\
         events {{}}\nhttp {{ access_log off; server_names_hash_max_size 4096;\n\
         client_body_temp_path {at}/1; proxy_temp_path {at}/2; fastcgi_temp_path {at}/3;\n\
         uwsgi_temp_path {at}/4; scgi_temp_path {at}/5;\n\
         server_name_in_redirect off; port_in_redirect off;\n\
         upstream echo {{ server unix:{at}/echo; }}\n\
         server {{ listen unix:{at}/echo; merge_slashes off;\n\
         location / {{ return 200 \"$http_x_loc $request_uri\"; }} }}\n{servers}}}\n"
    );
    std::fs::write(folder.join("nginx.conf"), config).unwrap();
    let binary = std::env::var("LIMPET_NGINX").unwrap_or_else(|_| "nginx".to_owned());
    let child = Command::new(&binary)
        .args(["-p", &at.to_string(), "-c", "nginx.conf"])
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{binary}: {error}; install nginx or set LIMPET_NGINX to it")
        });
    let nginx = Nginx(child);
    let deadline = Instant::now() + Duration::from_secs(10);
    while UnixStream::connect(folder.join("front")).is_err() {
        let log = std::fs::read_to_string(folder.join("error.log")).unwrap_or_default();
        assert!(Instant::now() < deadline, "nginx does not answer: {log}");
        std::thread::yield_now();
    }
    nginx
}

#[test]
#[ignore = "needs nginx (apt-get install nginx-light), or LIMPET_NGINX with its path"]
fn a_real_nginx_gives_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(SEED);
    let hosts: Vec<Host> = (0..HOSTS).map(|_| host(&mut random)).collect();
    let mut servers = String::new();
    for (at, host) in hosts.iter().enumerate() {
        render(at as u64, host, folder.path(), &mut servers);
    }
    let ingresses: Vec<Value> = (0..)
        .zip(&hosts)
        .map(|(at, host)| ingress(at, host))
        .collect();
    let configuration = json!({"ingresses": ingresses, "unmatched": "not_found"});
    let (config, _) = config::read(configuration.to_string().as_bytes()).unwrap();
    let (policy, warnings) = policy::compile(&config);
    let _nginx = start(folder.path(), &servers);
    let mut different = Vec::new();
    for (at, host) in hosts.iter().enumerate() {
        let name = format!("h{at}.example");
        for _ in 0..REQUESTS {
            let mut target = String::from("/");
            for _ in 0..random.below(6) {
                target.push_str(random.one(&PIECES));
            }
            let theirs = theirs(folder.path(), &name, target.as_bytes());
            let ours = ours(&policy, &name, target.as_bytes());
            // The echoing nginx would not take such a path itself.
            let above = ours.contains("/..") && theirs.starts_with("400");
            if ours != theirs && !above {
                let Host {
                    paths, target: to, ..
                } = host;
                different.push(format!(
                    "{paths:?} {to:?} {target}: ours {ours:?}, nginx {theirs:?}"
                ));
            }
        }
    }
    let count = different.len();
    different.truncate(40);
    assert!(
        count == 0,
        "{count} differ:\n{}\n{:?}",
        different.join("\n"),
        warnings.first()
    );
}
