//! Session affinity: which endpoint a session's cookie names, and whether the
//! downstream is given a new one.
//!
//! Source: `_M.balance`, `rootfs/etc/nginx/lua/balancer/sticky.lua`, ingress-nginx dbb11b92d.

use crate::annotations::AffinityAnnotations;
use crate::cluster::Cluster;
use crate::cluster::digest::{Digest, backend_key};
use crate::config::CookieFormat;
use crate::edit::{self, Headers};
use crate::endpoints::ClusterTable;
use crate::facts::Facts;
use crate::session_cookie::SessionCookie;

mod attributes;
mod conflicts;
mod hash_by;
mod session;
mod writer;

pub use crate::session_cookie::CookiePlace;
pub use conflicts::{OnService, conflicts};
pub use hash_by::hashed;
use session::{Finding, Format};
pub use session::{Session, is_of, open};
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

/// What the configuration, not an Ingress, says about cookies.
#[derive(Debug, Clone, Default)]
pub struct AffinitySettings {
    /// `cookie_format`.
    pub cookie_format: Option<CookieFormat>,
    /// `cookie_keys`: secrets of keyed cookies; the first one writes, all read. `None`: cookies
    /// are not keyed; empty: they are to be, and there is no key, so none is written.
    pub cookie_keys: Option<Vec<Vec<u8>>>,
    /// `cookie_keys_only`: where cookies are keyed, no other format is read, so that no client
    /// can aim at an endpoint. Off, sessions of before live on.
    pub cookie_keys_only: bool,
}

/// A remark on one annotation or one key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Who says what is remarked on.
    pub origin: Origin,
    /// The annotation without its prefix, or the key of the configuration.
    pub field: &'static str,
    /// The value as written.
    pub value: String,
    /// What was expected, and what happens now.
    pub text: String,
}

/// Where a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The Ingress that decides what is written.
    First,
    /// The Ingress that decides the cookie's attributes.
    Last,
    /// The plugin configuration.
    Config,
}

impl Affinity {
    /// Compiles the affinity of the cluster `upstream_name` (ingress-nginx's name,
    /// `namespace-service-port`; a canary that inherits its primary's affinity has its own).
    ///
    /// `first` decides what is written: `affinity-mode` of the first Ingress on the Service that
    /// has one, `session-cookie-hash` likewise; `last` the cookie's attributes: the last Ingress
    /// with `affinity: cookie`. The remarks say what is superseded or not usable.
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

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The cluster has no affinity.
    None,
    /// The request carried no cookie with a key: the first choice was the proxy's.
    New,
    /// The endpoint that the cookie names served.
    Kept,
    /// The cookie names a known endpoint, and another one served, or nobody did.
    Moved,
    /// A cookie of ours names nobody: its endpoint is gone.
    Dead,
    /// The cookie names nobody, and is another cluster's, not of our making, or not to be judged
    /// because no endpoints are known yet.
    Foreign,
}

impl State {
    /// As the decision record spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::New => "new",
            Self::Kept => "kept",
            Self::Moved => "moved",
            Self::Dead => "dead",
            Self::Foreign => "foreign",
        }
    }
}

/// Who answered.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// `ip:port` of the endpoint that answered. May be `None` where the one asked for did.
    pub address: Option<&'a str>,
    /// Another endpoint answered than [`Session::override_host`]; `false` where none was asked for.
    pub elsewhere: bool,
    /// No endpoint answered: the proxy did.
    pub local_reply: bool,
    /// The response's headers; may be empty where [`Affinity::reads_response`] is false.
    pub response: &'a Headers<'a>,
}

/// What follows for the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The value of a Set-Cookie header to add.
    pub set_cookie: Option<Vec<u8>>,
    /// For the record.
    pub state: State,
}

/// Decides about the response's cookie. `table` may be newer than the one at [`open`].
///
/// A cookie is set where an endpoint answered, the location sets cookies, and the session
/// has none, or one that names nobody, or one in another format than the one written (once,
/// when its endpoint serves, and where any text would name somebody in that format, whoever
/// serves); or its endpoint is gone, which only the ring makes good by itself; or another one
/// served and `session-cookie-change-on-failure` is true. Otherwise the cookie stays as it is, and is
/// set again only where it slides.
#[must_use]
pub fn close(
    session: &Session,
    cluster: &Cluster,
    table: Option<&ClusterTable>,
    place: &CookiePlace,
    served: &Served,
    facts: &Facts,
) -> Closed {
    let state = session.state(served);
    let set_cookie = cluster
        .affinity
        .as_ref()
        .filter(|_| place.sets_cookie && !served.local_reply)
        .and_then(|affinity| affinity.set_cookie(session, state, table, place, served, facts));
    Closed { set_cookie, state }
}

impl Affinity {
    fn set_cookie(
        &self,
        session: &Session,
        state: State,
        table: Option<&ClusterTable>,
        place: &CookiePlace,
        served: &Served,
        facts: &Facts,
    ) -> Option<Vec<u8>> {
        let answered = served.address.or(session.override_host());
        let new = || self.mint(answered?, table, facts);
        let value = match &session.finding {
            Finding::NoAffinity | Finding::Unknown => None,
            Finding::Absent | Finding::Dead | Finding::Foreign => new(),
            Finding::Named {
                address,
                format,
                key,
                ..
            } => {
                let gone = table.is_some_and(|table| table.position(address).is_none());
                let kept = state == State::Kept;
                let own = *format == Format::Own;
                let again = if kept { !own } else { *format == Format::Other };
                // The ring maps its own keys elsewhere by itself: ingress-nginx never replaces them.
                let remapped = gone && own && self.writer == Writer::Ring;
                if !remapped && (gone || again || !kept && self.change_on_failure) {
                    new()
                } else if self.refresh && own {
                    self.again(address, key, table, facts)
                } else {
                    None
                }
            }
        }?;
        if self.skip_cacheable && is_shared(served.response) {
            return None;
        }
        Some(self.cookie.set_cookie(&value, place, facts.now))
    }
}

/// Whether a response tells shared caches to keep it: its cookie would go to everybody.
fn is_shared(response: &Headers) -> bool {
    edit::all(response, "cache-control")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|directive| {
            let name = directive.split(|byte| *byte == b'=').next();
            let name = name.unwrap_or_default().trim_ascii();
            name.eq_ignore_ascii_case(b"public") || name.eq_ignore_ascii_case(b"s-maxage")
        })
}

#[cfg(test)]
mod tests;
