//! Rules on paths in a filter of Envoy's own, before limpet and behind it, with `protect`: what they
//! let through is nothing that a pod takes for what they keep.

use limpet_envoy::check::Platform;
use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::compiled::Flags;
use limpet_envoy::losses::{self, LossArgs};
use limpet_envoy::manifests::Manifests;
use limpet_tests::http::{self, Request};
use limpet_tests::pod::Pod;
use limpet_tests::rendered::Rendered;
use serde_json::{Value, json};

/// Serves everything as it came, and its path is compared as a prefix.
const PLAIN: &str = "plain.test";

/// Serves everything behind /x/ without that, and its paths are regexes.
const REWRITTEN: &str = "rewritten.test";

const INGRESSES: &str = r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: plain }
spec:
  ingressClassName: nginx
  rules:
    - host: plain.test
      http:
        paths:
          - { path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: rewritten
  annotations:
    nginx.ingress.kubernetes.io/use-regex: "true"
    nginx.ingress.kubernetes.io/rewrite-target: /$1
spec:
  ingressClassName: nginx
  rules:
    - host: rewritten.test
      http:
        paths:
          - path: /x/(.*)
            pathType: ImplementationSpecific
            backend: { service: { name: web, port: { number: 80 } } }
          - path: /(admin.*)
            pathType: ImplementationSpecific
            backend: { service: { name: web, port: { number: 80 } } }
"#;

/// A filter that lets nobody to /admin.
fn rule() -> Value {
    let path = |path: Value| json!({ "url_path": { "path": path } });
    json!({
        "name": "rule",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {
                "action": "DENY",
                "policies": { "admin": {
                    "permissions": [path(json!({ "exact": "/admin" })), path(json!({ "prefix": "/admin/" }))],
                    "principals": [{ "any": true }],
                } },
            },
        },
    })
}

/// Puts the rule into every chain of filters, so many places behind limpet.
fn add_rule(value: &mut Value, behind: usize) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Array(filters)) = fields.get_mut("http_filters") {
                let limpet = filters.iter().position(|filter| filter["name"] == "limpet");
                filters.insert(limpet.unwrap() + behind, rule());
            }
            fields
                .values_mut()
                .for_each(|field| add_rule(field, behind));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|one| add_rule(one, behind)),
        _ => {}
    }
}

/// An Envoy with `protect`, and the pod behind it.
struct Guarded {
    envoy: Rendered,
    pod: Pod,
}

impl Guarded {
    fn new(protect: &[&str], edit: fn(&mut Value)) -> Self {
        let mut manifests = Manifests::parse("ingresses.yaml", INGRESSES).unwrap();
        manifests.given.insert("protect".into(), json!(protect));
        Self::of(&manifests, edit)
    }

    fn of(manifests: &Manifests, edit: fn(&mut Value)) -> Self {
        let pod = Pod::start();
        let endpoints: EndpointsFlag = format!("default/web:80={}", pod.endpoint())
            .parse()
            .unwrap();
        Self {
            envoy: Rendered::share(manifests, &[endpoints], edit),
            pod,
        }
    }

    fn before() -> Self {
        Self::new(&["/admin"], |value| add_rule(value, 0))
    }

    fn behind() -> Self {
        Self::new(&["/admin"], |value| add_rule(value, 1))
    }

    /// The status, and the path that the pod got.
    fn ask(&self, host: &str, target: &str) -> (u16, Option<String>) {
        let before = self.pod.requests();
        let answer = http::send(self.envoy.http(), &Request::get(host, target)).unwrap();
        let arrived = self.pod.requests() > before;
        let path = answer.echo().map(|echo| echo.path);
        assert_eq!(arrived, path.is_some(), "{host} {target}: {answer:?}");
        (answer.status, path)
    }
}

/// Some server reads each of these as /admin or as a path below.
const SPELLINGS: [&str; 44] = [
    "/z/../admin",
    "//admin",
    "///admin/x",
    "/./admin",
    "/%61dmin",
    "/%61%64%6d%69%6e",
    "/admi%6E/x",
    "/ADMIN",
    "/Admin/x",
    "/%2e%2e/admin",
    "/../admin",
    "/a/%2e%2e/admin",
    "/a/.%2E/admin",
    "/a/b/../../admin",
    "/a%2fb/../admin",
    "/a/..%2fadmin",
    "/a%2f..%2fadmin",
    "/%2fadmin",
    "/%5cadmin",
    "/\\admin",
    "\\admin",
    "/a\\..\\admin",
    "/;x/admin",
    "/a/..;/admin",
    "/a/..;x=1/admin",
    "/admin;x",
    "/admin;x=1/y",
    "/admin%3bx",
    "/admin%00",
    "/admin%00.html",
    "/admin%2fx",
    "/admin%5cx",
    "/admin%20",
    "/admin%3fx",
    "/admin.",
    "/%2561dmin",
    "/a/%252e%252e/admin",
    "/%252fadmin",
    "/%u0061dmin",
    "/%c0%afadmin",
    "/%c1%a1dmin",
    "/a/%c0%ae%c0%ae/admin",
    "/%e0%80%afadmin",
    "http://plain.test//admin",
];

/// No server reads these so.
const HARMLESS: [&str; 22] = [
    "/",
    "/adminx",
    "/administrator/x",
    "/adminx;y",
    "/adminx%20y",
    "/x",
    "/ad/min",
    "/y/admin",
    "/y//admin",
    "/y%2fadmin",
    "/y/z/../admin",
    "/a//b",
    "/a/./b",
    "/a/../b",
    "/a/%2e%2e/b",
    "/a;b=1/c",
    "/a%20b",
    "/caf%C3%A9",
    "/a%2fb%5cc",
    "/api/v4/projects/group%2Fproject?x=/admin",
    "/a?x=/../admin",
    "/%61b",
];

// A DENY on /admin before limpet let /z/../admin, //admin, /%61dmin and /ADMIN through.
#[test]
fn no_spelling_gets_past_a_rule_on_a_path() {
    for (order, guarded) in [("before", Guarded::before()), ("behind", Guarded::behind())] {
        for target in SPELLINGS {
            let (status, path) = guarded.ask(PLAIN, target);
            assert_eq!(path, None, "rule {order} limpet: {target} is served");
            assert_eq!(status, 400, "rule {order} limpet: {target}");
        }
        for target in ["/admin", "/admin/", "/admin/x?y", "/admin/../admin"] {
            let (status, path) = guarded.ask(PLAIN, target);
            assert_eq!((status, path), (403, None), "rule {order} limpet: {target}");
        }
        for target in HARMLESS {
            let (status, path) = guarded.ask(PLAIN, target);
            let came = (status, path.as_deref());
            assert_eq!(came, (200, Some(target)), "rule {order} limpet: {target}");
        }
    }
}

// A DENY on /admin before limpet let /x/admin through, which a rewrite made /admin; behind limpet
// it let a rewrite's /%61dmin through.
#[test]
fn no_rewrite_leads_past_a_rule_on_a_path() {
    for (order, guarded) in [("before", Guarded::before()), ("behind", Guarded::behind())] {
        for target in [
            "/x/admin",
            "/x/admin/y",
            "/X/admin",
            "/x//admin",
            "/x/%61dmin",
            "/x/%2561dmin",
            "/x/%2fadmin",
            "/x/ADMIN",
            "/x/%252e%252e/admin",
            "/x/;/admin",
            "/x/admin;y",
            "/x/%5cadmin",
            "/x/y/../admin",
            "/y/../x/admin",
            "/ADMIN",
            "//admin",
            "/%61dmin",
        ] {
            let (status, path) = guarded.ask(REWRITTEN, target);
            assert_eq!((status, path), (400, None), "rule {order} limpet: {target}");
        }
        for (target, path) in [
            ("/x/y", "/y"),
            ("/x/y/admin", "/y/admin"),
            ("/X/y/../z", "/z"),
            ("/x/%61b", "/ab"),
        ] {
            let came = guarded.ask(REWRITTEN, target);
            let want = (200, Some(path.to_owned()));
            assert_eq!(came, want, "rule {order} limpet: {target}");
        }
        let (status, path) = guarded.ask(REWRITTEN, "/admin/x");
        assert_eq!((status, path), (403, None), "rule {order} limpet");
    }
}

#[test]
fn a_protected_path_is_served_where_no_rule_forbids_it() {
    let open = Guarded::new(&["/admin"], |_| {});
    for target in ["/admin", "/admin/", "/admin/x/../y?z", "/admin/a%2fb;c"] {
        let (status, path) = open.ask(PLAIN, target);
        assert_eq!((status, path.as_deref()), (200, Some(target)));
    }
    assert_eq!(open.ask(PLAIN, "//admin"), (400, None));
    let (status, path) = open.ask(REWRITTEN, "/admin/x");
    assert_eq!((status, path.as_deref()), (200, Some("/admin/x")));
}

// Whoever accepted the loss of passwords on /admin, and did as `check` said, had the hole.
#[test]
fn an_accepted_loss_needs_no_protect_of_its_own() {
    const LISTED: &str = r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: listed
  annotations: { nginx.ingress.kubernetes.io/auth-type: digest }
spec:
  ingressClassName: nginx
  rules:
    - host: plain.test
      http:
        paths:
          - { path: /admin, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }
"#;
    let text = format!("{INGRESSES}---{LISTED}");
    let mut manifests = Manifests::parse("ingresses.yaml", &text).unwrap();
    let accepted = LossArgs {
        accept_loss: vec!["auth-type".parse().unwrap()],
        close: false,
    };
    losses::settle(
        &mut manifests,
        &Flags::default(),
        &accepted,
        Platform::Envoy,
    )
    .unwrap();
    let guarded = Guarded::of(&manifests, |value| add_rule(value, 0));
    for target in SPELLINGS {
        assert_eq!(guarded.ask(PLAIN, target), (400, None), "{target}");
    }
    for target in HARMLESS {
        let (status, path) = guarded.ask(PLAIN, target);
        assert_eq!((status, path.as_deref()), (200, Some(target)));
    }
    assert_eq!(guarded.ask(PLAIN, "/admin/x"), (403, None));
}

// What the tests above would miss if the rule were not there, or not where they say.
#[test]
fn without_protect_a_rule_is_got_past_in_front_and_behind() {
    let before = Guarded::new(&[], |value| add_rule(value, 0));
    let behind = Guarded::new(&[], |value| add_rule(value, 1));
    for guarded in [&before, &behind] {
        assert_eq!(guarded.ask(PLAIN, "/admin"), (403, None));
        for target in ["//admin", "/z/../admin", "/%61dmin", "/ADMIN"] {
            let (status, path) = guarded.ask(PLAIN, target);
            assert_eq!((status, path.as_deref()), (200, Some(target)));
        }
    }
    let rewritten = (200, Some("/admin".to_owned()));
    assert_eq!(before.ask(REWRITTEN, "/x/admin"), rewritten);
    assert_eq!(behind.ask(REWRITTEN, "/x/admin"), (403, None));
}
