//! One plugin of one VM: its configuration, its endpoints, and the requests that wait for them.
//!
//! A state machine: callbacks and the answers of a [`Host`] come in, [`Effect`]s go out; a shell
//! carries them out. Which host it is does not matter here.

mod announcement;
pub mod counters;
mod effect;
mod endpoints;
mod host;
pub mod metric;
mod tables;
#[cfg(test)]
mod tests;
mod waiting;

use crate::config::{self, environment};
use crate::endpoints::EndpointTable;
use crate::facts::Knowledge;
use crate::policy::{self, Policy};
use announcement::Announcement;
pub use effect::{Effect, Level, Turn};
use endpoints::Endpoints;
pub use host::Host;
use metric::Metric;
use std::fmt::Display;
use std::sync::Arc;
use waiting::Waiting;

/// Between two looks at what other VMs have learned, ms.
const TICK: u32 = 100;

/// The same while requests wait, tables are built or newer ones are wanted, ms.
const TICK_BUSY: u32 = 10;

/// At most so many requests of one connection wait at a time: nobody fills the room of all.
const WAITING_OF_ONE: usize = 64;

/// Failed host calls are logged at most so often, µs.
const REPORT_EVERY: u64 = 10_000_000;

/// The state of one plugin. `R` is what the shell finds a paused request by.
#[derive(Debug)]
pub struct Plugin<R> {
    /// `None` before configure.
    configured: Option<Configured>,
    waiting: Waiting<R>,
    /// This VM has had a request.
    serving: bool,
    /// Tables are wanted that are newer than the last look.
    wanting: bool,
    tick_period: u32,
    reported: u64,
    /// An Istio sidecar: it also sees what comes in for the pod beside it.
    sidecar: bool,
    inbound_seen: bool,
    /// That the session filter is missing has been told of.
    filter_missed: bool,
}

#[derive(Debug)]
struct Configured {
    policy: Arc<Policy>,
    endpoints: Endpoints,
}

impl<R> Default for Plugin<R> {
    fn default() -> Self {
        Self {
            configured: None,
            waiting: Waiting::none(),
            serving: false,
            wanting: false,
            tick_period: 0,
            reported: 0,
            sidecar: false,
            inbound_seen: false,
            filter_missed: false,
        }
    }
}

impl<R> Plugin<R> {
    /// Takes a configuration.
    ///
    /// # Errors
    /// The bytes are none; Envoy then keeps the old one, or does not start. The effects are to
    /// be carried out all the same.
    pub fn configure(
        &mut self,
        bytes: &[u8],
        host: &impl Host,
    ) -> Result<Vec<Effect>, Vec<Effect>> {
        let (mut config, mut remarks) =
            config::read(bytes).map_err(|error| announcement::refusal(&error.to_string()))?;
        let mut errors = Vec::new();
        if config.variables().next().is_some() {
            errors = config.take_environment(&environment::read(&host.environment()));
        }
        let (policy, further) = policy::compile(&config);
        remarks.extend(further);
        let announcement = Announcement {
            bytes,
            policy: &policy,
            remarks: &remarks,
            errors: &errors,
        };
        let mut effects = announcement.effects(host);
        let node = host.property(&["xds", "node", "id"]).unwrap_or_default();
        self.sidecar = node.starts_with(b"sidecar~");
        let policy = Arc::new(policy);
        let endpoints = Endpoints::start(Arc::clone(&policy), host, &mut effects);
        self.configured = Some(Configured { policy, endpoints });
        self.pace(&mut effects);
        Ok(effects)
    }

    /// The configuration for a new request; `None` before configure.
    pub fn serve(&mut self) -> Option<Arc<Policy>> {
        self.serving = true;
        let configured = self.configured.as_ref()?;
        Some(Arc::clone(&configured.policy))
    }

    /// The endpoints in use; `None` before configure.
    #[must_use]
    pub fn endpoints(&self) -> Option<&EndpointTable> {
        let configured = self.configured.as_ref()?;
        Some(configured.endpoints.in_use())
    }

    /// How far a request that arrived at `arrived` may trust the endpoints at `now`, both in µs.
    /// `connection`: see [`Plugin::wait`]; asked where many wait.
    #[must_use]
    pub fn knowledge(
        &self,
        now: u64,
        arrived: u64,
        connection: impl FnOnce() -> Vec<u8>,
    ) -> Knowledge {
        let waiting = self.waiting.len();
        let knowledge = self.knowledge_beside(waiting, now, arrived);
        let may_wait =
            || waiting < WAITING_OF_ONE || self.waiting.of(&connection()) < WAITING_OF_ONE;
        if knowledge != Knowledge::Coming || may_wait() {
            knowledge
        } else {
            Knowledge::Unavailable
        }
    }

    fn knowledge_beside(&self, waiting: usize, now: u64, arrived: u64) -> Knowledge {
        match &self.configured {
            Some(configured) => configured.endpoints.knowledge(now, arrived, waiting),
            None => Knowledge::Current,
        }
    }

    /// A tick: looks at what other VMs have learned, polls if it is time, works for a slice.
    pub fn tick(&mut self, host: &impl Host) -> Turn<R> {
        let mut effects = Vec::new();
        self.wanting = false;
        if let Some(configured) = &mut self.configured {
            configured.endpoints.look(self.serving, host, &mut effects);
            configured.endpoints.work(host, &mut effects);
        }
        self.turn(host, effects)
    }

    /// The answer to a [`Host::http_call`] of this plugin; read only if it is still wanted.
    pub fn answered(
        &mut self,
        token: u32,
        answer: impl FnOnce() -> Result<Vec<u8>, String>,
        host: &impl Host,
    ) -> Turn<R> {
        let mut effects = Vec::new();
        if let Some(Configured { endpoints, .. }) = &mut self.configured {
            endpoints.answered(token, answer, host, &mut effects);
            endpoints.work(host, &mut effects);
        }
        self.turn(host, effects)
    }

    /// A request pauses that arrived at `arrived`. It is not asked here for newer endpoints, but
    /// in the next tick: the answer to a call comes to the context that made it, and a request's
    /// may be gone by then. `connection`: `ip:port` of the client, empty where it is not known.
    #[must_use]
    pub fn wait(&mut self, request: R, arrived: u64, connection: Vec<u8>) -> Vec<Effect> {
        let mut effects = vec![Effect::Count(Metric::Waited)];
        self.waiting.add(request, arrived, connection);
        self.want(arrived, &mut effects);
        effects
    }

    /// A request that was resumed is still to wait.
    #[must_use]
    pub fn wait_on(&mut self, request: R, arrived: u64, connection: Vec<u8>) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.waiting.add(request, arrived, connection);
        self.pace(&mut effects);
        effects
    }

    /// Envoy did not use the endpoint that the tables led to: it may know better by now.
    #[must_use]
    pub fn doubt(&mut self, host: &impl Host) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.want(host.now_us(), &mut effects);
        effects
    }

    /// A response came without the name of the endpoint that served.
    #[must_use]
    pub fn filter_missing(&mut self, host: &impl Host) -> Vec<Effect> {
        if std::mem::replace(&mut self.filter_missed, true) {
            return Vec::new();
        }
        announcement::filter_missing(host)
    }

    /// A host call was refused: counted, and logged now and then.
    #[must_use]
    pub fn refused(&mut self, error: &dyn Display, host: &impl Host) -> Vec<Effect> {
        let mut effects = vec![Effect::Count(Metric::HostCallFailures)];
        let now = host.now_us();
        if now.saturating_sub(self.reported) >= REPORT_EVERY {
            self.reported = now;
            let line = format!("limpet: {error}; the message goes on without what it was for");
            effects.push(Effect::Log(Level::Error, line));
        }
        effects
    }

    /// What follows if this request came in for the pod beside a sidecar: it is not limpet's
    /// business. `None`: it is.
    pub fn inbound(&mut self, host: &impl Host) -> Option<Vec<Effect>> {
        const INBOUND: [u8; 8] = 1u64.to_le_bytes();
        // Without `xds` Envoy 1.40 knows neither this name nor the node's.
        let direction = || host.property(&["xds", "listener_direction"]);
        if !self.sidecar || direction().is_none_or(|direction| direction != INBOUND) {
            return None;
        }
        if std::mem::replace(&mut self.inbound_seen, true) {
            return Some(Vec::new());
        }
        let line = "limpet: requests to this pod pass untouched: the plugin belongs to the \
                    outbound side of a sidecar, or to a gateway";
        Some(vec![Effect::Log(Level::Warn, line.to_owned())])
    }

    fn want(&mut self, since: u64, effects: &mut Vec<Effect>) {
        if let Some(configured) = &mut self.configured {
            configured.endpoints.want(since);
            self.wanting = true;
        }
        self.pace(effects);
    }

    /// Ends a callback: those go on that have waited long enough, or for what has come.
    fn turn(&mut self, host: &impl Host, mut effects: Vec<Effect>) -> Turn<R> {
        let endpoints = self.configured.as_mut().map(|c| &mut c.endpoints);
        let changed = endpoints.is_some_and(Endpoints::take_changed);
        let mut resumed = Vec::new();
        if !self.waiting.is_empty() {
            let now = host.now_us();
            let mut waiting = std::mem::replace(&mut self.waiting, Waiting::none());
            resumed = waiting.take_due(|arrived| {
                changed || self.knowledge_beside(0, now, arrived) != Knowledge::Coming
            });
            self.waiting = waiting;
        }
        self.pace(&mut effects);
        Turn {
            effects,
            resumed,
            rebuilt: changed,
        }
    }

    /// Ticks as often as there is something to do.
    fn pace(&mut self, effects: &mut Vec<Effect>) {
        let endpoints = self.configured.as_ref().map(|c| &c.endpoints);
        let period = match endpoints.filter(|endpoints| endpoints.needs_ticks()) {
            _ if !self.waiting.is_empty() => TICK_BUSY,
            None => 0,
            Some(endpoints) if endpoints.is_busy() || self.wanting => TICK_BUSY,
            Some(_) => TICK,
        };
        if period != self.tick_period {
            self.tick_period = period;
            effects.push(Effect::Tick(period));
        }
    }
}
