//! Keys of Ed25519.
//!
//! Source: RFC 8032, section 5.1; RFC 8410.

use num_bigint::BigUint;
use sha2::{Digest as _, Sha512};

/// Its name, as the content of an OBJECT IDENTIFIER.
pub(super) const OBJECT: &[u8] = &[0x2b, 0x65, 0x70];

/// Bytes of a private key, and of a public one.
const WIDTH: usize = 32;

/// The field, in hexadecimal as all that follows.
const P: &[u8] = b"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed";
const D: &[u8] = b"52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3";
/// The point that keys multiply.
const X: &[u8] = b"216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51a";
const Y: &[u8] = b"6666666666666666666666666666666666666666666666666666666666666658";

/// A point in extended coordinates: `x` and `y` over `z`, and their product over it.
#[derive(Clone)]
struct Point {
    x: BigUint,
    y: BigUint,
    z: BigUint,
    t: BigUint,
}

/// The public key of a private one. The time that it takes tells the key; nobody but the key's own operator can
/// measure it.
pub(super) fn public(private: &[u8]) -> Option<Vec<u8>> {
    (private.len() == WIDTH).then_some(())?;
    let hash = Sha512::digest(private);
    let mut scalar = BigUint::from_bytes_le(hash.get(..WIDTH)?);
    for bit in [0, 1, 2, 255] {
        scalar.set_bit(bit, false);
    }
    scalar.set_bit(254, true);

    let (p, d) = (number(P)?, number(D)?);
    let (x, y) = (number(X)?, number(Y)?);
    let one = BigUint::from(1_u8);
    let t = &x * &y % &p;
    let base = Point {
        x,
        y,
        z: one.clone(),
        t,
    };
    let mut sum = Point {
        x: BigUint::ZERO,
        y: one.clone(),
        z: one,
        t: BigUint::ZERO,
    };
    for bit in (0..scalar.bits()).rev() {
        sum = add(&p, &d, &sum, &sum);
        if scalar.bit(bit) {
            sum = add(&p, &d, &sum, &base);
        }
    }
    let by_z = sum.z.modinv(&p)?;
    let (x, mut y) = (sum.x * &by_z % &p, sum.y * by_z % &p);
    // The last bit tells which of the two points with this `y` it is.
    y.set_bit(255, x.bit(0));
    let mut bytes = y.to_bytes_le();
    bytes.resize(WIDTH, 0);
    Some(bytes)
}

fn number(hexadecimal: &[u8]) -> Option<BigUint> {
    BigUint::parse_bytes(hexadecimal, 16)
}

/// The sum of any two points, of one and itself too.
fn add(p: &BigUint, d: &BigUint, one: &Point, other: &Point) -> Point {
    let minus = |a: &BigUint, b: &BigUint| (a + p - b) % p;
    let a = minus(&one.y, &one.x) * minus(&other.y, &other.x) % p;
    let b = (&one.y + &one.x) * (&other.y + &other.x) % p;
    let c = &one.t * &other.t % p * d * 2_u8 % p;
    let z = &one.z * &other.z * 2_u8 % p;
    let (e, h) = (minus(&b, &a), (b + a) % p);
    let (f, g) = (minus(&z, &c), (z + c) % p);
    Point {
        x: &e * &f % p,
        y: &g * &h % p,
        z: f * g % p,
        t: e * h % p,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8032, section 7.1.
    #[test]
    fn public_keys_are_those_of_the_rfc() {
        let bytes = |text: &str| {
            let number = BigUint::parse_bytes(text.as_bytes(), 16).unwrap();
            let mut bytes = number.to_bytes_be();
            while bytes.len() < WIDTH {
                bytes.insert(0, 0);
            }
            bytes
        };
        for (private, expected) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            ),
        ] {
            assert_eq!(public(&bytes(private)), Some(bytes(expected)));
        }
        assert_eq!(public(&[0; 31]), None);
    }
}
