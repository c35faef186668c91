//! The digests that stand for an endpoint in a cookie.

use hmac::Mac as _;
use md5::{Digest as _, Md5};
use sha1::Sha1;

/// A function from an endpoint's `ip:port` to a hex string.
#[derive(Debug, Clone)]
pub enum Digest {
    /// `md5(salt + "ip:port")`, the salt being the upstream name: `affinity-mode: persistent`.
    ///
    /// Source: `create_map`, `rootfs/etc/nginx/lua/util/nodemap.lua`, ingress-nginx dbb11b92d.
    Persistent {
        /// ingress-nginx's upstream name, `namespace-service-port`.
        salt: String,
    },
    /// `md5("ip:port")`: `session-cookie-hash: md5` of nginx-sticky-module-ng.
    Md5,
    /// `sha1("ip:port")`: `session-cookie-hash: sha1` of nginx-sticky-module-ng.
    Sha1,
    /// HMAC-SHA-1 of `ip:port`: limpet's own keyed cookies.
    Keyed(Box<Hmac>),
}

/// The same function, so that what one finds the other would find.
impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Persistent { salt: one }, Self::Persistent { salt: other }) => one == other,
            (Self::Keyed(one), Self::Keyed(other)) => one.of_nothing == other.of_nothing,
            (Self::Md5, Self::Md5) | (Self::Sha1, Self::Sha1) => true,
            _ => false,
        }
    }
}

/// The bytes of a digest; the last four of an MD5 are zero.
pub(crate) type Bytes = [u8; 20];

fn padded(digest: &[u8]) -> Bytes {
    let mut bytes = Bytes::default();
    for (byte, known) in bytes.iter_mut().zip(digest) {
        *byte = *known;
    }
    bytes
}

/// A hex digest of 32 or 40 lower-case digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex {
    digits: [u8; 40],
    length: usize,
}

impl Digest {
    /// The digest of an endpoint's `ip:port`.
    #[must_use]
    pub fn of(&self, address: &str) -> Hex {
        self.hex(&self.bytes(address))
    }

    /// What stands for such bytes.
    pub(crate) fn hex(&self, bytes: &Bytes) -> Hex {
        Hex::of(bytes.get(..self.length()).unwrap_or_default())
    }

    /// The same as bytes.
    pub(crate) fn bytes(&self, address: &str) -> Bytes {
        let md5 = |digest: Md5| padded(&digest.finalize());
        match self {
            Self::Persistent { salt } => md5(Md5::new_with_prefix(salt).chain_update(address)),
            Self::Md5 => md5(Md5::new_with_prefix(address)),
            Self::Sha1 => Sha1::digest(address).into(),
            Self::Keyed(hmac) => hmac.of(address.as_bytes()),
        }
    }

    /// How many bytes it has.
    fn length(&self) -> usize {
        match self {
            Self::Persistent { .. } | Self::Md5 => 16,
            Self::Sha1 | Self::Keyed(_) => 20,
        }
    }

    /// Reads `key` as such a digest: of its length, in lower-case hex; `None`: it is none.
    pub(crate) fn read(&self, key: &[u8]) -> Option<Bytes> {
        if key.len() != self.length().saturating_mul(2) {
            return None;
        }
        let digit = |digit: u8| DIGITS.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT);
        let (mut bytes, mut seen) = (Bytes::default(), 0);
        for (byte, pair) in bytes.iter_mut().zip(key.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            let (high, low) = (digit(*high), digit(*low));
            seen |= high | low;
            *byte = high << 4 | low;
        }
        (seen < NO_DIGIT).then_some(bytes)
    }
}

/// More than any digit, and still more with one.
const NO_DIGIT: u8 = 16;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// What each byte is as a lower-case digit.
static DIGITS: [u8; 256] = digits();

#[allow(clippy::indexing_slicing, reason = "worked out by the compiler")]
const fn digits() -> [u8; 256] {
    let (mut digits, mut value) = ([NO_DIGIT; 256], 0);
    while value < NO_DIGIT {
        digits[HEX[value as usize] as usize] = value;
        value += 1;
    }
    digits
}

/// The two digits of each byte.
static PAIRS: [[u8; 2]; 256] = pairs();

#[allow(clippy::indexing_slicing, reason = "worked out by the compiler")]
const fn pairs() -> [[u8; 2]; 256] {
    let (mut pairs, mut byte) = ([[0; 2]; 256], 0);
    while byte < pairs.len() {
        pairs[byte] = [HEX[byte >> 4], HEX[byte & 15]];
        byte += 1;
    }
    pairs
}

impl Hex {
    fn of(bytes: &[u8]) -> Self {
        let mut digits = [0; 40];
        let (pairs, _) = digits.as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(bytes) {
            *pair = PAIRS.get(usize::from(*byte)).copied().unwrap_or_default();
        }
        let length = bytes.len().saturating_mul(2).min(digits.len());
        Self { digits, length }
    }

    /// The digits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(..self.length).unwrap_or_default()
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// HMAC-SHA-1 under one secret.
#[derive(Clone)]
pub struct Hmac {
    keyed: hmac::Hmac<Sha1>,
    /// Of the empty text: tells secrets apart.
    of_nothing: [u8; 20],
}

impl Hmac {
    /// Under `secret`. HMAC hashes what is longer than a block, so that no length is refused and
    /// this is never `None`.
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        let keyed = hmac::Hmac::<Sha1>::new_from_slice(secret).ok()?;
        let of_nothing = keyed.clone().finalize().into_bytes().into();
        Some(Self { keyed, of_nothing })
    }

    fn of(&self, text: &[u8]) -> [u8; 20] {
        let keyed = self.keyed.clone().chain_update(text);
        keyed.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for Hmac {
    /// Says nothing of the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hmac")
    }
}

/// ingress-nginx's backend key: `md5(md5(name) + name)`, the inner digest in hex too.
///
/// Source: `_M.sync`, `rootfs/etc/nginx/lua/balancer/sticky.lua`, ingress-nginx dbb11b92d.
#[must_use]
pub fn backend_key(upstream_name: &str) -> String {
    let inner = Hex::of(&Md5::digest(upstream_name));
    let key = Md5::new()
        .chain_update(inner.as_bytes())
        .chain_update(upstream_name)
        .finalize();
    Hex::of(&key).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(secret: &[u8]) -> Digest {
        Digest::Keyed(Box::new(Hmac::new(secret).unwrap()))
    }

    #[test]
    fn digests_are_those_of_their_originals() {
        let persistent = Digest::Persistent {
            salt: "default-http-service-8080".into(),
        };
        for (digest, address, hex) in [
            (
                &persistent,
                "10.244.0.5:8080",
                "ef27e27fe49bed6cb4179742ef0d19c3",
            ),
            (
                &persistent,
                "[fd00::1]:8080",
                "c7292dbf34d7ef0816161962efed50b2",
            ),
            (&Digest::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
            (
                &Digest::Sha1,
                "abc",
                "a9993e364706816aba3e25717850c26c9cd0d89d",
            ),
            // RFC 2202, test case 2, and one with a key longer than a block.
            (
                &keyed(b"Jefe"),
                "what do ya want for nothing?",
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
            (
                &keyed(&[0xaa; 80]),
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "aa4ae5e15272d00e95705637ce8a3b55ed402112",
            ),
        ] {
            assert_eq!(digest.of(address).as_str(), hex, "{digest:?} of {address}");
            assert_eq!(digest.read(hex.as_bytes()), Some(digest.bytes(address)));
            for other in [hex.to_uppercase(), format!("{hex}00"), hex[2..].to_owned()] {
                assert_eq!(digest.read(other.as_bytes()), None, "{other}");
            }
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", keyed(b"s3cret")), "Keyed(Hmac)");
    }

    #[test]
    fn backend_keys_are_those_of_ingress_nginx() {
        for (name, key) in [
            (
                "default-http-service-8080",
                "bfbf1eabcf79f6a992583c12fd0711ed",
            ),
            ("prod-web-frontend-http", "00355681b722e78629ef7f513103ae5a"),
        ] {
            assert_eq!(backend_key(name), key);
        }
    }
}
