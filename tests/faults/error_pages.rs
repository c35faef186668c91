//! Pages of `custom-http-errors`, and a Service of them that fails, on a real Envoy.

use limpet_envoy::manifests::Manifests;
use limpet_tests::http::{self, Request};
use limpet_tests::manifest::{self, Rule};
use limpet_tests::pod::{Manner, Pod, Script};
use limpet_tests::rendered::{Rendered, Setup};
use serde_json::json;

const HOST: &str = "shop.example";

/// A shop with sessions, an address list on a part of it, and pages for both.
struct Shop {
    envoy: Rendered,
    web: Pod,
    pages: Pod,
}

impl Shop {
    fn start() -> Self {
        let ingress = |name: &str, path: &str, own: &[(&str, &str)]| {
            let pages = [
                ("custom-http-errors", "403,404,502,503"),
                ("default-backend", "pages"),
            ];
            let rule = Rule {
                host: HOST,
                path,
                service: "web",
            };
            manifest::ingress(name, rule, &[&pages, own].concat())
        };
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": [
            ingress("web", "/", &[("affinity", "cookie"), ("enable-cors", "true")]),
            ingress("private", "/private", &[("allowlist-source-range", "10.0.0.0/8")]),
        ] });
        let manifests = Manifests::parse("shop.json", &list.to_string()).unwrap();
        let (web, pages) = (Pod::start(), Pod::start());
        let flags = [
            format!("default/web={}", web.endpoint()).parse().unwrap(),
            format!("default/pages={}", pages.endpoint())
                .parse()
                .unwrap(),
        ];
        Self {
            envoy: Rendered::start(&manifests, &flags, &Setup::default()),
            web,
            pages,
        }
    }

    fn send(&self, request: &Request) -> http::Response {
        http::send(self.envoy.http(), request).unwrap()
    }

    fn get(&self, target: &str) -> http::Response {
        self.send(&Request::get(HOST, target))
    }
}

#[test]
fn a_page_stands_in_place_of_a_pods_answer_and_of_limpets_own() {
    let shop = Shop::start();
    shop.web
        .answer(404, &[("x-secret", "of the pod"), ("set-cookie", "pod=1")]);
    shop.pages.answer(
        410,
        &[
            ("content-type", "text/html"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ],
    );
    let sent = Request::get(HOST, "/x%20y?a=b")
        .header("accept", "text/html")
        .header("x-code", "200")
        .header("x-limpet-forwarded-for", "9.9.9.9")
        .header("origin", "http://a.example")
        .header("cookie", "c=1");
    let answer = shop.send(&sent);
    assert_eq!(answer.status, 410);
    assert_eq!(answer.all("content-type"), ["text/html"]);
    let cookies = answer.all("set-cookie");
    assert!(cookies[0].starts_with("INGRESSCOOKIE="), "{cookies:?}");
    assert_eq!(cookies[1..], ["a=1", "b=2"]);
    for name in [
        "x-secret",
        "x-limpet-endpoint",
        "access-control-allow-origin",
    ] {
        assert_eq!(answer.all(name), [""; 0], "{name}");
    }
    assert_eq!(answer.endpoint(), Some(shop.pages.endpoint()));
    let asked = shop.pages.last().unwrap();
    assert_eq!((&*asked.method, &*asked.path), ("GET", "/?a=b"));
    for (name, value) in [
        ("host", HOST),
        ("x-code", "404"),
        ("x-format", "text/html"),
        ("x-original-uri", "/x%20y?a=b"),
        ("x-namespace", "default"),
        ("x-ingress-name", "web"),
        ("x-service-name", "web"),
        ("x-service-port", "80"),
        ("x-forwarded-for", "127.0.0.1"),
        ("cookie", "c=1"),
    ] {
        assert_eq!(asked.all(name), [value], "{name}");
    }
    let names = asked.headers.iter().map(|(name, _)| name.as_str());
    let strange: Vec<&str> = names
        .filter(|name| name.starts_with("x-limpet") || name.starts_with("x-envoy"))
        .collect();
    assert!(strange.is_empty(), "{asked:?}");
    // Who is kept out sees the page of that, and no pod sees the request.
    let seen = shop.web.requests();
    assert_eq!(shop.get("/private").status, 410);
    assert_eq!(shop.pages.last().unwrap().all("x-code"), ["403"]);
    assert_eq!(
        shop.pages.last().unwrap().all("x-ingress-name"),
        ["private"]
    );
    assert_eq!(shop.web.requests(), seen);
    // A pod that breaks off is no pod that answers.
    shop.web.behave(Script {
        manner: Manner::Reset,
        ..Script::default()
    });
    assert_eq!(shop.get("/").status, 410);
    assert_eq!(shop.pages.last().unwrap().all("x-code"), ["502"]);
    // All else goes by.
    shop.web.answer(500, &[]);
    let asked = shop.pages.requests();
    assert_eq!(shop.get("/").status, 500);
    assert_eq!(shop.pages.requests(), asked);
}

#[test]
fn a_service_of_pages_that_fails_is_asked_once() {
    let mut shop = Shop::start();
    shop.web.answer(404, &[("x-secret", "of the pod")]);
    // Its own answer is of the list too.
    shop.pages.answer(404, &[]);
    let asked = shop.pages.requests();
    assert_eq!(shop.get("/").status, 404);
    assert_eq!(shop.pages.requests(), asked + 1);
    let head = shop.send(&Request::get(HOST, "/").method("HEAD"));
    assert_eq!(head.status, 404);
    assert_eq!(head.header("x-pod"), Some(shop.pages.endpoint()));
    shop.pages.behave(Script {
        manner: Manner::Reset,
        ..Script::default()
    });
    let asked = shop.pages.requests();
    for target in ["/", "/private"] {
        let answer = shop.get(target);
        assert!([502, 503].contains(&answer.status), "{}", answer.status);
        assert_eq!(answer.all("x-secret"), [""; 0]);
    }
    assert_eq!(shop.pages.requests(), asked + 2);
    shop.pages.stop();
    for target in ["/", "/private"] {
        let answer = shop.get(target);
        assert!([502, 503].contains(&answer.status), "{}", answer.status);
        assert_eq!(answer.all("x-secret"), [""; 0]);
    }
}
