//! Keys that hash where one wants: how a session gets a key that ingress-nginx's ring maps to
//! the endpoint that answered, without searching.
//!
//! CRC-32 is affine over bits: of keys of one length, each bit of the text changes the checksum
//! by a constant. So some characters are solved for, as 32 linear equations. The design had
//! twelve letters in mind; here the digits of an ordinary ingress-nginx key are enough, so the
//! key reads `seconds.millis.pid.random` like any of ingress-nginx's own
//! (`pick_new_upstream`, `balancer/sticky_balanced.lua`, dbb11b92d).

use super::crc32;

/// What follows the seconds. `m`, `p`, `r` are fixed at random, `0` is solved for: a digit
/// of 0 to 7, three bits. The last digit of the milliseconds is not 0, as `%.14g` prints none;
/// a pid of seven digits starts with 1 to 3 (`PID_MAX_LIMIT` is 4194304).
const SHAPE: &[u8; 19] = b".00m.p000000.r00000";

/// Digits that are solved for, and so a third of the free bits.
const FREE: usize = 13;

/// Free bits, three a digit. Their rank is 32, so 2^7 keys of each form hash to each value.
const BITS: usize = FREE * 3;

/// For each bit of a checksum the free bits (a mask) that flip it and nothing else; then the
/// masks that flip nothing.
const SOLUTION: ([u64; 32], [u64; BITS - 32]) = solve(columns());

/// A key that hashes to `hash`. `seconds`: the time it shows; `random`: chooses among the keys
/// that do.
#[must_use]
pub fn key(seconds: u64, hash: u32, random: u64) -> String {
    let mut key = format!("{seconds}").into_bytes();
    let digit = |shift: u32, low: u8, count: u64| {
        let step = u8::try_from((random >> shift) % count).unwrap_or(0);
        b'0'.saturating_add(low).saturating_add(step)
    };
    key.extend(SHAPE.iter().map(|byte| match byte {
        b'm' => digit(0, 1, 9),
        b'p' => digit(16, 1, 3),
        b'r' => digit(24, 1, 9),
        other => *other,
    }));
    let mask = mask(crc32::checksum(&key) ^ hash, random >> 40);
    let free = key.iter_mut().rev().zip(SHAPE.iter().rev());
    let mut bits = mask;
    for (byte, _) in free.filter(|(_, shape)| **shape == b'0') {
        // The last digit has the lowest bits.
        let [low, ..] = (bits & 7).to_le_bytes();
        *byte ^= low;
        bits >>= 3;
    }
    String::from_utf8(key).unwrap_or_default()
}

/// Free bits that change a checksum by `change`; `random` chooses among them.
fn mask(change: u32, random: u64) -> u64 {
    let (flips, idle) = SOLUTION;
    let solved = flips.iter().enumerate().fold(0, |mask, (bit, flip)| {
        mask ^ if change >> bit & 1 == 1 { *flip } else { 0 }
    });
    idle.iter().enumerate().fold(solved, |mask, (bit, free)| {
        mask ^ if random >> bit & 1 == 1 { *free } else { 0 }
    })
}

/// What each free bit does to a checksum: bit 0 of the last free digit first.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: an index out of range would not compile"
)]
const fn columns() -> [u32; BITS] {
    let mut columns = [0; BITS];
    let mut column = 0;
    let mut place = SHAPE.len();
    while place > 0 {
        place -= 1;
        if SHAPE[place] != b'0' {
            continue;
        }
        let mut bit = 0;
        while bit < 3 {
            columns[column] = effect(1 << bit, SHAPE.len() - place);
            bit += 1;
            column += 1;
        }
    }
    columns
}

/// What flipping `flip` in the byte `from_end` bytes before the end does to a checksum.
const fn effect(flip: u32, from_end: usize) -> u32 {
    let mut state = flip;
    let mut steps = 8 * from_end;
    while steps > 0 {
        state = (state >> 1) ^ (0xEDB8_8320 & (state & 1).wrapping_neg());
        steps -= 1;
    }
    state
}

/// Gauss-Jordan elimination; see [`SOLUTION`]. Does not compile unless the rank is 32.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: an index out of range would not compile"
)]
const fn solve(mut columns: [u32; BITS]) -> ([u64; 32], [u64; BITS - 32]) {
    let mut masks = [0u64; BITS];
    let mut at = 0;
    while at < BITS {
        masks[at] = 1 << at;
        at += 1;
    }
    let mut bit = 0;
    while bit < 32 {
        let mut pivot = bit;
        while columns[pivot] >> bit & 1 == 0 {
            pivot += 1;
        }
        (columns[bit], columns[pivot]) = (columns[pivot], columns[bit]);
        (masks[bit], masks[pivot]) = (masks[pivot], masks[bit]);
        let mut other = 0;
        while other < BITS {
            if other != bit && columns[other] >> bit & 1 == 1 {
                columns[other] ^= columns[bit];
                masks[other] ^= masks[bit];
            }
            other += 1;
        }
        bit += 1;
    }
    let (mut flips, mut idle) = ([0; 32], [0; BITS - 32]);
    at = 0;
    while at < BITS {
        if at < 32 {
            flips[at] = masks[at];
        } else {
            idle[at - 32] = masks[at];
        }
        at += 1;
    }
    (flips, idle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By another road than [`solve`]: an XOR basis.
    fn rank(columns: &[u32]) -> usize {
        let mut basis: Vec<u32> = Vec::new();
        for column in columns {
            let rest = basis
                .iter()
                .fold(*column, |rest, base| rest.min(rest ^ base));
            if rest != 0 {
                basis.push(rest);
                basis.sort_unstable_by(|a, b| b.cmp(a));
            }
        }
        basis.len()
    }

    #[test]
    fn the_free_digits_have_rank_32() {
        assert_eq!(rank(&columns()), 32);
        // Ten digits do not suffice, whichever bits they have.
        assert!(rank(&columns()[..30]) <= 30);
    }

    #[test]
    fn a_key_hashes_to_any_value_asked_for() {
        let mut random = 0x9E37_79B9_7F4A_7C15u64;
        for hash in [0, 1, u32::MAX, 0x8000_0000, 0xDEAD_BEEF, 12345] {
            for seconds in [1_732_345_679, 9, 99_999_999_999] {
                random = random.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(1);
                let key = key(seconds, hash, random);
                assert_eq!(crc32::checksum(key.as_bytes()), hash, "{key}");
            }
        }
    }

    #[test]
    fn a_key_looks_like_one_of_ingress_nginx() {
        for random in (0..2000u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15)) {
            let key = key(1_732_345_679, (random >> 7) as u32, random);
            let parts: Vec<&str> = key.split('.').collect();
            let [seconds, millis, pid, last] = parts[..] else {
                panic!("{key}: four parts");
            };
            assert_eq!(seconds, "1732345679", "{key}");
            assert!(millis.len() == 3 && !millis.ends_with('0'), "{key}");
            assert!(
                (1_000_000..4_194_304).contains(&pid.parse().unwrap()),
                "{key}"
            );
            assert!(
                (100_000..=999_999).contains(&last.parse().unwrap()),
                "{key}"
            );
        }
    }

    #[test]
    fn one_hash_has_many_keys() {
        let keys: std::collections::BTreeSet<String> =
            (0..128u64).map(|n| key(7, 42, n << 40)).collect();
        assert_eq!(keys.len(), 128);
    }
}
