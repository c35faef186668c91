//! What nobody is to read stands in no log, no decision record, no metric and in nothing that `explain` says: on a
//! real Envoy with what `limpet render envoy --report` writes.

use limpet_cli::explain::{Explainer, Settings};
use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use limpet_tests::http::{self, Request, latin1};
use limpet_tests::manifest::{self, Rule};
use limpet_tests::pod::{Pod, Script};
use limpet_tests::rendered::{Rendered, Setup};
use limpet_tests::target::module;
use limpet_tests::tls;
use limpet_tests::wait;
use serde_json::{Value, json};

/// What an operator keeps: a password, the key of cookies.
const KEPT: [&str; 2] = ["kept-password-5c2e", "kept-cookie-key-0f93"];

/// Values of Authorization, and what of them is secret: also what `Basic` has inside.
const CREDENTIALS: &[(&[&str], &[&str])] = &[
    (&[], &[]),
    (
        &["Basic YW5uOmtlcHQtcGFzc3dvcmQtNWMyZQ=="],
        &["YW5uOmtlcHQtcGFzc3dvcmQtNWMyZQ", KEPT[0]],
    ),
    (
        &["Basic YW5uOndyb25nLXBhc3N3b3JkLTdmMTE="],
        &["YW5uOndyb25nLXBhc3N3b3JkLTdmMTE", "wrong-password-7f11"],
    ),
    (
        &["Basic wrong-in-base64-2211", "Basic said-twice-4433"],
        &["wrong-in-base64-2211", "said-twice-4433"],
    ),
    (&["Bearer token-of-client-3b07"], &["token-of-client-3b07"]),
];

/// What else a client sends, and what of it is secret.
const FIELDS: &[(&str, &str, &str)] = &[
    (
        "cookie",
        "INGRESSCOOKIE=junk-session-1a44|b; sid=other-cookie-9d10",
        "junk-session-1a44",
    ),
    ("cookie", "last=\"more-cookies-9e31", "more-cookies-9e31"),
    ("cookie", "sid=other-cookie-9d10", "other-cookie-9d10"),
    (
        "ssl-client-cert",
        "-----BEGIN%20certificate-4e55",
        "certificate-4e55",
    ),
    (
        "x-forwarded-client-cert",
        "Hash=xfcc-8b21;Cert=\"xfcc-8b22\"",
        "xfcc-8b2",
    ),
    (
        "x-limpet-client-certificate",
        "certificate-4f66",
        "certificate-4f66",
    ),
    ("x-limpet-tls", "sni=certificate-4a77", "certificate-4a77"),
    ("x-api-key", "key-of-client-2d90", "key-of-client-2d90"),
    (
        "proxy-authorization",
        "Basic proxy-password-6b12",
        "proxy-password-6b12",
    ),
];

/// What authorizers answer with.
const ANSWERED: &[(&str, &str)] = &[
    ("set-cookie", "of=authorizer-cookie-6a71"),
    ("x-user", "authorizer-user-6c82"),
];

const BASIC: &[(&str, &str)] = &[("auth-type", "basic"), ("auth-secret", "users")];
const SESSION: &[(&str, &str)] = &[("affinity", "cookie"), ("affinity-mode", "persistent")];

/// A host's name without `.example`, what its Ingress says, and what its authorizer answers.
type Row = (&'static str, &'static [(&'static str, &'static str)], u16);

const HOSTS: &[Row] = &[
    ("open", &[], 200),
    ("session", SESSION, 200),
    ("digest", &[("affinity", "cookie")], 200),
    (
        "hashed",
        &[("upstream-hash-by", "$cookie_sid$http_x_api_key")],
        200,
    ),
    ("rewritten", &[("rewrite-target", "/new")], 200),
    (
        "moved",
        &[("permanent-redirect", "https://else.example")],
        200,
    ),
    ("listed", &[("whitelist-source-range", "10.0.0.0/8")], 200),
    ("named", BASIC, 200),
    (
        "admitted",
        &[
            ("auth-url", "http://sso200.default.svc/"),
            ("auth-response-headers", "x-user"),
        ],
        200,
    ),
    (
        "unknown",
        &[("auth-url", "http://sso401.default.svc/")],
        401,
    ),
    (
        "kept-out",
        &[("auth-url", "http://sso403.default.svc/")],
        403,
    ),
    ("ill", &[("auth-url", "http://sso500.default.svc/")], 500),
    (
        "signs-in",
        &[
            ("auth-url", "http://sso401.default.svc/"),
            ("auth-signin", "https://login.example/"),
        ],
        401,
    ),
    ("shown", &[("auth-tls-secret", "default/ca")], 200),
    ("small", &[("proxy-body-size", "1")], 200),
    ("refused", &[("whitelist-source-range", "nobody")], 200),
];

/// Of authorizers.
const STATUSES: [u16; 4] = [200, 401, 403, 500];

fn manifests() -> Manifests {
    let ingress = |(name, said, _): &Row| {
        let host = format!("{name}.example");
        let rule = Rule {
            host: &host,
            path: "/",
            service: "web",
        };
        let mut ingress = manifest::ingress(name, rule, said);
        ingress["spec"]["tls"] = json!([{ "hosts": [host], "secretName": tls::SECRET }]);
        ingress
    };
    let mut items: Vec<Value> = HOSTS.iter().map(ingress).collect();
    items.extend([
        tls::secret(),
        manifest::secret("ca", &json!({ "ca.crt": tls::of_authority("ca.crt") })),
        manifest::secret(
            "users",
            &json!({ "auth": format!("ann:{{PLAIN}}{}", KEPT[0]) }),
        ),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "ingress-nginx-controller", "namespace": "ingress-nginx" },
            "data": { "ssl-redirect": "false", "enable-rewrite-log": "true" },
        }),
    ]);
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let mut manifests = Manifests::parse("hosts.json", &list.to_string()).unwrap();
    let keys = ("cookie_keys".to_owned(), json!([KEPT[1]]));
    manifests.given.extend([keys]);
    manifests
}

/// Each host, asked with each credential and all of the fields.
fn requests() -> Vec<(Request, u16)> {
    let asked = |host: &str| {
        let head = Request::get(&format!("{host}.example"), "/").method("POST");
        let head = head.header("content-length", "2");
        let mut head = FIELDS
            .iter()
            .fold(head, |head, (name, value, _)| head.header(name, value));
        head.body = b"ab".to_vec();
        CREDENTIALS.iter().map(move |(values, _)| {
            let add = |head: Request, value: &&str| head.header("authorization", value);
            values.iter().fold(head.clone(), add)
        })
    };
    let hosts = HOSTS.iter();
    let all = hosts.flat_map(|(host, _, status)| asked(host).map(move |one| (one, *status)));
    all.chain(asked("nobodys").map(|one| (one, 200))).collect()
}

fn endpoints(web: &Pod, authorizers: &[Pod]) -> Vec<EndpointsFlag> {
    let named = STATUSES.map(|status| format!("sso{status}"));
    let all = named.iter().map(String::as_str).zip(authorizers);
    let flag = |(service, pod): (&str, &Pod)| {
        let flag = format!("default/{service}={}", pod.endpoint());
        flag.parse().unwrap()
    };
    all.chain([("web:80", web)]).map(flag).collect()
}

/// All that is secret, and what stands for it in this text.
fn told<'s>(text: &str, minted: &'s [String]) -> Vec<&'s str> {
    let of_clients = CREDENTIALS.iter().flat_map(|(_, secrets)| secrets.iter());
    let of_fields = FIELDS.iter().map(|(.., secret)| secret);
    let answered = ANSWERED.iter().map(|(_, value)| value);
    let all = of_clients
        .chain(of_fields)
        .chain(answered)
        .chain(&KEPT)
        .copied();
    let all = all.chain(minted.iter().map(String::as_str));
    all.filter(|secret| text.contains(secret)).collect()
}

#[test]
fn no_secret_is_told_by_a_log_a_record_or_a_metric() {
    let (web, authorizers) = (Pod::start(), Pod::several(STATUSES.len()));
    for (pod, status) in authorizers.iter().zip(STATUSES) {
        let headers = ANSWERED.iter();
        let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        pod.behave(Script {
            status,
            headers: headers.collect(),
            ..Script::default()
        });
    }
    let setup = Setup {
        report: true,
        ..Setup::default()
    };
    let flags = endpoints(&web, &authorizers);
    let envoy = Rendered::start(&manifests(), &flags, &setup);
    let mut statuses = std::collections::BTreeSet::new();
    let mut minted = Vec::new();
    let mut asked = 0;
    let mut ask = |request: &Request| {
        let answer = http::send(envoy.http(), request).unwrap();
        asked += 1;
        statuses.insert(answer.status);
        for cookie in answer.all("set-cookie") {
            let value = cookie.strip_prefix("INGRESSCOOKIE=");
            minted.extend(value.and_then(|it| it.split(';').next()).map(str::to_owned));
        }
        answer
    };
    for (request, _) in requests() {
        ask(&request);
    }
    // Those that are sessions, and those of nobody any more.
    for host in ["session", "digest"] {
        let request = Request::get(&format!("{host}.example"), "/");
        let cookie = ask(&request).header("set-cookie").unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        ask(&request.clone().header("cookie", &cookie));
        let foreign = cookie.split_at(cookie.len() - 2).0;
        ask(&request.header("cookie", format!("{foreign}ff")));
    }
    assert!(!minted.is_empty());
    let all = [200, 301, 302, 400, 401, 403, 404, 413, 500, 503];
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), all);
    // The last of them may be there in part.
    wait::until("each has its record", || {
        let log = envoy.envoy.log();
        log.ends_with('\n') && log.matches("\"outcome\":").count() == asked
    });
    let log = envoy.envoy.log();
    assert_eq!(log.matches("\"why\":[[").count(), asked, "{log}");
    assert_eq!(told(&log, &minted), [""; 0], "{log}");
    for stats in ["/stats", "/stats/prometheus", "/clusters", "/listeners"] {
        let text = envoy.envoy.admin(stats).text();
        assert_eq!(told(&text, &minted), [""; 0], "{stats}");
    }
}

// What pods get is what it is asked for: those are left out.
#[test]
fn no_secret_is_told_by_explain_but_what_a_pod_gets() {
    let (web, authorizers) = (Pod::start(), Pod::several(STATUSES.len()));
    let settings = Settings {
        endpoints: endpoints(&web, &authorizers),
        ..Settings::default()
    };
    let explainer = Explainer::with_module(module(), &manifests(), &settings).unwrap();
    let notes: String = explainer.notes().join("\n");
    assert_eq!(told(&notes, &[]), [""; 0], "{notes}");
    let mut forwarded = 0;
    for (request, status) in requests() {
        let fields = request.headers.iter();
        let fields = fields.map(|(name, value)| [latin1(name), latin1(value)]);
        let (hosts, fields): (Vec<_>, Vec<_>) = fields.partition(|[name, _]| name == "Host");
        let line = json!({
            "method": "POST", "authority": hosts[0][1], "path": "/", "headers": fields,
            "auth_status": status, "auth_headers": ANSWERED,
        });
        let mut answer = explainer.answer(&serde_json::from_value(line).unwrap());
        if let Some(upstream) = &mut answer.upstream {
            let got = serde_json::to_string(&upstream.headers).unwrap();
            assert!(!got.contains(KEPT[1]), "{got}");
            assert!(
                hosts[0][1] != "named.example" || !got.contains(KEPT[0]),
                "{got}"
            );
            upstream.headers.clear();
            forwarded += 1;
        }
        let kept_cookies = |cookie: &limpet_cli::explain::ByteString| {
            !cookie.to_string().contains("authorizer-cookie")
        };
        answer.response.set_cookie.retain(kept_cookies);
        let text = serde_json::to_string(&answer).unwrap();
        assert_eq!(told(&text, &[]), [""; 0], "{text}");
    }
    assert!(forwarded > 0);
}
