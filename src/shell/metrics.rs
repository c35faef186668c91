//! The counters and gauges, by their fixed names.

use super::host;
use crate::affinity::State;
use crate::stream::Count;

/// Every metric, in the order of [`NAMES`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Metric {
    SessionsNew,
    SessionsKept,
    SessionsMoved,
    SessionsDead,
    SessionsForeign,
    Redirects,
    NotFound,
    Waited,
    DiscoveryPolls,
    DiscoveryFailures,
    FilterMissing,
    HostCallFailures,
    Endpoints,
    ConfigWarnings,
    ConfigErrors,
}

use host::Metric::{Counter, Gauge};

/// Envoy shows them in `/stats/prometheus` under these names.
const NAMES: [(&str, host::Metric); 15] = [
    ("limpet_sessions_new", Counter),
    ("limpet_sessions_kept", Counter),
    ("limpet_sessions_moved", Counter),
    ("limpet_sessions_dead", Counter),
    ("limpet_sessions_foreign", Counter),
    ("limpet_redirects", Counter),
    ("limpet_not_found", Counter),
    ("limpet_waited", Counter),
    ("limpet_discovery_polls", Counter),
    ("limpet_discovery_failures", Counter),
    ("limpet_filter_missing", Counter),
    ("limpet_host_call_failures", Counter),
    ("limpet_endpoints", Gauge),
    ("limpet_config_warnings", Gauge),
    ("limpet_config_errors", Gauge),
];

/// The metrics' ids; `None` where the host refused one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Metrics {
    ids: [Option<u32>; NAMES.len()],
}

impl Metrics {
    /// Defines them all. At configure.
    pub(super) fn define() -> Self {
        Self {
            ids: NAMES.map(|(name, kind)| host::define_metric(kind, name).ok()),
        }
    }

    /// Adds one to a counter.
    pub(super) fn count(&self, metric: Metric) {
        if let Some(id) = self.id(metric) {
            // A metric that cannot be counted has nowhere to be counted.
            let _ = host::increment(id, 1);
        }
    }

    /// Sets a gauge.
    pub(super) fn set(&self, metric: Metric, value: usize) {
        if let (Some(id), Ok(value)) = (self.id(metric), u64::try_from(value)) {
            let _ = host::record(id, value);
        }
    }

    fn id(&self, metric: Metric) -> Option<u32> {
        self.ids.get(metric as usize).copied().flatten()
    }
}

impl Metric {
    /// The counter of what a stream counts.
    pub(super) fn of(count: Count) -> Option<Self> {
        Some(match count {
            Count::Session(State::New) => Self::SessionsNew,
            Count::Session(State::Kept) => Self::SessionsKept,
            Count::Session(State::Moved) => Self::SessionsMoved,
            Count::Session(State::Dead) => Self::SessionsDead,
            Count::Session(State::Foreign) => Self::SessionsForeign,
            Count::Redirect => Self::Redirects,
            Count::NotFound => Self::NotFound,
            Count::FilterMissing => Self::FilterMissing,
        })
    }
}
