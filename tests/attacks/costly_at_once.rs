//! Everything that may be dear about one request, each within its own bound.

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

const HOST: &str = "all.test";

/// That many bytes of a path are as much work as may be done to find its location and its groups.
const PATH: usize = 5_600;
/// The same of a host.
const NAME: usize = 4_800;

/// Paths that are regular expressions, each its own Ingress's of one namespace.
fn ingress(namespace: &str, day: u32, name: &str, path: &str, said: &[(&str, &str)]) -> Value {
    let rule = Rule {
        host: HOST,
        path,
        service: "web",
    };
    let mut ingress = manifest::ingress(name, rule, said);
    let metadata = &mut ingress["metadata"];
    metadata["namespace"] = namespace.into();
    metadata["creationTimestamp"] = format!("2024-01-0{day}T00:00:00Z").into();
    ingress["spec"]["rules"][0]["http"]["paths"][0]["pathType"] = "ImplementationSpecific".into();
    ingress
}

fn manifests() -> Manifests {
    let alias = "~^.*.*.*.*.*.*.*[.]alias$";
    let said = [
        ("use-regex", "true"),
        ("rewrite-target", "/$1"),
        ("server-alias", alias),
        ("limit-rps", "100000"),
        ("auth-type", "basic"),
        ("auth-secret", "users"),
        ("auth-url", "http://$host/check$request_uri"),
        ("proxy-cookie-path", "~/(.*)(.*)(.*) /y"),
    ];
    let own = ingress("default", 1, "own", "/(.*)(.*)(.*)(.*)(.*)(.*)(.*)z", &said);
    // Longer than the pattern, so that it comes first.
    let check = format!("/check/{}", "a".repeat(40));
    let check = ingress("default", 1, "check", &check, &[]);
    let dear = [("server-alias", "~.*[ab].{40}q$")];
    let stranger = ingress("stranger", 2, "stranger", "/.*[ab].{2000}q$", &dear);
    let users = format!(
        "a:{}",
        "$5$saltsaltsaltsalt$sm6n79U/tIF3fHgj8kIpEMVcBLqwVwf6N5NEwYEvlV5"
    );
    let users = manifest::secret("users", &json!({ "auth": users }));
    let items = [own, check, stranger, users];
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    Manifests::parse("hostile.yaml", &list.to_string()).unwrap()
}

// It was decided twice, and its password compared as often.
#[test]
fn all_that_is_dear_about_a_request_is_done_once() {
    let pod = Pod::start();
    let cookie = format!("a=b{}", ";path=/x".repeat(3_000));
    pod.answer(200, &[("set-cookie", &cookie)]);
    let endpoints: EndpointsFlag = format!("default/web:80={}", pod.endpoint())
        .parse()
        .unwrap();
    let envoy = Rendered::share(&manifests(), &[endpoints], |_| {});
    let target = format!("/{}z", "a".repeat(PATH));
    let host = format!("{}.alias", "a".repeat(NAME));
    let password = STANDARD.encode(format!("a:{}", "p".repeat(72)));
    let send = |host: &str| {
        Request::get(host, &target).header("authorization", format!("Basic {password}"))
    };
    let plain = send("nobody.test").header("x-host", &host);
    let (cost, status) = cost(&envoy, &send(&host), &plain);
    println!("{cost:?} ({status})");
    assert_eq!(status, 200);
    assert!(cost <= LIMIT, "{cost:?}");
}
