//! Who signs clients' certificates: whether Envoy takes it. It refuses all that it is given beside one
//! that it does not take.
//!
//! Source: `DefaultCertValidator::initializeSslContexts`,
//! `source/common/tls/cert_validator/default_validator.cc`, Envoy 1.40; RFC 5280, section 5.1.

use std::collections::HashSet;

use super::certificate::Certificate;
use super::der::{BIT_STRING, Der, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME, field, is_sound};
use super::pem::{self, Block};

/// The certificates of an authority, and what it revoked, as PEM; written anew, so that nothing else is
/// in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    /// Its own certificates.
    pub certificates: String,
    /// Its lists of revoked ones; `None`: there are none.
    pub revoked: Option<String>,
}

/// Why one is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnusableAuthority {
    /// No certificate at all.
    #[error("ca.crt has no certificate in PEM")]
    NoCertificate,
    /// None that signs itself.
    #[error("ca.crt has no certificate that signs itself, where nginx lets every chain end")]
    NoRoot,
    /// One that is damaged.
    #[error("ca.crt has a certificate that cannot be read")]
    Damaged,
    /// The same of what it revoked.
    #[error("ca.crl has no list of revoked certificates in PEM that can be read")]
    Revoked,
}

impl Authority {
    /// How long it is, as it is written.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let revoked = self.revoked.as_ref().map_or(0, String::len);
        self.certificates.len().saturating_add(revoked)
    }

    /// Reads `ca.crt` and `ca.crl`.
    ///
    /// # Errors
    /// When Envoy would not take them.
    pub fn read(certificates: &str, revoked: Option<&str>) -> Result<Self, UnusableAuthority> {
        let all: Vec<Block> = pem::blocks(certificates)
            .filter(|block| block.label == "CERTIFICATE")
            .collect();
        if all.is_empty() {
            return Err(UnusableAuthority::NoCertificate);
        }
        let read: Option<Vec<Certificate>> =
            all.iter().map(|one| Certificate::read(&one.der)).collect();
        let rooted = rooted(&read.ok_or(UnusableAuthority::Damaged)?);
        if !rooted.contains(&true) {
            return Err(UnusableAuthority::NoRoot);
        }
        let revoked = revoked.map(|lists| {
            let lists: Vec<Block> = pem::blocks(lists)
                .filter(|block| block.label == "X509 CRL")
                .collect();
            let is_whole = lists.iter().all(|list| is_list(&list.der).is_some());
            let text = |list: &Block| pem::text("X509 CRL", &list.der);
            (is_whole && !lists.is_empty())
                .then(|| lists.iter().map(text).collect::<String>())
                .ok_or(UnusableAuthority::Revoked)
        });
        let anchors = all.iter().zip(&rooted).filter(|(_, rooted)| **rooted);
        let texts = anchors.map(|(one, _)| pem::text("CERTIFICATE", &one.der));
        Ok(Self {
            certificates: texts.collect(),
            revoked: revoked.transpose()?,
        })
    }
}

/// Which of them a chain may end at. To Envoy that is each that it is given, to nginx those alone that
/// lead to one that signs itself.
fn rooted(all: &[Certificate<'_>]) -> Vec<bool> {
    let mut rooted: Vec<bool> = all.iter().map(|one| one.issuer == one.subject).collect();
    loop {
        let known = all.iter().zip(&rooted).filter(|(_, rooted)| **rooted);
        let known: HashSet<&[u8]> = known.map(|(one, _)| one.subject).collect();
        let mut grew = false;
        for (one, rooted) in all.iter().zip(&mut rooted) {
            if !*rooted && known.contains(one.issuer) {
                (*rooted, grew) = (true, true);
            }
        }
        if !grew {
            return rooted;
        }
    }
}

/// Whether it is a list of revoked certificates that is whole.
fn is_list(der: &[u8]) -> Option<()> {
    is_sound(der).then_some(())?;
    let mut outer = Der(der);
    let mut signed = Der(outer.take(SEQUENCE)?);
    outer.end()?;
    let mut body = Der(signed.take(SEQUENCE)?);
    let algorithm = signed.next_if(SEQUENCE)?;
    signed.take(BIT_STRING)?;
    signed.end()?;

    let version = body.take(INTEGER);
    (body.next_if(SEQUENCE)?.whole == algorithm.whole).then_some(())?;
    body.take(SEQUENCE)?;
    take_time(&mut body)?;
    take_time(&mut body);
    let mut has_extensions = false;
    if let Some(entries) = body.take(SEQUENCE) {
        let mut entries = Der(entries);
        while entries.end().is_none() {
            let mut entry = Der(entries.take(SEQUENCE)?);
            entry.take(INTEGER)?;
            take_time(&mut entry)?;
            has_extensions |= are_extensions(entry.take(SEQUENCE))?;
            entry.end()?;
        }
    }
    if let Some(extensions) = body.take(field(0)) {
        let mut extensions = Der(extensions);
        has_extensions |= are_extensions(extensions.take(SEQUENCE))?;
        extensions.end()?;
    }
    body.end()?;
    // Only the second version has extensions, and DER does not write the first one.
    match version {
        Some([1]) => Some(()),
        None if !has_extensions => Some(()),
        _ => None,
    }
}

fn take_time(from: &mut Der<'_>) -> Option<()> {
    let time = from.take(UTC_TIME);
    time.or_else(|| from.take(GENERALIZED_TIME)).map(|_| ())
}

/// Whether there are some, of the right shape.
fn are_extensions(all: Option<&[u8]>) -> Option<bool> {
    let Some(all) = all else {
        return Some(false);
    };
    let mut all = Der(all);
    while all.end().is_none() {
        let mut extension = Der(all.take(SEQUENCE)?);
        extension.take(super::der::OBJECT)?;
        extension.take(super::der::BOOLEAN);
        extension.take(super::der::OCTET_STRING)?;
        extension.end()?;
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> String {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/recordings/rest/certs"
        );
        std::fs::read_to_string(format!("{folder}/{name}.crt")).unwrap()
    }

    // Envoy ends a chain at whatever it is given; nginx at what signs itself.
    #[test]
    fn a_chain_ends_at_what_signs_itself_or_leads_there() {
        let (root, middle, leaf) = (
            certificate("ca"),
            certificate("middle"),
            certificate("good"),
        );
        let read = |texts: &[&str]| Authority::read(&texts.concat(), None);
        for none in [&[&*middle][..], &[&*leaf], &[&*middle, &*leaf]] {
            assert_eq!(read(none), Err(UnusableAuthority::NoRoot));
        }
        let of = |texts: &[&str]| read(texts).unwrap().certificates;
        let count = |text: &str| text.matches("BEGIN").count();
        assert_eq!(count(&of(&[&root])), 1);
        assert_eq!(count(&of(&[&middle, &root])), 2);
        // Of another authority, whose own certificate is not there.
        let other = certificate("other");
        assert_eq!(of(&[&root, &other]), of(&[&root]));
    }
}
