//! The recorded answers through the module in the harness, asked as `limpet explain` asks.

use super::agreement::Tally;
use limpet_cli::explain::{Explainer, Request, Settings};
use limpet_envoy::manifests::Manifests;
use limpet_tests::vectors::{self, Observed, list, strings};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many answers of each file agree; only ever raised.
const PATHS: usize = 422;
const FURTHER: usize = 4065;
const SESSIONS: usize = 49;
const FURTHER_SESSIONS: usize = 192;

/// The clock of every scenario.
const NOW: u64 = 1_732_345_678;

/// A VM configured with a scenario.
struct Asked {
    explainer: Explainer,
    services: BTreeMap<String, Vec<String>>,
}

impl Asked {
    fn new(scenario: &Value) -> Self {
        let manifests = Manifests::parse("scenario", &vectors::manifests(scenario)).unwrap();
        let services = vectors::endpoints(scenario);
        let flag = |(service, endpoints): (&String, &Vec<String>)| {
            format!("{service}={}", endpoints.join(","))
                .parse()
                .unwrap()
        };
        let settings = Settings {
            endpoints: services.iter().map(flag).collect(),
            strict: scenario["annotation_validation"] != false,
            now: Some(NOW),
            ..Settings::default()
        };
        let explainer = Explainer::with_module(limpet_tests::module(), &manifests, &settings);
        let explainer = explainer.unwrap_or_else(|why| panic!("{}: {why:#}", scenario["id"]));
        Self {
            explainer,
            services,
        }
    }

    fn answer(&self, line: Value) -> Value {
        let request: Request = serde_json::from_value(line).unwrap();
        serde_json::to_value(self.explainer.answer(&request)).unwrap()
    }
}

#[test]
fn paths_are_answered_as_recorded() {
    let recorded = vectors::read("paths.json");
    agree("paths", list(&recorded["vectors"]), PATHS);
}

#[test]
fn further_paths_are_answered_as_recorded() {
    let recorded = vectors::read("further.json");
    agree("further", list(&recorded), FURTHER);
}

fn agree(family: &str, scenarios: &[Value], floor: usize) {
    let mut tally = Tally::of(family);
    for scenario in scenarios {
        let asked = Asked::new(scenario);
        for request in list(&scenario["requests"]) {
            let answer = Observed::from_explain(&asked.answer(vectors::explain_line(request)));
            let differences = answer.against_path(&request["expect"], &asked.services);
            count(&mut tally, &path_case(scenario, request), differences);
        }
    }
    tally.finish(floor);
}

#[test]
fn sessions_are_kept_as_recorded() {
    let recorded = vectors::read("affinity.json");
    keep("E2E_affinity", list(&recorded["E2E_affinity"]), SESSIONS);
}

#[test]
fn further_sessions_are_kept_as_recorded() {
    let recorded = vectors::read("further-affinity.json");
    keep("further_affinity", list(&recorded), FURTHER_SESSIONS);
}

fn keep(family: &str, scenarios: &[Value], floor: usize) {
    let mut tally = Tally::of(family);
    for scenario in scenarios {
        let asked = Asked::new(scenario);
        for (number, request) in list(&scenario["requests"]).iter().enumerate() {
            let answer = Observed::from_explain(&asked.answer(session_line(request, &asked)));
            let mut differences = answer.against_affinity(request, &asked.services, NOW);
            if differences.is_empty() {
                differences = minted_for_another(&asked, request, &answer);
            }
            count(&mut tally, &session_case(scenario, number), differences);
        }
    }
    tally.finish(floor);
}

/// Counts one answer, and prints how it differs.
fn count(tally: &mut Tally, case: &str, differences: Vec<String>) {
    if !differences.is_empty() {
        println!("  {case}\n    {}", differences.join("\n    "));
    }
    tally.case(case, differences, Vec::new());
}

/// As `on_core/paths.rs` names it: `scenario: GET http host target`, long targets cut.
pub(super) fn path_case(scenario: &Value, request: &Value) -> String {
    let text = |key: &str| vectors::text(&request[key]).unwrap_or_default();
    let target: String = text("target").chars().take(80).collect();
    let id = scenario["id"].as_str().unwrap();
    let mut name = format!(
        "{id}: {} {} {} {target}",
        text("method"),
        text("scheme"),
        text("host")
    );
    if !["", "HTTP/1.1"].contains(&text("http_version").as_str()) {
        name.push_str(" HTTP/1.0");
    }
    if !list(&request["headers"]).is_empty() {
        name.push_str(&format!(" {}", request["headers"]));
    }
    name
}

/// As `on_core/sessions.rs` names it: the scenario and the request's number from 1.
fn session_case(scenario: &Value, number: usize) -> String {
    format!("{} {}", scenario["id"].as_str().unwrap(), number + 1)
}

/// The request as recorded, served by the endpoint that served it; those on port 9 refuse.
fn session_line(request: &Value, asked: &Asked) -> Value {
    let mut line = vectors::explain_line(request);
    let refuses = |endpoint: &&String| endpoint.ends_with(":9");
    let refused: Vec<_> = asked.services.values().flatten().filter(refuses).collect();
    let attempts = refused
        .iter()
        .map(|e| json!({"endpoint": e, "status": "refused"}));
    line["attempts"] = attempts.collect();
    let served = strings(&request["endpoints_observed"])
        .into_iter()
        .find(|e| e != "None");
    let exact = request["endpoint_is_exact"] == true && refused.is_empty();
    if let Some(served) = served.filter(|_| !exact) {
        line["served_by"] = served.into();
    }
    line
}

/// Asks again with the cookie that came: it must lead to the endpoint that answered.
fn minted_for_another(asked: &Asked, request: &Value, answer: &Observed) -> Vec<String> {
    let session = |cookie: &&String| cookie.starts_with("INGRESSCOOKIE=");
    let Some(cookie) = answer.set_cookie.iter().rfind(session) else {
        return Vec::new();
    };
    let mut again = request.clone();
    again["cookie"] = cookie.split(';').next().unwrap().into();
    let second = Observed::from_explain(&asked.answer(vectors::explain_line(&again)));
    match second.endpoint == answer.endpoint && second.set_cookie.iter().all(|c| !session(&c)) {
        true => Vec::new(),
        false => vec![format!(
            "its cookie leads to {:?}, not to {:?}",
            second.endpoint, answer.endpoint
        )],
    }
}
