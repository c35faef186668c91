//! Header maps as proxy-wasm 0.2.1 passes them: a count, the lengths, then the text.
//!
//! Source: "serialized map" in proxy-wasm/spec, `abi-versions/v0.2.1`.

use crate::edit::Field;

/// Reads a serialized header map. Text that is cut short yields the fields before the cut.
#[must_use]
pub fn decode(bytes: &[u8]) -> Vec<Field<'_>> {
    let Some((count, rest)) = split_u32(bytes) else {
        return Vec::new();
    };
    // Two lengths of four bytes each per field: a larger count is a lie.
    let count = count.min(rest.len() / 8);
    let (lengths, mut text) = rest.split_at(count * 8);
    let mut pairs = Vec::with_capacity(count);
    pairs.extend(lengths.chunks_exact(8).map_while(|lengths| {
        let (name, lengths) = split_u32(lengths)?;
        let (value, _) = split_u32(lengths)?;
        Some((take(&mut text, name)?, take(&mut text, value)?))
    }));
    pairs
}

/// Writes a header map.
pub fn encode<'a>(pairs: impl Iterator<Item = (&'a str, &'a [u8])> + Clone) -> Vec<u8> {
    let mut bytes = length(pairs.clone().count()).to_vec();
    for (name, value) in pairs.clone() {
        bytes.extend_from_slice(&length(name.len()));
        bytes.extend_from_slice(&length(value.len()));
    }
    for (name, value) in pairs {
        for part in [name.as_bytes(), value] {
            bytes.extend_from_slice(part);
            bytes.push(0);
        }
    }
    bytes
}

fn length(of: usize) -> [u8; 4] {
    u32::try_from(of).unwrap_or(u32::MAX).to_le_bytes()
}

fn split_u32(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*head)).ok()?, rest))
}

/// The next `len` bytes and the NUL behind them.
fn take<'t>(text: &mut &'t [u8], len: usize) -> Option<&'t [u8]> {
    let (part, rest) = text.split_at_checked(len)?;
    *text = rest.get(1..)?;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let pairs: [(&str, &[u8]); 3] = [
            (":path", b"/\xff\x00x"),
            ("cookie", b""),
            ("cookie", b"a=b"),
        ];
        let bytes = encode(pairs.into_iter());
        assert_eq!(decode(&bytes), crate::edit::fields(&pairs));
        assert_eq!(decode(&[]), vec![]);
        assert_eq!(decode(&[0, 0, 0, 0]), vec![]);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        let whole = encode([("name", &b"value"[..]), ("n", b"v")].into_iter());
        for cut in 0..whole.len() {
            assert!(decode(&whole[..cut]).len() <= 2);
        }
        let mut state = 1u32;
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..state % 40)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    if state >> 30 == 0 {
                        (state >> 24) as u8
                    } else {
                        (state >> 24) as u8 & 3
                    }
                })
                .collect();
            drop(decode(&bytes));
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        }
    }
}
