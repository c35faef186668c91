//! What certificates and lists of revoked ones are made of, as strict as Envoy's library: it refuses all that it is
//! given beside one that it cannot read.
//!
//! Source: `x509_parse_algorithm`, `x509_parse_name`, `x509_parse_public_key`, `AUTHORITY_KEYID`, `ISSUING_DIST_POINT`
//! and `GENERAL_NAME`, `crypto/x509`, `BoringSSL` a0689af29; RFC 5280.

use std::collections::HashSet;

use super::der::{
    BIT_STRING, BOOLEAN, Der, GENERALIZED_TIME, INTEGER, Item, OBJECT, OCTET_STRING, SEQUENCE, SET,
    UTC_TIME, field, is_sound, is_sound_as,
};

/// The longest name that is read, in bytes.
const LONGEST_NAME: usize = 1 << 20;

/// Of a field that has number `number` in its sequence and no values in it: its tag.
const fn plain_field(number: u8) -> u8 {
    0x80 | number
}

/// What is signed, and the algorithm that it is signed by.
pub(super) fn signed(der: &[u8]) -> Option<(Der<'_>, Item<'_>)> {
    let mut outer = Der(der);
    let mut signed = Der(outer.take(SEQUENCE)?);
    outer.end()?;
    let body = Der(signed.take(SEQUENCE)?);
    let algorithm = take_algorithm(&mut signed)?;
    signed.take(BIT_STRING)?;
    signed.end()?;
    Some((body, algorithm))
}

/// How something is signed, or what a key is for.
pub(super) fn take_algorithm<'d>(from: &mut Der<'d>) -> Option<Item<'d>> {
    let item = from.next_if(SEQUENCE)?;
    let mut algorithm = Der(item.content);
    algorithm.take(OBJECT)?;
    algorithm.next();
    algorithm.end()?;
    Some(item)
}

/// A `SubjectPublicKeyInfo`, whole. Of those that only vouch for others Envoy reads no more than this.
pub(super) fn take_public_key<'d>(from: &mut Der<'d>) -> Option<&'d [u8]> {
    let item = from.next_if(SEQUENCE)?;
    let mut info = Der(item.content);
    take_algorithm(&mut info)?;
    info.take(BIT_STRING)?;
    info.end()?;
    Some(item.whole)
}

pub(super) fn take_time(from: &mut Der<'_>) -> Option<()> {
    let time = from.take(UTC_TIME);
    time.or_else(|| from.take(GENERALIZED_TIME)).map(|_| ())
}

/// Whose something is: the content.
pub(super) fn take_name<'d>(from: &mut Der<'d>) -> Option<&'d [u8]> {
    let name = from.take(SEQUENCE)?;
    (name.len() <= LONGEST_NAME).then_some(())?;
    let mut sets = Der(name);
    while sets.end().is_none() {
        are_parts(sets.take(SET)?)?;
    }
    Some(name)
}

/// One part of a name or several that stand together.
fn are_parts(all: &[u8]) -> Option<()> {
    let mut parts = Der(all);
    loop {
        let mut part = Der(parts.take(SEQUENCE)?);
        part.take(OBJECT)?;
        part.next()?;
        part.end()?;
        if parts.end().is_some() {
            return Some(());
        }
    }
}

/// What is said beyond the plain fields.
pub(super) struct Extension<'d> {
    /// Its kind, as the content of an OBJECT IDENTIFIER.
    pub(super) kind: &'d [u8],
    /// DER, if it is what it is called.
    pub(super) value: &'d [u8],
}

/// Those of a list, each kind once; there is no empty one.
pub(super) fn extensions(all: &[u8]) -> Option<Vec<Extension<'_>>> {
    let mut rest = Der(all);
    let (mut read, mut seen) = (Vec::new(), HashSet::new());
    loop {
        let mut extension = Der(rest.take(SEQUENCE)?);
        let kind = extension.take(OBJECT)?;
        extension.take(BOOLEAN);
        let value = extension.take(OCTET_STRING)?;
        extension.end()?;
        seen.insert(kind).then_some(())?;
        read.push(Extension { kind, value });
        if rest.end().is_some() {
            return Some(read);
        }
    }
}

/// Which of an authority's keys signed: the value of `authorityKeyIdentifier`.
pub(super) fn is_key_of_authority(value: &[u8]) -> Option<()> {
    let mut fields = only_sequence(value)?;
    fields.take(plain_field(0));
    if let Some(names) = fields.take(field(1)) {
        are_general_names(names)?;
    }
    if let Some(serial) = fields.take(plain_field(2)) {
        is_sound_as(INTEGER, serial).then_some(())?;
    }
    fields.end()
}

/// What a list of revoked certificates is for: the value of `issuingDistributionPoint`.
pub(super) fn is_scope(value: &[u8]) -> Option<()> {
    let mut fields = only_sequence(value)?;
    if let Some(point) = fields.take(field(0)) {
        let mut point = Der(point);
        match point.take(field(0)) {
            Some(names) => are_general_names(names)?,
            None => are_parts(point.take(field(1))?)?,
        }
        point.end()?;
    }
    for (number, tag) in [
        (1, BOOLEAN),
        (2, BOOLEAN),
        (3, BIT_STRING),
        (4, BOOLEAN),
        (5, BOOLEAN),
    ] {
        if let Some(content) = fields.take(plain_field(number)) {
            is_sound_as(tag, content).then_some(())?;
        }
    }
    fields.end()
}

fn only_sequence(value: &[u8]) -> Option<Der<'_>> {
    is_sound(value).then_some(())?;
    let mut outer = Der(value);
    let fields = Der(outer.take(SEQUENCE)?);
    outer.end()?;
    Some(fields)
}

/// `GeneralNames`, but for X.400 addresses and parties of EDI, which nobody writes.
pub(super) fn are_general_names(all: &[u8]) -> Option<()> {
    let mut all = Der(all);
    while all.end().is_none() {
        let name = all.next()?;
        let mut inside = Der(name.content);
        match name.tag {
            // Of mail, DNS, a URI, an address.
            0x81 | 0x82 | 0x86 | 0x87 => {}
            0x88 => is_sound_as(OBJECT, name.content).then_some(())?,
            // Another's kind.
            0xa0 => {
                inside.take(OBJECT)?;
                let mut value = Der(inside.take(field(0))?);
                value.next()?;
                value.end()?;
                inside.end()?;
            }
            0xa4 => {
                take_name(&mut inside)?;
                inside.end()?;
            }
            _ => return None,
        }
    }
    Some(())
}
