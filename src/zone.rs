//! What is counted of clients, in slots that all workers share, each with the last of a few clients, so that
//! no number of clients takes more memory: as nginx forgets the oldest of a full zone.
//!
//! Source: `ngx_http_limit_req_lookup` and `ngx_http_limit_conn_handler`, nginx 1.27.1.

mod slot;

pub use slot::{hold, leak, release};

use std::sync::Arc;

/// The slots of one zone. A power of two.
const SLOTS: u64 = 4096;

/// What one client may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    /// Whose it is: `namespace/name` and the UID.
    pub name: String,
    /// `limit-rps` and `limit-rpm`.
    pub rates: Vec<Rate>,
    /// `limit-connections`; 0: any number.
    pub connections: u32,
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
    zone: Arc<Zone>,
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

impl Demand {
    /// Of a client that these bytes tell from others.
    #[must_use]
    pub fn new(zone: Arc<Zone>, client: &[u8]) -> Self {
        let client = hash(client);
        Self { zone, client }
    }

    /// Its buckets: the key of the slot, and how it leaks.
    pub fn buckets(&self) -> impl Iterator<Item = (String, &Rate)> {
        let rates = self.zone.rates.iter();
        rates.map(|rate| (self.key(rate.name), rate))
    }

    /// The key of the slot with what its client has under way, and how much that may be; `None`: any
    /// number.
    #[must_use]
    pub fn connections(&self) -> Option<(String, u32)> {
        let most = self.zone.connections;
        (most > 0).then(|| (self.key("connections"), most))
    }

    /// Who is counted.
    #[must_use]
    pub fn client(&self) -> u64 {
        self.client
    }

    fn key(&self, kind: &str) -> String {
        let slot = self.client & SLOTS.saturating_sub(1);
        format!("limpet.limits/{}/{kind}/{slot}", self.zone.name)
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
    use std::collections::BTreeSet;

    #[test]
    fn clients_are_counted_each_for_itself_and_spread_over_the_slots() {
        let zone = Arc::new(Zone {
            name: "zone".into(),
            connections: 1,
            ..Zone::default()
        });
        let of = |client: &str| Demand::new(Arc::clone(&zone), client.as_bytes());
        let all: Vec<Demand> = (0..1000).map(|n| of(&format!("client-{n}"))).collect();
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
        assert_eq!(of("client-7").client(), all[7].client());
    }

    // Its last bits alone choose a slot, and of FNV-1a those hear of the last bits of names alone.
    #[test]
    fn a_slot_hears_of_every_bit_of_a_name() {
        assert_eq!(hash(b"a"), 0xaf63_dc4c_2962_30c0);
        assert_ne!(hash(b"a") & 0xffff, hash(b"\xe1") & 0xffff);
    }
}
