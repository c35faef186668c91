//! Who may come in, by address.
//!
//! Source: the `deny` and `allow` lines of `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx
//! dbb11b92d; `ngx_http_access_handler`, nginx 1.27.1.

mod client;
pub(crate) mod clients;
pub(crate) mod forwarded;
mod networks;

pub(crate) use client::{RealIp, address};
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
    pub(crate) fn admits(&self, client: Option<IpAddr>) -> bool {
        let Some(client) = client else {
            return false;
        };
        let is_denied = self.deny.as_ref().is_some_and(|deny| deny.contains(client));
        !is_denied
            && self
                .allow
                .as_ref()
                .is_none_or(|allow| allow.contains(client))
    }
}
