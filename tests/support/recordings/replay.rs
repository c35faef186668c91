//! Recorded requests, asked of any target.

use super::{Tally, asked, endpoints, list, manifests, strings, text};
use crate::target::{Asked, Observed, Target};
use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::manifests::Manifests;
use serde_json::Value;
use std::collections::BTreeMap;

/// A target with the Ingresses and the endpoints of a scenario.
///
/// # Panics
/// They cannot be read.
pub fn start<T>(scenario: &Value, start: fn(&Manifests, &[EndpointsFlag], bool) -> T) -> T {
    let manifests = Manifests::parse("scenario", &manifests(scenario)).unwrap();
    let services = endpoints(scenario);
    let flag = |(service, endpoints): (&String, &Vec<String>)| {
        let flag = format!("{service}={}", endpoints.join(","));
        flag.parse().unwrap()
    };
    let flags: Vec<EndpointsFlag> = services.iter().map(flag).collect();
    let strict = scenario["annotation_validation"] != false;
    start(&manifests, &flags, strict)
}

/// Asks what `paths.json` recorded; `floor` answers must agree. `compared`: which header fields
/// are, by their names in lower case.
pub fn paths<T: Target>(
    family: &str,
    scenarios: &Value,
    target: fn(&Manifests, &[EndpointsFlag], bool) -> T,
    compared: fn(&str) -> bool,
    floor: usize,
) {
    let mut tally = Tally::of(family);
    for scenario in list(scenarios) {
        let target = start(scenario, target);
        let services = endpoints(scenario);
        for request in list(&scenario["requests"]) {
            let differences = match target.ask(&asked(request)) {
                Ok(answer) => answer.against_path(&request["expect"], &services, compared),
                Err(why) => vec![why],
            };
            count(&mut tally, &path_case(scenario, request), differences);
        }
    }
    tally.finish(floor);
}

/// Asks what the part `E2E_affinity` recorded; `floor` answers must agree.
pub fn sessions<T: Target>(
    family: &str,
    scenarios: &Value,
    target: fn(&Manifests, &[EndpointsFlag], bool) -> T,
    floor: usize,
) {
    let mut tally = Tally::of(family);
    for scenario in list(scenarios) {
        let target = start(scenario, target);
        let services = endpoints(scenario);
        for (number, request) in list(&scenario["requests"]).iter().enumerate() {
            let differences = match target.ask(&session(request, &services)) {
                Ok(answer) => {
                    let mut differences = answer.against_affinity(request, &services);
                    if differences.is_empty() {
                        differences = leads_elsewhere(&target, request, &answer);
                    }
                    differences
                }
                Err(why) => vec![why],
            };
            let case = format!("{} {}", text(&scenario["id"]).unwrap(), number + 1);
            count(&mut tally, &case, differences);
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

/// `scenario: GET http host target`, long targets cut.
///
/// # Panics
/// The scenario has no id.
#[must_use]
pub fn path_case(scenario: &Value, request: &Value) -> String {
    let part = |key: &str| text(&request[key]).unwrap_or_default();
    let target: String = part("target").chars().take(80).collect();
    let (id, method) = (text(&scenario["id"]).unwrap(), part("method"));
    let mut name = format!(
        "{id}: {method} {} {} {target}",
        part("scheme"),
        part("host")
    );
    if !["", "HTTP/1.1"].contains(&part("http_version").as_str()) {
        name.push_str(" HTTP/1.0");
    }
    if !list(&request["headers"]).is_empty() {
        name.push_str(&format!(" {}", request["headers"]));
    }
    name
}

/// The request as recorded, served by the endpoint that served it; those on port 9 refuse.
fn session(request: &Value, services: &BTreeMap<String, Vec<String>>) -> Asked {
    let mut session = asked(request);
    let refuses = |endpoint: &&String| endpoint.ends_with(":9");
    session.endpoints.refuse = services
        .values()
        .flatten()
        .filter(refuses)
        .cloned()
        .collect();
    let exact = request["endpoint_is_exact"] == true && session.endpoints.refuse.is_empty();
    if !exact {
        let mut observed = strings(&request["endpoints_observed"]).into_iter();
        session.endpoints.served_by = observed.find(|endpoint| endpoint != "None");
    }
    session
}

/// Asks again with the cookie that came: it must lead to the endpoint that answered.
fn leads_elsewhere(target: &impl Target, request: &Value, answer: &Observed) -> Vec<String> {
    let session = |cookie: &&String| cookie.starts_with("INGRESSCOOKIE=");
    let Some(cookie) = answer.set_cookie.iter().rfind(session) else {
        return Vec::new();
    };
    let mut again = request.clone();
    again["cookie"] = cookie.split(';').next().unwrap().into();
    let again = target.ask(&asked(&again)).unwrap();
    if again.endpoint == answer.endpoint && again.set_cookie.iter().all(|c| !session(&c)) {
        return Vec::new();
    }
    vec![format!(
        "its cookie leads to {:?}, not to {:?}",
        again.endpoint, answer.endpoint
    )]
}
