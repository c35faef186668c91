//! The host's numbers of the metrics.

use crate::plugin::metric::{Kind, Metric, NAMES};
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

/// The metrics' ids; `None` where the host refused one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Metrics {
    ids: [Option<u32>; NAMES.len()],
}

impl Metrics {
    /// Defines them all. In callbacks of the root.
    pub(super) fn define() -> Self {
        let id = |(name, kind)| {
            let kind = match kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            hostcalls::define_metric(kind, name).ok()
        };
        Self { ids: NAMES.map(id) }
    }

    /// Adds one to a counter.
    pub(super) fn count(&self, metric: Metric) {
        if let Some(id) = self.id(metric) {
            // A metric that cannot be counted has nowhere to be counted.
            let _ = hostcalls::increment_metric(id, 1);
        }
    }

    /// Sets a gauge.
    pub(super) fn set(&self, metric: Metric, value: usize) {
        if let (Some(id), Ok(value)) = (self.id(metric), u64::try_from(value)) {
            let _ = hostcalls::record_metric(id, value);
        }
    }

    fn id(&self, metric: Metric) -> Option<u32> {
        self.ids.get(metric as usize).copied().flatten()
    }
}
