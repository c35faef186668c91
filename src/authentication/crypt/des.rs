//! Twenty-five rounds of DES, which the first eight bytes of a password are the key of: crypt(3) as it
//! was first.
//!
//! Source: FIPS 46-3 for the tables, counted from 1 there.

use super::digits::{DIGITS, digits};

const INITIAL: [u8; 64] = [
    58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6,
    64, 56, 48, 40, 32, 24, 16, 8, 57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61,
    53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
];

const FINAL: [u8; 64] = [
    40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30,
    37, 5, 45, 13, 53, 21, 61, 29, 36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27,
    34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25,
];

const EXPANSION: [u8; 48] = [
    32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17, 16, 17, 18,
    19, 20, 21, 20, 21, 22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1,
];

const PERMUTATION: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19,
    13, 30, 6, 22, 11, 4, 25,
];

const CHOICE_1: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60,
    52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29,
    21, 13, 5, 28, 20, 12, 4,
];

const CHOICE_2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52,
    31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];

const SHIFTS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

/// Each row with its first number in the highest bits.
#[rustfmt::skip] // a box is a line
const BOXES: [[u64; 4]; 8] = [
    [0xe4d1_2fb8_3a6c_5907, 0x0f74_e2d1_a6cb_9538, 0x41e8_d62b_fc97_3a50, 0xfc82_4917_5b3e_a06d],
    [0xf18e_6b34_972d_c05a, 0x3d47_f28e_c01a_69b5, 0x0e7b_a4d1_58c6_932f, 0xd8a1_3f42_b67c_05e9],
    [0xa09e_63f5_1dc7_b428, 0xd709_346a_285e_cbf1, 0xd649_8f30_b12c_5ae7, 0x1ad0_6987_4fe3_b52c],
    [0x7de3_069a_1285_bc4f, 0xd8b5_6f03_472c_1ae9, 0xa690_cb7d_f13e_5284, 0x3f06_a1d8_945b_c72e],
    [0x2c41_7ab6_853f_d0e9, 0xeb2c_47d1_50fa_3986, 0x421b_ad78_f9c5_630e, 0xb8c7_1e2d_6f09_a453],
    [0xc1af_9268_0d34_e75b, 0xaf42_7c95_61de_0b38, 0x9ef5_28c3_704a_1db6, 0x432c_95fa_be17_608d],
    [0x4b2e_f08d_3c97_5a61, 0xd0b7_491a_e35c_2f86, 0x14bd_c37e_af68_0592, 0x6bd8_14a7_950f_e23c],
    [0xd284_6fb1_a93e_50c7, 0x1fd8_a374_c56b_0e92, 0x7b41_9ce2_06ad_f358, 0x21e7_4a8d_fc90_356b],
];

/// `hash`: two digits of salt, and what the password made of it.
pub(super) fn crypt(password: &[u8], hash: &[u8]) -> Option<Vec<u8>> {
    let salt = hash.get(..2)?;
    let number = |byte: &u8| DIGITS.iter().position(|digit| digit == byte);
    let [low, high] = [number(salt.first()?)?, number(salt.get(1)?)?];
    let salt_bits = u64::try_from((high << 6) | low).ok()?;
    let key = (0..8).fold(0, |key, at| {
        let byte = password.get(at).copied().unwrap_or_default();
        (key << 8) | u64::from(byte.wrapping_shl(1))
    });
    let keys = keys(key);
    let block = (0..25).fold(0, |block, _| encrypted(block, &keys, salt_bits));
    let mut out = salt.to_vec();
    for at in (0..11_u32).rev() {
        // Two zeros stand behind the last bit.
        let shift = at.saturating_mul(6);
        let six = if at == 0 {
            block << 2
        } else {
            block >> (shift - 2)
        };
        digits((six & 63) as u32, 1, &mut out);
    }
    Some(out)
}

fn keys(key: u64) -> [u64; 16] {
    const HALF: u64 = (1 << 28) - 1;
    let chosen = permuted(key, 64, &CHOICE_1);
    let (mut left, mut right) = (chosen >> 28, chosen & HALF);
    SHIFTS.map(|shift| {
        let turned = |half: u64| ((half << shift) | (half >> (28 - shift))) & HALF;
        (left, right) = (turned(left), turned(right));
        permuted((left << 28) | right, 56, &CHOICE_2)
    })
}

fn encrypted(block: u64, keys: &[u64; 16], salt: u64) -> u64 {
    const HALF: u64 = (1 << 32) - 1;
    let block = permuted(block, 64, &INITIAL);
    let (mut left, mut right) = (block >> 32, block & HALF);
    for key in keys {
        let expanded = permuted(right, 32, &EXPANSION);
        let (high, low) = (expanded >> 24, expanded & 0xff_ffff);
        // The salt's bits say which of the two halves change places.
        let swapped = (high ^ low) & reversed(salt);
        let mixed = (((high ^ swapped) << 24) | (low ^ swapped)) ^ key;
        let next = left ^ permuted(substituted(mixed), 32, &PERMUTATION);
        (left, right) = (right, next);
    }
    permuted((right << 32) | left, 64, &FINAL)
}

/// The first bit of a salt is for the first bit of a half, which is the highest of 24.
fn reversed(salt: u64) -> u64 {
    (0..24).fold(0, |all, at| (all << 1) | ((salt >> at) & 1))
}

fn substituted(bits: u64) -> u64 {
    let boxes = BOXES.iter().enumerate();
    boxes.fold(0, |all, (at, rows)| {
        let six = bits >> (42 - 6 * at);
        let row = ((six >> 4) & 2) | (six & 1);
        let column = (six >> 1) & 15;
        let row = rows.get(row as usize).copied().unwrap_or_default();
        (all << 4) | ((row >> (60 - 4 * column)) & 15)
    })
}

/// The bits that a table names, of `width` bits that are counted from 1 and from the highest. Not
/// inlined: each table in a row of its own would be 10 KB of the module.
#[inline(never)]
fn permuted(bits: u64, width: u32, table: &[u8]) -> u64 {
    table.iter().fold(0, |all, at| {
        (all << 1) | ((bits >> width.saturating_sub(u32::from(*at))) & 1)
    })
}
