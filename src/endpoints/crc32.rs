//! CRC-32 as zlib and nginx compute it (IEEE, reflected): the hash of ingress-nginx's ring.
//!
//! Source: `ngx_crc32_short` (nginx), `crc32_update` of `chash.c` (lua-resty-balancer v0.05).

/// The state before the first byte.
pub const START: u32 = u32::MAX;

/// One table step: what the eight bits of a byte do to a state.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: an index out of range would not compile"
)]
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The state after `bytes`, given the state before.
#[must_use]
pub fn update(state: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(state, |crc, &byte| {
        let [low, ..] = crc.to_le_bytes();
        TABLE.get(usize::from(low ^ byte)).copied().unwrap_or(0) ^ (crc >> 8)
    })
}

/// The checksum of `bytes`.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u32 {
    !update(START, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_zlib() {
        for (bytes, sum) in [
            (&b""[..], 0),
            (b"123456789", 0xCBF4_3926),
            (b"The quick brown fox jumps over the lazy dog", 0x414F_A339),
        ] {
            assert_eq!(checksum(bytes), sum, "{bytes:?}");
        }
    }
}
