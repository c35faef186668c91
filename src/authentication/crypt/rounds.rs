//! Thousands of rounds of SHA-256 or SHA-512: `$5$` and `$6$` of crypt(3).
//!
//! Source: Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", 0.6.

use super::digits::{byte, digits, three};
use super::sha2::{sha256, sha512};

/// Rounds where the digest does not say how many, and the most that are done.
const ROUNDS: u32 = 5_000;

/// Whether it asks for more rounds than are done.
pub(super) fn is_costly(hash: &[u8]) -> bool {
    parts(hash).is_some_and(|parts| parts.rounds > ROUNDS)
}

pub(super) fn crypt(password: &[u8], hash: &[u8]) -> Option<Vec<u8>> {
    let parts = parts(hash)?;
    if parts.rounds > ROUNDS {
        return None;
    }
    let mut out = [parts.before, parts.salt, b"$"].concat();
    if hash.starts_with(b"$5$") {
        let digest = rounds(sha256, password, parts.salt, parts.rounds);
        // Each group is the one before, its places turned and one further.
        let mut at = [0, 10, 20];
        for _ in 0..10 {
            three(&digest, at, &mut out);
            let [first, second, third] = at;
            at = [third + 1, first + 1, second + 1];
        }
        digits((byte(&digest, 31) << 8) | byte(&digest, 30), 3, &mut out);
    } else {
        let digest = rounds(sha512, password, parts.salt, parts.rounds);
        let mut at = [0, 21, 42];
        for _ in 0..21 {
            three(&digest, at, &mut out);
            let [first, second, third] = at;
            at = [second + 1, third + 1, first + 1];
        }
        digits(byte(&digest, 63), 2, &mut out);
    }
    Some(out)
}

/// What a digest is made by.
struct Parts<'h> {
    /// All that stands before the salt.
    before: &'h [u8],
    salt: &'h [u8],
    rounds: u32,
}

fn parts(hash: &[u8]) -> Option<Parts<'_>> {
    let kind = hash.get(..3)?;
    if kind != b"$5$" && kind != b"$6$" {
        return None;
    }
    let mut texts = hash.get(3..)?.split(|byte| *byte == b'$');
    let first = texts.next()?;
    let (salt, rounds, before) = match first.strip_prefix(b"rounds=") {
        None => (first, ROUNDS, 3),
        Some(number) => {
            let number: u32 = std::str::from_utf8(number).ok()?.parse().ok()?;
            let before = first.len().checked_add(4)?;
            (texts.next()?, number.max(1_000), before)
        }
    };
    Some(Parts {
        before: hash.get(..before)?,
        salt: salt.get(..16).unwrap_or(salt),
        rounds,
    })
}

/// Makes a digest of some texts, one after the other.
type Digest = fn(&[&[u8]]) -> Vec<u8>;

fn rounds(digest: Digest, password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
    // As many bytes of a digest as `length` says, from its start on whenever it ends.
    let repeated = |digest: &[u8], length: usize| -> Vec<u8> {
        digest.iter().copied().cycle().take(length).collect()
    };
    let inner = digest(&[password, salt, password]);
    let mut text = [password, salt, &repeated(&inner, password.len())].concat();
    let mut bits = password.len();
    while bits > 0 {
        text.extend_from_slice(if bits & 1 == 1 { &inner } else { password });
        bits >>= 1;
    }
    let mut last = digest(&[&text]);

    let passwords = digest(&[&password.repeat(password.len())]);
    let passwords = repeated(&passwords, password.len());
    let times = byte(&last, 0).saturating_add(16) as usize;
    let salts = digest(&[&salt.repeat(times)]);
    let salts = repeated(&salts, salt.len());

    for round in 0..rounds {
        let (before, behind) = if round % 2 == 1 {
            (&passwords, &last)
        } else {
            (&last, &passwords)
        };
        let salts = if round % 3 == 0 { &[][..] } else { &salts };
        let again = if round % 7 == 0 { &[][..] } else { &passwords };
        last = digest(&[before, salts, again, behind]);
    }
    last
}
