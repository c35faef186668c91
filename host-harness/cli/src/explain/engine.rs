//! The module in the harness, ready for requests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use host_harness::environment::{Collector, Scripted, SettableClock};
use host_harness::{Engine, Environment, LogLevel, Module};
use limpet::remark::Remark;
use limpet::{config, policy};
use serde_json::Value;

use super::exchange;
use super::{Answer, Request};
use crate::{filter_chain, module};
use limpet_envoy::clusters::{self, EndpointsFlag};
use limpet_envoy::forwarding::{self, Forwarding};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::plugin_config::{self, EndpointSource, Options, Report};

/// Where the random numbers of every request start, so that answers repeat.
const SEED: u64 = 1;

/// What the manifests do not say.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `--endpoints`.
    pub endpoints: Vec<EndpointsFlag>,
    /// `--strict`.
    pub strict: bool,
    /// `--now`, Unix seconds; `None`: the real clock.
    pub now: Option<u64>,
    /// `--wasm`.
    pub wasm: Option<PathBuf>,
}

/// The module, configured, ready for requests.
pub struct Explainer {
    engine: Engine,
    random: Arc<Scripted>,
    drops_underscores: bool,
    notes: Vec<String>,
}

impl Explainer {
    /// Starts the module with these manifests.
    ///
    /// # Errors
    /// When the module cannot be found, loaded or configured.
    pub fn new(manifests: &Manifests, settings: &Settings) -> anyhow::Result<Self> {
        let path = module::find(settings.wasm.as_deref())?;
        let module = module::load(&path)?;
        Self::with_module(module, manifests, settings)
    }

    /// The same with a module that is already compiled.
    ///
    /// # Errors
    /// When the module does not start or refuses the configuration.
    pub fn with_module(
        module: Module,
        manifests: &Manifests,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let (clusters, mut notes) = clusters::clusters(manifests, &settings.endpoints);
        let config = plugin_config::plugin_config(
            manifests,
            &clusters,
            Options {
                endpoints: EndpointSource::Static,
                report: Report::Why,
                strict: settings.strict,
                unmatched_is_not_found: true,
                one_virtual_host: true,
            },
        );
        let random = Arc::new(Scripted::from_seed(SEED));
        let log = Arc::new(Collector::from_level(LogLevel::Warn));
        let mut environment = Environment::new(filter_chain::host_clusters(&clusters));
        environment.random = random.clone();
        environment.log = log.clone();
        if let Some(now) = settings.now {
            environment.clock = Arc::new(SettableClock::at(Duration::from_secs(now)));
        }
        let data = manifests.config_map().and_then(|map| map.value.get("data"));
        let forwarding = Forwarding::read(data);
        let engine_config = filter_chain::engine_config(module, &config, &forwarding);
        let engine = Engine::start(&engine_config, &environment).with_context(|| {
            let said: Vec<String> = log.take().into_iter().map(|line| line.message).collect();
            said.join("; ")
        })?;
        notes.extend(remarks(&config)?.iter().map(ToString::to_string));
        Ok(Self {
            engine,
            random,
            drops_underscores: forwarding::drops_underscores(data),
            notes,
        })
    }

    /// What the operator should know: unused flags, and the module's own remarks on the
    /// configuration.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What becomes of one request. Each is answered as if it were the first.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Answer {
        self.random.reset(SEED);
        if let Some(draw) = request.draw {
            // The core draws `1 + random % total`, ingress-nginx `math.random(total)`.
            self.random.push(draw.saturating_sub(1));
        }
        exchange::answer(&self.engine, request, self.drops_underscores)
    }
}

/// What the module says when it takes `config`.
fn remarks(config: &Value) -> anyhow::Result<Vec<Remark>> {
    let (mut config, mut remarks) = config::read(config.to_string().as_bytes())?;
    // The VM has no environment here.
    remarks.extend(config.take_environment(&BTreeMap::new()));
    let (policy, more) = policy::compile(&config);
    remarks.extend(more);
    remarks.extend(policy.idle());
    Ok(remarks)
}
