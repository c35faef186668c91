//! RSA keys.

use num_bigint::BigUint;

use super::der::{Der, INTEGER};

const ONE: u8 = 1;

/// The bits that Envoy wants at least, and the most that its library reads.
const BITS: std::ops::RangeInclusive<u64> = 2048..=8192;

/// The public key of what stands in an `RSAPrivateKey`, behind its version, as DER; `None`: the
/// numbers do not fit each other.
pub(super) fn public(mut numbers: Der<'_>) -> Option<Vec<u8>> {
    let whole = numbers.0;
    let mut number = || {
        let bytes = numbers.take(INTEGER)?;
        let is_negative = bytes.first().is_some_and(|first| *first >= 0x80);
        (!is_negative).then(|| BigUint::from_bytes_be(bytes))
    };
    let (n, e, d) = (number()?, number()?, number()?);
    let (p, q) = (number()?, number()?);
    let (dp, dq, inverse) = (number()?, number()?, number()?);
    numbers.end()?;
    let one = BigUint::from(ONE);
    if !BITS.contains(&n.bits()) || p <= one || q <= one || e <= one || e.bits() > 33 {
        return None;
    }
    let (below_p, below_q) = (&p - &one, &q - &one);
    let fits = n.bit(0)
        && e.bit(0)
        && &p * &q == n
        && d < n
        && &d * &e % &below_p == one
        && &d * &e % &below_q == one
        && dp == &d % &below_p
        && dq == &d % &below_q
        && inverse < p
        && &inverse * &q % &p == one;
    // The first two, as they stand there.
    let mut rest = Der(whole);
    let (n, e) = (rest.next()?, rest.next()?);
    fits.then(|| [n.whole, e.whole].concat())
}
