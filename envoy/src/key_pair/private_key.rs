//! Private keys, in the three forms that they are written in.

use super::der::{BIT_STRING, Der, INTEGER, NULL, OBJECT, OCTET_STRING, SEQUENCE, field, is_sound};
use super::elliptic::{CURVES, Curve};
use super::{ed25519, rsa};

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ELLIPTIC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// A key that is whole.
pub(super) struct PrivateKey {
    /// The `SubjectPublicKeyInfo` of the certificates that it goes with.
    pub(super) public: Vec<u8>,
    /// How PEM calls the form that it came in.
    pub(super) label: &'static str,
    /// It is one of ECDSA.
    pub(super) is_elliptic: bool,
    pub(super) is_rsa: bool,
}

impl PrivateKey {
    /// Reads one, by what it is rather than by what its PEM calls it, as Go does.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        if !is_sound(der) {
            return None;
        }
        let mut outer = Der(der);
        let mut fields = Der(outer.take(SEQUENCE)?);
        outer.end()?;
        let version = fields.take(INTEGER)?;
        let mut ahead = fields;
        match (ahead.next()?.tag, version) {
            (INTEGER, [0]) => Self::rsa(fields, "RSA PRIVATE KEY"),
            (OCTET_STRING, [1]) => Self::elliptic(fields, None, "EC PRIVATE KEY"),
            (SEQUENCE, [0]) => Self::wrapped(fields),
            _ => None,
        }
    }

    /// PKCS#8.
    fn wrapped(mut fields: Der<'_>) -> Option<Self> {
        let label = "PRIVATE KEY";
        let mut algorithm = Der(fields.take(SEQUENCE)?);
        let mut inner = Der(fields.take(OCTET_STRING)?);
        fields.next_if(field(0));
        fields.end()?;
        if !is_sound(inner.0) {
            return None;
        }
        let kind = algorithm.take(OBJECT)?;
        if kind == ed25519::OBJECT {
            algorithm.end()?;
            let private = inner.take(OCTET_STRING)?;
            inner.end()?;
            return Self::edwards(private, label);
        }
        let mut key = Der(inner.take(SEQUENCE)?);
        inner.end()?;
        let version = key.take(INTEGER)?;
        match (kind, version) {
            (RSA, [0]) => {
                algorithm.take(NULL)?;
                algorithm.end()?;
                Self::rsa(key, label)
            }
            (ELLIPTIC, [1]) => {
                let curve = curve(algorithm.take(OBJECT)?)?;
                algorithm.end()?;
                Self::elliptic(key, Some(curve), label)
            }
            _ => None,
        }
    }

    fn edwards(private: &[u8], label: &'static str) -> Option<Self> {
        let algorithm = tagged(OBJECT, ed25519::OBJECT)?;
        Some(Self {
            public: public_key_info(&algorithm, &ed25519::public(private)?)?,
            label,
            is_elliptic: false,
            is_rsa: false,
        })
    }

    fn rsa(numbers: Der<'_>, label: &'static str) -> Option<Self> {
        let public = tagged(SEQUENCE, &rsa::public(numbers)?)?;
        let algorithm = [tagged(OBJECT, RSA)?, tagged(NULL, &[])?].concat();
        Some(Self {
            public: public_key_info(&algorithm, &public)?,
            label,
            is_elliptic: false,
            is_rsa: true,
        })
    }

    /// SEC 1; `of`: the curve that stands around it.
    fn elliptic(mut fields: Der<'_>, of: Option<&Curve>, label: &'static str) -> Option<Self> {
        let private = fields.take(OCTET_STRING)?;
        let written = match fields.take(field(0)) {
            Some(parameters) => {
                let mut parameters = Der(parameters);
                let written = curve(parameters.take(OBJECT)?)?;
                parameters.end()?;
                Some(written)
            }
            None => None,
        };
        let curve = of.or(written)?;
        if written.is_some_and(|written| written.object != curve.object) {
            return None;
        }
        let public = curve.public(private)?;
        if let Some(told) = fields.take(field(1)) {
            let mut told = Der(told);
            let is_same = told.take(BIT_STRING)?.strip_prefix(&[0]) == Some(&public);
            told.end()?;
            is_same.then_some(())?;
        }
        fields.end()?;
        let algorithm = [tagged(OBJECT, ELLIPTIC)?, tagged(OBJECT, curve.object)?].concat();
        Some(Self {
            public: public_key_info(&algorithm, &public)?,
            label,
            is_elliptic: true,
            is_rsa: false,
        })
    }
}

fn curve(object: &[u8]) -> Option<&'static Curve> {
    CURVES.iter().find(|curve| curve.object == object)
}

fn public_key_info(algorithm: &[u8], public: &[u8]) -> Option<Vec<u8>> {
    let bits = [&[0], public].concat();
    let both = [tagged(SEQUENCE, algorithm)?, tagged(BIT_STRING, &bits)?];
    tagged(SEQUENCE, &both.concat())
}

/// A value as DER, of at most 65535 bytes.
fn tagged(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(content.len()).ok()?.to_be_bytes();
    let head = match (high, low) {
        (0, low) if low < 0x80 => vec![tag, low],
        (0, low) => vec![tag, 0x81, low],
        (high, low) => vec![tag, 0x82, high, low],
    };
    Some([&head, content].concat())
}
