//! Pods that speak TLS, on Envoys that got what control planes made of `proxy-ssl-*`: those whose certificates
//! somebody else signed, and those that ask who they are.

use limpet_tests::http::{Request, send};
use limpet_tests::recorded::{Platform, bootstrap};
use limpet_tests::rendered::Rendered;
use limpet_tests::tls::{TlsPod, TlsPods};

const PODS: &[(&str, TlsPod)] = &[
    ("good", pod("good")),
    ("balancer", pod("balancer")),
    ("wildcard", pod("wildcard")),
    ("other", pod("other")),
    ("foreign", pod("foreign")),
    ("expired", pod("expired")),
    ("one-between", pod("one-between")),
    ("both", in_clear("good")),
    ("both-foreign", in_clear("foreign")),
    ("asking", asking("good")),
    ("asking-foreign", asking("foreign")),
];

const fn pod(certificate: &'static str) -> TlsPod {
    TlsPod {
        certificate,
        asks: false,
        is_modern: false,
        in_clear: false,
    }
}

const fn asking(certificate: &'static str) -> TlsPod {
    TlsPod {
        asks: true,
        ..pod(certificate)
    }
}

const fn in_clear(certificate: &'static str) -> TlsPod {
    TlsPod {
        in_clear: true,
        ..pod(certificate)
    }
}

/// The pod of each Service that is not `good`.
const OTHERS: &[(&str, &str)] = &[
    ("web-plain", "foreign"),
    ("web-foreign", "foreign"),
    ("web-other-name", "other"),
    ("web-expired", "expired"),
    ("web-balancer", "balancer"),
    ("web-wildcard", "wildcard"),
    ("web-one-between", "one-between"),
    ("web-rpc-foreign", "foreign"),
    ("web-unverified", "foreign"),
    ("web-shown", "asking"),
    ("web-shown-verified", "asking"),
    ("web-shown-foreign", "asking-foreign"),
    ("web-not-shown", "asking"),
    ("web-mixed", "both"),
    ("web-mixed-foreign", "both-foreign"),
    ("web-host-b", "foreign"),
    // Whoever stands in for another tenant's pods.
    ("alias", "asking"),
];

/// What a pod hears of the certificate that it is shown.
const SHOWN: &str = "O=tests,CN=good.client.test";

/// Instead of a status: the connection to the pod came to nothing, which Envoy answers with 503.
const REFUSED: u16 = 0;

/// A host and a path, the status, and what the pod was shown.
type Row = (&'static str, &'static str, u16, &'static str);

const ROWS: &[Row] = &[
    ("plain.example", "/", 200, ""),
    ("good.example", "/", 200, ""),
    ("called.example", "/", 200, ""),
    ("foreign.example", "/", REFUSED, ""),
    ("other-name.example", "/", REFUSED, ""),
    ("expired.example", "/", REFUSED, ""),
    ("nameless.example", "/", REFUSED, ""),
    ("balancer.example", "/", 200, ""),
    ("wildcard.example", "/", 200, ""),
    ("one-between.example", "/", 200, ""),
    ("rpc.example", "/", 200, ""),
    ("rpc-foreign.example", "/", REFUSED, ""),
    // Its pod speaks 1.2 alone.
    ("modern.example", "/", REFUSED, ""),
    ("cipher.example", "/", 200, ""),
    ("unverified.example", "/", 200, ""),
    ("shown.example", "/", 200, SHOWN),
    ("shown-verified.example", "/", 200, SHOWN),
    ("shown-foreign.example", "/", REFUSED, ""),
    ("not-shown.example", "/", REFUSED, ""),
    ("missing.example", "/", 503, ""),
    ("damaged.example", "/", 503, ""),
    ("abroad.example", "/", 503, ""),
    ("variable.example", "/", 503, ""),
    ("pair-verified.example", "/", 503, ""),
    ("long.example", "/", 503, ""),
    ("first.shared.example", "/", 200, ""),
    ("silent.shared.example", "/", 200, ""),
    ("shows.shared.example", "/", 503, ""),
    ("shares.shared.example", "/", 200, ""),
    // Who speaks otherwise takes nothing from who verifies.
    ("plain.mixed.example", "/", 200, ""),
    ("verified.mixed.example", "/", 200, ""),
    ("plain.mixed-foreign.example", "/", 200, ""),
    ("verified.mixed-foreign.example", "/", REFUSED, ""),
    ("rpc.mixed-foreign.example", "/", REFUSED, ""),
    ("host.example", "/a", 200, ""),
    ("host.example", "/b", REFUSED, ""),
    // The pods of another tenant are asked without his certificate.
    ("alias.example", "/", REFUSED, ""),
    ("asks.example", "/", 500, ""),
];

/// What sidecars cannot show is closed.
const ON_SIDECARS: &[Row] = &[
    ("shown.example", "/", 503, ""),
    ("shown-verified.example", "/", 503, ""),
    ("shown-foreign.example", "/", 503, ""),
    ("alias.example", "/", 503, ""),
];

/// What Envoy Gateway cannot say is closed, or plain http, in which a pod that wants TLS answers nothing.
const ON_ENVOY_GATEWAY: &[Row] = &[
    ("plain.example", "/", REFUSED, ""),
    ("nameless.example", "/", 503, ""),
    ("balancer.example", "/", 503, ""),
    ("modern.example", "/", 200, ""),
    ("unverified.example", "/", 503, ""),
    ("shown.example", "/", 503, ""),
    ("shown-verified.example", "/", 503, ""),
    ("shown-foreign.example", "/", 503, ""),
    ("verified.mixed.example", "/", 503, ""),
    ("verified.mixed-foreign.example", "/", 503, ""),
    ("rpc.mixed-foreign.example", "/", 200, ""),
    ("alias.example", "/", 500, ""),
    ("asks.example", "/", 503, ""),
];

/// The older one finds no endpoints of a name.
const ON_AN_OLDER_ONE: &[Row] = &[("alias.example", "/", 503, "")];

fn rows(platform: Platform) -> Vec<Row> {
    let own: &[&[Row]] = match platform {
        Platform::Istio | Platform::OlderIstio => &[],
        Platform::IstioSidecar | Platform::OlderIstioSidecar => &[ON_SIDECARS],
        Platform::EnvoyGateway => &[ON_ENVOY_GATEWAY],
        Platform::OlderEnvoyGateway => &[ON_AN_OLDER_ONE, ON_ENVOY_GATEWAY],
    };
    let of = |row: &Row| {
        let mut own = own.iter().copied().flatten();
        own.find(|other| (other.0, other.1) == (row.0, row.1))
    };
    ROWS.iter().map(|row| *of(row).unwrap_or(row)).collect()
}

fn play(platform: Platform) {
    let pods = TlsPods::start(PODS);
    let of = |service: &str| {
        // An authorizer is called by its URL.
        let name = service.rsplit('/').next().unwrap_or_default();
        let name = name.split('.').next().unwrap_or_default();
        let other = OTHERS.iter().find(|(other, _)| *other == name);
        vec![
            pods.address(other.map_or("good", |(_, pod)| pod))
                .to_string(),
        ]
    };
    let envoy = Rendered::share_bootstrap(&bootstrap(platform, "verified-pods", of));
    let mut wrong = Vec::new();
    for (host, path, status, shown) in rows(platform) {
        let answer = send(envoy.http(), &Request::get(host, path)).unwrap();
        let text = answer.text();
        let is_refused = answer.status == 503 && text.contains("reset reason");
        let is = if is_refused { REFUSED } else { answer.status };
        let is = (is, answer.header("x-shown").unwrap_or_default());
        if is != (status, shown.to_owned()) {
            wrong.push(format!(
                "{platform:?}: {host}{path}: {is:?} {:?}",
                answer.headers
            ));
        }
    }
    assert!(wrong.is_empty(), "WRONG {}", wrong.join("\nWRONG "));
}

#[test]
fn pods_behind_istio_are_verified_and_shown_what_their_ingress_says() {
    play(Platform::Istio);
    play(Platform::OlderIstio);
}

#[test]
fn pods_that_sidecars_ask_are_verified_as_their_ingress_says() {
    play(Platform::IstioSidecar);
    play(Platform::OlderIstioSidecar);
}

#[test]
fn pods_behind_envoy_gateway_are_verified_as_their_ingress_says() {
    play(Platform::EnvoyGateway);
    play(Platform::OlderEnvoyGateway);
}
