//! Who signs clients' certificates: whether Envoy takes it. It refuses all that it is given beside one
//! that it does not take.
//!
//! Source: `DefaultCertValidator::initializeSslContexts`,
//! `source/common/tls/cert_validator/default_validator.cc`, Envoy 1.40.

use std::collections::{HashMap, HashSet};

use super::certificate::Certificate;
use super::pem::{self, Block};
use super::revoked::is_list;

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
    let mut issued: HashMap<&[u8], Vec<&[u8]>> = HashMap::new();
    for one in all {
        issued.entry(one.issuer).or_default().push(one.subject);
    }
    // Names that lead to one that signs itself.
    let roots = all.iter().filter(|one| one.issuer == one.subject);
    let mut known: HashSet<&[u8]> = roots.map(|one| one.subject).collect();
    let mut asked: Vec<&[u8]> = known.iter().copied().collect();
    while let Some(issuer) = asked.pop() {
        let subjects = issued.remove(issuer).unwrap_or_default();
        asked.extend(subjects.into_iter().filter(|subject| known.insert(subject)));
    }
    all.iter().map(|one| known.contains(one.issuer)).collect()
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
