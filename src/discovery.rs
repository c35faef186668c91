//! Where endpoints come from: polls of Envoy's own admin, shared by every VM of a process.
//!
//! A state machine: the time, the shared values and the answers come in, [`Effect`]s go out;
//! the shell carries them out. Every worker of an Envoy runs one, and so does the main
//! thread; one of them polls at a time, the others take over what it published.

pub mod answer;
mod effect;
pub mod listing;
pub mod membership;
pub mod news;
mod poll_end;
pub mod query;
mod schedule;
#[cfg(test)]
mod tests;

use crate::facts::Knowledge;
use answer::Reading;
pub use effect::Effect;
use listing::Listing;
use news::{Lease, Shared};
use query::Query;
use std::collections::BTreeMap;

/// The time-out of each question to the admin, in µs.
pub const TIMEOUT: u64 = schedule::TIMEOUT;

/// At most so many requests of one VM wait at a time.
const WAITING: usize = 1024;

/// Even where the figures of membership stand still, the endpoints are read so often, in µs:
/// two endpoints that swap their health leave the figures as they were.
const READ_ANYWAY: u64 = 30_000_000;

/// The state of one VM.
#[derive(Debug)]
pub struct Discovery {
    query: Query,
    interval: u64,
    hold: u64,
    configured: u64,
    /// What this VM knows, or is building tables of.
    listing: Listing,
    /// Of `listing`; 0: nothing is known yet.
    digest: u64,
    /// When the poll began that the tables in use agree with.
    confirmed: Option<u64>,
    /// As `confirmed`, for the tables that are being built.
    building: Option<u64>,
    /// Polls that failed since the last good one, as far as this VM knows.
    failures: u64,
    /// The arrival of the latest request that asks for an early poll.
    wanted: Option<u64>,
    /// The poll under way began before the regular one was due.
    early: bool,
    /// When the next poll can begin at the earliest, as far as this VM knows.
    next: u64,
    /// Whether Envoy keeps the figures of membership.
    figures: Figures,
    /// When this VM last read all endpoints.
    read_all: u64,
    poll: Option<Poll>,
    /// The answer that ends a poll of this VM.
    reading: Option<Reading>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figures {
    Untried,
    Kept,
    NotKept,
}

/// A poll of this VM that is under way.
#[derive(Debug)]
struct Poll {
    began: u64,
    question: Question,
}

#[derive(Debug)]
enum Question {
    /// Which clusters have changed?
    Membership,
    /// What are the endpoints of these clusters? With the marks that were read before.
    Endpoints {
        clusters: Vec<String>,
        marks: BTreeMap<String, u64>,
    },
}

/// What went wrong where no answer came. A host does not tell one that is too long from none.
pub const UNANSWERED: &str = "no answer, or one beyond http.async_response_buffer_limit";

impl Discovery {
    /// The machine of a VM that is configured at `now`. `interval_ms`: between two polls;
    /// `hold_ms`: how long a request waits at most. All other times are µs since 1970.
    #[must_use]
    pub fn new(query: Query, interval_ms: u64, hold_ms: u64, now: u64) -> Self {
        Self {
            query,
            interval: interval_ms.saturating_mul(1000).max(schedule::EARLY),
            hold: hold_ms.saturating_mul(1000),
            configured: now,
            listing: Listing::default(),
            digest: 0,
            confirmed: None,
            building: None,
            failures: 0,
            wanted: None,
            early: false,
            next: 0,
            figures: Figures::Untried,
            read_all: 0,
            poll: None,
            reading: None,
        }
    }

    /// The query this machine asks.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// How many endpoints are known.
    #[must_use]
    pub fn endpoints(&self) -> usize {
        self.listing.endpoints()
    }

    /// The first poll of this VM, from configure: whatever others do, and what they have
    /// published is taken over at once.
    pub fn start(&mut self, now: u64, shared: &Shared) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.take_over(now, shared, &mut effects);
        let lease = Lease { began: now }.encode();
        effects.push(Effect::Polled);
        effects.push(self.ask_endpoints(now, self.query.clusters.clone(), BTreeMap::new()));
        // This poll happens whoever holds the lease: nothing to be beaten in.
        effects.push(Effect::Claim { lease, cas: 0 });
        effects
    }

    /// Looks at the shared values and polls when it is time. `serving`: this VM answers
    /// requests; one that does not (the main thread's) polls rather than this one.
    pub fn tick(&mut self, now: u64, shared: &Shared, serving: bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.take_over(now, shared, &mut effects);
        // The host answers every question in time, if only by saying that it did not; and if not:
        let lost = 2 * TIMEOUT;
        self.poll = self.poll.take().filter(|p| now.abs_diff(p.began) <= lost);
        self.reading = self.reading.take().filter(|_| self.poll.is_some());
        let regular = schedule::due(shared, self.interval, serving);
        self.next = schedule::next(shared, regular);
        let early = self.wanted.and_then(|w| schedule::early(shared, w));
        let due = early.map_or(regular, |early| early.min(regular));
        if self.poll.is_some() || schedule::is_before(now, due) {
            return effects;
        }
        self.early = schedule::is_before(now, regular);
        effects.push(Effect::Claim {
            lease: Lease { began: now }.encode(),
            cas: shared.lease.map_or(0, |(_, cas)| cas),
        });
        effects.push(Effect::Polled);
        effects.push(self.begin(now));
        effects
    }

    /// Somebody else has taken the lease first.
    pub fn beaten(&mut self) {
        self.poll = None;
    }

    /// How far a request that arrived at `arrived` may trust the tables in use. `waiting`:
    /// how many other requests of this VM wait.
    #[must_use]
    pub fn knowledge(&self, now: u64, arrived: u64, waiting: usize) -> Knowledge {
        let (since, next) = match self.confirmed {
            Some(confirmed) if confirmed > arrived => return Knowledge::Current,
            Some(_) => (arrived, self.next),
            None => (self.configured, 0),
        };
        let end = since.saturating_add(self.hold);
        let in_time = now.abs_diff(since) < self.hold && !schedule::is_before(end, Some(next));
        if in_time && self.failures == 0 && waiting < WAITING {
            Knowledge::Coming
        } else {
            Knowledge::Unavailable
        }
    }

    /// A request that arrived at `arrived` waits for a poll that begins after that.
    pub fn want(&mut self, arrived: u64) {
        self.wanted = self.wanted.max(Some(arrived));
    }

    /// The admin's answer to [`Effect::Ask`]: the body of a 200, or what went wrong. Afterwards
    /// [`Discovery::read_on`] is to be called until [`Discovery::is_reading`] says no.
    pub fn answered(
        &mut self,
        now: u64,
        shared: &Shared,
        answer: Result<Vec<u8>, String>,
    ) -> Vec<Effect> {
        let Some(Poll { began, question }) = self.poll.take() else {
            return Vec::new();
        };
        match (question, answer) {
            (Question::Membership, Ok(body)) => self.compare_marks(now, shared, began, &body),
            // Without the cheap question the endpoints themselves can still be asked for.
            (Question::Membership, Err(_)) => self.compare_marks(now, shared, began, &[]),
            (question @ Question::Endpoints { .. }, Ok(body)) => match Reading::start(body) {
                Ok(reading) => {
                    self.poll = Some(Poll { began, question });
                    self.reading = Some(reading);
                    Vec::new()
                }
                Err(garbage) => self.fail(now, shared, began, garbage.0),
            },
            (Question::Endpoints { .. }, Err(why)) => self.fail(now, shared, began, &why),
        }
    }

    /// Whether an answer is still being read.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Reads up to so many endpoints of an answer, and ends the poll with the last.
    pub fn read_on(&mut self, now: u64, shared: &Shared, endpoints: usize) -> Vec<Effect> {
        let Some(mut reading) = self.reading.take() else {
            return Vec::new();
        };
        let step = reading.step(endpoints);
        if step == Ok(false) {
            self.reading = Some(reading);
            return Vec::new();
        }
        let Some(Poll {
            began,
            question: Question::Endpoints { clusters, marks },
        }) = self.poll.take()
        else {
            return Vec::new();
        };
        match step {
            Ok(_) => {
                let found = reading.finish(&clusters);
                self.merge(now, shared, began, &clusters, &marks, found)
            }
            Err(garbage) => self.fail(now, shared, began, garbage.0),
        }
    }

    /// The shared endpoints, as read for [`Effect::Read`].
    pub fn read(&mut self, shared: &Shared, table: &[u8]) -> Vec<Effect> {
        // The value may be newer than the news; then the next tick's news will fit.
        let news = shared.news.map(|(news, _)| news);
        match (news, Listing::decode(table)) {
            (Some(news), Some(listing)) if listing::digest(table) == news.digest => {
                self.adopt(listing, news.digest, news.began)
            }
            _ => Vec::new(),
        }
    }

    /// The tables of the last [`Effect::Build`] are in use.
    pub fn built(&mut self) {
        self.confirmed = self.confirmed.max(self.building.take());
    }

    /// Takes the news of other VMs.
    fn take_over(&mut self, now: u64, shared: &Shared, effects: &mut Vec<Effect>) {
        // A clock that was set back must not make old news true forever.
        if self.confirmed.is_some_and(|confirmed| confirmed > now) {
            self.confirmed = Some(0);
        }
        let Some((news, _)) = shared.news.filter(|(news, _)| news.began <= now) else {
            return;
        };
        self.failures = news.failures;
        if news.failures > 0 && (news.digest == 0 || self.digest != 0) {
            return;
        }
        if news.digest == self.digest {
            self.confirm(news.began);
        } else if news.digest != 0 {
            effects.push(Effect::Read);
        }
    }

    fn confirm(&mut self, began: u64) {
        match &mut self.building {
            Some(building) => *building = began.max(*building),
            None => self.confirmed = self.confirmed.max(Some(began)),
        }
        self.wanted = self.wanted.filter(|&wanted| wanted >= began);
    }

    /// The first question of a poll.
    fn begin(&mut self, now: u64) -> Effect {
        if self.figures == Figures::NotKept {
            let clusters = self.query.clusters.clone();
            return self.ask_endpoints(now, clusters, BTreeMap::new());
        }
        self.poll = Some(Poll {
            began: now,
            question: Question::Membership,
        });
        Effect::Ask {
            path: query::membership_path(&self.query.clusters),
        }
    }

    fn ask_endpoints(
        &mut self,
        began: u64,
        clusters: Vec<String>,
        marks: BTreeMap<String, u64>,
    ) -> Effect {
        let known = (self.digest != 0).then(|| self.listing.endpoints());
        let path = query::endpoints_path(&clusters, known);
        let question = Question::Endpoints { clusters, marks };
        self.poll = Some(Poll { began, question });
        Effect::Ask { path }
    }
}
