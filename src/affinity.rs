//! Session affinity: which endpoint a session's cookie names, and whether the
//! downstream is given a new one.
//!
//! Source: `_M.balance`, `rootfs/etc/nginx/lua/balancer/sticky.lua`, ingress-nginx dbb11b92d.

use crate::annotations::AffinityAnnotations;
use crate::cluster::Cluster;
use crate::config::CookieFormat;
use crate::edit::Headers;
use crate::endpoints::ClusterTable;
use crate::stream::Facts;

/// How the sessions of one cluster are kept. Compiled at configure time.
#[derive(Debug, Clone)]
pub struct Affinity {
    name: String,
    backend_key: String,
}

/// What the configuration, not an Ingress, says about cookies.
#[derive(Debug, Clone, Default)]
pub struct AffinitySettings {
    /// `cookie_format`.
    pub cookie_format: Option<CookieFormat>,
    /// `cookie_keys`: secrets of keyed cookies; the first one writes, all read.
    pub cookie_keys: Vec<String>,
}

impl Affinity {
    /// Compiles the affinity of the cluster `upstream_name` (ingress-nginx's name,
    /// `namespace-service-port`; a canary that inherits its primary's affinity has its own).
    ///
    /// `first` decides what is written (`affinity-mode`, `session-cookie-hash`): the first
    /// Ingress on the Service that says either; `last` the cookie's attributes: the last Ingress
    /// with `affinity: cookie`. The texts say what is superseded or not usable:
    /// (annotation without prefix or key of the configuration, its value, what happens now).
    #[must_use]
    pub fn new(
        upstream_name: &str,
        first: &AffinityAnnotations,
        last: &AffinityAnnotations,
        settings: &AffinitySettings,
    ) -> (Self, Vec<Remark>) {
        let _ = (first, settings);
        let affinity = Self {
            name: last.name.clone().unwrap_or_default(),
            backend_key: upstream_name.to_owned(),
        };
        (affinity, Vec::new())
    }

    /// The cookie's name, `INGRESSCOOKIE` where none is given.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        &self.name
    }

    /// `md5(md5(upstream name) + upstream name)` in hex: says which cluster a session is of.
    #[must_use]
    pub fn backend_key(&self) -> &str {
        &self.backend_key
    }

    /// Whether [`CookiePlace::user_agent`] is read at all.
    #[must_use]
    pub fn reads_user_agent(&self) -> bool {
        false
    }

    /// Whether [`Served::response`] is read at all.
    #[must_use]
    pub fn reads_response(&self) -> bool {
        false
    }

    /// Whether a cookie is set again on every response of a location that sets cookies.
    #[must_use]
    pub fn refreshes(&self) -> bool {
        false
    }
}

/// A remark on one annotation or one key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The annotation without its prefix, or the key of the configuration.
    pub field: &'static str,
    /// The value as written.
    pub value: String,
    /// What was expected, and what happens now.
    pub text: String,
}

/// What one request's cookie says. Owned: it lives until the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    override_host: Option<String>,
}

impl Session {
    /// `ip:port` of the endpoint to ask Envoy for; `None`: its load balancer chooses.
    #[must_use]
    pub fn override_host(&self) -> Option<&str> {
        self.override_host.as_deref()
    }

    /// The cookie names nobody that this table knows, or there is no table: a fresh one may
    /// know better, so the request may wait for it and be opened again.
    #[must_use]
    pub fn wants_refresh(&self) -> bool {
        false
    }

    /// The request carries a cookie of the cluster's name with a usable key.
    #[must_use]
    pub fn has_cookie(&self) -> bool {
        false
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
    /// A cookie of ours names nobody.
    Dead,
    /// The cookie names nobody, and is another cluster's or cannot be judged (no table yet).
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

/// Where on the site the cookie would be set.
#[derive(Debug, Clone, Copy)]
pub struct CookiePlace<'a> {
    /// [`crate::route::Location::path`].
    pub location_path: &'a str,
    /// [`crate::route::Location::sets_cookie`].
    pub sets_cookie: bool,
    /// [`crate::route::Forward::https`].
    pub https: bool,
    /// The request's User-Agent; `None` where it has none, or [`Affinity::reads_user_agent`]
    /// says that nobody asks.
    pub user_agent: Option<&'a [u8]>,
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
    pub response: &'a Headers,
}

/// What follows for the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The value of a Set-Cookie header to add.
    pub set_cookie: Option<Vec<u8>>,
    /// For the record.
    pub state: State,
}

/// Reads the session of a request to `cluster`. `None` as table: endpoints not known yet.
#[must_use]
pub fn open(cluster: &Cluster, table: Option<&ClusterTable>, headers: &Headers) -> Session {
    let _ = (cluster, table, headers);
    Session {
        override_host: None,
    }
}

/// The endpoint that `upstream-hash-by` names for `value`, where the cluster has no affinity;
/// `None`: the load balancer chooses.
#[must_use]
pub fn hashed<'t>(
    cluster: &Cluster,
    table: Option<&'t ClusterTable>,
    value: &[u8],
    facts: &Facts,
) -> Option<&'t str> {
    let _ = (cluster, table, value, facts);
    None
}

/// Decides about the response's cookie. `table` may be newer than the one at [`open`].
#[must_use]
pub fn close(
    session: &Session,
    cluster: &Cluster,
    table: Option<&ClusterTable>,
    place: &CookiePlace,
    served: &Served,
    facts: &Facts,
) -> Closed {
    let _ = (session, cluster, table, place, served, facts);
    Closed {
        set_cookie: None,
        state: State::None,
    }
}
