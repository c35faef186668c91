//! SHA-256 and SHA-512, as small as they can be: the crate of that name is 30 KB of the module.
//!
//! Source: FIPS 180-4. The numbers of SHA-256 are the upper halves of those of SHA-512.

#[rustfmt::skip] // as many to a line as there is room for
const ROUNDS: [u64; 80] = [
    0x428a2f98_d728ae22, 0x71374491_23ef65cd, 0xb5c0fbcf_ec4d3b2f, 0xe9b5dba5_8189dbbc,
    0x3956c25b_f348b538, 0x59f111f1_b605d019, 0x923f82a4_af194f9b, 0xab1c5ed5_da6d8118,
    0xd807aa98_a3030242, 0x12835b01_45706fbe, 0x243185be_4ee4b28c, 0x550c7dc3_d5ffb4e2,
    0x72be5d74_f27b896f, 0x80deb1fe_3b1696b1, 0x9bdc06a7_25c71235, 0xc19bf174_cf692694,
    0xe49b69c1_9ef14ad2, 0xefbe4786_384f25e3, 0x0fc19dc6_8b8cd5b5, 0x240ca1cc_77ac9c65,
    0x2de92c6f_592b0275, 0x4a7484aa_6ea6e483, 0x5cb0a9dc_bd41fbd4, 0x76f988da_831153b5,
    0x983e5152_ee66dfab, 0xa831c66d_2db43210, 0xb00327c8_98fb213f, 0xbf597fc7_beef0ee4,
    0xc6e00bf3_3da88fc2, 0xd5a79147_930aa725, 0x06ca6351_e003826f, 0x14292967_0a0e6e70,
    0x27b70a85_46d22ffc, 0x2e1b2138_5c26c926, 0x4d2c6dfc_5ac42aed, 0x53380d13_9d95b3df,
    0x650a7354_8baf63de, 0x766a0abb_3c77b2a8, 0x81c2c92e_47edaee6, 0x92722c85_1482353b,
    0xa2bfe8a1_4cf10364, 0xa81a664b_bc423001, 0xc24b8b70_d0f89791, 0xc76c51a3_0654be30,
    0xd192e819_d6ef5218, 0xd6990624_5565a910, 0xf40e3585_5771202a, 0x106aa070_32bbd1b8,
    0x19a4c116_b8d2d0c8, 0x1e376c08_5141ab53, 0x2748774c_df8eeb99, 0x34b0bcb5_e19b48a8,
    0x391c0cb3_c5c95a63, 0x4ed8aa4a_e3418acb, 0x5b9cca4f_7763e373, 0x682e6ff3_d6b2b8a3,
    0x748f82ee_5defb2fc, 0x78a5636f_43172f60, 0x84c87814_a1f0ab72, 0x8cc70208_1a6439ec,
    0x90befffa_23631e28, 0xa4506ceb_de82bde9, 0xbef9a3f7_b2c67915, 0xc67178f2_e372532b,
    0xca273ece_ea26619c, 0xd186b8c7_21c0c207, 0xeada7dd6_cde0eb1e, 0xf57d4f7f_ee6ed178,
    0x06f067aa_72176fba, 0x0a637dc5_a2c898a6, 0x113f9804_bef90dae, 0x1b710b35_131c471b,
    0x28db77f5_23047d84, 0x32caab7b_40c72493, 0x3c9ebe0a_15c9bebc, 0x431d67c4_9c100d4c,
    0x4cc5d4be_cb3e42b6, 0x597f299c_fc657e2a, 0x5fcb6fab_3ad6faec, 0x6c44198c_4a475817,
];

const START: [u64; 8] = [
    0x6a09e667_f3bcc908,
    0xbb67ae85_84caa73b,
    0x3c6ef372_fe94f82b,
    0xa54ff53a_5f1d36f1,
    0x510e527f_ade682d1,
    0x9b05688c_2b3e6c1f,
    0x1f83d9ab_fb41bd6b,
    0x5be0cd19_137e2179,
];

/// The algorithm for one size of words: the bytes of a word, its rounds, and how far words are turned
/// in the two sums and, with a shift at the end, in the two schedules.
macro_rules! algorithm {
    ($name:ident, $word:ty, $bytes:literal, $rounds:literal, $half:literal,
     $sums:expr, $schedules:expr) => {
        /// The digest of some texts, one after the other.
        #[inline(never)]
        pub(super) fn $name(texts: &[&[u8]]) -> Vec<u8> {
            const BLOCK: usize = $bytes * 16;
            let mut text = texts.concat();
            let bits = (text.len() as u64).wrapping_mul(8);
            text.push(0x80);
            while text.len() % BLOCK != BLOCK - $bytes * 2 {
                text.push(0);
            }
            // The length is two words, of which no text fills more than eight bytes.
            text.resize(text.len().saturating_add($bytes * 2 - 8), 0);
            text.extend(bits.to_be_bytes());
            let mut state = START.map(|word| (word >> $half) as $word);
            for block in text.chunks_exact(BLOCK) {
                let mut words = [0; 16];
                for (word, bytes) in words.iter_mut().zip(block.chunks_exact($bytes)) {
                    let bytes = bytes.try_into().unwrap_or([0; $bytes]);
                    *word = <$word>::from_be_bytes(bytes);
                }
                state = block_of(state, words);
            }
            return state.iter().flat_map(|word| word.to_be_bytes()).collect();

            fn block_of(state: [$word; 8], mut words: [$word; 16]) -> [$word; 8] {
                let sum = |word: $word, [one, two, three]: [u32; 3]| {
                    word.rotate_right(one) ^ word.rotate_right(two) ^ word.rotate_right(three)
                };
                let schedule = |word: $word, [one, two, three]: [u32; 3]| {
                    word.rotate_right(one) ^ word.rotate_right(two) ^ (word >> three)
                };
                let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
                for (at, round) in ROUNDS.iter().take($rounds).enumerate() {
                    let near = |further: usize| {
                        let at = at.wrapping_add(further) & 15;
                        words.get(at).copied().unwrap_or_default()
                    };
                    let word = near(0);
                    // The word that is needed sixteen rounds later.
                    let later = word
                        .wrapping_add(schedule(near(1), $schedules[0]))
                        .wrapping_add(near(9))
                        .wrapping_add(schedule(near(14), $schedules[1]));
                    if let Some(word) = words.get_mut(at & 15) {
                        *word = later;
                    }
                    let choice = (e & f) ^ (!e & g);
                    let first = h
                        .wrapping_add(sum(e, $sums[1]))
                        .wrapping_add(choice)
                        .wrapping_add((round >> $half) as $word)
                        .wrapping_add(word);
                    let majority = (a & b) ^ (a & c) ^ (b & c);
                    let second = sum(a, $sums[0]).wrapping_add(majority);
                    (h, g, f, e) = (g, f, e, d.wrapping_add(first));
                    (d, c, b, a) = (c, b, a, first.wrapping_add(second));
                }
                let mut mixed = [a, b, c, d, e, f, g, h];
                for (word, before) in mixed.iter_mut().zip(state) {
                    *word = word.wrapping_add(before);
                }
                mixed
            }
        }
    };
}

algorithm!(
    sha256,
    u32,
    4,
    64,
    32,
    [[2, 13, 22], [6, 11, 25]],
    [[7, 18, 3], [17, 19, 10]]
);
algorithm!(
    sha512,
    u64,
    8,
    80,
    0,
    [[28, 34, 39], [14, 18, 41]],
    [[1, 8, 7], [19, 61, 6]]
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standard() {
        let hex = |digest: Vec<u8>| -> String {
            digest.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        for (text, short, long) in [
            (
                "",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
            ),
            (
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ] {
            assert_eq!(hex(sha256(&[text.as_bytes()])), short, "{text}");
            assert_eq!(hex(sha512(&[text.as_bytes()])), long, "{text}");
        }
        // The digest of the digests of every length about the ends of blocks.
        let (mut short, mut long) = (Vec::new(), Vec::new());
        for length in 0..300 {
            let text = vec![b'x'; length];
            let (one, two) = text.split_at(length / 3);
            short.push(sha256(&[one, two]));
            long.push(sha512(&[one, two]));
        }
        assert_eq!(
            hex(sha256(&[&short.concat()])),
            "3068c8c08e804c2be19cb16d8f13fb8cbdff841c789d00ce28ded624674b6d55"
        );
        assert_eq!(
            hex(sha512(&[&long.concat()])),
            "0a6a4d91c9c127e3ffd49e748cac6b599e1ce1039f1d92bdcdce57e91acc2b7d13aa0183989b5e7fdc7a2b84a968d350d022db27b68c0b4fa2d71fdb45537c00"
        );
    }
}
