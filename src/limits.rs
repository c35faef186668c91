//! How much of one client an Ingress takes: a leaking bucket of requests, and how many at a time.
//!
//! Source: `Parse` of `internal/ingress/annotations/ratelimit` and `buildRateLimit` of `template.go`,
//! ingress-nginx dbb11b92d.

use crate::access::{self, Networks, RealIp};
use crate::edit::{Headers, first};
use crate::facts::Facts;
use crate::zone::{Demand, Zone};
use std::net::IpAddr;
use std::sync::Arc;

/// What an Ingress says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// What its clients may do.
    pub zone: Arc<Zone>,
    /// `limit-allowlist` or `limit-whitelist`: who is not counted.
    pub spared: Networks,
    /// `limit-conn-zone-variable`: the header that tells clients apart; `None`: their address.
    pub header: Option<String>,
    /// `limit-req-status-code`.
    pub too_fast: u16,
    /// `limit-conn-status-code`.
    pub too_many: u16,
}

impl Limits {
    /// What is to be counted of a request; `None`: nothing.
    pub(crate) fn demand(
        &self,
        headers: &Headers,
        facts: &Facts,
        real_ip: Option<&RealIp>,
    ) -> Option<Demand> {
        let address = access::address(headers, facts, real_ip);
        if address.is_some_and(|address| self.spared.contains(address)) {
            return None;
        }
        let of = |client: &[u8]| Demand::new(Arc::clone(&self.zone), client);
        Some(match (&self.header, address) {
            (Some(name), _) => of(first(headers, name).filter(|value| !value.is_empty())?),
            (None, Some(IpAddr::V4(address))) => of(&address.octets()),
            (None, Some(IpAddr::V6(address))) => of(&address.octets()),
            (None, None) => of(b""),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::fields;

    #[test]
    fn who_does_not_send_the_header_that_tells_clients_apart_is_not_counted() {
        let limits = Limits {
            header: Some("x-client".into()),
            ..Limits::default()
        };
        for (sent, is_counted) in [
            (&[("x-client", "a")][..], true),
            (&[("x-client", "")], false),
            (&[], false),
        ] {
            let demand = limits.demand(&fields(sent), &Facts::NONE, None);
            assert_eq!(demand.is_some(), is_counted, "{sent:?}");
        }
    }
}
