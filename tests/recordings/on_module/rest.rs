//! The recorded answers to all other annotations, asked of the module as `limpet run` serves it.
//!
//! What Envoy does beside the module (`render envoy` writes a route, a listener or a way to pods of its own for
//! it) is asked on a real Envoy alone.

use host_harness::proxy::Proxy;
use host_harness::{Append, Connection, Environment, HeaderEdit, Headers, Template};
use limpet_cli::filter_chain::host_clusters;
use limpet_cli::run::proxy_config;
use limpet_envoy::check::Platform;
use limpet_envoy::clusters::{Cluster, Endpoint, Health};
use limpet_envoy::compiled::Compiled;
use limpet_envoy::plugin_config::Report as Detail;
use limpet_tests::recordings::list;
use limpet_tests::recordings::rest::{
    Given, Report, Town, asks_for_ways, client, has_no_answer, scenarios, send,
};
use limpet_tests::target::module;

use serde_json::Value;
use std::sync::Arc;

/// How many requests of each family agree.
const AGREE: [(&str, usize); 13] = [
    ("access", 120),
    ("auth", 159),
    ("body", 52),
    ("cors", 83),
    ("errors", 50),
    ("further", 609),
    ("headers", 61),
    ("limits", 37),
    ("mirror", 0),
    ("misc", 102),
    ("realip", 74),
    ("timeouts", 18),
    ("tls", 42),
];

#[test]
fn the_rest_is_answered_as_recorded_or_closed() {
    let all = scenarios(&AGREE);
    let town = Town::of(&all);
    let mut report = Report::on(&["module"]);
    for scenario in &all {
        let given = Given::of(scenario).closed(Platform::Envoy);
        let proxies = Proxies::start(&given, &town);
        for (at, request) in list(&scenario["requests"]).iter().enumerate() {
            let reason = has_no_answer(request).or(proxies.as_ref().err().copied());
            let reason = reason.or_else(|| needs_a_listener(request));
            match (&proxies, reason) {
                (Ok(proxies), None) => {
                    let proxy = &proxies.of(request).local_addr();
                    let seen =
                        town.ask(scenario, request, || send(request, client(request), *proxy));
                    report.compare(scenario, at, &seen, given.is_closed);
                }
                (_, reason) => report.not_asked(scenario, reason.unwrap()),
            }
        }
    }
    report.finish(&AGREE, "the module in the harness", "on_module/rest.rs");
}

/// Why a scenario is Envoy's; `None`: the module decides all of it.
fn needs_envoy(compiled: &Compiled<'_>) -> Option<&'static str> {
    let mut all = compiled.clusters.iter().chain(&compiled.authorizers);
    let is_plain = |cluster: &Cluster| cluster.protocol.is_none_or(|one| !one.tls && !one.http2);
    if asks_for_ways(compiled) {
        Some("a route of its own: time-outs, tries, copies")
    } else if compiled.config.client_certificates.is_some() {
        Some("certificates of clients")
    } else if compiled.forwarding.proxied {
        Some("the PROXY protocol")
    } else if !all.all(is_plain) {
        Some("TLS or HTTP/2 toward a server")
    } else {
        None
    }
}

/// Why a request is for a listener that the harness has not.
fn needs_a_listener(request: &Value) -> Option<&'static str> {
    let is_tls = !request["client_cert"].is_null();
    is_tls.then_some("certificates of clients")
}

/// The harness on http, and on https where something in front ended TLS.
struct Proxies {
    http: Proxy,
    https: Option<Proxy>,
}

impl Proxies {
    /// `Err`: why Envoy is needed.
    fn start(given: &Given<'_>, town: &Town) -> Result<Self, &'static str> {
        let flags = given.flags_with(&town.pods);
        let mut compiled = Compiled::new(&given.manifests, &flags).unwrap();
        if let Some(reason) = needs_envoy(&compiled) {
            return Err(reason);
        }
        for authorizer in &mut compiled.authorizers {
            authorizer.endpoints = vec![Endpoint {
                address: town.authorizer.endpoint(),
                health: Health::Healthy,
            }];
        }
        let start = |is_https: bool| {
            let any = "127.0.0.1:0".parse().unwrap();
            let mut config = proxy_config(module(), &compiled, any, Detail::Off);
            config.workers = 1;
            config.access_log = None;
            if is_https {
                behind_tls(&mut config.engine.early_edits);
            }
            Proxy::start(config, &Environment::new(host_clusters(&compiled))).unwrap()
        };
        let mut requests = list(&given.scenario["requests"]).iter();
        let is_asked = requests.any(|request| request["scheme"] == "https");
        Ok(Self {
            http: start(false),
            https: is_asked.then(|| start(true)),
        })
    }

    fn of(&self, request: &Value) -> &Proxy {
        let https = self.https.as_ref();
        https
            .filter(|_| request["scheme"] == "https")
            .unwrap_or(&self.http)
    }
}

/// The same where the connection had TLS.
fn behind_tls(edits: &mut Vec<HeaderEdit>) {
    for edit in edits.iter_mut() {
        if let HeaderEdit::Write { value, .. } = edit
            && let Template::Computed(plain) = value.clone()
        {
            *value = Template::Computed(Arc::new(move |request: &Headers, from: &Connection| {
                let tls = Connection {
                    tls_version: Some("TLSv1.3".to_owned()),
                    ..from.clone()
                };
                plain(request, &tls)
            }));
        }
    }
    edits.push(HeaderEdit::Write {
        name: ":scheme".to_owned(),
        value: Template::Text("https".to_owned()),
        append: Append::OverwriteOrAdd,
    });
}
