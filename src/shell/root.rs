//! The root context of one plugin: its configuration, its endpoints, the requests that wait.

use super::host::{self, HostError, Level};
use super::http::HttpStream;
use super::metrics::{Metric, Metrics};
use super::tables::Tables;
use crate::config;
use crate::discovery::news::{Lease, News, Shared};
use crate::discovery::query::{Keys, Query};
use crate::discovery::{Discovery, Effect, Knowledge, TIMEOUT, listing};
use crate::endpoints::EndpointTable;
use crate::policy::{self, Policy};
use crate::stream::Count;
use crate::warning::Warning;
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Between two looks at what other VMs have learned, ms.
const TICK: u32 = 100;

/// The same while requests wait or tables are built, ms.
const TICK_BUSY: u32 = 10;

/// Reading answers and building tables blocks a worker so long at a time, about.
const SLICE_NS: u64 = 2_000_000;

/// Between two looks at the clock so many endpoints are read.
const ENDPOINTS: usize = 100;

/// Failed host calls are logged at most so often, µs.
const REPORT_EVERY: u64 = 10_000_000;

/// The root context.
pub(super) struct Root {
    id: u32,
    policy: Option<Rc<Policy>>,
    tables: Tables,
    discovery: Option<(Discovery, Keys)>,
    /// The call to the admin that is under way.
    call: Option<u32>,
    /// The paused requests.
    waiting: Vec<u32>,
    /// Tables have come into use since requests were last resumed.
    changed: bool,
    metrics: Metrics,
    /// This VM has had a request.
    serving: bool,
    tick_period: u32,
    reported: u64,
    /// An Istio sidecar: it also sees what comes in for the pod beside it.
    sidecar: bool,
    inbound_seen: bool,
    #[cfg(feature = "fault")]
    fault_in_tick: bool,
}

impl Root {
    pub(super) fn new(id: u32) -> Self {
        Self {
            id,
            policy: None,
            tables: Tables::default(),
            discovery: None,
            call: None,
            waiting: Vec::new(),
            changed: false,
            metrics: Metrics::default(),
            serving: false,
            tick_period: 0,
            reported: 0,
            sidecar: false,
            inbound_seen: false,
            #[cfg(feature = "fault")]
            fault_in_tick: false,
        }
    }

    /// The context of a new request; `None` before configure.
    pub(super) fn stream(&mut self, context: u32) -> Option<HttpStream> {
        self.serving = true;
        let policy = Rc::clone(self.policy.as_ref()?);
        Some(HttpStream::new(context, self.id, policy))
    }

    /// Takes the plugin configuration. `false`: its bytes are none; Envoy then keeps the old
    /// one, or does not start.
    pub(super) fn configure(&mut self, size: usize) -> bool {
        self.metrics = Metrics::define();
        let bytes = match host::configuration(size) {
            Ok(bytes) => bytes,
            Err(error) => {
                host::log(Level::Critical, &format!("limpet: {error}"));
                return false;
            }
        };
        let (config, mut warnings) = match config::read(&bytes) {
            Ok(read) => read,
            Err(error) => {
                self.metrics.set(Metric::ConfigErrors, 1);
                host::log(
                    Level::Critical,
                    &format!("limpet: configuration refused: {error}"),
                );
                return false;
            }
        };
        let (policy, further) = policy::compile(&config);
        warnings.extend(further);
        let errors = usize::from(config.ingresses.is_empty());
        self.metrics.set(Metric::ConfigErrors, errors);
        self.metrics.set(Metric::ConfigWarnings, warnings.len());
        self.announce(&bytes, &policy, &warnings);
        self.take(policy);
        true
    }

    fn take(&mut self, policy: Policy) {
        let node = host::property(&["node", "id"]).unwrap_or_default();
        self.sidecar = node.starts_with(b"sidecar~");
        self.tables = Tables::of_configuration(&policy);
        self.discovery = discovery(&policy, host::now_us());
        self.policy = Some(Rc::new(policy));
        let shared = self.shared();
        if let Some((discovery, _)) = &mut self.discovery {
            let effects = discovery.start(host::now_us(), &shared);
            self.carry_out(effects);
        }
        self.work();
        self.set_tick_period();
    }

    /// Says once per process and configuration what has been read, not once per VM.
    fn announce(&self, bytes: &[u8], policy: &Policy, warnings: &[Warning]) {
        const KEY: &str = "limpet/1/announced";
        let digest = listing::digest(bytes);
        let (before, cas) = host::shared(KEY).ok().flatten().unwrap_or_default();
        let ours = digest.to_le_bytes();
        if before == ours || host::set_shared(KEY, &ours, cas) == Ok(false) {
            return;
        }
        let affinity = policy.clusters.iter().filter(|c| c.affinity.is_some());
        let line = format!(
            "limpet {} configuration {digest:016x}: clusters {}, with affinity {}, warnings {}",
            env!("CARGO_PKG_VERSION"),
            policy.clusters.len(),
            affinity.count(),
            warnings.len(),
        );
        host::log(Level::Warn, &line);
        for warning in warnings {
            host::log(Level::Warn, &format!("limpet: {warning}"));
        }
    }

    pub(super) fn tick(&mut self) {
        #[cfg(feature = "fault")]
        assert!(!self.fault_in_tick, "fault asked for by a request");
        self.look();
        self.work();
        self.set_tick_period();
    }

    /// Reads answers and builds tables, for one slice of time.
    fn work(&mut self) {
        let until = host::now_ns().saturating_add(SLICE_NS);
        while self.is_reading() && host::now_ns() < until {
            self.read_on();
        }
        if let Some(policy) = &self.policy
            && !self.tables.is_built()
        {
            self.tables.work(policy, until);
            self.if_built();
        }
    }

    fn is_reading(&self) -> bool {
        let discovery = self.discovery.as_ref();
        discovery.is_some_and(|(discovery, _)| discovery.is_reading())
    }

    fn read_on(&mut self) {
        let shared = self.shared();
        if let Some((discovery, _)) = &mut self.discovery {
            let effects = discovery.read_on(host::now_us(), &shared, ENDPOINTS);
            self.carry_out(effects);
        }
    }

    /// What there is to learn and to ask.
    fn look(&mut self) {
        let shared = self.shared();
        if let Some((discovery, _)) = &mut self.discovery {
            let effects = discovery.tick(host::now_us(), &shared, self.serving);
            self.carry_out(effects);
        }
    }

    /// The admin's answer. Failures come without headers.
    pub(super) fn answered(&mut self, token: u32, headers: usize, body: usize) {
        if self.call != Some(token) {
            return;
        }
        self.call = None;
        let answer = match headers {
            0 => Err("no answer".to_owned()),
            _ => read_answer(body),
        };
        let shared = self.shared();
        if let Some((discovery, _)) = &mut self.discovery {
            let effects = discovery.answered(host::now_us(), &shared, answer);
            self.carry_out(effects);
        }
        self.work();
        self.set_tick_period();
    }

    fn shared(&self) -> Shared {
        let Some((_, keys)) = &self.discovery else {
            return Shared::default();
        };
        let value = |key: &str| host::shared(key).ok().flatten();
        Shared {
            lease: value(&keys.lease)
                .and_then(|(bytes, cas)| Lease::decode(&bytes).map(|lease| (lease, cas))),
            news: value(&keys.news)
                .and_then(|(bytes, cas)| News::decode(&bytes).map(|news| (news, cas))),
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            let Some((discovery, keys)) = &mut self.discovery else {
                return;
            };
            match effect {
                // Where nothing can be shared, every VM polls for itself.
                Effect::Claim { lease, cas } => {
                    if host::set_shared(&keys.lease, &lease, cas) == Ok(false) {
                        discovery.beaten();
                        return;
                    }
                }
                Effect::Ask { path } => match ask(discovery, &path) {
                    Ok(token) => self.call = Some(token),
                    Err(error) => {
                        let shared = self.shared();
                        if let Some((discovery, _)) = &mut self.discovery {
                            let answer = Err(error.to_string());
                            queue.extend(discovery.answered(host::now_us(), &shared, answer));
                        }
                    }
                },
                Effect::Publish(table) => drop(host::set_shared(&keys.table, &table, 0)),
                Effect::Tell { news, cas } => drop(host::set_shared(&keys.news, &news, cas)),
                Effect::Read => {
                    let table = host::shared(&keys.table).ok().flatten();
                    let shared = self.shared();
                    if let (Some((table, _)), Some((discovery, _))) = (table, &mut self.discovery) {
                        queue.extend(discovery.read(&shared, &table));
                    }
                }
                Effect::Build(clusters) => {
                    let endpoints = discovery.endpoints();
                    self.metrics.set(Metric::Endpoints, endpoints);
                    self.tables.build(clusters);
                }
                Effect::Polled => self.metrics.count(Metric::DiscoveryPolls),
                Effect::Failed(line) => {
                    self.metrics.count(Metric::DiscoveryFailures);
                    if let Some(line) = line {
                        host::log(Level::Warn, &format!("limpet: {line}"));
                    }
                }
            }
        }
    }

    fn if_built(&mut self) {
        if let Some((discovery, _)) = &mut self.discovery
            && self.tables.is_built()
        {
            discovery.built();
            self.changed = true;
        }
    }

    /// How far a request may trust the endpoints; it has arrived when it first asks.
    pub(super) fn knowledge(&self, arrived: &Cell<Option<u64>>) -> Knowledge {
        let Some((discovery, _)) = &self.discovery else {
            return Knowledge::Current;
        };
        let now = host::now_us();
        let since = arrived.get().unwrap_or(now);
        arrived.set(Some(since));
        discovery.knowledge(now, since, self.waiting.len())
    }

    /// Remembers a paused request, and asks for what it waits for.
    pub(super) fn wait(&mut self, stream: u32, arrived: Option<u64>) {
        self.waiting.push(stream);
        self.metrics.count(Metric::Waited);
        if let (Some((discovery, _)), Some(arrived)) = (&mut self.discovery, arrived) {
            discovery.want(arrived);
        }
        // A call's answer comes to the context that made it: a request's may be gone by then.
        if host::set_effective_context(self.id).is_ok() {
            self.look();
            self.set_tick_period();
        }
    }

    /// Lets the requests go on that have waited long enough.
    pub(super) fn resume(&mut self, streams: &mut BTreeMap<u32, HttpStream>) {
        if self.waiting.is_empty() {
            return;
        }
        let changed = std::mem::take(&mut self.changed);
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
        let period = match (&self.discovery, self.waiting.is_empty()) {
            (None, _) => 0,
            (Some(_), true) if self.tables.is_built() && !self.is_reading() => TICK,
            _ => TICK_BUSY,
        };
        if period != self.tick_period && host::set_tick_period(period).is_ok() {
            self.tick_period = period;
        }
    }

    /// The endpoints in use.
    pub(super) fn endpoints(&self) -> &EndpointTable {
        self.tables.in_use()
    }

    /// Counts what became of a request.
    pub(super) fn count(&mut self, count: Count) {
        if let Some(metric) = Metric::of(count) {
            self.metrics.count(metric);
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
        let inbound =
            self.sidecar && host::property(&["listener_direction"]).is_some_and(|d| d == INBOUND);
        if inbound && !self.inbound_seen {
            self.inbound_seen = true;
            let line = "limpet: requests to this pod pass untouched: the plugin belongs to the \
                        outbound side of a sidecar, or to a gateway";
            host::log(Level::Warn, line);
        }
        inbound
    }
}

/// The discovery that a configuration needs; `None` where it gives every endpoint itself, or
/// no session needs any.
fn discovery(policy: &Policy, now: u64) -> Option<(Discovery, Keys)> {
    let wanted = |c: &&crate::cluster::Cluster| {
        c.needs_endpoints() && !policy.endpoints.contains_key(&c.envoy_name)
    };
    let names: Vec<String> = policy
        .clusters
        .iter()
        .filter(wanted)
        .map(|c| c.envoy_name.clone())
        .collect();
    if names.is_empty() {
        return None;
    }
    let settings = &policy.discovery;
    let query = Query::new(settings.cluster.clone(), names);
    let keys = query.keys();
    let discovery = Discovery::new(query, settings.interval_ms, settings.hold_ms, now);
    Some((discovery, keys))
}

fn ask(discovery: &Discovery, path: &str) -> host::Result<u32> {
    let admin = &discovery.query().admin;
    let headers = [
        (":method", "GET"),
        (":path", path),
        (":authority", "limpet"),
    ]
    .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    host::http_call(
        admin,
        &headers,
        u32::try_from(TIMEOUT / 1000).unwrap_or(u32::MAX),
    )
}

fn read_answer(body: usize) -> Result<Vec<u8>, String> {
    match host::call_status() {
        Ok(Some(status)) if status == b"200" => host::call_body(body).map_err(|e| e.to_string()),
        Ok(status) => {
            let status = status.unwrap_or_default();
            Err(format!("status {:?}", String::from_utf8_lossy(&status)))
        }
        Err(error) => Err(error.to_string()),
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
