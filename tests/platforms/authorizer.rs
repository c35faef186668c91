//! Authorizers on Envoys that got what control planes made of what is rendered.

use limpet_envoy::check::{Platform as On, Report};
use limpet_envoy::manifests::Manifests;
use limpet_tests::http::{self, Request, Response};
use limpet_tests::pod::{Manner, Pod, Script};
use limpet_tests::recorded::{Platform, bootstrap};
use limpet_tests::rendered::Rendered;

/// Whom the Ingresses ask: a Service, and a name outside of the cluster.
const INSIDE: &str = "sample.example.com";
const OUTSIDE: &str = "other.example.com";

struct Guarded {
    envoy: Rendered,
    web: Pod,
    authorizer: Pod,
}

impl Guarded {
    fn start(platform: Platform) -> Self {
        let (web, authorizer) = (Pod::start(), Pod::start());
        let pods = |name: &str| {
            let pod = if name == "default/http-service" {
                &web
            } else {
                &authorizer
            };
            vec![pod.endpoint()]
        };
        let envoy = Rendered::share_bootstrap(&bootstrap(platform, "authorizer", pods));
        Self {
            envoy,
            web,
            authorizer,
        }
    }

    fn get(&self, host: &str, status: u16, headers: &[(&str, &str)]) -> Response {
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.authorizer.behave(Script {
            status,
            headers: headers.collect(),
            ..Script::default()
        });
        let request = Request::get(host, "/x?y=1").header("x-user", "eve");
        http::send(self.envoy.http(), &request).unwrap()
    }

    fn lets_in_and_keeps_out(&self, host: &str) {
        let answer = self.get(host, 202, &[("x-user", "ann")]);
        assert_eq!(answer.status, 200, "{host}: {}", self.envoy.envoy.log());
        let asked = self.authorizer.last().unwrap();
        assert_eq!((&*asked.method, &*asked.path), ("GET", "/verify"));
        let url = format!("http://{host}/x?y=1");
        assert_eq!(asked.all("x-original-url"), [url]);
        let before = self.web.requests();
        for (status, seen) in [(401, 401), (403, 403), (302, 500), (500, 500)] {
            assert_eq!(self.get(host, status, &[]).status, seen, "{host}: {status}");
        }
        self.authorizer.behave(Script {
            manner: Manner::Reset,
            ..Script::default()
        });
        let answer = http::send(self.envoy.http(), &Request::get(host, "/")).unwrap();
        assert_eq!((answer.status, self.web.requests()), (500, before));
    }
}

#[test]
fn istio_asks_services_and_names() {
    let guarded = Guarded::start(Platform::Istio);
    guarded.lets_in_and_keeps_out(INSIDE);
    guarded.lets_in_and_keeps_out(OUTSIDE);
    let seen = guarded
        .get(INSIDE, 200, &[("x-user", "ann")])
        .echo()
        .unwrap();
    assert_eq!(seen.all("x-user"), ["ann"]);
}

#[test]
fn envoy_gateway_asks_services_and_closes_the_rest() {
    let guarded = Guarded::start(Platform::EnvoyGateway);
    guarded.lets_in_and_keeps_out(INSIDE);
    let (before, asked) = (guarded.web.requests(), guarded.authorizer.requests());
    assert_eq!(guarded.get(OUTSIDE, 200, &[]).status, 503);
    assert_eq!(guarded.web.requests(), before);
    assert_eq!(guarded.authorizer.requests(), asked);
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/control-planes/ingresses/authorizer.yaml"
    );
    let manifests = Manifests::load(&[file.to_owned()]).unwrap();
    let report = Report::new(&manifests, false, Some(On::EnvoyGateway));
    let told = |one: &limpet_envoy::check::Finding| {
        one.message().contains("is no Service of this cluster")
    };
    assert!(report.findings.iter().any(told), "{:?}", report.findings);
}
