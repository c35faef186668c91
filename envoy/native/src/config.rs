//! One configuration of the filter: the plugin that serves every worker.

use crate::abi::{self, FilterConfig, FilterScheduler, LogLevel};
use crate::host::{Call, Process, now_ns};
use crate::metrics::Metrics;
use crate::timer::Timer;
use arc_swap::ArcSwap;
use limpet::endpoints::EndpointTable;
use limpet::facts::Knowledge;
use limpet::plugin::{Effect, Level, Plugin, Turn};
use limpet::policy::Policy;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What all filters of one configuration share.
#[derive(Debug)]
pub(crate) struct Config {
    envoy: FilterConfig,
    policy: Arc<Policy>,
    /// The plugin's tables. They change while the plugin is locked.
    tables: ArcSwap<EndpointTable>,
    plugin: Mutex<Plugin<FilterScheduler>>,
    metrics: Metrics,
    timer: Timer,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    /// Asked for while the configuration was made: Envoy cannot answer yet.
    waiting: Vec<Call>,
    /// The plugin's token by Envoy's number.
    under_way: HashMap<u64, u32>,
}

impl Config {
    /// Reads a configuration; `None`: it is none, which is in the log. On the main thread.
    pub(crate) fn new(envoy: FilterConfig, bytes: &[u8]) -> Option<Arc<Self>> {
        let metrics = Metrics::define(envoy);
        let process = Process::default();
        let mut plugin = Plugin::default();
        let configured = plugin.configure(bytes, &process);
        let policy = configured.is_ok().then(|| plugin.serve()).flatten();
        let (Ok(effects) | Err(effects)) = configured;
        let Some(policy) = policy else {
            effects
                .into_iter()
                .for_each(|effect| tell(&metrics, None, effect));
            return None;
        };
        let tables = plugin.endpoints().cloned().unwrap_or_default();
        let config = Arc::new(Self {
            envoy,
            policy,
            tables: ArcSwap::from_pointee(tables),
            plugin: Mutex::new(plugin),
            metrics,
            timer: Timer::new(envoy.scheduler()),
            calls: Mutex::new(Calls {
                waiting: process.into_calls(),
                under_way: HashMap::new(),
            }),
        });
        if abi::is_validation() {
            let quiet = |effect: &Effect| !matches!(effect, Effect::Tick(_));
            config.carry_out(effects.into_iter().filter(quiet).collect());
        } else {
            config.carry_out(effects);
            config.timer.tick_now();
        }
        Some(config)
    }

    /// Envoy's side of it goes: nothing of it is called any more. On the main thread.
    pub(crate) fn stop(&self) {
        self.timer.stop();
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn tables(&self) -> arc_swap::Guard<Arc<EndpointTable>> {
        self.tables.load()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How far a request that arrived at `arrived`, µs since 1970, may trust these tables.
    pub(crate) fn knowledge(
        &self,
        of: &Arc<EndpointTable>,
        arrived: u64,
        connection: impl FnOnce() -> Vec<u8>,
    ) -> Knowledge {
        let plugin = self.lock();
        // Newer ones have come since it looked: what the plugin knows is about those.
        if !Arc::ptr_eq(of, &self.tables.load()) {
            return Knowledge::Coming;
        }
        plugin.knowledge(now_ns() / 1000, arrived, connection)
    }

    /// A request of `connection` pauses; `again`: it has before.
    pub(crate) fn wait(
        &self,
        request: FilterScheduler,
        arrived: u64,
        connection: Vec<u8>,
        again: bool,
    ) {
        let mut plugin = self.lock();
        let effects = match again {
            true => plugin.wait_on(request, arrived, connection),
            false => plugin.wait(request, arrived, connection),
        };
        drop(plugin);
        self.carry_out(effects);
    }

    /// Envoy did not use the endpoint that the tables led to.
    pub(crate) fn doubt(&self) {
        let effects = self.lock().doubt(&Process::default());
        self.carry_out(effects);
    }

    /// A response came without the name of the endpoint that served.
    pub(crate) fn filter_missing(&self) {
        let effects = self.lock().filter_missing(&Process::default());
        self.carry_out(effects);
    }

    /// A call to Envoy was refused: the message goes on without what it was for.
    pub(crate) fn refused(&self, call: &str) {
        let error = format!("call {call} was refused");
        let effects = self.lock().refused(&error, &Process::default());
        self.carry_out(effects);
    }

    /// A tick, on the main thread.
    pub(crate) fn on_scheduled(&self) {
        self.timer.ticked();
        let waiting = std::mem::take(&mut self.calls().waiting);
        self.send(waiting);
        self.turn(|plugin, process| plugin.tick(process));
    }

    /// The answer to a call, on the main thread: the body of a 200, or what went wrong.
    pub(crate) fn on_answer(&self, id: u64, answer: Result<Vec<u8>, String>) {
        let token = self.calls().under_way.remove(&id);
        if let Some(token) = token {
            self.turn(|plugin, process| plugin.answered(token, || answer, process));
        }
    }

    fn turn(
        &self,
        callback: impl FnOnce(&mut Plugin<FilterScheduler>, &Process) -> Turn<FilterScheduler>,
    ) {
        let process = Process::default();
        let mut plugin = self.lock();
        let turn = callback(&mut plugin, &process);
        if let Some(tables) = plugin.endpoints().filter(|_| turn.rebuilt) {
            self.tables.store(Arc::new(tables.clone()));
        }
        drop(plugin);
        self.carry_out(turn.effects);
        turn.resumed.iter().for_each(FilterScheduler::commit);
        self.send(process.into_calls());
    }

    fn send(&self, calls: Vec<Call>) {
        for call in calls {
            match self.envoy.call(&call.cluster, &call.path, call.timeout_ms) {
                Ok(id) => drop(self.calls().under_way.insert(id, call.token)),
                Err(why) => {
                    let why = format!("{}: {why}", call.cluster);
                    self.turn(|plugin, process| plugin.answered(call.token, || Err(why), process));
                }
            }
        }
    }

    fn carry_out(&self, effects: Vec<Effect>) {
        for effect in effects {
            tell(&self.metrics, Some(&self.timer), effect);
        }
    }

    /// A panic has left the plugin as it was between two steps, or half way through one: it
    /// polls again, and every table is complete by itself.
    fn lock(&self) -> MutexGuard<'_, Plugin<FilterScheduler>> {
        self.plugin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(metrics: &Metrics, timer: Option<&Timer>, effect: Effect) {
    match effect {
        Effect::Log(level, line) => abi::log(log_level(level), &line),
        Effect::Count(metric) => metrics.count(metric),
        Effect::Set(metric, value) => metrics.set(metric, value),
        Effect::Tick(ms) => timer.into_iter().for_each(|timer| timer.set(ms)),
    }
}

fn log_level(level: Level) -> LogLevel {
    match level {
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
        Level::Critical => LogLevel::Critical,
    }
}
