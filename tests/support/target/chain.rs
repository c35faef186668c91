//! The filter chain of the harness, whose own balancer chooses; each answer is 200.

use super::{Asked, Observed, Target, module, state};
use crate::http::{bytes, latin1};
use host_harness::environment::Collector;
use host_harness::{Attempted, Connection, Engine, Environment, Headers, LogLevel, Module, Step};
use limpet_cli::filter_chain;
use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::plugin_config::{EndpointSource, Options, Report, Unmatched, plugin_config};
use std::sync::Arc;

/// The chain, and what was logged in it.
pub struct Chain {
    engine: Engine,
    /// From level info on.
    pub log: Arc<Collector>,
}

impl Chain {
    /// Starts it; `variables` are those of the VM's environment.
    ///
    /// # Panics
    /// The module does not start.
    #[must_use]
    pub fn start(
        manifests: &Manifests,
        endpoints: &[EndpointsFlag],
        variables: &[(&str, &str)],
    ) -> Self {
        Self::with_module(module(), Report::Why, manifests, endpoints, variables)
    }

    /// The same with this module, which records decisions so.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn with_module(
        module: Module,
        report: Report,
        manifests: &Manifests,
        endpoints: &[EndpointsFlag],
        variables: &[(&str, &str)],
    ) -> Self {
        let flags = Flags {
            strict: false,
            endpoints: endpoints.to_vec(),
            on_envoy: true,
            ..Flags::default()
        };
        let compiled = Compiled::new(manifests, &flags).unwrap();
        let options = Options {
            endpoints: EndpointSource::Static,
            report,
            unmatched: Unmatched::NotFound,
            one_virtual_host: true,
        };
        let plugin = plugin_config(&compiled, options);
        let mut config = filter_chain::engine_config(module, &plugin, &compiled);
        let variables = variables.iter();
        config.plugin.as_mut().unwrap().environment_variables = variables
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        let mut environment = Environment::new(filter_chain::host_clusters(&compiled));
        let log = Arc::new(Collector::from_level(LogLevel::Info));
        environment.log = log.clone();
        let engine = Engine::start(&config, &environment).unwrap();
        Self { engine, log }
    }

    /// What the module has done, where that is counted.
    #[must_use]
    pub fn guest_work(&self) -> Option<u64> {
        self.engine.guest_work()
    }
}

impl Target for Chain {
    fn ask(&self, request: &Asked) -> Result<Observed, String> {
        let authority = request.host.as_deref().unwrap_or_default();
        let mut head = Headers::new();
        for (name, value) in [
            (":authority", authority),
            (":path", &request.target),
            (":method", &request.method),
            (":scheme", &request.scheme),
        ] {
            head.add(name, bytes(value));
        }
        for (name, value) in &request.headers {
            head.add(name.to_ascii_lowercase(), bytes(value));
        }
        let (mut exchange, step) = self.engine.request(head, Connection::default(), true, None);
        let Step::Attempt(attempt) = step else {
            return Err(format!("no try: {step:?}"));
        };
        let mut response = Headers::with_status(200);
        for (name, value) in &request.endpoints.headers {
            response.add(name.as_str(), bytes(value));
        }
        let Step::Answer(answer) = exchange.respond(Attempted::Response(response)) else {
            return Err("no answer".to_owned());
        };
        let record = exchange.property("limpet_decision");
        let record = record.map(|record| String::from_utf8(record).unwrap());
        Ok(Observed {
            status: answer.head.status().unwrap(),
            endpoint: Some(attempt.endpoint.to_string()),
            set_cookie: answer.head.all("set-cookie").map(latin1).collect(),
            state: record.as_deref().and_then(state),
            record,
            ..Observed::default()
        })
    }
}
