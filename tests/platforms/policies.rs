//! Policies of somebody else's beside limpet: which of them run, what they see of a request, and that
//! `check` says so.

use super::envoy;
use limpet_envoy::check::{self, Level, Report};
use limpet_envoy::manifests::Manifests;
use limpet_tests::http::{self, Request};
use limpet_tests::pod::Pod;
use limpet_tests::recorded::Platform;

/// The pods see `/in/x` as `/x`.
const HOST: &str = "shop.example.com";

/// What is answered to each, one after the other.
struct Case {
    recording: &'static str,
    asked: &'static [(&'static str, u16)],
    /// The level of what `check` says of the policy and a part of it; `None`: nothing.
    told: Option<(Level, &'static str)>,
}

const fn case(
    recording: &'static str,
    asked: &'static [(&'static str, u16)],
    told: Option<(Level, &'static str)>,
) -> Case {
    Case {
        recording,
        asked,
        told,
    }
}

const IT_NEVER_RUNS: Option<(Level, &str)> = Some((Level::Warning, "and it never runs"));
const BEFORE: Option<(Level, &str)> = Some((
    Level::Note,
    "runs before limpet, on the path that clients send",
));
const DECIDED_BEFORE: Option<(Level, &str)> =
    Some((Level::Warning, "is decided before limpet, on the path"));
const CONFLICTED: Option<(Level, &str)> = Some((Level::Warning, "Accepted=False Conflicted"));
const EVERYTHING_IS_404: Option<(Level, &str)> = Some((Level::Error, "everything is 404"));

/// What `check` says of the policy.
fn told(platform: Platform, recording: &str) -> Vec<(Level, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/control-planes/ingresses");
    let manifests = Manifests::load(&[format!("{folder}/{recording}.yaml")]).unwrap();
    let on = match platform {
        Platform::EnvoyGateway | Platform::OlderEnvoyGateway => check::Platform::EnvoyGateway,
        _ => check::Platform::Istio,
    };
    let report = Report::new(&manifests, false, Some(on));
    let findings = report.findings.iter().filter(|one| one.code == "policy");
    findings.map(|one| (one.level, one.message())).collect()
}

const NEVER: &[(&str, u16)] = &[("/in/x", 200), ("/in/x", 200), ("/in/secret", 200)];
const ALWAYS: &[(&str, u16)] = &[("/in/x", 403)];
const AS_CLIENTS_SEE: &[(&str, u16)] = &[("/in/x", 200), ("/in/secret", 403)];
const AS_PODS_SEE: &[(&str, u16)] = &[("/in/x", 200), ("/in/secret", 451)];
const LIMITED: &[(&str, u16)] = &[("/in/x", 200), ("/in/x", 429)];
const NO_LIMPET: &[(&str, u16)] = &[("/in/x", 404)];

fn ask(platform: Platform, cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        let said = told(platform, case.recording);
        let is_it = |(level, text): &(Level, String)| {
            case.told
                .is_some_and(|(wanted, part)| *level == wanted && text.contains(part))
        };
        if said.len() != usize::from(case.told.is_some()) || !said.iter().all(is_it) {
            wrong.push(format!("{}: check says {said:?}", case.recording));
        }
        let pods = Pod::several(1);
        let envoy = envoy(platform, case.recording, &pods);
        for (target, status) in case.asked {
            let answer = http::send(envoy.http(), &Request::get(HOST, target)).unwrap();
            if answer.status != *status {
                wrong.push(format!(
                    "{}: {target}: {}, not {status}: {}",
                    case.recording,
                    answer.status,
                    envoy.envoy.log()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn on_envoy_gateway_a_policy_runs_where_it_is_said_to() {
    ask(
        Platform::EnvoyGateway,
        &[
            case("policy-authorization-on-cluster-route", ALWAYS, None),
            case("policy-authorization-on-first-route", NEVER, IT_NEVER_RUNS),
            case("policy-authorization-on-gateway", ALWAYS, None),
            case("policy-authorization-on-listener", ALWAYS, None),
            case(
                "policy-authentication-on-cluster-route",
                NEVER,
                IT_NEVER_RUNS,
            ),
            case(
                "policy-authentication-on-first-route",
                &[("/in/x", 401)],
                BEFORE,
            ),
            case(
                "policy-authentication-on-gateway",
                &[("/in/x", 401)],
                BEFORE,
            ),
            case("policy-limit-on-cluster-route", LIMITED, CONFLICTED),
            case("policy-limit-on-first-route", NEVER, IT_NEVER_RUNS),
            case("policy-limit-on-gateway", LIMITED, None),
            case("policy-client-traffic-on-gateway", NEVER, CONFLICTED),
            case("policy-client-traffic-on-listener", NEVER, CONFLICTED),
            case("policy-extension-on-cluster-route", NEVER, IT_NEVER_RUNS),
            // An older one, and limpet is not there: nothing is served, and nothing goes past it.
            case("policy-extension-on-gateway", NO_LIMPET, EVERYTHING_IS_404),
            case(
                "policy-extension-on-first-route",
                NO_LIMPET,
                EVERYTHING_IS_404,
            ),
        ],
    );
}

#[test]
fn on_istio_a_policy_runs_where_it_is_said_to_and_sees_what_clients_sent() {
    ask(
        Platform::Istio,
        &[
            case("policy-paths-of-clients", AS_CLIENTS_SEE, DECIDED_BEFORE),
            case("policy-paths-of-pods", NEVER, DECIDED_BEFORE),
            case("policy-of-the-mesh", AS_CLIENTS_SEE, DECIDED_BEFORE),
            case("policy-of-the-services-namespace", NEVER, None),
            case("policy-for-gateway-api", NEVER, IT_NEVER_RUNS),
            case("policy-for-a-service", NEVER, IT_NEVER_RUNS),
            case("policy-token-at-the-gateway", ALWAYS, None),
            case(
                "policy-filter-first",
                AS_CLIENTS_SEE,
                Some((Level::Note, "puts a filter before limpet")),
            ),
            case("policy-filter-before-the-router", AS_PODS_SEE, None),
        ],
    );
}

/// Without limpet's policy for its listener a client's own copies of its headers reach the routes.
#[test]
fn on_envoy_gateway_nobody_outside_chooses_beside_an_older_client_traffic_policy() {
    for recording in [
        "policy-client-traffic-on-gateway",
        "policy-client-traffic-on-listener",
    ] {
        let pods = Pod::several(3);
        let envoy = envoy(Platform::EnvoyGateway, recording, &pods);
        super::nobody_outside_chooses(envoy.http(), &pods, (HOST, "/in/x"));
    }
}

/// Whoever may write HTTPRoutes in a namespace takes no host of another one's away: the Gateway takes
/// none of his.
#[test]
fn on_envoy_gateway_a_stranger_takes_no_host_of_another_namespace() {
    ask(
        Platform::EnvoyGateway,
        &[case(
            "stranger-takes-a-host",
            NEVER,
            Some((Level::Warning, "NotAllowedByListeners")),
        )],
    );
}
