//! The wasm filter of an engine, and what becomes of it after a trap.

use super::config::EngineConfig;
use crate::environment::{Environment, LogLevel};
use crate::plugin::{FailurePolicy, PluginConfig, StartError};
use crate::vm::Vm;
use std::cell::RefCell;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

/// A VM; streams keep theirs when the filter gets a new one.
pub(super) type SharedVm = Rc<RefCell<Vm>>;

/// What the filter does with a new stream.
pub(super) enum Chosen {
    /// Runs it in this VM.
    Vm(SharedVm),
    /// Lets it pass.
    Skip,
    /// Answers 503.
    Fail,
}

/// The plugin and its VM of the moment.
pub(super) struct Filter {
    plugin: Option<PluginConfig>,
    environment: Environment,
    admin_clusters: Rc<[String]>,
    vm: Option<SharedVm>,
    /// When the VM was last loaded, or that was last tried, by the monotonic clock.
    loaded: Duration,
    /// How long after that it may be tried again.
    backoff: Duration,
    waker: Option<Waker>,
}

impl Filter {
    pub(super) fn start(
        config: &EngineConfig,
        environment: &Environment,
    ) -> Result<Self, StartError> {
        let mut filter = Self {
            plugin: config.plugin.clone(),
            environment: environment.clone(),
            admin_clusters: config.admin_clusters.clone().into(),
            vm: None,
            loaded: Duration::ZERO,
            backoff: Duration::ZERO,
            waker: None,
        };
        filter.load()?;
        Ok(filter)
    }

    pub(super) fn vm(&self) -> Option<SharedVm> {
        self.vm.clone()
    }

    /// See [`super::Engine::reconfigure`].
    pub(super) fn reconfigure(&mut self, configuration: Vec<u8>) -> Result<(), StartError> {
        if let Some(plugin) = &mut self.plugin {
            plugin.configuration.clone_from(&configuration);
        }
        let vm = self.vm.as_ref();
        vm.map_or(Ok(()), |vm| vm.borrow_mut().reconfigure(configuration))
    }

    /// See [`super::Engine::register`].
    pub(super) fn register(&mut self, waker: &Waker) {
        self.waker = Some(waker.clone());
        if let Some(vm) = &self.vm {
            vm.borrow_mut().set_waker(waker.clone());
        }
    }

    /// What becomes of a new stream; reloads a failed VM if its time has come.
    pub(super) fn choose(&mut self) -> Chosen {
        let Some(plugin) = &self.plugin else {
            return Chosen::Skip;
        };
        if let Some(vm) = self.vm.as_ref().filter(|vm| !vm.borrow().failed()) {
            return Chosen::Vm(Rc::clone(vm));
        }
        match plugin.failure_policy {
            FailurePolicy::FailOpen => Chosen::Skip,
            FailurePolicy::FailClosed => Chosen::Fail,
            FailurePolicy::FailReload { .. } => self.reload(),
        }
    }

    fn reload(&mut self) -> Chosen {
        let since = self
            .environment
            .clock
            .monotonic()
            .saturating_sub(self.loaded);
        if since < self.backoff {
            self.count("vm_reload_backoff");
            return Chosen::Fail;
        }
        match self.load() {
            Ok(()) => {
                self.count("vm_reload_success");
                self.vm.clone().map_or(Chosen::Fail, Chosen::Vm)
            }
            Err(error) => {
                self.count("vm_reload_failure");
                let log = &self.environment.log;
                log.log(LogLevel::Error, "host", &error.to_string());
                Chosen::Fail
            }
        }
    }

    fn load(&mut self) -> Result<(), StartError> {
        let Some(plugin) = &self.plugin else {
            return Ok(());
        };
        self.loaded = self.environment.clock.monotonic();
        self.backoff = self.draw_backoff(plugin.failure_policy);
        let first_token = self.vm.as_ref().map_or(1, |vm| vm.borrow().next_token());
        let clusters = Rc::clone(&self.admin_clusters);
        let mut vm = Vm::start(plugin, &self.environment, clusters, first_token)?;
        if let Some(waker) = &self.waker {
            vm.set_waker(waker.clone());
            waker.wake_by_ref();
        }
        self.vm = Some(Rc::new(RefCell::new(vm)));
        Ok(())
    }

    /// The interval and up to half of it more.
    fn draw_backoff(&self, policy: FailurePolicy) -> Duration {
        let FailurePolicy::FailReload { base_interval } = policy else {
            return Duration::ZERO;
        };
        let share = rand::random_range(0.0..0.5);
        base_interval + base_interval.mul_f64(share)
    }

    fn count(&self, what: &str) {
        let name = self
            .plugin
            .as_ref()
            .map_or("", |plugin| plugin.name.as_str());
        let metrics = &self.environment.metrics;
        metrics.count(&format!("wasm.{name}.{what}"), 1);
    }
}
