//! Counters, gauges and histograms by name.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// What a metric counts; the numbers are proxy-wasm's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, 0.
    Counter,
    /// The last value written, 1.
    Gauge,
    /// The distribution of the values recorded, 2.
    Histogram,
}

impl Kind {
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        [Self::Counter, Self::Gauge, Self::Histogram]
            .get(usize::try_from(number).ok()?)
            .copied()
    }
}

/// The upper bounds of a histogram's buckets: Envoy's default ones, of the values as
/// recorded. Values above the last are in `count` only.
pub const BUCKETS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10000.0,
    30000.0,
    60000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// What a histogram has recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Distribution {
    /// How many values were at most [`BUCKETS`]`[i]`.
    pub buckets: [u64; BUCKETS.len()],
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
}

/// The value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of a counter.
    Counter(u64),
    /// Of a gauge.
    Gauge(u64),
    /// Of a histogram.
    Histogram(Box<Distribution>),
}

#[derive(Debug)]
pub(crate) struct Metric {
    name: String,
    kind: Kind,
    number: AtomicU64,
    distribution: Mutex<Distribution>,
}

/// Why a metric cannot do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a histogram has no single value")]
pub(crate) struct NoSingleValue;

impl Metric {
    /// Adds to a counter or gauge. A counter does not shrink.
    pub(crate) fn increment(&self, by: i64) -> Result<(), NoSingleValue> {
        let order = Ordering::Relaxed;
        match (self.kind, by) {
            (Kind::Histogram, _) => return Err(NoSingleValue),
            (_, 0..) => self.number.fetch_add(by.unsigned_abs(), order),
            (Kind::Gauge, _) => self.number.fetch_sub(by.unsigned_abs(), order),
            (Kind::Counter, _) => 0,
        };
        Ok(())
    }

    /// Adds to a counter, sets a gauge, takes a histogram's value.
    pub(crate) fn record(&self, value: u64) {
        match self.kind {
            Kind::Counter => {
                self.number.fetch_add(value, Ordering::Relaxed);
            }
            Kind::Gauge => self.number.store(value, Ordering::Relaxed),
            Kind::Histogram => self.observe(value),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "buckets are coarse")]
    fn observe(&self, value: u64) {
        let mut seen = self
            .distribution
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        seen.count += 1;
        seen.sum = seen.sum.saturating_add(value);
        for (count, bound) in seen.buckets.iter_mut().zip(BUCKETS) {
            *count += u64::from(value as f64 <= bound);
        }
    }

    pub(crate) fn number(&self) -> Result<u64, NoSingleValue> {
        match self.kind {
            Kind::Histogram => Err(NoSingleValue),
            Kind::Counter | Kind::Gauge => Ok(self.number.load(Ordering::Relaxed)),
        }
    }

    fn value(&self) -> Value {
        let number = || self.number.load(Ordering::Relaxed);
        match self.kind {
            Kind::Counter => Value::Counter(number()),
            Kind::Gauge => Value::Gauge(number()),
            Kind::Histogram => {
                let seen = self.distribution.lock();
                Value::Histogram(Box::new(
                    seen.unwrap_or_else(PoisonError::into_inner).clone(),
                ))
            }
        }
    }
}

/// All metrics of a process; every VM that defines a name gets the same metric.
#[derive(Debug, Default)]
pub struct Metrics {
    registry: RwLock<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    all: Vec<Arc<Metric>>,
    by_name: HashMap<String, u32>,
}

impl Metrics {
    /// The metric called `name` as `kind`, new if there is none, and its number.
    pub(crate) fn define(&self, kind: Kind, name: &str) -> (u32, Arc<Metric>) {
        let mut registry = self
            .registry
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let Registry { all, by_name } = &mut *registry;
        let known = by_name.get(name).and_then(|id| {
            let metric = all.get(usize::try_from(*id).ok()?)?;
            (metric.kind == kind).then(|| (*id, Arc::clone(metric)))
        });
        known.unwrap_or_else(|| {
            let id = u32::try_from(all.len()).unwrap_or(u32::MAX);
            let metric = Arc::new(Metric {
                name: name.to_owned(),
                kind,
                number: AtomicU64::new(0),
                distribution: Mutex::default(),
            });
            all.push(Arc::clone(&metric));
            by_name.insert(name.to_owned(), id);
            (id, metric)
        })
    }

    pub(crate) fn by_id(&self, id: u32) -> Option<Arc<Metric>> {
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        registry.all.get(usize::try_from(id).ok()?).cloned()
    }

    /// Adds to the counter `name`, which is there from then on.
    pub fn count(&self, name: &str, by: u64) {
        self.define(Kind::Counter, name).1.record(by);
    }

    /// The value of `name`; `None` if nobody defined it.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Value> {
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        let id = registry.by_name.get(name)?;
        Some(registry.all.get(usize::try_from(*id).ok()?)?.value())
    }

    /// All metrics, sorted by name.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(String, Value)> {
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = registry
            .all
            .iter()
            .map(|metric| (metric.name.clone(), metric.value()))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}
