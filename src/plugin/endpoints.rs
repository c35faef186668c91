//! The endpoints of one plugin: carries out what discovery asks for.

use super::effect::{Effect, Level};
use super::host::Host;
use super::metric::Metric;
use super::tables::Tables;
use crate::cluster::Cluster;
use crate::discovery::news::{Lease, News, Shared};
use crate::discovery::query::{Keys, Query};
use crate::discovery::{self, Discovery, TIMEOUT};
use crate::endpoints::EndpointTable;
use crate::facts::Knowledge;
use crate::policy::Policy;
use std::collections::VecDeque;
use std::sync::Arc;

/// Reading answers and building tables blocks a worker so long at a time, about.
const SLICE_NS: u64 = 2_000_000;

/// Between two looks at the clock so many endpoints are read.
const ENDPOINTS: usize = 100;

/// The endpoint tables of one configuration, and how they are kept.
#[derive(Debug)]
pub(super) struct Endpoints {
    policy: Arc<Policy>,
    tables: Tables,
    /// `None`: the configuration gives every endpoint itself, or nothing depends on any.
    discovery: Option<(Discovery, Keys)>,
    /// The question to the admin that is under way.
    call: Option<u32>,
    changed: bool,
}

impl Endpoints {
    /// Takes the endpoints of the configuration, and begins to poll for the others.
    pub(super) fn start(policy: Arc<Policy>, host: &impl Host, effects: &mut Vec<Effect>) -> Self {
        let mut endpoints = Self {
            tables: Tables::of_configuration(&policy),
            discovery: discovery(&policy, host.now_us()),
            policy,
            call: None,
            changed: false,
        };
        effects.push(Effect::Set(Metric::Endpoints, endpoints.tables.given()));
        endpoints.step(host, effects, |discovery, now, shared| {
            discovery.start(now, shared)
        });
        endpoints.work(host, effects);
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

    /// Notes that tables are wanted that are newer than `since`.
    pub(super) fn want(&mut self, since: u64) {
        if let Some((discovery, _)) = &mut self.discovery {
            discovery.want(since);
        }
    }

    /// Learns what there is to learn, and polls if it is time.
    pub(super) fn look(&mut self, serving: bool, host: &impl Host, effects: &mut Vec<Effect>) {
        self.step(host, effects, |discovery, now, shared| {
            discovery.tick(now, shared, serving)
        });
    }

    /// The answer to a question, `answer` if it is the one under way.
    pub(super) fn answered(
        &mut self,
        token: u32,
        answer: impl FnOnce() -> Result<Vec<u8>, String>,
        host: &impl Host,
        effects: &mut Vec<Effect>,
    ) {
        if self.call.take_if(|call| *call == token).is_some() {
            let answer = answer();
            self.step(host, effects, |discovery, now, shared| {
                discovery.answered(now, shared, answer)
            });
        }
    }

    /// Reads answers and builds tables, for one slice of time.
    pub(super) fn work(&mut self, host: &impl Host, effects: &mut Vec<Effect>) {
        let until = host.now_ns().saturating_add(SLICE_NS);
        while self.is_reading() && host.now_ns() < until {
            self.step(host, effects, |discovery, now, shared| {
                discovery.read_on(now, shared, ENDPOINTS)
            });
        }
        if !self.tables.is_built() {
            self.tables.work(&self.policy, until, host);
            if self.tables.is_built() {
                self.changed = true;
                if let Some((discovery, _)) = &mut self.discovery {
                    discovery.built();
                }
            }
        }
    }

    fn is_reading(&self) -> bool {
        let discovery = self.discovery.as_ref();
        discovery.is_some_and(|(discovery, _)| discovery.is_reading())
    }

    /// One step of the machine with all that follows from it.
    fn step(
        &mut self,
        host: &impl Host,
        effects: &mut Vec<Effect>,
        step: impl FnOnce(&mut Discovery, u64, &Shared) -> Vec<discovery::Effect>,
    ) {
        let Some((mut discovery, keys)) = self.discovery.take() else {
            return;
        };
        let first = step(&mut discovery, host.now_us(), &shared(&keys, host));
        let mut queue = VecDeque::from(first);
        while let Some(effect) = queue.pop_front() {
            match self.carry_out(effect, &mut discovery, &keys, host, effects) {
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
        effect: discovery::Effect,
        discovery: &mut Discovery,
        keys: &Keys,
        host: &impl Host,
        effects: &mut Vec<Effect>,
    ) -> Option<Vec<discovery::Effect>> {
        use discovery::Effect as Asked;
        match effect {
            Asked::Claim { lease, cas } => {
                if !host.set_shared_data(&keys.lease, &lease, cas) {
                    discovery.beaten();
                    return None;
                }
            }
            Asked::Ask { path } => match host.http_call(&discovery.query().admin, &path, TIMEOUT) {
                Ok(token) => self.call = Some(token),
                Err(why) => {
                    let shared = shared(keys, host);
                    return Some(discovery.answered(host.now_us(), &shared, Err(why)));
                }
            },
            Asked::Publish(table) => drop(host.set_shared_data(&keys.table, &table, 0)),
            Asked::Tell { news, cas } => drop(host.set_shared_data(&keys.news, &news, cas)),
            Asked::Read => {
                let (table, _) = host.shared_data(&keys.table).unwrap_or_default();
                return Some(discovery.read(&shared(keys, host), &table));
            }
            Asked::Build(clusters) => {
                let known = discovery.endpoints().saturating_add(self.tables.given());
                effects.push(Effect::Set(Metric::Endpoints, known));
                self.tables.build(clusters);
            }
            Asked::Polled => effects.push(Effect::Count(Metric::DiscoveryPolls)),
            Asked::Failed(line) => {
                effects.push(Effect::Count(Metric::DiscoveryFailures));
                let line = line.map(|line| Effect::Log(Level::Warn, format!("limpet: {line}")));
                effects.extend(line);
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

fn shared(keys: &Keys, host: &impl Host) -> Shared {
    Shared {
        lease: host
            .shared_data(&keys.lease)
            .and_then(|(bytes, cas)| Lease::decode(&bytes).map(|lease| (lease, cas))),
        news: host
            .shared_data(&keys.news)
            .and_then(|(bytes, cas)| News::decode(&bytes).map(|news| (news, cas))),
    }
}
