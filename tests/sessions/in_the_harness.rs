//! Sessions through the module in the harness: what a statistic, a log or a shared cache shows.

use host_harness::environment::Collector;
use host_harness::{Attempted, Connection, Engine, Environment, Headers, LogLevel, Step};
use limpet_cli::filter_chain;
use limpet_envoy::clusters;
use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::forwarding::Forwarding;
use limpet_envoy::manifests::Manifests;
use limpet_envoy::plugin_config::{EndpointSource, Options, Report, plugin_config};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

const HOST: &str = "shop.example";

/// A host with sessions over five endpoints.
struct Shop {
    engine: Engine,
    log: Arc<Collector>,
}

/// What came of a request.
struct Seen {
    endpoint: String,
    /// Without its name.
    set_cookie: Option<String>,
    record: String,
}

impl Shop {
    fn new(annotations: &[(&str, &str)]) -> Self {
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
        let flag: EndpointsFlag = flag.parse().unwrap();
        let (clusters, _) = clusters::clusters(&manifests, &[flag]);
        let options = Options {
            endpoints: EndpointSource::Static,
            report: Report::Why,
            strict: false,
            unmatched_is_not_found: true,
            one_virtual_host: true,
        };
        let plugin = plugin_config(&manifests, &clusters, options);
        let config =
            filter_chain::engine_config(limpet_tests::module(), &plugin, &Forwarding::read(None));
        let mut environment = Environment::new(filter_chain::host_clusters(&clusters));
        let log = Arc::new(Collector::from_level(LogLevel::Info));
        environment.log = log.clone();
        let engine = Engine::start(&config, &environment).unwrap();
        Self { engine, log }
    }

    fn ask(&self, cookie: Option<&str>, answer: &[(&str, &str)]) -> Seen {
        let head = [
            (":authority", HOST),
            (":path", "/"),
            (":method", "GET"),
            (":scheme", "http"),
        ];
        let mut head: Headers = head.into_iter().collect();
        if let Some(cookie) = cookie {
            head.add("cookie", format!("INGRESSCOOKIE={cookie}"));
        }
        let (mut exchange, step) = self.engine.request(head, Connection::default(), true, None);
        let Step::Attempt(attempt) = step else {
            panic!("no try: {step:?}");
        };
        let mut response = Headers::with_status(200);
        for (name, value) in answer {
            response.add(*name, *value);
        }
        let step = exchange.respond(Attempted::Response(response));
        let Step::Answer(answer) = step else {
            panic!("no answer: {step:?}");
        };
        let set_cookie = answer.head.first("set-cookie").map(|set| {
            let set = String::from_utf8(set.to_vec()).unwrap();
            set.strip_prefix("INGRESSCOOKIE=").unwrap().to_owned()
        });
        let record = exchange.property("limpet_decision").unwrap();
        Seen {
            endpoint: attempt.endpoint.to_string(),
            set_cookie,
            record: String::from_utf8(record).unwrap(),
        }
    }
}

const COOKIE: (&str, &str) = ("nginx.ingress.kubernetes.io/affinity", "cookie");
const PERSISTENT: (&str, &str) = ("nginx.ingress.kubernetes.io/affinity-mode", "persistent");
const SHA1: (&str, &str) = ("nginx.ingress.kubernetes.io/session-cookie-hash", "sha1");

#[test]
fn ten_thousand_requests_without_a_cookie_spread_evenly_and_their_cookies_lead_back() {
    const SESSIONS: usize = 10_000;
    let shop = Shop::new(&[COOKIE]);
    let mut sessions: BTreeMap<String, f64> = BTreeMap::new();
    for _ in 0..SESSIONS {
        let first = shop.ask(None, &[]);
        let cookie = first.set_cookie.unwrap();
        let again = shop.ask(Some(cookie.split(';').next().unwrap()), &[]);
        assert_eq!((&again.endpoint, again.set_cookie), (&first.endpoint, None));
        *sessions.entry(first.endpoint).or_default() += 1.0;
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
        let shop = Shop::new(annotations);
        let minted = shop.ask(None, &[]).set_cookie.unwrap();
        let minted = minted.split(';').next().unwrap().to_owned();
        let mut shown = String::new();
        let sent = [
            minted.as_str(),
            "1732345678.123.4567.890123|6cde5721ec2c7e2bce07cff7d0e4ac37",
            "0123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcdef01234567",
            "sEcReT-oF-aNoThEr-application",
        ];
        for cookie in sent {
            let seen = shop.ask(Some(cookie), &[]);
            shown.push_str(&seen.record);
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
        let seen = Shop::new(annotations).ask(None, &[("cache-control", control)]);
        assert_eq!(seen.set_cookie.is_some(), sets, "{annotations:?} {control}");
    }
}
