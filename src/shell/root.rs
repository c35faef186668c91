//! The root context of one plugin: its configuration, and the requests that wait.

use super::announce;
use super::endpoints::Endpoints;
use super::host::{self, HostError, Level};
use super::http::HttpStream;
use super::metrics::{Metric, Metrics};
use crate::config::{self, environment};
use crate::endpoints::EndpointTable;
use crate::facts::Knowledge;
use crate::policy::{self, Policy};
use crate::stream::Count;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Between two looks at what other VMs have learned, ms.
const TICK: u32 = 100;

/// The same while requests wait or tables are built, ms.
const TICK_BUSY: u32 = 10;

/// Failed host calls are logged at most so often, µs.
const REPORT_EVERY: u64 = 10_000_000;

/// The root context.
pub(super) struct Root {
    id: u32,
    /// `None` before configure.
    plugin: Option<(Rc<Policy>, Endpoints)>,
    /// The paused requests.
    waiting: Vec<u32>,
    metrics: Metrics,
    /// This VM has had a request.
    serving: bool,
    tick_period: u32,
    reported: u64,
    /// An Istio sidecar: it also sees what comes in for the pod beside it.
    sidecar: bool,
    inbound_seen: bool,
    /// That the session filter is missing has been told of.
    filter_missed: bool,
    #[cfg(feature = "fault")]
    fault_in_tick: bool,
}

impl Root {
    pub(super) fn new(id: u32) -> Self {
        Self {
            id,
            plugin: None,
            waiting: Vec::new(),
            metrics: Metrics::default(),
            serving: false,
            tick_period: 0,
            reported: 0,
            sidecar: false,
            inbound_seen: false,
            filter_missed: false,
            #[cfg(feature = "fault")]
            fault_in_tick: false,
        }
    }

    /// The context of a new request; `None` before configure.
    pub(super) fn stream(&mut self, context: u32) -> Option<HttpStream> {
        self.serving = true;
        let (policy, _) = self.plugin.as_ref()?;
        Some(HttpStream::new(context, self.id, Rc::clone(policy)))
    }

    /// Takes the plugin configuration. `false`: its bytes are none; Envoy then keeps the old
    /// one, or does not start.
    pub(super) fn configure(&mut self, size: usize) -> bool {
        self.metrics = Metrics::define();
        let bytes = match host::configuration(size) {
            Ok(bytes) => bytes,
            Err(error) => {
                announce::refuse(self.metrics, &error.to_string());
                return false;
            }
        };
        let (mut config, mut remarks) = match config::read(&bytes) {
            Ok(read) => read,
            Err(error) => {
                announce::refuse(self.metrics, &error.to_string());
                return false;
            }
        };
        let mut errors = Vec::new();
        if config.variables().next().is_some() {
            errors = config.take_environment(&environment::read(&host::environment()));
        }
        let (policy, further) = policy::compile(&config);
        remarks.extend(further);
        announce::announce(self.metrics, &bytes, &policy, (&remarks, &errors));
        self.take(policy);
        true
    }

    fn take(&mut self, policy: Policy) {
        let node = host::property(&["xds", "node", "id"]).unwrap_or_default();
        self.sidecar = node.starts_with(b"sidecar~");
        let policy = Rc::new(policy);
        let endpoints = Endpoints::start(Rc::clone(&policy), self.metrics);
        self.plugin = Some((policy, endpoints));
        self.set_tick_period();
    }

    pub(super) fn tick(&mut self) {
        #[cfg(feature = "fault")]
        assert!(!self.fault_in_tick, "fault asked for by a request");
        let serving = self.serving;
        if let Some((_, endpoints)) = &mut self.plugin {
            endpoints.look(serving);
            endpoints.work();
        }
        self.set_tick_period();
    }

    /// The answer to a question of this plugin.
    pub(super) fn answered(&mut self, token: u32, headers: usize, body: usize) {
        if let Some((_, endpoints)) = &mut self.plugin {
            endpoints.answered(token, headers, body);
            endpoints.work();
        }
        self.set_tick_period();
    }

    /// How far a request may trust the endpoints; it has arrived when it first asks.
    pub(super) fn knowledge(&self, arrived: &Cell<Option<u64>>) -> Knowledge {
        let Some((_, endpoints)) = &self.plugin else {
            return Knowledge::Current;
        };
        let now = host::now_us();
        let since = arrived.get().unwrap_or(now);
        arrived.set(Some(since));
        endpoints.knowledge(now, since, self.waiting.len())
    }

    /// Remembers a paused request, and asks for what it waits for.
    pub(super) fn wait(&mut self, stream: u32, arrived: Option<u64>) {
        self.waiting.push(stream);
        self.metrics.count(Metric::Waited);
        self.want(arrived.unwrap_or_default());
    }

    /// Envoy did not use the endpoint that the tables led to: it may know better by now. Makes
    /// the root context the effective one: the last call of a callback.
    pub(super) fn doubt(&mut self) {
        self.want(host::now_us());
    }

    /// Asks for tables that are newer than `since`.
    fn want(&mut self, since: u64) {
        // A call's answer comes to the context that made it: a request's may be gone by then.
        if let Some((_, endpoints)) = &mut self.plugin
            && host::set_effective_context(self.id).is_ok()
        {
            endpoints.want(since);
            endpoints.look(self.serving);
            self.set_tick_period();
        }
    }

    /// Lets the requests go on that have waited long enough.
    pub(super) fn resume(&mut self, streams: &mut BTreeMap<u32, HttpStream>) {
        if self.waiting.is_empty() {
            return;
        }
        let endpoints = self.plugin.as_mut().map(|(_, endpoints)| endpoints);
        let changed = endpoints.is_some_and(Endpoints::take_changed);
        for context in std::mem::take(&mut self.waiting) {
            let Some(stream) = streams.get_mut(&context) else {
                continue;
            };
            let is_due = changed || stream.is_due(self);
            let went_on =
                is_due && (host::set_effective_context(context).is_err() || stream.resume(self));
            if !went_on {
                self.waiting.push(context);
            }
        }
        if host::set_effective_context(self.id).is_ok() {
            self.set_tick_period();
        }
    }

    fn set_tick_period(&mut self) {
        let endpoints = self.plugin.as_ref().map(|(_, endpoints)| endpoints);
        let period = match endpoints.filter(|endpoints| endpoints.needs_ticks()) {
            None => 0,
            Some(endpoints) if endpoints.is_busy() || !self.waiting.is_empty() => TICK_BUSY,
            Some(_) => TICK,
        };
        if period != self.tick_period && host::set_tick_period(period).is_ok() {
            self.tick_period = period;
        }
    }

    /// The endpoints in use; `None` before configure.
    pub(super) fn endpoints(&self) -> Option<&EndpointTable> {
        self.plugin
            .as_ref()
            .map(|(_, endpoints)| endpoints.in_use())
    }

    /// Counts what became of a request.
    pub(super) fn count(&mut self, count: Count) {
        if let Some(metric) = Metric::of(count) {
            self.metrics.count(metric);
        }
        if count == Count::FilterMissing && !self.filter_missed {
            self.filter_missed = true;
            announce::filter_missing();
        }
    }

    /// Counts a failed host call, and logs it now and then.
    pub(super) fn report(&mut self, error: HostError) {
        self.metrics.count(Metric::HostCallFailures);
        let now = host::now_us();
        if now.saturating_sub(self.reported) >= REPORT_EVERY {
            self.reported = now;
            let line = format!("limpet: {error}; the message goes on without what it was for");
            host::log(Level::Error, &line);
        }
    }

    /// Whether this request came in for the pod beside a sidecar: not limpet's business.
    pub(super) fn is_inbound(&mut self) -> bool {
        const INBOUND: [u8; 8] = 1u64.to_le_bytes();
        // Without `xds` Envoy 1.40 knows neither this name nor the node's.
        let direction = || host::property(&["xds", "listener_direction"]);
        let inbound = self.sidecar && direction().is_some_and(|direction| direction == INBOUND);
        if inbound && !self.inbound_seen {
            self.inbound_seen = true;
            let line = "limpet: requests to this pod pass untouched: the plugin belongs to the \
                        outbound side of a sidecar, or to a gateway";
            host::log(Level::Warn, line);
        }
        inbound
    }
}

/// Faults on demand, for tests of what the host does then.
#[cfg(feature = "fault")]
impl Root {
    pub(super) fn fault(&mut self) {
        match host::header(host::Head::Request, "x-limpet-fault") {
            Ok(Some(fault)) if fault == b"trap" => {
                assert_ne!(fault, b"trap", "fault asked for by a request");
            }
            Ok(Some(fault)) if fault == b"tick" => self.fault_in_tick = true,
            _ => {}
        }
    }
}
