//! Who may come in, by address.
//!
//! Source: the `deny` and `allow` lines of `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx
//! dbb11b92d; `ngx_http_access_handler`, nginx 1.27.1.

mod client;
pub(crate) mod clients;
pub(crate) mod forwarded;
mod networks;

pub(crate) use client::{Proxied, RealIp, address};
pub(crate) use forwarded::told;
pub use networks::Networks;

use std::net::IpAddr;

/// The lists of one location.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    /// Who is kept out, whatever else is listed.
    pub deny: Option<Networks>,
    /// Who alone comes in.
    pub allow: Option<Networks>,
}

impl Lists {
    /// The same; `None`: nothing is listed.
    pub(crate) fn listed(&self) -> Option<&Self> {
        (self.deny.is_some() || self.allow.is_some()).then_some(self)
    }

    /// Whether a client comes in; one whose address nobody knows does not.
    pub(crate) fn admits(&self, client: Option<IpAddr>) -> Verdict {
        let Some(client) = client else {
            return Verdict::Denied;
        };
        match (&self.deny, &self.allow) {
            (Some(deny), _) if deny.contains(client) => Verdict::Denied,
            (_, Some(allow)) if allow.contains(client) => Verdict::Allowed,
            (_, Some(_)) => Verdict::Denied,
            (_, None) => Verdict::Silent,
        }
    }
}

/// What is said of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A list names who comes in.
    Allowed,
    /// A list keeps it out.
    Denied,
    /// No list names it.
    Silent,
}
