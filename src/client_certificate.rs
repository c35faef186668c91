//! What a host asks of its clients' certificates, and what is known of one.
//!
//! Who signed a certificate is looked at by the listener alone. What it tells of that no client can
//! choose, and whatever a client says of it counts for nothing: `connection.rs`.
//!
//! Source: `ngx_ssl_get_client_verify` of nginx 1.27.1; the `ssl-client-*` lines of
//! `rootfs/etc/nginx/template/nginx.tmpl`, ingress-nginx dbb11b92d.

mod connection;

use crate::annotations::{AskedCertificate, Verify};
use crate::edit::{Edit, FieldValue, Headers, Name, first};
use crate::facts::Facts;
use crate::route::pattern::{Pattern, Work};
use connection::Seen;
pub use connection::{CERTIFICATE, CHAIN, CONNECTION, HEADERS, ISSUER, SUBJECT, VALIDITY};
pub(crate) use connection::{Listeners, Shown, greeted};
use std::borrow::Cow;

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

/// The client of one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client<'r> {
    /// What its host asks; `None`: nothing.
    asked: Option<&'r Asked>,
    /// Some host asks, so that pods may believe what they are told of clients.
    is_told: bool,
    pub shown: Shown,
    subject: Cow<'r, [u8]>,
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
            let is_name = subject
                .get(start..)
                .is_some_and(|at| at.starts_with(b"CN="));
            let ends = ends.iter().skip(first).filter(|_| is_name);
            let mut ends = ends.take_while(|_| work.reads(OF_A_PART));
            ends.any(|end| {
                let part = subject.get(start..*end).unwrap_or_default();
                name.is_match(part, work)
            })
        })
    }
}

/// What it takes to look at one part of a subject, or several together: a subject of many has many times as many.
const OF_A_PART: usize = 8;

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
    pub(crate) fn of(
        asked: &'r Asked,
        listeners: &Listeners,
        headers: &'r Headers<'r>,
        facts: &Facts,
    ) -> Self {
        let (authority, depth) = (&asked.said.authority, asked.said.depth);
        let seen = match listeners {
            None => {
                let routes = || [true, false].map(|is_good| asked.route(is_good));
                Seen::by_route(asked.is_on().then(routes), headers, facts)
            }
            Some(listeners) => {
                let by = asked.is_on().then_some((authority.as_str(), depth));
                Seen::by_listener(by, listeners, headers, facts)
            }
        };
        Self {
            asked: Some(asked),
            shown: seen.shown,
            subject: seen.subject,
            issuer: seen.issuer,
            certificate: seen.certificate,
            ..Self::unasked()
        }
    }

    /// Whether a client's own header would say what limpet alone is to say of it.
    pub(crate) fn is_lie(&self, name: &str) -> bool {
        self.is_told && is_told(name.as_bytes())
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
            .is_none_or(|asked| asked.names(&self.subject, work))
    }

    /// Whether `auth-tls-error-page` says anything.
    pub(crate) fn has_own_page(&self) -> bool {
        self.asked
            .is_some_and(|asked| !asked.said.error_page.is_empty())
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
            Some(self.subject.clone()),
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
            Shown::Other if *self.subject == *self.issuer => b"FAILED:self-signed certificate",
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
