//! What a root context shares with the contexts of its requests.

use super::host::{self, Calls, HostError};
use super::metrics::Metrics;
use crate::plugin::{Effect, Level, Plugin};
use proxy_wasm::hostcalls;
use proxy_wasm::types::LogLevel;
use std::cell::{Cell, RefCell};
use std::rc::Weak;
use std::time::Duration;

/// A request that waits.
pub(super) trait Resume {
    /// Goes on, or waits on.
    fn resume(&self);
}

/// A request as the plugin knows it; one that is gone meanwhile is not found any more.
pub(super) type Paused = Weak<dyn Resume>;

/// The plugin, and how its effects are carried out.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) plugin: RefCell<Plugin<Paused>>,
    pub(super) metrics: Cell<Metrics>,
    /// The root context.
    pub(super) root: Cell<u32>,
    #[cfg(feature = "fault")]
    pub(super) fault_in_tick: Cell<bool>,
    #[cfg(feature = "fault")]
    tick_fault_asked: Cell<bool>,
}

impl Shared {
    pub(super) fn carry_out(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Log(level, line) => host::log(log_level(level), &line),
                Effect::Count(metric) => self.metrics.get().count(metric),
                Effect::Set(metric, value) => self.metrics.get().set(metric, value),
                Effect::Tick(ms) => {
                    // Envoy takes any period, from any context of the plugin.
                    let _ = hostcalls::set_tick_period(Duration::from_millis(ms.into()));
                }
            }
        }
    }

    /// A host call was refused: the message goes on without what it was for.
    pub(super) fn refused(&self, error: HostError) {
        let effects = self.plugin.borrow_mut().refused(&error, &Calls);
        self.carry_out(effects);
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

/// Faults on demand, for tests of what the host does then.
#[cfg(feature = "fault")]
impl Shared {
    pub(super) fn fault(&self) {
        let head = proxy_wasm::types::MapType::HttpRequestHeaders;
        match host::header(head, "x-limpet-fault") {
            Ok(Some(fault)) if fault == b"trap" => {
                assert_ne!(fault, b"trap", "fault asked for by a request");
            }
            Ok(Some(fault)) if fault == b"tick" => self.tick_fault_asked.set(true),
            _ => {}
        }
    }

    /// A tick may come within 10 ms, before the pod has answered the request that asked.
    pub(super) fn answered(&self) {
        if self.tick_fault_asked.replace(false) {
            self.fault_in_tick.set(true);
        }
    }
}
