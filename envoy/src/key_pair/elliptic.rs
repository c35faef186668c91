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

#[derive(Clone)]
struct Point {
    x: BigUint,
    y: BigUint,
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
        };
        let p = number(self.p)?;
        let mut sum: Option<Point> = None;
        for bit in (0..key.bits()).rev() {
            if let Some(point) = sum.take() {
                sum = Some(add(&p, &point, &point)?);
            }
            if key.bit(bit) {
                sum = match sum {
                    Some(point) => Some(add(&p, &point, &base)?),
                    None => Some(base.clone()),
                };
            }
        }
        let sum = sum?;
        let mut bytes = vec![4];
        for coordinate in [sum.x, sum.y] {
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

/// The sum of two points; `None`: the point at infinity, which no key below the order meets.
fn add(p: &BigUint, one: &Point, other: &Point) -> Option<Point> {
    let minus = |a: &BigUint, b: &BigUint| (a + p - b) % p;
    let slope = if one.x == other.x && one.y == other.y {
        let a = BigUint::from(3_u8);
        let above = (&one.x * &one.x - 1_u8) * a % p;
        above * (&one.y * 2_u8).modinv(p)?
    } else {
        minus(&other.y, &one.y) * minus(&other.x, &one.x).modinv(p)?
    };
    let slope = slope % p;
    let x = minus(&minus(&(&slope * &slope % p), &one.x), &other.x);
    let y = minus(&(slope * minus(&one.x, &x) % p), &one.y);
    Some(Point { x, y })
}
