//! What all workers of a process share, and what they get from the world around them.

mod clock;
mod log;
mod random;

pub use clock::{Clock, SettableClock, SystemClock};
pub use log::{Collected, Collector, Discard, LogLevel, LogSink, Stderr};
pub use random::{OsRandom, Random, Scripted};

use crate::cluster::Clusters;
use crate::metrics::Metrics;
use crate::shared_data::SharedData;
use std::sync::Arc;

/// What the engines of all worker threads share. Cloning shares, it does not copy.
#[derive(Clone)]
pub struct Environment {
    /// The clusters that routes and calls name; endpoints may change at any time.
    pub clusters: Arc<Clusters>,
    /// The key-value store of `proxy_get_shared_data`.
    pub shared_data: Arc<SharedData>,
    /// Counters, gauges and histograms of the host and its modules.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The random numbers that a module asks for.
    pub random: Arc<dyn Random>,
    /// Where modules and the host log to.
    pub log: Arc<dyn LogSink>,
}

impl Environment {
    /// The real clock, the system's random numbers, and a log on standard error from
    /// level [`LogLevel::Info`].
    #[must_use]
    pub fn new(clusters: Clusters) -> Self {
        Self {
            clusters: Arc::new(clusters),
            shared_data: Arc::new(SharedData::default()),
            metrics: Arc::new(Metrics::default()),
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(OsRandom),
            log: Arc::new(Stderr::from_level(LogLevel::Info)),
        }
    }
}
