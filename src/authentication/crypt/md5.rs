//! A thousand rounds of MD5: `$1$` of crypt(3), `$apr1$` of Apache.
//!
//! Source: `ngx_crypt_apr1`, nginx 1.27.1.

use super::digits::{byte, digest, digits, three};
use md5::Md5;

/// `rest`: what stands behind `magic`.
pub(super) fn crypt(password: &[u8], magic: &str, rest: &[u8]) -> Vec<u8> {
    let salt = rest.split(|byte| *byte == b'$').next().unwrap_or_default();
    let salt = salt.get(..8).unwrap_or(salt);
    let inner = digest::<Md5>(&[password, salt, password]);
    let mut text = [password, magic.as_bytes(), salt].concat();
    text.extend(inner.iter().cycle().take(password.len()));
    let mut bits = password.len();
    while bits > 0 {
        let first = password.first().copied().unwrap_or_default();
        text.push(if bits & 1 == 1 { 0 } else { first });
        bits >>= 1;
    }
    let mut last = digest::<Md5>(&[&text]);

    for round in 0..1000 {
        let is_odd = round % 2 == 1;
        let (before, behind) = if is_odd {
            (password, last.as_slice())
        } else {
            (last.as_slice(), password)
        };
        let salt = if round % 3 == 0 { &[] } else { salt };
        let again = if round % 7 == 0 { &[] } else { password };
        last = digest::<Md5>(&[before, salt, again, behind]);
    }

    let mut out = [magic.as_bytes(), salt, b"$"].concat();
    for at in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        three(&last, at, &mut out);
    }
    digits(byte(&last, 11), 2, &mut out);
    out
}
