//! The recorded answers to all other annotations, asked of a real Envoy behind
//! `limpet render envoy --close`: what limpet honours is to agree, and what it does not is closed.

use super::listeners::{is_over_tls, merge, rendered};
use limpet_envoy::check::Platform;
use limpet_tests::envoy::RealEnvoy;
use limpet_tests::http::Response;
use limpet_tests::recordings::rest::{
    Agree, Given, Report, Town, client, has_no_answer, is_refused_in_part, scenarios, send,
};
use limpet_tests::recordings::{list, text};
use limpet_tests::tls::{self, Greeting, Relay};

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// How many requests of each family agree.
const AGREE: [(&str, usize); 13] = [
    ("access", 120),
    ("auth", 158),
    ("body", 52),
    ("cors", 83),
    ("errors", 50),
    ("further", 988),
    ("headers", 61),
    ("limits", 37),
    ("mirror", 32),
    ("misc", 110),
    ("realip", 85),
    ("timeouts", 51),
    ("tls", 104),
];

#[test]
fn the_rest_is_answered_as_recorded_or_closed() {
    let whom = "a real Envoy behind `render envoy --close`";
    ask(&scenarios(&AGREE), true, &["envoy"], &AGREE, whom);
}

/// The same without `--strict`, of the scenarios in which ingress-nginx 1.15 refuses a value.
const UNVALIDATED: [(&str, usize); 13] = [
    ("access", 11),
    ("auth", 34),
    ("body", 3),
    ("cors", 14),
    ("errors", 3),
    ("further", 175),
    ("headers", 6),
    ("limits", 1),
    ("mirror", 2),
    ("misc", 28),
    ("realip", 0),
    ("timeouts", 11),
    ("tls", 7),
];

#[test]
fn the_rest_is_answered_as_recorded_or_listed_without_strict() {
    let all = scenarios(&UNVALIDATED);
    let some: Vec<Value> = all.into_iter().filter(is_refused_in_part).collect();
    let whom = "the same without `--strict`, where that refuses a value";
    ask(&some, false, &["envoy", "unvalidated"], &UNVALIDATED, whom);
}

fn ask(all: &[Value], validates: bool, on: &[&str], agree: Agree<'_>, whom: &str) {
    let town = Town::of(all);
    let proxy = Proxy::start(all, &town, validates);
    let mut report = Report::on(on);
    for (number, scenario) in all.iter().enumerate() {
        for (at, request) in list(&scenario["requests"]).iter().enumerate() {
            if let Some(reason) = has_no_answer(request) {
                report.not_asked(scenario, reason);
                continue;
            }
            let seen = town.ask(scenario, request, || proxy.send(number, scenario, request));
            report.compare(scenario, at, &seen, proxy.closed.contains(&number));
        }
    }
    report.finish(agree, whom, "on_envoy/rest.rs");
}

/// One Envoy for all scenarios.
struct Proxy {
    _envoy: RealEnvoy,
    listeners: BTreeMap<String, SocketAddr>,
    /// Who speaks TLS to them.
    relay: Relay,
    /// The scenarios in which something is closed.
    closed: BTreeSet<usize>,
}

impl Proxy {
    fn start(scenarios: &[Value], town: &Town, validates: bool) -> Self {
        let mut bootstrap = Value::Null;
        let mut closed = BTreeSet::new();
        for (number, scenario) in scenarios.iter().enumerate() {
            let given = Given::of(scenario);
            let given = if validates {
                given
            } else {
                given.unvalidated()
            };
            let given = given.closed(Platform::Envoy);
            closed.extend(given.is_closed.then_some(number));
            merge(
                &mut bootstrap,
                rendered(&given, number, &town.pods, &town.authorizer),
            );
        }
        let count = list(&bootstrap["static_resources"]["listeners"]).len();
        let envoy = RealEnvoy::start(&bootstrap.to_string());
        let listeners = envoy.listeners(count);
        let numbered = scenarios.iter().enumerate();
        let greetings = numbered.flat_map(|(number, scenario)| {
            let requests = list(&scenario["requests"]).iter();
            requests.filter_map(move |request| greeting(number, scenario, request))
        });
        let relay = Relay::start(greetings.map(|(name, greeting)| Greeting {
            to: listeners[&name],
            ..greeting
        }));
        Self {
            _envoy: envoy,
            listeners,
            relay,
            closed,
        }
    }

    fn send(&self, number: usize, scenario: &Value, request: &Value) -> std::io::Result<Response> {
        let scheme = request["scheme"].as_str().unwrap();
        match greeting(number, scenario, request) {
            Some((name, greeting)) => {
                let to = self.listeners[&name];
                let place = self.relay.place(&Greeting { to, ..greeting });
                send(request, place.ip(), place)
            }
            None => {
                let listener = self.listeners[&format!("{number}-{scheme}")];
                send(request, client(request), listener)
            }
        }
    }
}

/// How a request over TLS begins, and the listener that it is for, whose address is not known yet;
/// `None`: it is none.
fn greeting(number: usize, scenario: &Value, request: &Value) -> Option<(String, Greeting)> {
    if request["scheme"] != "https" || !is_over_tls(scenario) {
        return None;
    }
    let host = text(&request["host"]).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().to_owned();
    let shows = request["client_cert"].as_str().map(tls::of_client);
    let greeting = Greeting {
        to: SocketAddr::from(([0, 0, 0, 0], 0)),
        client: client(request),
        sni: text(&request["sni"]).unwrap_or(host),
        shows,
        resumes: false,
        is_modern: false,
    };
    Some((format!("{number}-tls"), greeting))
}
