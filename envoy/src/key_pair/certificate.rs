//! What of a certificate bears on whether Envoy takes it. Who signed it and whether it is still valid
//! is the client's to judge.

use super::der::{BIT_STRING, Der, INTEGER, Item, OBJECT, SEQUENCE, SET, field, is_sound};
use super::shapes::{
    Extension, are_general_names, extensions, signed, take_algorithm, take_name, take_public_key,
    take_time,
};

/// The kinds of text in a common name that have a byte for each letter of ASCII.
const TEXTS: [u8; 4] = [0x0c, 0x13, 0x14, 0x16];

/// All kinds of text in one.
const STRINGS: [u8; 10] = [0x0c, 0x12, 0x13, 0x14, 0x15, 0x16, 0x1a, 0x1b, 0x1c, 0x1e];

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
/// `id-pe-tlsfeature`, RFC 7633.
const TLS_FEATURE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18];

/// The kinds of alternative names that Envoy counts: of DNS, URIs, addresses.
const NAMES: [u8; 3] = [0x82, 0x86, 0x87];

/// Of an alternative name: one of DNS.
const DNS: u8 = 0x82;

/// The first bit of `keyUsage`.
const DIGITAL_SIGNATURE: u8 = 0x80;

/// A certificate that is whole.
#[derive(Debug)]
pub(super) struct Certificate<'d> {
    /// Whose it is, as DER.
    pub(super) subject: &'d [u8],
    /// Who signed it, as DER.
    pub(super) issuer: &'d [u8],
    /// Its `SubjectPublicKeyInfo`.
    pub(super) public_key: &'d [u8],
    /// For which servers it is, as Envoy reads it: its names of DNS, or its common one where it has no
    /// alternative ones. `None`: Envoy may read something else.
    pub(super) servers: Option<Vec<String>>,
    /// The same as Go reads it: its names of DNS, or its common ones where there are none of DNS.
    pub(super) claims: Option<Vec<String>>,
    /// Whether it says whose it is.
    pub(super) is_named: bool,
    /// Whether its key may sign.
    pub(super) signs: bool,
    /// Whether clients want an answer of OCSP with it.
    pub(super) must_staple: bool,
}

impl<'d> Certificate<'d> {
    /// Reads one; `None`: it is damaged.
    pub(super) fn read(der: &'d [u8]) -> Option<Self> {
        if !is_sound(der) {
            return None;
        }
        let (mut body, algorithm) = signed(der)?;

        let version = body.take(field(0));
        body.take(INTEGER)?;
        (take_algorithm(&mut body)?.whole == algorithm.whole).then_some(())?;
        let issuer = take_name(&mut body)?;
        let mut valid = Der(body.take(SEQUENCE)?);
        for _ in ["from", "until"] {
            take_time(&mut valid)?;
        }
        valid.end()?;
        let subject = take_name(&mut body)?;
        let public_key = take_public_key(&mut body)?;
        let extensions = body.take(field(3));
        body.end()?;
        // Only the third version has extensions, and DER does not write the first one.
        match (version, extensions) {
            (None | Some([INTEGER, 1, 1 | 2]), None) | (Some([INTEGER, 1, 2]), Some(_)) => {}
            _ => return None,
        }
        let common_name = common_name(subject);
        let mut certificate = Self {
            subject,
            issuer,
            public_key,
            servers: plain_names(common_name),
            claims: None,
            is_named: common_name.is_some(),
            signs: true,
            must_staple: false,
        };
        if let Some(extensions) = extensions {
            certificate.read_extensions(extensions)?;
        }
        let common = plain_names(common_name);
        certificate.claims = match &certificate.servers {
            Some(servers) if servers.is_empty() || certificate.servers == common => {
                common_names(subject)
            }
            servers => servers.clone(),
        };
        // An empty one Envoy refuses, whatever else is there.
        certificate.is_named &=
            common_name.is_none_or(|name| STRINGS.contains(&name.tag) && !name.content.is_empty());
        Some(certificate)
    }

    fn read_extensions(&mut self, all: &[u8]) -> Option<()> {
        let mut outer = Der(all);
        let all = outer.take(SEQUENCE)?;
        outer.end()?;
        for Extension { kind, value } in extensions(all)? {
            let mut value = Der(value);
            match kind {
                KEY_USAGE => {
                    is_sound(value.0).then_some(())?;
                    let bits = value.take(BIT_STRING)?;
                    value.end()?;
                    let first = bits.get(1).copied().unwrap_or_default();
                    self.signs = first & DIGITAL_SIGNATURE != 0;
                }
                ALTERNATIVE_NAMES => {
                    is_sound(value.0).then_some(())?;
                    let mut names = Der(value.take(SEQUENCE)?);
                    value.end()?;
                    // Of a list that it cannot read Envoy reads no name.
                    let is_read = are_general_names(names.0).is_some();
                    let mut servers = Some(Vec::new());
                    let is_empty = names.end().is_some();
                    while let Some(name) = names.next() {
                        self.is_named |= is_read && NAMES.contains(&name.tag);
                        let text = plain_text(name.content);
                        match text {
                            Some(text) if name.tag == DNS => {
                                servers.iter_mut().for_each(|all| all.push(text.to_owned()))
                            }
                            None if name.tag == DNS => servers = None,
                            // Others are for no server.
                            _ => {}
                        }
                    }
                    self.servers = servers.filter(|_| is_read && !is_empty);
                }
                TLS_FEATURE => self.must_staple = true,
                _ => {}
            }
        }
        Some(())
    }
}

/// The first common name of a subject of the right shape, which is the one that Envoy reads.
fn common_name(subject: &[u8]) -> Option<Item<'_>> {
    let mut all = values(subject);
    all.find_map(|(kind, value)| (kind == COMMON_NAME).then_some(value))
}

/// Every common name; `None`: somebody may read something else in one.
fn common_names(subject: &[u8]) -> Option<Vec<String>> {
    let all = values(subject).filter(|(kind, _)| *kind == COMMON_NAME);
    let named: Option<Vec<Vec<String>>> = all.map(|(_, name)| plain_names(Some(name))).collect();
    named.map(|all| all.concat())
}

/// What a common name names; `None`: Envoy may read something else in it.
fn plain_names(common: Option<Item<'_>>) -> Option<Vec<String>> {
    let Some(name) = common else {
        return Some(Vec::new());
    };
    let is_text = TEXTS.contains(&name.tag);
    let text = plain_text(name.content).filter(|_| is_text)?;
    Some(vec![text.to_owned()])
}

/// The parts of a name of the right shape: their kinds and values.
fn values(name: &[u8]) -> impl Iterator<Item = (&[u8], Item<'_>)> {
    let mut sets = Der(name);
    let mut parts = Der(&[]);
    std::iter::from_fn(move || {
        if parts.end().is_some() {
            parts = Der(sets.take(SET)?);
        }
        let mut part = Der(parts.take(SEQUENCE)?);
        Some((part.take(OBJECT)?, part.next()?))
    })
}

/// Text that is the same however it is read.
fn plain_text(bytes: &[u8]) -> Option<&str> {
    let is_plain = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    std::str::from_utf8(bytes).ok().filter(|_| is_plain)
}
