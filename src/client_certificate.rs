//! What a host asks of its clients' certificates, and what is known of one.
//!
//! Who signed a certificate is looked at by the listener alone. It tells by the name of a route, which
//! no client can choose; whose it is stands in headers that it writes over whatever a client sent.
//!
//! Source: `ngx_ssl_get_client_verify` of nginx 1.27.1; the `ssl-client-*` lines of
//! `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx dbb11b92d.

use crate::annotations::{AskedCertificate, Verify};
use crate::edit::{Edit, FieldValue, Headers, Name, first};
use crate::facts::Facts;
use crate::route::pattern::{Pattern, Work};
use std::borrow::Cow;

/// The header that every request over TLS has: `sni=` and the name that the client greeted.
pub const CONNECTION: &str = "x-limpet-tls";
/// The header with the subject of the client's certificate, as RFC 2253 writes it.
pub const SUBJECT: &str = "x-limpet-client-subject";
/// The header with its issuer.
pub const ISSUER: &str = "x-limpet-client-issuer";
/// The header with the certificate itself, as PEM in URL encoding.
pub const CERTIFICATE: &str = "x-limpet-client-certificate";
/// The header with the two times between which it holds, in seconds since 1970, `-` between them.
pub const VALIDITY: &str = "x-limpet-client-valid";

/// All of them: a client's own are none.
pub const HEADERS: [&str; 5] = [CONNECTION, SUBJECT, ISSUER, CERTIFICATE, VALIDITY];

/// What pods are told, in ingress-nginx's order.
const TOLD: [&str; 4] = [
    "ssl-client-cert",
    "ssl-client-verify",
    "ssl-client-subject-dn",
    "ssl-client-issuer-dn",
];

/// What a host asks of certificates.
#[derive(Debug)]
pub enum ClientCertificate {
    /// What an Ingress asks cannot be used: nobody comes in.
    Unusable,
    /// This is asked.
    Asked(Box<Asked>),
}

/// What is asked.
#[derive(Debug)]
pub struct Asked {
    /// As the Ingress says it.
    pub said: AskedCertificate,
    /// Whose they are; `None`: anybody's.
    pub(crate) name: Option<Pattern>,
}

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

/// The client of one request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Client<'r> {
    /// What its host asks; `None`: nothing.
    asked: Option<&'r Asked>,
    /// Some host asks, so that pods may believe what they are told of clients.
    is_told: bool,
    pub shown: Shown,
    subject: &'r [u8],
    issuer: &'r [u8],
    certificate: &'r [u8],
}

impl Asked {
    /// The name of the route that a request has first where its client showed a certificate: one that
    /// holds by this authority, or another one.
    #[must_use]
    pub fn route(&self, is_good: bool) -> String {
        let kind = if is_good { "verified" } else { "unverified" };
        let (authority, depth) = (&self.said.authority, self.said.depth);
        format!("{kind}={authority},depth={depth}")
    }

    /// Whether somebody is asked for a certificate at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.said.verify != Verify::Off
    }

    /// `auth-tls-match-cn`, for a subject. A match is the whole of a common name, and of what stands
    /// behind it as far as the pattern goes.
    fn names(&self, subject: &[u8], work: &Work) -> bool {
        let Some(name) = &self.name else {
            return true;
        };
        let ends = ends(subject);
        let starts = std::iter::once(0).chain(ends.iter().map(|end| end.saturating_add(1)));
        let mut parts = starts.zip(0_usize..);
        parts.any(|(start, first)| {
            let mut ends = ends.iter().skip(first);
            ends.any(|end| {
                let part = subject.get(start..*end).unwrap_or_default();
                part.starts_with(b"CN=") && name.is_match(part, work)
            })
        })
    }
}

/// Where the parts of a subject end: at commas and pluses that nothing escapes.
fn ends(subject: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut is_escaped = false;
    for (at, byte) in subject.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b',' | b'+' => ends.push(at),
            _ => {}
        }
    }
    ends.push(subject.len());
    ends
}

impl<'r> Client<'r> {
    /// The client of a request to a host that asks for nothing, beside others that do.
    pub(crate) fn unasked() -> Self {
        Self {
            is_told: true,
            ..Self::default()
        }
    }

    /// The client of a request to a host that asks so.
    pub(crate) fn of(asked: &'r Asked, headers: &'r Headers<'r>, facts: &Facts) -> Self {
        let none = Self {
            asked: Some(asked),
            ..Self::unasked()
        };
        if first(headers, CONNECTION).is_none() {
            return none;
        }
        let route = if asked.is_on() {
            (facts.property)(&["xds", "route_name"]).unwrap_or_default()
        } else {
            Vec::new()
        };
        let shown = if route == asked.route(true).as_bytes() {
            Shown::Good
        } else if route == asked.route(false).as_bytes() {
            Shown::Other
        } else {
            return Self {
                shown: Shown::Nothing,
                ..none
            };
        };
        let said = |name| first(headers, name).unwrap_or_default();
        Self {
            shown,
            subject: said(SUBJECT),
            issuer: said(ISSUER),
            certificate: said(CERTIFICATE),
            ..none
        }
    }

    /// Whether a client's own header would say what limpet alone is to say of it.
    pub(crate) fn is_lie(&self, name: &str) -> bool {
        self.is_told && is_told(name.as_bytes())
    }

    /// The name that the client greeted; `None`: none, or the connection is no TLS.
    pub(crate) fn greeted(headers: &'r Headers<'r>) -> Option<&'r [u8]> {
        let name = first(headers, CONNECTION)?.strip_prefix(b"sni=")?;
        (!name.is_empty()).then_some(name)
    }

    /// Whether it showed what is asked for; over plain http that is asked later.
    pub(crate) fn shows_enough(&self, headers: &Headers, facts: &Facts) -> bool {
        let Some(asked) = self.asked else {
            return true;
        };
        match (self.shown, asked.said.verify) {
            (Shown::Plain | Shown::Good, _) | (_, Verify::Off) => true,
            (Shown::Nothing, verify) => verify != Verify::On,
            (Shown::Other, Verify::OptionalNoCa) => {
                !asked.said.knows_revoked && holds_now(headers, facts)
            }
            (Shown::Other, _) => false,
        }
    }

    /// Whether it is to show one, and came over plain http.
    pub(crate) fn evades(&self) -> bool {
        let is_on = |asked: &Asked| asked.said.verify == Verify::On;
        self.shown == Shown::Plain && self.asked.is_some_and(is_on)
    }

    /// Whether it is who may come in.
    pub(crate) fn is_named(&self, work: &Work) -> bool {
        self.asked
            .is_none_or(|asked| asked.names(self.subject, work))
    }

    /// `auth-tls-error-page`, where a browser can go.
    pub(crate) fn error_page(&self) -> Option<&'r str> {
        let page = self.asked?.said.error_page.as_str();
        (!page.is_empty() && !page.starts_with(['/', '@'])).then_some(page)
    }

    /// What others are told of it, by header; `None`: a client's own would be a lie.
    pub(crate) fn told(
        &self,
    ) -> impl Iterator<Item = (&'static str, Option<Cow<'r, [u8]>>)> + use<'r> {
        let passes = self.asked.is_some_and(|asked| asked.said.passes);
        let is_asked = self.asked.is_some();
        let values = [
            Some(self.certificate).filter(|_| passes).map(Cow::Borrowed),
            self.verdict(),
            Some(Cow::Borrowed(self.subject)),
            Some(Cow::Borrowed(self.issuer)),
        ];
        let values = values.map(|value| value.filter(|value| !value.is_empty()));
        TOLD.into_iter().zip(values).filter(move |_| is_asked)
    }

    /// `$ssl_client_verify`. Of a certificate of somebody else's the listener says no more.
    fn verdict(&self) -> Option<Cow<'r, [u8]>> {
        let verdict: &[u8] = match self.shown {
            Shown::Plain => return None,
            Shown::Nothing => b"NONE",
            Shown::Good => b"SUCCESS",
            Shown::Other if self.subject == self.issuer => b"FAILED:self-signed certificate",
            Shown::Other => b"FAILED:unable to verify the first certificate",
        };
        Some(Cow::Borrowed(verdict))
    }

    /// The same for pods.
    pub(crate) fn edits(&self, headers: &Headers) -> Vec<Edit<'static>> {
        if !self.is_told {
            return Vec::new();
        }
        let spelled = headers.iter().filter(|(name, _)| is_told(name));
        let spelled = spelled.filter_map(|(name, _)| std::str::from_utf8(name).ok());
        let mut edits: Vec<Edit<'static>> = Vec::new();
        for name in spelled {
            let remove = Edit::Remove(Name::Owned(name.to_owned()));
            if !edits.contains(&remove) {
                edits.push(remove);
            }
        }
        for (name, value) in self.told() {
            if let Some(value) = value {
                let value = FieldValue::received(value.into_owned());
                edits.push(Edit::Set(Name::Borrowed(name), value));
            }
        }
        edits
    }
}

/// Whether a header is one of those, in whatever spelling: to CGI `_` is `-`.
fn is_told(name: &[u8]) -> bool {
    let same = |(told, byte): (u8, &u8)| told == *byte || (told == b'-' && *byte == b'_');
    TOLD.iter()
        .any(|told| told.len() == name.len() && told.bytes().zip(name).all(same))
}

/// Whether the certificate that was shown has begun to hold, and has not expired.
fn holds_now(headers: &Headers, facts: &Facts) -> bool {
    let validity = first(headers, VALIDITY).and_then(|value| std::str::from_utf8(value).ok());
    let times = validity.and_then(|validity| validity.split_once('-'));
    let times = times.and_then(|(from, until)| {
        let (from, until): (u64, u64) = (from.parse().ok()?, until.parse().ok()?);
        Some(from..=until)
    });
    times.is_some_and(|times| times.contains(&(facts.now)()))
}

#[cfg(test)]
mod tests;
