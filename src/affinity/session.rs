//! What the cookie of one request names.

use super::Affinity;
use super::writer::Writer;
use crate::edit::Headers;
use crate::endpoints::{ClusterTable, Endpoint, Health};
use crate::session_cookie::read::{SessionKey, SessionKeys, joined, session_keys};
use std::sync::Arc;

/// What one request's cookie says. Owned: it lives until the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub(super) finding: Finding,
    is_affinitized: bool,
}

/// Whom a cookie names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// There is no cookie with a key.
    Absent,
    /// An endpoint of the table.
    Named {
        address: Arc<str>,
        /// Who stands in for it while it is unhealthy.
        substitute: Option<Arc<str>>,
        format: Format,
        /// Kept only where the cookie is set again.
        key: Vec<u8>,
    },
    /// Nobody, and it is ours.
    Dead,
    /// Nobody, and it is not ours.
    Foreign,
    /// There is no table yet, or none that may judge.
    Unknown,
}

/// The format of a cookie that names an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The one that is written.
    Own,
    /// Another digest: the session waits for its endpoint as one of our own does.
    Digest,
    /// A ring key or a position where neither is written: any text names somebody so, and
    /// ingress-nginx would take it for no cookie at all.
    Other,
}

impl Session {
    /// `ip:port` of the endpoint that the cookie names, whoever stands in for it.
    #[must_use]
    pub fn named(&self) -> Option<&str> {
        match &self.finding {
            Finding::Named { address, .. } => Some(address),
            _ => None,
        }
    }

    /// `ip:port` of the endpoint that stands in for the one named.
    #[must_use]
    pub fn substitute(&self) -> Option<&str> {
        match &self.finding {
            Finding::Named { substitute, .. } => substitute.as_deref(),
            _ => None,
        }
    }

    /// `ip:port` of the endpoint to ask Envoy for; `None`: its load balancer chooses. The
    /// endpoint named by the cookie, or while it is unhealthy and the cookie is not to change, a
    /// substitute.
    #[must_use]
    pub fn override_host(&self) -> Option<&str> {
        self.substitute().or(self.named())
    }

    /// The cookie names nobody that this table knows, or there is no table: a fresh one may
    /// know better, so the request may wait for it and be opened again.
    #[must_use]
    pub fn wants_refresh(&self) -> bool {
        matches!(self.finding, Finding::Dead | Finding::Unknown)
    }

    /// The request carries a cookie of the cluster's name with a usable key.
    #[must_use]
    pub fn has_cookie(&self) -> bool {
        self.finding != Finding::Absent
    }

    /// The cookie names an endpoint in another format than the one written, so the response
    /// sets it anew; whoever closes the session must know whether an endpoint answered.
    #[must_use]
    pub fn is_rewritten(&self) -> bool {
        let Finding::Named { format, .. } = &self.finding else {
            return false;
        };
        *format != Format::Own
    }

    /// Whether it is of the cluster it was opened for: what `is_affinitized` of
    /// `balancer/sticky.lua` says (ingress-nginx dbb11b92d). A format without a backend key is of
    /// the cluster whose endpoint it names.
    #[must_use]
    pub fn is_affinitized(&self) -> bool {
        self.is_affinitized
    }

    /// Nothing is known that could judge its cookie.
    #[must_use]
    pub fn is_unjudged(&self) -> bool {
        self.finding == Finding::Unknown
    }

    /// Leaves a cookie that names nobody unjudged: a newer table cannot be had in time, so it is
    /// neither used nor replaced.
    pub fn leave_unjudged(&mut self) {
        if self.wants_refresh() {
            self.finding = Finding::Unknown;
        }
    }

    pub(super) fn state(&self, served: &Served) -> State {
        match &self.finding {
            Finding::Absent => State::New,
            Finding::Dead => State::Dead,
            Finding::Foreign | Finding::Unknown => State::Foreign,
            Finding::Named { address, .. } => {
                let asked = self.override_host();
                let by = served.address.or(asked.filter(|_| !served.elsewhere));
                if !served.local_reply && by == Some(&**address) {
                    State::Kept
                } else {
                    State::Moved
                }
            }
        }
    }
}

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
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

/// Reads the session of a request. `None` as table: endpoints not known yet.
#[must_use]
pub fn open(affinity: &Affinity, table: Option<&ClusterTable>, headers: &Headers) -> Session {
    let cookies = joined(headers);
    let keys = session_keys(&cookies, affinity.cookie_name());
    let Some(last) = keys.first() else {
        return Session {
            finding: Finding::Absent,
            is_affinitized: false,
        };
    };
    let named = table.and_then(|table| affinity.first_named(table, &keys));
    let is_affinitized = match (last.backend_key, &named) {
        (Some(key), _) => key == affinity.backend_key().as_bytes(),
        (None, Some(named)) => {
            matches!(affinity.writer, Writer::Md5 | Writer::Sha1 | Writer::Keyed)
                && named.format == Format::Own
                && named.key == last.key
        }
        (None, None) => false,
    };
    let finding = match (table, named) {
        (None, _) => Finding::Unknown,
        (Some(_), None) => affinity.nobody(last),
        (Some(table), Some(named)) => affinity.somebody(table, &named),
    };
    Session {
        finding,
        is_affinitized,
    }
}

/// The endpoint that a key names.
struct Named<'a> {
    key: &'a [u8],
    endpoint: &'a Endpoint,
    format: Format,
}

impl Affinity {
    /// Whom the first of `keys` names that names anybody.
    fn first_named<'a>(
        &self,
        table: &'a ClusterTable,
        keys: &SessionKeys<'a>,
    ) -> Option<Named<'a>> {
        keys.iter().find_map(|key| {
            let (position, format) = self.find(table, key.key)?;
            Some(Named {
                key: key.key,
                endpoint: table.at(position)?,
                format,
            })
        })
    }

    fn somebody(&self, table: &ClusterTable, named: &Named) -> Finding {
        let away = named.endpoint.health == Health::Unhealthy && !self.change_on_failure;
        let substitute = away.then(|| table.substitute(named.key)).flatten();
        Finding::Named {
            address: Arc::clone(&named.endpoint.address),
            substitute: substitute.map(|substitute| Arc::clone(&substitute.address)),
            format: named.format,
            key: if self.refresh {
                named.key.to_vec()
            } else {
                Vec::new()
            },
        }
    }

    /// The position of the endpoint that `key` names, and in which format.
    fn find(&self, table: &ClusterTable, key: &[u8]) -> Option<(u32, Format)> {
        let on_ring = || table.ring().find(key);
        if self.writer == Writer::Ring {
            return Some((on_ring()?, Format::Own));
        }
        if let Some((which, position)) = table.find_digest(&self.digests, key) {
            let own = which == 0 && !matches!(self.writer, Writer::Index | Writer::Nothing);
            return Some((position, if own { Format::Own } else { Format::Digest }));
        }
        if self.is_own_shape(key) && self.writer != Writer::Index || !self.reads_others {
            return None;
        }
        match position(key) {
            Some(position) if table.at(position).is_some() => {
                let own = self.writer == Writer::Index;
                Some((position, if own { Format::Own } else { Format::Other }))
            }
            Some(_) if self.writer == Writer::Index => None,
            _ => Some((on_ring()?, Format::Other)),
        }
    }

    /// What a key is that names nobody.
    fn nobody(&self, cookie: &SessionKey) -> Finding {
        let ours = self.backend_key.as_bytes();
        let of_another = cookie.backend_key.is_some_and(|key| key != ours);
        if self.is_own_shape(cookie.key) && !of_another {
            Finding::Dead
        } else {
            Finding::Foreign
        }
    }

    fn is_own_shape(&self, key: &[u8]) -> bool {
        match (self.writer, self.digests.first()) {
            (Writer::Ring, _) => true,
            (Writer::Index, _) => position(key).is_some(),
            (Writer::Nothing, _) => false,
            (_, Some(digest)) => digest.read(key).is_some(),
            (_, None) => false,
        }
    }
}

/// A position in the sorted endpoints, as `session-cookie-hash: index` writes it.
fn position(key: &[u8]) -> Option<u32> {
    if !key.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(key).ok()?.parse().ok()
}
