//! A certificate and its private key: whether Envoy takes them. It refuses all that it is given
//! beside a pair that it does not take, and with it every other host.
//!
//! Source: `ContextImpl` and `ServerContextImpl`, `source/common/tls`, Envoy 1.40; `RSA_check_key`
//! and `EC_KEY_check_key` of its `BoringSSL`.

mod authority;
mod certificate;
mod der;
mod ed25519;
mod elliptic;
mod pem;
mod private_key;
mod revoked;
mod rsa;
mod shapes;

pub use self::authority::{Authority, UnusableAuthority};

use self::certificate::Certificate;
use self::pem::Block;
use self::private_key::PrivateKey;

/// A pair that Envoy takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The certificate and those that vouch for it, as PEM; written anew, so that nothing else is in it.
    pub chain: String,
    /// The key, as PEM.
    pub key: String,
    /// For which servers the certificate is, as Envoy reads it; `None`: it may read something else.
    pub servers: Option<Vec<String>>,
    /// The same as Go reads it, and so Envoy Gateway.
    pub claims: Option<Vec<String>>,
    /// The key is one of ECDSA; Envoy counts any other as RSA's kind.
    pub is_elliptic: bool,
}

/// Why a pair is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// No certificate at all.
    #[error("tls.crt has no certificate in PEM")]
    NoCertificate,
    /// One that is damaged.
    #[error("tls.crt has a certificate that cannot be read")]
    Damaged,
    /// No key at all, or an encrypted one.
    #[error("tls.key has no private key in PEM that is not encrypted")]
    NoKey,
    /// One that is damaged, or of another kind.
    #[error(
        "tls.key is no intact RSA key of 2048 to 8192 bits, no key on P-256, P-384 or P-521 and none of Ed25519: Envoy serves with no other"
    )]
    Key,
    /// They do not belong together.
    #[error("tls.key is not the key of the certificate in tls.crt")]
    Mismatch,
    /// It is nobody's.
    #[error("the certificate in tls.crt has no name, or an empty common one, which Envoy refuses")]
    Nameless,
    /// It is for something else.
    #[error("the certificate in tls.crt is not for signatures (keyUsage), which Envoy refuses")]
    Usage,
    /// It wants more than a Secret can give.
    #[error(
        "the certificate in tls.crt demands OCSP (must-staple), which Envoy refuses without an answer"
    )]
    MustStaple,
}

impl KeyPair {
    /// Reads `tls.crt` and `tls.key`.
    ///
    /// # Errors
    /// When Envoy would not take them.
    pub fn read(chain: &str, key: &str) -> Result<Self, Unusable> {
        let chain: Vec<Block> = pem::blocks(chain)
            .filter(|block| block.label == "CERTIFICATE")
            .collect();
        let mut keys = pem::blocks(key).filter(|block| {
            block.label.ends_with("PRIVATE KEY") && block.label != "ENCRYPTED PRIVATE KEY"
        });
        let leaf = chain.first().ok_or(Unusable::NoCertificate)?;
        let leaf = Certificate::read(&leaf.der).ok_or(Unusable::Damaged)?;
        if chain
            .iter()
            .any(|one| Certificate::read(&one.der).is_none())
        {
            return Err(Unusable::Damaged);
        }
        let key = keys.next().ok_or(Unusable::NoKey)?;
        let private = PrivateKey::read(&key.der).ok_or(Unusable::Key)?;
        if private.public != leaf.public_key {
            return Err(Unusable::Mismatch);
        }
        if !leaf.is_named {
            return Err(Unusable::Nameless);
        }
        if !private.is_rsa && !leaf.signs {
            return Err(Unusable::Usage);
        }
        if leaf.must_staple {
            return Err(Unusable::MustStaple);
        }
        let (servers, claims) = (leaf.servers, leaf.claims);
        let chain = chain.iter().map(|one| pem::text("CERTIFICATE", &one.der));
        Ok(Self {
            chain: chain.collect(),
            key: pem::text(private.label, &key.der),
            servers,
            claims,
            is_elliptic: private.is_elliptic,
        })
    }
}

#[cfg(test)]
mod tests;
