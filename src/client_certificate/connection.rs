//! What is known of a connection, and of the certificate that was shown on it.
//!
//! Where the listener takes any certificate, the name of a request's first route says who signed it, and
//! headers say the rest, all written over whatever a client sent. Where it takes none but those that
//! an authority signed, Envoy says by which listener a connection came, and that one was shown; the
//! headers are written with `=` in front, for Envoy leaves a client's own where it has nothing to say.
//!
//! Source: `docs/root/intro/arch_overview/advanced/attributes.rst`, Envoy 1.40.

use crate::edit::{Headers, first};
use crate::facts::Facts;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The header that every request over TLS has: the name that the client greeted, behind `sni=` where there may be
/// none.
pub const CONNECTION: &str = "x-limpet-tls";
/// The header with the subject of the client's certificate, as RFC 2253 writes it.
pub const SUBJECT: &str = "x-limpet-client-subject";
/// The header with its issuer.
pub const ISSUER: &str = "x-limpet-client-issuer";
/// The header with the certificate itself, as PEM in URL encoding.
pub const CERTIFICATE: &str = "x-limpet-client-certificate";
/// The header with the two times between which it holds, in seconds since 1970, `-` between them.
pub const VALIDITY: &str = "x-limpet-client-valid";

/// The header with the fingerprints of all certificates that were shown at once, the client's own first.
pub const CHAIN: &str = "x-limpet-client-chain";

/// All of them: a client's own are none.
pub const HEADERS: [&str; 6] = [CONNECTION, SUBJECT, ISSUER, CERTIFICATE, VALIDITY, CHAIN];

/// What the client of one request showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The connection is no TLS.
    #[default]
    Plain,
    /// None, or nobody asked.
    Nothing,
    /// One that the authority signed.
    Good,
    /// Another one.
    Other,
}

/// Which authority the listeners ask clients by, each listener by its name; `None`: the name of a route
/// says who signed a certificate.
pub(crate) type Listeners = Option<BTreeMap<String, String>>;

/// What was shown, and whose it is.
#[derive(Debug, Default)]
pub(super) struct Seen<'r> {
    pub(super) shown: Shown,
    pub(super) subject: Cow<'r, [u8]>,
    pub(super) issuer: &'r [u8],
    pub(super) certificate: &'r [u8],
}

impl<'r> Seen<'r> {
    /// As the name of a route and headers say it; `routes`: those of a good certificate and of another one, where one
    /// is asked for.
    pub(super) fn by_route(
        routes: Option<[String; 2]>,
        headers: &'r Headers<'r>,
        facts: &Facts,
    ) -> Self {
        if first(headers, CONNECTION).is_none() {
            return Self::default();
        }
        let route = || (facts.property)(&["xds", "route_name"]);
        let shown = match routes.and_then(|routes| Some((routes, route()?))) {
            Some(([good, _], route)) if route == good.as_bytes() => Shown::Good,
            Some(([_, other], route)) if route == other.as_bytes() => Shown::Other,
            _ => return Self::nothing(),
        };
        let said = |name| first(headers, name).unwrap_or_default();
        Self {
            shown,
            subject: Cow::Borrowed(said(SUBJECT)),
            issuer: said(ISSUER),
            certificate: said(CERTIFICATE),
        }
    }

    /// As Envoy says it of the connection; `by`: by which authority one is asked for, and how far it may be from it. A
    /// bad certificate has ended the handshake.
    pub(super) fn by_listener(
        by: Option<(&str, u32)>,
        listeners: &BTreeMap<String, String>,
        headers: &'r Headers<'r>,
        facts: &Facts,
    ) -> Self {
        let of_connection = |name| (facts.property)(&["connection", name]);
        if of_connection("tls_version").is_none() {
            return Self::default();
        }
        let asks = |authority: &str| {
            let chain = (facts.property)(&["xds", "filter_chain_name"]);
            let chain = chain.as_deref().map(std::str::from_utf8);
            let known = chain.and_then(|chain| listeners.get(chain.ok()?));
            known.is_some_and(|known| known == authority)
        };
        let is_shown = || of_connection("mtls").as_deref() == Some(&[1]);
        let asked = by.filter(|(authority, _)| asks(authority) && is_shown());
        let Some((_, depth)) = asked else {
            return Self::nothing();
        };
        let said = |name| first(headers, name).and_then(|said| said.strip_prefix(b"="));
        let said = |name| said(name).unwrap_or_default();
        Self {
            shown: if is_short(said(CHAIN), depth) {
                Shown::Good
            } else {
                Shown::Other
            },
            subject: Cow::Owned(of_connection("subject_peer_certificate").unwrap_or_default()),
            issuer: said(ISSUER),
            certificate: said(CERTIFICATE),
        }
    }

    fn nothing() -> Self {
        Self {
            shown: Shown::Nothing,
            ..Self::default()
        }
    }
}

/// Whether between a certificate and its authority there cannot be more others than `depth`: those that
/// were shown beside it.
fn is_short(chain: &[u8], depth: u32) -> bool {
    let all = chain.split(|byte| *byte == b',').count();
    let others = u32::try_from(all.saturating_sub(1)).unwrap_or(u32::MAX);
    !chain.is_empty() && others <= depth
}

/// The name that the client greeted; `None`: none, or the connection is no TLS.
pub(crate) fn greeted<'r>(
    listeners: &Listeners,
    headers: &'r Headers<'r>,
    facts: &Facts,
) -> Option<Cow<'r, [u8]>> {
    let name = if listeners.is_some() {
        Cow::Owned((facts.property)(&["connection", "requested_server_name"])?)
    } else {
        let said = first(headers, CONNECTION)?;
        Cow::Borrowed(said.strip_prefix(b"sni=").unwrap_or(said))
    };
    (!name.is_empty()).then_some(name)
}
