//! What a response means for the session of its request.

use super::session::{Finding, Format};
use super::writer::Writer;
use super::{Affinity, CookiePlace, Served, Session, State};
use crate::edit::{self, Headers};
use crate::endpoints::ClusterTable;
use crate::facts::Facts;

/// What follows for the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The value of a Set-Cookie header to add.
    pub set_cookie: Option<Vec<u8>>,
    /// For the record.
    pub state: State,
}

/// Decides about the response's cookie. `table`, asked for where it matters, may be newer than the one
/// at [`open`](super::open).
///
/// A cookie is set where an endpoint answered, the location sets cookies, and the session
/// has none, or one that names nobody, or one in another format than the one written (once,
/// when its endpoint serves, and where any text would name somebody in that format, whoever
/// serves); or another endpoint served, and its own is gone, which only the ring makes good by itself, or
/// `session-cookie-change-on-failure` is true. Otherwise the cookie stays as it is, and is
/// set again only where it slides.
#[must_use]
pub fn close<'t>(
    affinity: &Affinity,
    session: &Session,
    table: &dyn Fn() -> Option<&'t ClusterTable>,
    place: &CookiePlace,
    served: &Served,
    facts: &Facts,
) -> Closed {
    let state = session.state(served);
    let value = if affinity.may_set(session, place, served) {
        affinity.new_value(session, state, table, served, facts)
    } else {
        None
    };
    let set_cookie = value.map(|value| affinity.cookie.set_cookie(&value, place, facts.now));
    Closed { set_cookie, state }
}

impl Affinity {
    /// Whether a response may carry a session cookie at all: the location sets cookies, an
    /// endpoint answered, the endpoints were known, and no shared cache may keep the response.
    fn may_set(&self, session: &Session, place: &CookiePlace, served: &Served) -> bool {
        place.sets_cookie
            && !served.local_reply
            && session.finding != Finding::Unknown
            && !(self.skip_cacheable && is_shared(served.response))
    }

    /// The value that is to be set, if one is.
    fn new_value<'t>(
        &self,
        session: &Session,
        state: State,
        table: &dyn Fn() -> Option<&'t ClusterTable>,
        served: &Served,
        facts: &Facts,
    ) -> Option<String> {
        let answered = served.address.or(session.override_host());
        let new = || self.mint(answered?, table(), facts);
        let Finding::Named {
            address,
            format,
            key,
            ..
        } = &session.finding
        else {
            return new();
        };
        let is_gone = || table().is_some_and(|table| table.position(address).is_none());
        let kept = state == State::Kept;
        let own = *format == Format::Own;
        let again = || self.again(address, key, table(), facts);
        if kept && own {
            return self.refresh.then(again).flatten();
        }
        let is_to_be_rewritten = kept || *format == Format::Other;
        let gone = is_gone();
        // The ring maps its own keys elsewhere by itself: ingress-nginx never replaces them.
        let remapped = gone && own && self.writer == Writer::Ring;
        if !remapped && (gone || is_to_be_rewritten || !kept && self.change_on_failure) {
            new()
        } else if self.refresh && own {
            again()
        } else {
            None
        }
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
