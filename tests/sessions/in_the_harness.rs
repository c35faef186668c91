//! Sessions through the module in the harness: what a statistic, a log or a shared cache shows.

use limpet_envoy::manifests::Manifests;
use limpet_tests::target::{Asked, Chain, Observed, Target};
use serde_json::json;
use std::collections::BTreeMap;

const HOST: &str = "shop.example";

/// A host with sessions over five endpoints.
fn shop(annotations: &[(&str, &str)]) -> Chain {
    let annotations: serde_json::Map<_, _> = annotations
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "shop", "namespace": "default", "annotations": annotations},
        "spec": {"rules": [{"host": HOST, "http": {"paths": [{
            "path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": "web", "port": {"number": 80}}},
        }]}}]},
    });
    let manifests = Manifests::parse("shop.yaml", &ingress.to_string()).unwrap();
    let flag = "default/web:80=10.0.0.1:80,10.0.0.2:80,10.0.0.3:80,10.0.0.4:80,[fd00::5]:80";
    Chain::start(&manifests, &[flag.parse().unwrap()], &[])
}

/// A visit with this session cookie, answered with these header fields.
fn visit(shop: &Chain, cookie: Option<&str>, answer: &[(&str, &str)]) -> Observed {
    let mut asked = Asked::get("http", HOST, "/");
    let cookie = cookie.map(|cookie| ("cookie".to_owned(), format!("INGRESSCOOKIE={cookie}")));
    asked.headers.extend(cookie);
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    asked.endpoints.headers = answer.iter().map(owned).collect();
    shop.ask(&asked).unwrap()
}

/// The session cookie's value.
fn cookie(seen: &Observed) -> Option<String> {
    seen.cookie("INGRESSCOOKIE")
}

const COOKIE: (&str, &str) = ("nginx.ingress.kubernetes.io/affinity", "cookie");
const PERSISTENT: (&str, &str) = ("nginx.ingress.kubernetes.io/affinity-mode", "persistent");
const SHA1: (&str, &str) = ("nginx.ingress.kubernetes.io/session-cookie-hash", "sha1");

#[test]
fn ten_thousand_requests_without_a_cookie_spread_evenly_and_their_cookies_lead_back() {
    const SESSIONS: usize = 10_000;
    let shop = shop(&[COOKIE]);
    let mut sessions: BTreeMap<String, f64> = BTreeMap::new();
    for _ in 0..SESSIONS {
        let first = visit(&shop, None, &[]);
        let again = visit(&shop, cookie(&first).as_deref(), &[]);
        assert_eq!(
            (&again.endpoint, cookie(&again)),
            (&first.endpoint, None),
            "{first:?}"
        );
        *sessions.entry(first.endpoint.unwrap()).or_default() += 1.0;
    }
    assert_eq!(sessions.len(), 5, "{sessions:?}");
    let expected = SESSIONS as f64 / 5.0;
    let terms = sessions
        .values()
        .map(|found| (found - expected).powi(2) / expected);
    let statistic: f64 = terms.sum();
    // Four degrees of freedom: beyond this once in a thousand tries.
    assert!(statistic < 18.47, "{statistic} {sessions:?}");
}

#[test]
fn no_log_and_no_record_shows_more_of_a_cookie_than_six_characters() {
    for annotations in [&[COOKIE][..], &[COOKIE, PERSISTENT], &[COOKIE, SHA1]] {
        let shop = shop(annotations);
        let minted = cookie(&visit(&shop, None, &[])).unwrap();
        let mut shown = String::new();
        let sent = [
            minted.as_str(),
            "1732345678.123.4567.890123|6cde5721ec2c7e2bce07cff7d0e4ac37",
            "0123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcdef01234567",
            "sEcReT-oF-aNoThEr-application",
        ];
        for cookie in sent {
            let seen = visit(&shop, Some(cookie), &[]);
            shown.push_str(&seen.record.unwrap());
        }
        for line in shop.log.take() {
            shown.push_str(&line.message);
        }
        assert!(shown.contains("INGRESSCOOKIE"), "{shown}");
        for cookie in sent {
            for part in cookie.split('|') {
                let seven = part.as_bytes().windows(7);
                let told = seven
                    .map(|part| std::str::from_utf8(part).unwrap())
                    .find(|part| shown.contains(part));
                assert_eq!(told, None, "{annotations:?}: {cookie} in {shown}");
            }
        }
    }
}

#[test]
fn what_shared_caches_may_keep_gets_no_cookie_where_the_annotation_asks_for_that() {
    let careful = ("limpet.dev/session-cookie-skip-cacheable", "true");
    for (annotations, control, sets) in [
        (&[COOKIE, careful][..], "public, max-age=60", false),
        (&[COOKIE, careful], "max-age=0, S-MaxAge=60", false),
        (&[COOKIE, careful], "private, max-age=60", true),
        (&[COOKIE, careful], "max-age=60", true),
        (&[COOKIE], "public, s-maxage=60", true),
    ] {
        let seen = visit(&shop(annotations), None, &[("cache-control", control)]);
        assert_eq!(cookie(&seen).is_some(), sets, "{annotations:?} {control}");
    }
}
