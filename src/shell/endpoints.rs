//! The endpoints of one root context: carries out what discovery asks for.

use super::host::{self, Level};
use super::metrics::{Metric, Metrics};
use super::tables::Tables;
use crate::cluster::Cluster;
use crate::discovery::news::{Lease, News, Shared};
use crate::discovery::query::{Keys, Query};
use crate::discovery::{Discovery, Effect, TIMEOUT};
use crate::endpoints::EndpointTable;
use crate::facts::Knowledge;
use crate::policy::Policy;
use std::collections::VecDeque;
use std::rc::Rc;

/// Reading answers and building tables blocks a worker so long at a time, about.
const SLICE_NS: u64 = 2_000_000;

/// Between two looks at the clock so many endpoints are read.
const ENDPOINTS: usize = 100;

/// The endpoint tables of one configuration, and how they are kept.
pub(super) struct Endpoints {
    policy: Rc<Policy>,
    tables: Tables,
    /// `None`: the configuration gives every endpoint itself, or nothing depends on any.
    discovery: Option<(Discovery, Keys)>,
    /// The question to the admin that is under way.
    call: Option<u32>,
    metrics: Metrics,
    changed: bool,
}

impl Endpoints {
    /// Takes the endpoints of the configuration, and begins to poll for the others. Called in
    /// `on_configure`.
    pub(super) fn start(policy: Rc<Policy>, metrics: Metrics) -> Self {
        let now = host::now_us();
        let mut endpoints = Self {
            tables: Tables::of_configuration(&policy),
            discovery: discovery(&policy, now),
            policy,
            call: None,
            metrics,
            changed: false,
        };
        endpoints
            .metrics
            .set(Metric::Endpoints, endpoints.tables.given());
        endpoints.step(|discovery, shared| discovery.start(now, shared));
        endpoints.work();
        endpoints
    }

    /// The tables in use.
    pub(super) fn in_use(&self) -> &EndpointTable {
        self.tables.in_use()
    }

    /// Whether there is anything to do in ticks.
    pub(super) fn needs_ticks(&self) -> bool {
        self.discovery.is_some()
    }

    /// Whether slices of work are left over for the next ticks.
    pub(super) fn is_busy(&self) -> bool {
        self.is_reading() || !self.tables.is_built()
    }

    /// Whether tables have come into use since the last such question.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// How far a request that arrived at `arrived` may trust the tables.
    pub(super) fn knowledge(&self, now: u64, arrived: u64, waiting: usize) -> Knowledge {
        match &self.discovery {
            Some((discovery, _)) => discovery.knowledge(now, arrived, waiting),
            None => Knowledge::Current,
        }
    }

    /// A request waits for newer tables.
    pub(super) fn want(&mut self, arrived: u64) {
        if let Some((discovery, _)) = &mut self.discovery {
            discovery.want(arrived);
        }
    }

    /// Learns what there is to learn, and polls if it is time. The root context must be the
    /// effective one: an answer comes to the context that asked.
    pub(super) fn look(&mut self, serving: bool) {
        self.step(|discovery, shared| discovery.tick(host::now_us(), shared, serving));
    }

    /// The answer to a question; none without headers. Called in `on_http_call_response`.
    pub(super) fn answered(&mut self, token: u32, headers: usize, body: usize) {
        if self.call.take_if(|call| *call == token).is_none() {
            return;
        }
        let answer = match headers {
            0 => Err("no answer".to_owned()),
            _ => read_answer(body),
        };
        self.step(|discovery, shared| discovery.answered(host::now_us(), shared, answer));
    }

    /// Reads answers and builds tables, for one slice of time.
    pub(super) fn work(&mut self) {
        let until = host::now_ns().saturating_add(SLICE_NS);
        while self.is_reading() && host::now_ns() < until {
            self.step(|discovery, shared| discovery.read_on(host::now_us(), shared, ENDPOINTS));
        }
        if !self.tables.is_built() {
            self.tables.work(&self.policy, until);
            if self.tables.is_built() {
                self.changed = true;
                self.step(|discovery, _| {
                    discovery.built();
                    Vec::new()
                });
            }
        }
    }

    fn is_reading(&self) -> bool {
        let discovery = self.discovery.as_ref();
        discovery.is_some_and(|(discovery, _)| discovery.is_reading())
    }

    /// One step of the machine with all that follows from it.
    fn step(&mut self, step: impl FnOnce(&mut Discovery, &Shared) -> Vec<Effect>) {
        let Some((mut discovery, keys)) = self.discovery.take() else {
            return;
        };
        let mut queue = VecDeque::from(step(&mut discovery, &shared(&keys)));
        while let Some(effect) = queue.pop_front() {
            match self.carry_out(effect, &mut discovery, &keys) {
                // What follows from an effect comes before the effects behind it: those may be off.
                Some(more) => more.into_iter().rev().for_each(|e| queue.push_front(e)),
                None => break,
            }
        }
        self.discovery = Some((discovery, keys));
    }

    /// Carries out one effect; gives what follows from it, `None` if the others are off.
    fn carry_out(
        &mut self,
        effect: Effect,
        discovery: &mut Discovery,
        keys: &Keys,
    ) -> Option<Vec<Effect>> {
        match effect {
            Effect::Claim { lease, cas } => {
                // Where nothing can be shared, every VM polls for itself.
                if host::set_shared(&keys.lease, &lease, cas) == Ok(false) {
                    discovery.beaten();
                    return None;
                }
            }
            Effect::Ask { path } => match ask(discovery.query(), &path) {
                Ok(token) => self.call = Some(token),
                Err(error) => {
                    let answer = Err(error.to_string());
                    return Some(discovery.answered(host::now_us(), &shared(keys), answer));
                }
            },
            Effect::Publish(table) => drop(host::set_shared(&keys.table, &table, 0)),
            Effect::Tell { news, cas } => drop(host::set_shared(&keys.news, &news, cas)),
            Effect::Read => {
                let (table, _) = host::shared(&keys.table).ok().flatten().unwrap_or_default();
                return Some(discovery.read(&shared(keys), &table));
            }
            Effect::Build(clusters) => {
                let known = discovery.endpoints().saturating_add(self.tables.given());
                self.metrics.set(Metric::Endpoints, known);
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
        Some(Vec::new())
    }
}

fn discovery(policy: &Policy, now: u64) -> Option<(Discovery, Keys)> {
    let wanted = |cluster: &&Cluster| {
        cluster.needs_endpoints() && !policy.endpoints.contains_key(&cluster.envoy_name)
    };
    let clusters = policy.clusters.iter().filter(wanted);
    let names: Vec<String> = clusters.map(|c| c.envoy_name.clone()).collect();
    if names.is_empty() {
        return None;
    }
    let settings = &policy.discovery;
    let query = Query::new(settings.cluster.clone(), names);
    let keys = query.keys();
    let discovery = Discovery::new(query, settings.interval_ms, settings.hold_ms, now);
    Some((discovery, keys))
}

fn shared(keys: &Keys) -> Shared {
    let value = |key: &str| host::shared(key).ok().flatten();
    Shared {
        lease: value(&keys.lease)
            .and_then(|(bytes, cas)| Lease::decode(&bytes).map(|lease| (lease, cas))),
        news: value(&keys.news)
            .and_then(|(bytes, cas)| News::decode(&bytes).map(|news| (news, cas))),
    }
}

fn ask(query: &Query, path: &str) -> host::Result<u32> {
    let headers = [
        (":method", "GET"),
        (":path", path),
        (":authority", "limpet"),
    ];
    let timeout_ms = u32::try_from(TIMEOUT / 1000).unwrap_or(u32::MAX);
    host::http_call(&query.admin, &headers, timeout_ms)
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
