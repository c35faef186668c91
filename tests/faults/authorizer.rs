//! An authorizer that answers whatever one may answer, or not at all, on a real Envoy.

use host_harness::{Connection, Engine, Environment, Step};
use limpet_cli::filter_chain;
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::plugin_config::{EndpointSource, Options, Unmatched, plugin_config};
use limpet_tests::http::{self, Request};
use limpet_tests::manifest::{self, Rule};
use limpet_tests::pod::{Echo, Manner, Pod, Script};
use limpet_tests::rendered::{Rendered, Setup};
use limpet_tests::target::module;
use serde_json::{Value, json};
use std::time::Duration;

const HOST: &str = "shop.example";
const URL: &str = "http://sso.default.svc:4180/verify?a=$arg_a";

/// A shop that asks, and the Ingress by which Envoy knows whom.
struct Guarded {
    envoy: Rendered,
    web: Pod,
    authorizer: Pod,
}

impl Guarded {
    fn start(annotations: &[(&str, &str)]) -> Self {
        let url = ("auth-url", URL);
        Self::of(&[&[url], annotations].concat())
    }

    fn of(annotations: &[(&str, &str)]) -> Self {
        Self::with(annotations, |_| {})
    }

    fn with(annotations: &[(&str, &str)], edit: fn(&mut Value)) -> Self {
        let setup = Setup {
            edit,
            ..Setup::default()
        };
        let ingress = |name: &str, path: &str, annotations: &[(&str, &str)]| {
            let rule = Rule {
                host: HOST,
                path,
                service: name,
            };
            manifest::ingress(name, rule, annotations)
        };
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": [
            ingress("web", "/", annotations),
            ingress("login", "/oauth2", &[]),
        ] });
        let manifests = Manifests::parse("guarded.json", &list.to_string()).unwrap();
        let (web, authorizer) = (Pod::start(), Pod::start());
        let flags = [
            format!("default/web={}", web.endpoint()).parse().unwrap(),
            format!("default/sso={}", authorizer.endpoint())
                .parse()
                .unwrap(),
            format!("default/login={}", authorizer.endpoint())
                .parse()
                .unwrap(),
        ];
        Self {
            envoy: Rendered::start(&manifests, &flags, &setup),
            web,
            authorizer,
        }
    }

    fn answers(&self, status: u16, headers: &[(&str, &str)]) {
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.authorizer.behave(Script {
            status,
            headers: headers.collect(),
            manner: Manner::Answer,
            ..Script::default()
        });
    }

    fn get(&self, target: &str) -> http::Response {
        self.send(&Request::get(HOST, target))
    }

    fn send(&self, request: &Request) -> http::Response {
        http::send(self.envoy.http(), request).unwrap()
    }

    fn asked(&self) -> Echo {
        self.authorizer.last().unwrap()
    }
}

#[test]
fn an_authorizer_lets_in_whom_it_let_in_behind_nginx() {
    let guarded = Guarded::start(&[("auth-response-headers", "X-User")]);
    for status in [200, 201, 202, 204, 299] {
        guarded.answers(
            status,
            &[("x-user", "ann"), ("x-other", "x"), ("set-cookie", "s=1")],
        );
        let sent = Request::get(HOST, "/x?a=b").header("x-user", "eve");
        let answer = guarded.send(&sent.header("cookie", "c=1"));
        assert_eq!(answer.status, 200, "{status}");
        assert_eq!(answer.header("set-cookie").as_deref(), Some("s=1"));
        let seen = answer.echo().unwrap();
        assert_eq!(seen.all("x-user"), ["ann"], "{status}");
        assert_eq!(seen.all("x-other"), [""; 0], "{status}");
        let asked = guarded.asked();
        assert_eq!((&*asked.method, &*asked.path), ("GET", "/verify?a=b"));
        for (name, value) in [
            ("host", "sso.default.svc"),
            ("x-original-url", "http://shop.example/x?a=b"),
            ("x-original-method", "GET"),
            ("x-sent-from", "nginx-ingress-controller"),
            ("x-auth-request-redirect", "/x?a=b"),
            ("cookie", "c=1"),
            ("x-user", "eve"),
        ] {
            assert_eq!(asked.all(name), [value], "{name}");
        }
        let told = asked.headers.iter().map(|(name, _)| name.as_str());
        let strange: Vec<&str> = told
            .filter(|name| name.starts_with("x-limpet") || name.starts_with("x-forwarded-p"))
            .collect();
        assert!(strange.is_empty(), "{asked:?}");
    }
    // What a client says of itself goes nowhere, where the authorizer says nothing.
    guarded.answers(200, &[]);
    let seen = guarded.send(&Request::get(HOST, "/").header("x-user", "eve"));
    assert_eq!(seen.echo().unwrap().all("x-user"), [""; 0]);
    // A cookie is for good answers alone, and a body comes through.
    guarded.answers(200, &[("set-cookie", "s=1")]);
    guarded.web.behave(Script {
        status: 404,
        ..Script::default()
    });
    let mut posted = Request::get(HOST, "/").method("POST");
    posted = posted.header("content-length", "20");
    posted.body = vec![b'b'; 20];
    let answer = guarded.send(&posted);
    assert_eq!((answer.status, answer.header("set-cookie")), (404, None));
    assert_eq!(guarded.web.last().unwrap().body_size, 20);
    assert_eq!(guarded.asked().body_size, 0);
}

#[test]
fn an_authorizer_keeps_out_whom_it_kept_out_behind_nginx() {
    let mut guarded = Guarded::start(&[]);
    let before = guarded.web.requests();
    for (status, seen) in [
        (401, 401),
        (403, 403),
        (301, 500),
        (302, 500),
        (304, 500),
        (400, 500),
        (404, 500),
        (429, 500),
        (500, 500),
        (503, 500),
    ] {
        guarded.answers(status, &[("www-authenticate", "Bearer"), ("x-a", "b")]);
        let answer = guarded.get("/");
        assert_eq!(answer.status, seen, "{status}");
        let asks = (status == 401).then(|| "Bearer".to_owned());
        assert_eq!(answer.header("www-authenticate"), asks, "{status}");
        assert_eq!(answer.header("x-a"), None, "{status}");
    }
    guarded.authorizer.behave(Script {
        manner: Manner::Reset,
        ..Script::default()
    });
    assert_eq!(guarded.get("/").status, 500);
    // Clients that do not wait for the answer harm nobody.
    guarded.authorizer.behave(Script {
        manner: Manner::Hold,
        ..Script::default()
    });
    for _ in 0..20 {
        let asked = guarded.authorizer.requests();
        let mut client = http::Connection::open(guarded.envoy.http()).unwrap();
        client.send_bytes(&Request::get(HOST, "/").write()).unwrap();
        while guarded.authorizer.requests() == asked {
            std::thread::yield_now();
        }
    }
    guarded.answers(403, &[]);
    assert_eq!(guarded.get("/").status, 403);
    // A question that leads to another one has no end.
    let asked = guarded.authorizer.requests();
    let question = Request::get(HOST, "/").header("x-sent-from", "nginx-ingress-controller");
    assert_eq!(guarded.send(&question).status, 500);
    assert_eq!(guarded.authorizer.requests(), asked);
    guarded.authorizer.stop();
    assert_eq!(guarded.get("/").status, 500);
    assert_eq!(guarded.web.requests(), before);
    guarded.authorizer.restart();
    guarded.answers(200, &[]);
    assert_eq!(guarded.get("/").status, 200);
}

#[test]
fn whom_an_authorizer_does_not_know_signs_in() {
    let signin = "https://login.test/start?x=1";
    let guarded = Guarded::start(&[("auth-signin", signin), ("auth-always-set-cookie", "true")]);
    guarded.answers(401, &[("set-cookie", "s=1"), ("set-cookie", "t=2")]);
    let answer = guarded.get("/x?y=1");
    let to = "https://login.test/start?x=1&rd=http://shop.example%2Fx%3Fy%3D1";
    assert_eq!(answer.header("location").as_deref(), Some(to));
    let cookies = answer.header("set-cookie");
    assert_eq!((answer.status, cookies.as_deref()), (302, Some("s=1, t=2")));
    guarded.answers(403, &[("set-cookie", "s=1")]);
    let answer = guarded.get("/");
    let cookies = answer.header("set-cookie");
    assert_eq!((answer.status, cookies.as_deref()), (403, Some("s=1")));
}

// The usual form of oauth2-proxy, which ingress-nginx asked of itself by way of DNS.
#[test]
fn the_hosts_own_authorizer_is_whoever_serves_that_path() {
    let guarded = Guarded::of(&[
        ("auth-url", "https://$host/oauth2/auth?x=$arg_a"),
        ("auth-signin", "https://$host/oauth2/start"),
    ]);
    guarded.answers(202, &[]);
    let answer = guarded.get("/x?a=b");
    assert_eq!(answer.status, 200);
    let asked = guarded.asked();
    assert_eq!((&*asked.method, &*asked.path), ("GET", "/oauth2/auth?x=b"));
    assert_eq!(asked.all("host"), [HOST]);
    guarded.answers(401, &[]);
    let answer = guarded.get("/x?a=b");
    let to = "https://shop.example/oauth2/start?rd=http://shop.example%2Fx%3Fa%3Db";
    let found = (answer.status, answer.header("location"));
    assert_eq!(found, (302, Some(to.to_owned())));
    // Whoever signs in is asked nothing.
    let before = guarded.web.requests();
    guarded.answers(200, &[]);
    assert_eq!(guarded.get("/oauth2/start").status, 200);
    assert_eq!(guarded.web.requests(), before);
    // A path that is served after a question, or as another one, is nobody's answer.
    for path in ["/verify", "/oauth2/../x", "/oauth2//x", "/oauth2/%78"] {
        let url = format!("https://$host{path}");
        let guarded = Guarded::of(&[("auth-url", &url)]);
        guarded.answers(200, &[]);
        assert_eq!(guarded.get("/").status, 500, "{path}");
        assert_eq!(guarded.web.requests(), 0, "{path}");
    }
}

/// Half a second for a question instead of what limpet itself gives it, which no test waits for.
fn impatient(value: &mut Value) {
    let clusters = value.pointer_mut("/static_resources/clusters");
    let clusters = clusters.and_then(Value::as_array_mut).into_iter().flatten();
    let is_asked = |name: &Value| name.as_str().is_some_and(|name| name.contains("sso"));
    for cluster in clusters.filter(|cluster| is_asked(&cluster["name"])) {
        let options = &mut cluster["typed_extension_protocol_options"];
        let all = options.as_object_mut().unwrap().values_mut();
        for one in all {
            one["common_http_protocol_options"]["max_stream_duration"] = "0.5s".into();
        }
    }
}

#[test]
fn an_authorizer_that_hangs_lets_in_nobody() {
    let guarded = Guarded::with(
        &[("auth-url", "http://sso.default.svc:4180/verify")],
        impatient,
    );
    guarded.answers(200, &[]);
    assert_eq!(guarded.get("/").status, 200);
    let (pods, asked) = (guarded.web.requests(), guarded.authorizer.requests());
    guarded.authorizer.behave(Script {
        manner: Manner::Hold,
        ..Script::default()
    });
    assert_eq!(guarded.get("/").status, 500);
    assert_eq!(guarded.authorizer.requests(), asked + 1);
    assert_eq!(guarded.web.requests(), pods);
}

// ingress-nginx asks with nginx's own `proxy_read_timeout`, whatever the annotation says of pods.
#[test]
fn an_authorizer_is_waited_for_a_minute() {
    let rule = Rule {
        host: HOST,
        path: "/",
        service: "web",
    };
    let said = [
        ("auth-url", "http://sso.default.svc:4180/verify"),
        ("proxy-read-timeout", "5"),
    ];
    let ingress = manifest::ingress("web", rule, &said);
    let manifests = Manifests::parse("web.json", &ingress.to_string()).unwrap();
    let flags = ["default/web=10.0.0.1:80", "default/sso=10.0.0.2:80"];
    let flags = Flags {
        endpoints: flags.map(|flag| flag.parse().unwrap()).to_vec(),
        on_envoy: true,
        ..Flags::default()
    };
    let compiled = Compiled::new(&manifests, &flags).unwrap();
    let options = Options {
        endpoints: EndpointSource::Static,
        unmatched: Unmatched::NotFound,
        one_virtual_host: true,
        ..Options::default()
    };
    let plugin = plugin_config(&compiled, options);
    let config = filter_chain::engine_config(module(), &plugin, &compiled);
    let environment = Environment::new(filter_chain::host_clusters(&compiled));
    let engine = Engine::start(&config, &environment).unwrap();
    let head = [
        (":authority", HOST),
        (":path", "/"),
        (":method", "GET"),
        (":scheme", "http"),
    ];
    let head = head.into_iter().collect();
    let (mut exchange, step) = engine.request(head, Connection::default(), true, None);
    assert_eq!(step, Step::Paused);
    let calls = engine.poll_calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].timeout, Duration::from_secs(60));
    engine.answer_call(calls[0].token, None);
    let Step::Answer(answer) = exchange.resume() else {
        panic!("a pod is asked");
    };
    assert_eq!(answer.head.first(":status"), Some(&b"500"[..]));
}

/// Envoy holds an answer until it is whole.
#[test]
fn an_authorizer_whose_answer_has_no_end_is_not_heard_to_it() {
    // As where the endpoints are in the bootstrap; those of tests are in files.
    let guarded = Guarded::with(&[("auth-url", URL)], |value| {
        if let Some(layer) = value.pointer_mut("/layered_runtime/layers/0/static_layer") {
            let held = &mut layer["http.async_response_buffer_limit"];
            assert_eq!(*held, 32 << 20);
            *held = (2 << 20).into();
        }
    });
    for (padding, status) in [(900 << 10, 200), (3 << 20, 500), (0, 200)] {
        guarded.authorizer.behave(Script {
            padding,
            ..Script::default()
        });
        assert_eq!(guarded.get("/").status, status, "{padding} bytes");
    }
    let log = guarded.envoy.envoy.log();
    assert!(log.contains("buffer size limit for async client"), "{log}");
    guarded.web.behave(Script {
        padding: 3 << 20,
        ..Script::default()
    });
    let answer = guarded.get("/");
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() > 3 << 20, "of a pod all is passed on");
}
