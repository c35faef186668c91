//! Envoy's numbers of the metrics.

use crate::abi::FilterConfig;
use limpet::plugin::metric::{Kind, Metric, NAMES};

/// The metrics of one configuration; `None` where Envoy refused one.
#[derive(Debug)]
pub(crate) struct Metrics {
    envoy: FilterConfig,
    ids: [Option<usize>; NAMES.len()],
}

impl Metrics {
    /// Defines them all. While the configuration is made: later Envoy takes none.
    pub(crate) fn define(envoy: FilterConfig) -> Self {
        let id = |(name, kind)| match kind {
            Kind::Counter => envoy.define_counter(name),
            Kind::Gauge => envoy.define_gauge(name),
        };
        Self {
            envoy,
            ids: NAMES.map(id),
        }
    }

    /// Adds one to a counter. On any thread.
    pub(crate) fn count(&self, metric: Metric) {
        if let Some(id) = self.id(metric) {
            self.envoy.count(id);
        }
    }

    /// Sets a gauge. On any thread.
    pub(crate) fn set(&self, metric: Metric, value: usize) {
        if let (Some(id), Ok(value)) = (self.id(metric), u64::try_from(value)) {
            self.envoy.set(id, value);
        }
    }

    fn id(&self, metric: Metric) -> Option<usize> {
        self.ids.get(metric as usize).copied().flatten()
    }
}
