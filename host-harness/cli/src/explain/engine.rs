//! The module in the harness, ready for requests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use host_harness::environment::{Collector, Scripted, SettableClock};
use host_harness::{Engine, Environment, LogLevel, Module};
use limpet::policy::Policy;
use limpet::remark::Remark;

use super::addresses::Addresses;
use super::exchange;
use super::{Explanation, Request};
use crate::{filter_chain, module};
use limpet_envoy::check;
use limpet_envoy::clusters::EndpointsFlag;
use limpet_envoy::compiled::{Compiled, Flags};
use limpet_envoy::manifests::Manifests;
use limpet_envoy::plugin_config::{EndpointSource, Options, Report, Unmatched, plugin_config};

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

impl Settings {
    /// The flags that bear on what the manifests mean.
    #[must_use]
    pub fn flags(&self) -> Flags {
        Flags {
            strict: self.strict,
            endpoints: self.endpoints.clone(),
            // Nobody shows a certificate here, and without one nobody comes in.
            on_envoy: true,
            ..Flags::default()
        }
    }
}

/// The module, configured, ready for requests.
pub struct Explainer {
    engine: Engine,
    random: Arc<Scripted>,
    notes: Vec<String>,
    addresses: Addresses,
    policy: Policy,
    /// Clusters of which no endpoint is known, as answers name them, and their Service ports.
    empty: BTreeMap<String, String>,
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
        let compiled = Compiled::new(manifests, &settings.flags())?;
        let options = Options {
            endpoints: EndpointSource::Static,
            report: Report::Why,
            unmatched: Unmatched::NotFound,
            one_virtual_host: true,
        };
        let config = plugin_config(&compiled, options);
        let random = Arc::new(Scripted::from_seed(SEED));
        let log = Arc::new(Collector::from_level(LogLevel::Warn));
        let mut environment = Environment::new(filter_chain::host_clusters(&compiled));
        environment.random = random.clone();
        environment.log = log.clone();
        if let Some(now) = settings.now {
            environment.clock = Arc::new(SettableClock::at(Duration::from_secs(now)));
        }
        let engine_config = filter_chain::engine_config(module, &config, &compiled);
        let engine = Engine::start(&engine_config, &environment).with_context(|| {
            let said: Vec<String> = log.take().into_iter().map(|line| line.message).collect();
            said.join("; ")
        })?;
        let at_start = remarks_at_start(&compiled);
        let mut remarks = check::in_words(&compiled);
        remarks.extend(at_start.iter().map(ToString::to_string));
        let empty = compiled.policy.clusters.iter().filter_map(|known| {
            let mut clusters = compiled.clusters.iter();
            let cluster = clusters.find(|cluster| cluster.name() == known.envoy_name)?;
            let key = cluster.service_port.key();
            let is_empty = cluster.endpoints.is_empty();
            is_empty.then(|| (known.upstream_name.clone(), key))
        });
        let empty = empty.collect();
        let addresses = Addresses::new(&compiled);
        let mut notes = compiled.notes;
        notes.extend(remarks);
        Ok(Self {
            engine,
            random,
            notes,
            addresses,
            policy: compiled.policy,
            empty,
        })
    }

    /// What an answer of 503 is about where nobody has said which pods there are.
    #[must_use]
    pub fn hint(&self, answer: &Explanation) -> Option<String> {
        let asked = self.empty.get(answer.cluster.as_ref()?)?;
        Some(format!(
            "no pod of {asked} is known here: give EndpointSlices among the manifests, or \
             --endpoints {asked}=IP:PORT,..."
        ))
    }

    /// What the operator should know: unused flags, and the module's own remarks on the
    /// configuration.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What becomes of one request. Each is answered as if it were the first.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Explanation {
        self.random.reset(SEED);
        if let Some(draw) = request.draw {
            // The core draws `1 + random % total`, ingress-nginx `math.random(total)`.
            self.random.push(draw.saturating_sub(1));
        }
        let mut answer = exchange::answer(&self.engine, request);
        self.addresses.tell(&self.policy, request, &mut answer);
        answer
    }
}

/// What the module says beyond that when it starts: the VM has no environment here.
fn remarks_at_start(compiled: &Compiled<'_>) -> Vec<Remark> {
    let mut remarks = compiled.config.clone().take_environment(&BTreeMap::new());
    remarks.extend(compiled.policy.idle());
    remarks
}
