//! What all digests are made of and written in.

use sha1::Digest;

/// The digest of some texts, one after the other. Not inlined: a copy of the algorithm for each place
/// of its use would be 10 KB of the module.
#[inline(never)]
pub(in crate::authentication) fn digest<D: Digest>(texts: &[&[u8]]) -> Vec<u8> {
    let mut digest = D::new();
    for text in texts {
        digest.update(text);
    }
    digest.finalize().to_vec()
}

/// The digits of `crypt(3)`.
pub(super) const DIGITS: &[u8; 64] =
    b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Writes the lowest bits of `bits`, six a digit, the lowest first.
pub(super) fn digits(mut bits: u32, count: usize, out: &mut Vec<u8>) {
    for _ in 0..count {
        out.extend(DIGITS.get((bits & 63) as usize));
        bits >>= 6;
    }
}

/// The byte at `at` of a digest.
pub(super) fn byte(digest: &[u8], at: usize) -> u32 {
    digest.get(at).copied().map_or(0, u32::from)
}

/// Three bytes of a digest, as four digits.
pub(super) fn three(digest: &[u8], at: [usize; 3], out: &mut Vec<u8>) {
    let [high, middle, low] = at.map(|at| byte(digest, at));
    digits((high << 16) | (middle << 8) | low, 4, out);
}
