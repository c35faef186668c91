//! Eight bytes of a text at a time: which of them are what is looked for.
//!
//! A mark is the high bit of a byte. The lowest mark of a word is right, and where there is none no byte is what is
//! looked for; those above the lowest may mean nothing.

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = ONES << 7;

/// The words of a text, the first byte lowest, and what is left of it.
pub(crate) fn of(text: &[u8]) -> (impl Iterator<Item = u64>, &[u8]) {
    let (words, rest) = text.as_chunks();
    (words.iter().map(|word| u64::from_le_bytes(*word)), rest)
}

/// Marks of the bytes that are `byte`.
pub(crate) fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ ONES.wrapping_mul(byte.into()), 1)
}

/// Marks of the bytes that are less than `limit`, which is 128 at most.
pub(crate) fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES.wrapping_mul(limit.into())) & !word & HIGH
}

/// The place of the lowest mark in its word; `None`: there is none.
pub(crate) fn first(marks: u64) -> Option<usize> {
    let bits = usize::try_from(marks.trailing_zeros()).ok()?;
    (marks != 0).then_some(bits / 8)
}

/// The marks of `marks` before the lowest one of `end`.
pub(crate) fn before(marks: u64, end: u64) -> u64 {
    marks & !end & end.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: [u8; 8]) -> u64 {
        u64::from_le_bytes(text)
    }

    #[test]
    fn the_lowest_mark_is_the_first_byte_that_is_looked_for() {
        let mut state = 1_u64;
        for _ in 0..200_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // Bytes that are near each other, so that each is found now and then.
            let text = (state ^ state >> 29).to_le_bytes().map(|byte| byte & 0x83);
            for byte in [0, 1, 2, 3, 0x80, 0x83] {
                let place = text.iter().position(|other| *other == byte);
                assert_eq!(first(equal(word(text), byte)), place, "{text:?} {byte}");
            }
            for limit in [1, 2, 4, 0x80] {
                let place = text.iter().position(|other| *other < limit);
                assert_eq!(first(below(word(text), limit)), place, "{text:?} {limit}");
            }
        }
    }

    #[test]
    fn what_is_behind_the_end_does_not_count() {
        let (text, bar) = (word(*b"ab|c;|d;"), b'|');
        let marks = |text| before(equal(text, bar), equal(text, b';'));
        assert_eq!(first(marks(text)), Some(2));
        assert_eq!(marks(word(*b"abcd;|||")), 0);
        assert_eq!(first(marks(word(*b"abcdefg|"))), Some(7), "there is no end");
        assert_eq!(of(b"0123456789abcdef!").1, b"!");
        assert_eq!(of(b"0123456789abcdef!").0.count(), 2);
    }
}
