//! Session affinity: which endpoint a session's cookie names, and whether the
//! downstream is given a new one.
//!
//! Source: `_M.balance`, `rootfs/etc/nginx/lua/balancer/sticky.lua`, ingress-nginx dbb11b92d.

use crate::annotations::AffinityAnnotations;
use crate::endpoints::digest::{Digest, backend_key};
use crate::remark::Remark;
use crate::session_cookie::SessionCookie;

mod attributes;
mod close;
mod conflicts;
mod mint;
mod session;
mod settings;
mod writer;

pub use crate::session_cookie::CookiePlace;
pub use close::{Closed, close};
pub use conflicts::{OnService, conflicts};
pub use session::{Served, Session, State, open};
pub use settings::AffinitySettings;
use writer::Writer;

/// How the sessions of one cluster are kept. Compiled at configure time.
#[derive(Debug, Clone)]
pub struct Affinity {
    cookie: SessionCookie,
    backend_key: String,
    writer: Writer,
    /// What a key is tried as, the writer's own first. Empty where every key is a ring key.
    digests: Vec<Digest>,
    /// Other formats than the writer's are read, ring keys and positions too.
    reads_others: bool,
    change_on_failure: bool,
    refresh: bool,
    skip_cacheable: bool,
}

impl Affinity {
    /// Compiles the affinity of the cluster `upstream_name` (ingress-nginx's name,
    /// `namespace-service-port`; a canary that inherits its primary's affinity has its own).
    ///
    /// `first` decides what is written: `affinity-mode` of the first Ingress on the Service that
    /// has one, `session-cookie-hash` likewise; `last` the cookie's attributes: the last Ingress
    /// with `affinity: cookie`. The remarks say what is superseded or not usable; whose an
    /// annotation is, they leave to the caller.
    ///
    /// Source: `getBackendServers`, `internal/ingress/controller/controller.go`, dbb11b92d.
    #[must_use]
    pub fn new(
        upstream_name: &str,
        first: &AffinityAnnotations,
        last: &AffinityAnnotations,
        settings: &AffinitySettings,
    ) -> (Self, Vec<Remark>) {
        let mut remarks = Vec::new();
        let writer = writer::choose(first, settings, &mut remarks);
        let cookie = attributes::compile(last, &mut remarks);
        let affinity = Self {
            digests: writer::digests(&writer, upstream_name, settings),
            reads_others: !(settings.cookie_keys_only && writer.is_keyed()),
            writer,
            cookie,
            backend_key: backend_key(upstream_name),
            change_on_failure: last.change_on_failure.unwrap_or(false),
            refresh: last.refresh.unwrap_or(false),
            skip_cacheable: last.skip_cacheable.unwrap_or(false),
        };
        (affinity, remarks)
    }

    /// The cookie's name, `INGRESSCOOKIE` where none is given.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        &self.cookie.name
    }

    /// The cookie's Path; `None`: the location's path.
    #[must_use]
    pub fn cookie_path(&self) -> Option<&str> {
        self.cookie.path.as_deref()
    }

    /// What new cookies are: `balanced`, `persistent`, `sha1`, `md5`, `index`, `keyed` or `none`.
    #[must_use]
    pub fn format(&self) -> &'static str {
        self.writer.name()
    }

    /// `md5(md5(upstream name) + upstream name)` in hex: says which cluster a session is of.
    #[must_use]
    pub fn backend_key(&self) -> &str {
        &self.backend_key
    }

    /// Whether [`CookiePlace::user_agent`] is read at all.
    #[must_use]
    pub fn reads_user_agent(&self) -> bool {
        self.cookie.conditional_same_site_none
    }

    /// Whether [`Served::response`] is read at all.
    #[must_use]
    pub fn reads_response(&self) -> bool {
        self.skip_cacheable
    }

    /// Whether a cookie is set again on every response of a location that sets cookies.
    #[must_use]
    pub fn refreshes(&self) -> bool {
        self.refresh
    }

    /// The digests that keys are looked up by, the writer's own first.
    #[must_use]
    pub fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// Whether keys are looked up on the ring.
    #[must_use]
    pub fn reads_ring(&self) -> bool {
        self.reads_others
    }
}

#[cfg(test)]
mod tests;
