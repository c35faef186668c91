//! What of a certificate bears on whether Envoy takes it. Who signed it and whether it is still valid
//! is the client's to judge.

use super::der::{
    BIT_STRING, BOOLEAN, Der, GENERALIZED_TIME, INTEGER, OBJECT, OCTET_STRING, SEQUENCE, SET,
    UTC_TIME, field, is_sound,
};

/// The kinds of text in a common name that have a byte for each letter of ASCII.
const TEXTS: [u8; 4] = [0x0c, 0x13, 0x14, 0x16];

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
/// `id-pe-tlsfeature`, RFC 7633.
const TLS_FEATURE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18];

/// The kinds of alternative names that Envoy counts: of DNS, URIs, addresses.
const NAMES: [u8; 3] = [0x82, 0x86, 0x87];

/// Of an alternative name: one of DNS.
const DNS: u8 = 0x82;

/// Of an address: bytes.
const ADDRESS: u8 = 0x87;

/// Those that are text: of mail, DNS, URIs.
const PLAIN: [u8; 3] = [0x81, DNS, 0x86];

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
        let mut outer = Der(der);
        let mut signed = Der(outer.take(SEQUENCE)?);
        outer.end()?;
        let mut body = Der(signed.take(SEQUENCE)?);
        let algorithm = signed.next_if(SEQUENCE)?;
        signed.take(BIT_STRING)?;
        signed.end()?;

        let version = body.take(field(0));
        body.take(INTEGER)?;
        (body.next_if(SEQUENCE)?.whole == algorithm.whole).then_some(())?;
        let mut algorithm = Der(algorithm.content);
        algorithm.take(OBJECT)?;
        algorithm.next();
        algorithm.end()?;
        let issuer = body.take(SEQUENCE)?;
        has_common_name(issuer)?;
        let mut valid = Der(body.take(SEQUENCE)?);
        for _ in ["from", "until"] {
            let is_time = |tag| [UTC_TIME, GENERALIZED_TIME].contains(&tag);
            is_time(valid.next()?.tag).then_some(())?;
        }
        valid.end()?;
        let subject = body.take(SEQUENCE)?;
        let public_key = body.next_if(SEQUENCE)?.whole;
        let extensions = body.take(field(3));
        body.end()?;
        // Only the third version has extensions, and DER does not write the first one.
        match (version, extensions) {
            (None | Some([INTEGER, 1, 1 | 2]), None) | (Some([INTEGER, 1, 2]), Some(_)) => {}
            _ => return None,
        }
        let mut certificate = Self {
            subject,
            issuer,
            public_key,
            servers: common_name(subject),
            is_named: has_common_name(subject)?,
            signs: true,
            must_staple: false,
        };
        if let Some(extensions) = extensions {
            certificate.read_extensions(extensions)?;
        }
        Some(certificate)
    }

    fn read_extensions(&mut self, extensions: &[u8]) -> Option<()> {
        let mut outer = Der(extensions);
        let mut all = Der(outer.take(SEQUENCE)?);
        outer.end()?;
        let mut seen = Vec::new();
        while all.end().is_none() {
            let mut extension = Der(all.take(SEQUENCE)?);
            let name = extension.take(OBJECT)?;
            extension.take(BOOLEAN);
            let mut value = Der(extension.take(OCTET_STRING)?);
            extension.end()?;
            (!seen.contains(&name)).then(|| seen.push(name))?;
            match name {
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
                    let mut servers = Some(Vec::new());
                    let is_empty = names.end().is_some();
                    while let Some(name) = names.next() {
                        self.is_named |= NAMES.contains(&name.tag);
                        let text = plain_text(name.content);
                        match text.filter(|_| PLAIN.contains(&name.tag)) {
                            Some(text) if name.tag == DNS => {
                                servers.iter_mut().for_each(|all| all.push(text.to_owned()))
                            }
                            Some(_) => {}
                            None if name.tag == ADDRESS => {}
                            None => servers = None,
                        }
                    }
                    self.servers = servers.filter(|_| !is_empty);
                }
                TLS_FEATURE => self.must_staple = true,
                _ => {}
            }
        }
        (!seen.is_empty()).then_some(())
    }
}

/// Whether a name, of the right shape, has a common one among its parts.
fn has_common_name(subject: &[u8]) -> Option<bool> {
    let mut sets = Der(subject);
    let mut found = false;
    while sets.end().is_none() {
        let mut parts = Der(sets.take(SET)?);
        while parts.end().is_none() {
            let mut part = Der(parts.take(SEQUENCE)?);
            found |= part.take(OBJECT)? == COMMON_NAME;
            part.next()?;
            part.end()?;
        }
    }
    Some(found)
}

/// The first common name of a subject of the right shape; `None`: Envoy may read something else in it.
fn common_name(subject: &[u8]) -> Option<Vec<String>> {
    let mut sets = Der(subject);
    while sets.end().is_none() {
        let mut parts = Der(sets.take(SET)?);
        while parts.end().is_none() {
            let mut part = Der(parts.take(SEQUENCE)?);
            if part.take(OBJECT)? == COMMON_NAME {
                let name = part.next().filter(|name| TEXTS.contains(&name.tag))?;
                return Some(vec![plain_text(name.content)?.to_owned()]);
            }
        }
    }
    Some(Vec::new())
}

/// Text that is the same however it is read.
fn plain_text(bytes: &[u8]) -> Option<&str> {
    let is_plain = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    std::str::from_utf8(bytes).ok().filter(|_| is_plain)
}
