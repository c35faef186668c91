//! How a poll ends: what its answers change, and what the other VMs hear of it.

use super::listing::{Entry, Listing};
use super::news::{News, Shared};
use super::{Discovery, Effect, Figures, READ_ANYWAY, membership, schedule};
use crate::endpoints::{Endpoint, in_order};
use std::collections::BTreeMap;

impl Discovery {
    /// After the figures of membership: asks for the clusters that moved, if any did.
    pub(super) fn compare_marks(
        &mut self,
        now: u64,
        shared: &Shared,
        began: u64,
        body: &[u8],
    ) -> Vec<Effect> {
        let marks = membership::marks(&self.query.clusters, body);
        let again = now.abs_diff(self.read_all) >= READ_ANYWAY;
        let moved = |name: &String| {
            let known = self.listing.clusters.get(name).map(|c| c.mark);
            again || known.is_none() || known != marks.get(name).copied()
        };
        let clusters: Vec<String> = self
            .query
            .clusters
            .iter()
            .filter(|c| moved(c))
            .cloned()
            .collect();
        if clusters.is_empty() {
            self.succeed(now, shared, began)
        } else {
            vec![self.ask_endpoints(began, clusters, marks)]
        }
    }

    /// After the endpoints: puts them into the listing. What Envoy does not list stays as it
    /// was: a cluster it does not know serves nobody, so nothing can be lost by it.
    pub(super) fn merge(
        &mut self,
        now: u64,
        shared: &Shared,
        began: u64,
        asked: &[String],
        marks: &BTreeMap<String, u64>,
        mut found: BTreeMap<String, Vec<Endpoint>>,
    ) -> Vec<Effect> {
        if self.figures == Figures::Untried && !found.is_empty() && self.digest != 0 {
            self.figures = if marks.is_empty() {
                Figures::NotKept
            } else {
                Figures::Kept
            };
        }
        if asked.len() == self.query.clusters.len() {
            self.read_all = now;
        }
        let mut listing = self.listing.clone();
        for name in asked {
            if let Some(endpoints) = found.remove(name) {
                let mark = marks.get(name).copied().unwrap_or(0);
                let endpoints = in_order(endpoints);
                listing
                    .clusters
                    .insert(name.clone(), Entry { mark, endpoints });
            }
        }
        let (_, digest) = listing.encode();
        let mut effects = self.adopt(listing, digest, began);
        effects.extend(self.succeed(now, shared, began));
        effects
    }

    /// Makes `listing` the one in use, by way of building what differs.
    pub(super) fn adopt(&mut self, listing: Listing, digest: u64, began: u64) -> Vec<Effect> {
        let changed: Vec<_> = listing
            .changed_since(&self.listing)
            .map(|(name, endpoints)| (name.clone(), endpoints.clone()))
            .collect();
        self.listing = listing;
        self.digest = digest;
        if changed.is_empty() {
            self.confirm(began);
            return Vec::new();
        }
        self.building.get_or_insert(began);
        self.confirm(began);
        vec![Effect::Build(changed)]
    }

    /// A poll went well.
    pub(super) fn succeed(&mut self, now: u64, shared: &Shared, began: u64) -> Vec<Effect> {
        self.confirm(began);
        self.failures = 0;
        let took = now.saturating_sub(began);
        let interval = schedule::after_success(self.interval, took);
        let mut spent = spent(shared);
        if self.early {
            let cost = schedule::cost(took, self.endpoints());
            spent = schedule::spend(spent, began, cost);
        }
        let mut effects = self.news(now, shared, began, interval, spent);
        if !effects.is_empty()
            && shared
                .news
                .is_none_or(|(news, _)| news.digest != self.digest)
        {
            effects.insert(0, Effect::Publish(self.listing.encode().0));
        }
        effects
    }

    /// A poll went wrong: what is known stays in use.
    pub(super) fn fail(&mut self, now: u64, shared: &Shared, began: u64, why: &str) -> Vec<Effect> {
        let news = shared.news.map(|(news, _)| news);
        let first = self.failures == 0 && news.is_none_or(|n| n.failures == 0);
        self.failures = news.map_or(0, |n| n.failures).max(self.failures) + 1;
        let line = first.then(|| {
            let admin = &self.query.admin;
            let then = match self.digest {
                0 => "sessions cannot be kept until it does",
                _ => "the endpoints last known stay in use",
            };
            format!("discovery through cluster {admin:?} does not answer: {why}; {then}")
        });
        let mut effects = vec![Effect::Failed(line)];
        let interval = schedule::after_failure(self.interval, self.failures);
        effects.extend(self.news(now, shared, began, interval, spent(shared)));
        effects
    }

    fn news(
        &self,
        now: u64,
        shared: &Shared,
        began: u64,
        interval: u64,
        spent: u64,
    ) -> Vec<Effect> {
        let (before, cas) = shared.news.unzip();
        // An older poll that ends later has nothing to tell.
        if before.is_some_and(|b| b.began > began && b.began <= now) {
            return Vec::new();
        }
        let digest = match (self.failures, before) {
            (1.., Some(before)) => before.digest,
            _ => self.digest,
        };
        let news = News {
            began,
            interval,
            digest,
            failures: self.failures,
            spent,
        };
        vec![Effect::Tell {
            news: news.encode(),
            cas: cas.unwrap_or(0),
        }]
    }
}

fn spent(shared: &Shared) -> u64 {
    shared.news.map_or(0, |(news, _)| news.spent)
}
