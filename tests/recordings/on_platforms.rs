//! The recorded answers to all other annotations, asked of real Envoys that got what istiod and Envoy Gateway made
//! of what is rendered for them.
//!
//! One manifest has all scenarios that can share a cluster (`control-planes/ingresses/rest.yaml`); those that
//! Envoy gets ways of its own for are asked of `render envoy`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use limpet_envoy::check;
use limpet_tests::envoy::RealEnvoy;
use limpet_tests::recorded::{Platform, bootstrap};
use limpet_tests::recordings::list;
use limpet_tests::recordings::rest::{
    Agree, Given, Report, Together, Town, client, has_no_answer, has_table, number, scenarios, send,
};
use limpet_tests::rendered::edit_plugin;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many requests of each family agree behind istiod.
const ON_ISTIO: [(&str, usize); 9] = [
    ("access", 96),
    ("auth", 150),
    ("body", 34),
    ("cors", 75),
    ("errors", 27),
    ("headers", 33),
    ("limits", 25),
    ("misc", 53),
    ("realip", 6),
];

/// And behind Envoy Gateway.
const ON_ENVOY_GATEWAY: [(&str, usize); 9] = [
    ("access", 98),
    ("auth", 150),
    ("body", 34),
    ("cors", 75),
    ("errors", 27),
    ("headers", 33),
    ("limits", 26),
    ("misc", 53),
    ("realip", 5),
];

#[test]
fn the_manifest_of_all_scenarios_is_up_to_date() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/control-planes/ingresses/rest.yaml"
    );
    let now = Together::of(&scenarios(&ON_ISTIO)).manifest();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, &now).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap_or_default(), now);
}

/// Families of which nothing can share a cluster, or Envoy gets ways of its own for all of it.
const OTHERS: [(&str, usize); 4] = [("further", 0), ("mirror", 0), ("timeouts", 0), ("tls", 0)];

#[test]
fn what_is_asked_behind_no_control_plane_is_counted() {
    let families = scenarios(&ON_ISTIO);
    let together = Together::of(&families);
    let left_out = together.left_out.iter();
    let mut rows: Vec<_> = left_out
        .map(|(reason, requests)| ((*reason).to_owned(), number(*requests)))
        .collect();
    for (family, _) in OTHERS {
        let all = scenarios(&[(family, 0)]);
        let requests = all.iter().map(|one| list(&one["requests"]).len()).sum();
        rows.push((format!("all of `{family}`"), number(requests)));
    }
    let asked = together.scenarios.iter();
    let asked = asked.flat_map(|one| list(&one["requests"]));
    let unanswered = asked.filter(|request| has_no_answer(request).is_some());
    rows.push((
        "no answer to compare with".to_owned(),
        number(unanswered.count()),
    ));
    has_table("| left out | requests |", &rows);
}

#[test]
fn behind_istiod_the_rest_is_answered_as_recorded_or_closed() {
    ask(Platform::Istio, check::Platform::Istio, &ON_ISTIO);
}

#[test]
fn behind_envoy_gateway_the_rest_is_answered_as_recorded_or_closed() {
    let on = check::Platform::EnvoyGateway;
    ask(Platform::EnvoyGateway, on, &ON_ENVOY_GATEWAY);
}

fn ask(platform: Platform, on: check::Platform, agree: Agree<'_>) {
    let together = Together::of(&scenarios(agree));
    let town = Town::of(&together.scenarios);
    let addresses = town.addresses(&together.scenarios);
    let mut bootstrap = bootstrap(platform, "rest", addresses);
    let variables = passwords(&mut bootstrap, &together.scenarios);
    let variables: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (&**n, &**v)).collect();
    let envoy = RealEnvoy::start_in(&variables, &bootstrap.to_string(), 1);
    let at = envoy.listener("http");
    let mut report = Report::on(&["envoy", platform.name()]);
    for scenario in &together.scenarios {
        let is_closed = Given::of(scenario).closed(on).is_closed;
        for (number, request) in list(&scenario["requests"]).iter().enumerate() {
            let is_tls = request["scheme"] == "https";
            let reason = has_no_answer(request).or(is_tls.then_some("TLS"));
            if let Some(reason) = reason {
                report.not_asked(scenario, reason);
                continue;
            }
            let seen = town.ask(scenario, request, || send(request, client(request), at));
            let seen = seen.but_for_envoys_own(request);
            report.compare(scenario, number, &seen, is_closed);
        }
    }
    let whom = match platform {
        Platform::Istio => "a real Envoy that got what istiod made of what is rendered for it",
        _ => "the same of Envoy Gateway",
    };
    report.finish(agree, whom, "on_platforms.rs");
}

/// The variables that the module's configuration names, with what Secrets hold.
fn passwords(bootstrap: &mut Value, scenarios: &[Value]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    edit_plugin(bootstrap, |config| {
        for (id, data) in config["secrets"].as_object().into_iter().flatten() {
            let mut secrets = scenarios.iter().flat_map(|one| list(&one["secrets"]));
            let secret = secrets.find(|secret| {
                let [namespace, name] = ["namespace", "name"].map(|key| &secret["metadata"][key]);
                *id == format!("{}/{}", namespace.as_str().unwrap(), name.as_str().unwrap())
            });
            for (key, place) in data.as_object().unwrap() {
                let text = secret.unwrap()["data"][key].as_str().unwrap();
                let text = String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
                all.insert(place["environment"].as_str().unwrap().to_owned(), text);
            }
        }
    });
    all
}
