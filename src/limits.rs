//! How much of one client an Ingress takes: a leaking bucket of requests, and how many at a time.
//!
//! What is counted stands in slots that all workers share, each with the last of a few clients, so
//! that no number of clients takes more memory: as nginx forgets the oldest of a full zone.
//!
//! Source: `ngx_http_limit_req_lookup` and `ngx_http_limit_conn_handler`, nginx 1.27.1; `Parse` of
//! `internal/ingress/annotations/ratelimit` and `buildRateLimit` of `template.go`, ingress-nginx
//! dbb11b92d.

mod slot;

pub use slot::{hold, leak, release};

use crate::access::{self, Networks, RealIp};
use crate::edit::{Headers, first};
use crate::facts::Facts;
use std::net::IpAddr;
use std::sync::Arc;

/// The slots of one zone. A power of two.
const SLOTS: u64 = 4096;

/// What an Ingress says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Whose they are: `namespace/name` and the UID.
    pub zone: String,
    /// `limit-rps` and `limit-rpm`.
    pub rates: Vec<Rate>,
    /// `limit-connections`; 0: any number.
    pub connections: u32,
    /// `limit-allowlist` or `limit-whitelist`: who is not counted.
    pub spared: Networks,
    /// `limit-conn-zone-variable`: the header that tells clients apart; `None`: their address.
    pub header: Option<String>,
    /// `limit-req-status-code`.
    pub too_fast: u16,
    /// `limit-conn-status-code`.
    pub too_many: u16,
}

/// How fast requests may come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// Its part of the key of its slots.
    pub name: &'static str,
    /// Thousandths of a request a second.
    pub rate: u64,
    /// Thousandths of the requests that may come at once, beyond the first.
    pub burst: u64,
}

/// What a request is counted by before it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    limits: Arc<Limits>,
    client: u64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Within,
    /// Its client sends too many.
    TooFast,
    /// Its client has too many under way.
    TooMany,
}

impl Limits {
    /// What is to be counted of a request; `None`: nothing.
    pub(crate) fn demand(
        self: &Arc<Self>,
        headers: &Headers,
        facts: &Facts,
        real_ip: Option<&RealIp>,
    ) -> Option<Demand> {
        let address = access::address(headers, facts, real_ip);
        if address.is_some_and(|address| self.spared.contains(address)) {
            return None;
        }
        let client = match (&self.header, address) {
            (Some(name), _) => hash(first(headers, name).filter(|value| !value.is_empty())?),
            (None, Some(IpAddr::V4(address))) => hash(&address.octets()),
            (None, Some(IpAddr::V6(address))) => hash(&address.octets()),
            (None, None) => hash(b""),
        };
        let limits = Arc::clone(self);
        Some(Demand { limits, client })
    }
}

impl Demand {
    #[cfg(test)]
    pub(crate) fn of(limits: Arc<Limits>, client: u64) -> Self {
        Self { limits, client }
    }

    /// Its buckets: the key of the slot, and how it leaks.
    pub fn buckets(&self) -> impl Iterator<Item = (String, &Rate)> {
        let rates = self.limits.rates.iter();
        rates.map(|rate| (self.key(rate.name), rate))
    }

    /// The key of the slot with what its client has under way, and how much that may be; `None`: any
    /// number.
    #[must_use]
    pub fn connections(&self) -> Option<(String, u32)> {
        let most = self.limits.connections;
        (most > 0).then(|| (self.key("connections"), most))
    }

    /// Who is counted.
    #[must_use]
    pub fn client(&self) -> u64 {
        self.client
    }

    fn key(&self, kind: &str) -> String {
        let slot = self.client & SLOTS.saturating_sub(1);
        format!("limpet.limits/{}/{kind}/{slot}", self.limits.zone)
    }
}

/// FNV-1a of 64 bits, its halves folded, for the last bits alone choose the slot.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::fields;
    use std::collections::BTreeSet;

    /// Whom a request with these headers counts for.
    fn client(limits: &Arc<Limits>, headers: &[(&str, &str)]) -> Option<Demand> {
        let facts = Facts::NONE;
        limits.demand(&fields(headers), &facts, None)
    }

    #[test]
    fn clients_are_counted_each_for_itself_and_spread_over_the_slots() {
        let limits = Arc::new(Limits {
            header: Some("x-client".into()),
            zone: "zone".into(),
            connections: 1,
            ..Limits::default()
        });
        let names: Vec<String> = (0..1000).map(|n| format!("client-{n}")).collect();
        let all = names
            .iter()
            .map(|name| client(&limits, &[("x-client", name)]).unwrap());
        let all: Vec<Demand> = all.collect();
        let clients: BTreeSet<u64> = all.iter().map(Demand::client).collect();
        assert_eq!(clients.len(), 1000);
        let slots: BTreeSet<String> = all.iter().map(|one| one.connections().unwrap().0).collect();
        // Of 4,096 slots a thousand take some 890 by chance.
        assert!(slots.len() > 850 && slots.len() < 930, "{}", slots.len());
        let numbers = slots.iter().map(|key| key.rsplit('/').next().unwrap());
        assert!(
            numbers
                .map(str::parse::<u64>)
                .all(|slot| slot.unwrap() < SLOTS)
        );
        let again = client(&limits, &[("x-client", "client-7")]).unwrap();
        assert_eq!(again.client(), all[7].client());
        assert!(client(&limits, &[("x-client", "")]).is_none());
        assert!(client(&limits, &[]).is_none());
    }

    // Its last bits alone choose a slot, and of FNV-1a those hear of the last bits of names alone.
    #[test]
    fn a_slot_hears_of_every_bit_of_a_name() {
        assert_eq!(hash(b"a"), 0xaf63_dc4c_2962_30c0);
        assert_ne!(hash(b"a") & 0xffff, hash(b"\xe1") & 0xffff);
    }
}
