//! Keys on elliptic curves.

use num_bigint::BigUint;

/// A curve whose certificates Envoy takes; all three have `a = -3`.
pub(super) struct Curve {
    /// Its name, as the content of an OBJECT IDENTIFIER.
    pub(super) object: &'static [u8],
    /// Bytes of a coordinate.
    width: usize,
    /// The field, in hexadecimal as all that follows.
    p: &'static str,
    /// How many points there are.
    order: &'static str,
    /// The point that keys multiply.
    x: &'static str,
    y: &'static str,
}

/// Source: SEC 2, version 2.0.
pub(super) const CURVES: [Curve; 3] = [
    Curve {
        object: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        width: 32,
        p: "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
        order: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        x: "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
        y: "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    },
    Curve {
        object: &[0x2b, 0x81, 0x04, 0x00, 0x22],
        width: 48,
        p: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
        order: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        x: "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
        y: "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
    },
    Curve {
        object: &[0x2b, 0x81, 0x04, 0x00, 0x23],
        width: 66,
        p: "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        order: "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        x: "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66",
        y: "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650",
    },
];

/// A point in Jacobian coordinates, `x` over the square of `z` and `y` over its cube: to add two of them takes no
/// division, which costs as much as all the rest. Each is below the field's `p`.
#[derive(Clone)]
struct Point {
    x: BigUint,
    y: BigUint,
    z: BigUint,
}

impl Curve {
    /// The public key of a private one, uncompressed. The time that it takes tells the key; nobody
    /// but the key's own operator can measure it.
    pub(super) fn public(&self, private: &[u8]) -> Option<Vec<u8>> {
        let key = BigUint::from_bytes_be(private);
        if key >= number(self.order)? {
            return None;
        }
        let base = Point {
            x: number(self.x)?,
            y: number(self.y)?,
            z: BigUint::from(1_u8),
        };
        let p = number(self.p)?;
        let mut sum: Option<Point> = None;
        for bit in (0..key.bits()).rev() {
            if let Some(point) = sum.take() {
                sum = Some(double(&p, &point));
            }
            if key.bit(bit) {
                sum = match sum {
                    Some(point) => Some(add(&p, &point, &base)?),
                    None => Some(base.clone()),
                };
            }
        }
        let sum = sum?;
        let by_z = sum.z.modinv(&p)?;
        let by_square = &by_z * &by_z % &p;
        let by_cube = &by_square * by_z % &p;
        let mut bytes = vec![4];
        for coordinate in [sum.x * by_square % &p, sum.y * by_cube % &p] {
            let written = coordinate.to_bytes_be();
            bytes.resize(bytes.len() + self.width.checked_sub(written.len())?, 0);
            bytes.extend(written);
        }
        Some(bytes)
    }
}

fn number(hexadecimal: &str) -> Option<BigUint> {
    BigUint::parse_bytes(hexadecimal.as_bytes(), 16)
}

/// Twice a point, for `a = -3`.
///
/// Source: `dbl-2001-b` of the Explicit-Formulas Database.
fn double(p: &BigUint, point: &Point) -> Point {
    let Point { x, y, z } = point;
    let delta = z * z % p;
    let gamma = y * y % p;
    let beta = x * &gamma % p;
    let alpha = minus(p, x, &delta) * (x + &delta) * 3_u8 % p;
    let new_x = minus(p, &(&alpha * &alpha % p), &(&beta * 8_u8 % p));
    let turned = alpha * minus(p, &(beta * 4_u8 % p), &new_x) % p;
    Point {
        y: minus(p, &turned, &(&gamma * &gamma * 8_u8 % p)),
        z: y * z * 2_u8 % p,
        x: new_x,
    }
}

/// The sum of a point and another one whose `z` is 1; `None`: they are the same or sum up to the point at infinity,
/// which no key below the order meets.
///
/// Source: `madd` of the same.
fn add(p: &BigUint, one: &Point, other: &Point) -> Option<Point> {
    let square = &one.z * &one.z % p;
    let across = minus(p, &(&other.x * &square % p), &one.x);
    let up = minus(p, &(&other.y * &one.z % p * square % p), &one.y);
    if across == BigUint::ZERO {
        return None;
    }
    let across_square = &across * &across % p;
    let across_cube = &across * &across_square % p;
    let v = &one.x * across_square % p;
    let x = minus(p, &(&up * &up % p), &((&across_cube + &v * 2_u8) % p));
    let turned = up * minus(p, &v, &x) % p;
    Some(Point {
        y: minus(p, &turned, &(&one.y * across_cube % p)),
        z: &one.z * across % p,
        x,
    })
}

/// Of two numbers below `p`.
fn minus(p: &BigUint, a: &BigUint, b: &BigUint) -> BigUint {
    (a + p - b) % p
}
