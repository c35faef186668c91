//! Counters, gauges and histograms by name.

/// All metrics of a process.
#[derive(Debug, Default)]
pub struct Metrics {}
